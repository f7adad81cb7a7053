"""Where a browser may be sent after a login: paths on this site, as every browser and proxy reads them."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.oidc.return_to import safe_path

EVIL = [
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "\\\\evil.example",
    "/\t/evil.example", "/\n/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example", "/%2f/evil.example",
    "/%2Fevil.example", "/%252fevil.example", "/%25252fevil.example", "/%5cevil.example", "/%255cevil.example",
    "/%09/evil.example", "/%00/x", "/%0d%0aset-cookie:a=b", "http:evil.example", "http:/evil.example", "javascript:alert(1)",
    "data:text/html,x", "//user:pass@evil.example", "https://site.example@evil.example", "/.//evil.example",
    "/a/..//evil.example", "/../x", "/./x", "/%2e%2e/x", "/.%2e//evil.example", "evil.example", "", "?x=//evil", "#//evil",
    "/a//evil.example", "/é", "/\u2028x", "/x\x7f", "/" + "a" * 2048, "/%25%25%25%32%66x/%2525252fevil", None, 7, b"/x", ["/x"],
]  # fmt: skip
GOOD = [
    "/",
    "/orders/7",
    "/orders?page=2&next=%2Fx%5Cy",
    "/a/b#part",
    "/@alice",
    "/a%20b",
    "/caf%C3%A9",
    "/x?u=https://a.example//b",
]


@pytest.mark.parametrize("text", EVIL, ids=lambda text: repr(text)[:40])
def test_what_could_lead_elsewhere_leads_home(text):
    assert safe_path(text, "/home") == "/home"


@pytest.mark.parametrize("text", GOOD)
def test_a_path_on_this_site_stays_as_it_is(text):
    assert safe_path(text, "/home") == text


def test_our_own_endpoints_are_no_place_to_come_back_to():
    assert safe_path("/login?x=1", "/home", never={"/login"}) == "/home"


@given(st.text(alphabet=st.sampled_from("/\\:@%25fFcC2eE.?#ax\t\n \x00é"), max_size=30) | st.text(max_size=40))
def test_whatever_the_text_says_a_browser_stays_on_this_site(text):
    found = safe_path(text)
    target = urlsplit(urljoin("https://site.example/here", found))
    assert (target.scheme, target.netloc) == ("https", "site.example")
    assert found.startswith("/")
    assert found[1:2] not in ("/", "\\")
