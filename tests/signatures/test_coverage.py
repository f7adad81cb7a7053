"""A signature over less than the whole request is refused, and what is covered is what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from authkit._run import run
from authkit.errors import ConfigurationError, InvalidSignature
from authkit.signatures import SignatureVerifier, Signer, content_digest
from authkit.signatures.components import components_of, signature_base
from authkit.signatures.keys import SignatureKey
from authkit.signatures.message import Message, target_of
from authkit.signatures.structured import InnerList, Item, dictionary_text, parse_dictionary

SECRET = "coverage: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"
KEY = SignatureKey(SECRET)
NOW = 1_800_000_000.0
URL = "https://api.example.com/orders/7?a=1&b=2"
VERIFIER = SignatureVerifier({"client-a": KEY}, clock=lambda: NOW)


def covering(covered: str, method: str = "GET", url: str = URL, headers: Any = (), label: str = "sig1") -> dict[str, str]:
    """The headers of a request that covers just this."""
    member = parse_dictionary(f'{label}=({covered});created={int(NOW)};keyid="client-a"')[label]
    assert isinstance(member, InnerList)
    base = signature_base(Message(method, target_of(url), headers), member, components_of(member))
    _, sign = run(KEY.signing())
    return {
        **dict(headers),
        "signature-input": dictionary_text({label: member}),
        "signature": dictionary_text({label: Item(sign(base))}),
    }


def reason(headers: Any, body: bytes = b"", url: str = URL, method: str = "GET", verifier: SignatureVerifier = VERIFIER) -> str:
    with pytest.raises(InvalidSignature) as raised:
        verifier.verify(method, url, headers, body)
    return raised.value.reason


WHOLE = '"@method" "@authority" "@path" "@query"'


@pytest.mark.parametrize(
    "covered",
    [
        WHOLE,
        '"@method" "@target-uri"',
        '"@method" "@authority" "@request-target"',
        '"@query-param";name="b" "@path" "@authority" "@method" "@query-param";name="a"',
        WHOLE + ' "@scheme" "x-more"',
    ],
)
def test_the_whole_target_is_covered_in_one_of_these_ways(covered: str) -> None:
    assert VERIFIER.verify("GET", URL, covering(covered, headers={"x-more": "1"})).keyid == "client-a"


@pytest.mark.parametrize(
    "covered",
    [
        "",
        '"@authority" "@path" "@query"',
        '"@method" "@path" "@query"',
        '"@method" "@authority" "@query"',
        '"@method" "@authority" "@path"',
        '"@method" "@authority" "@path" "@query-param";name="a"',  # b may be anything
    ],
)
def test_less_than_the_whole_target_is_refused(covered: str) -> None:
    assert reason(covering(covered)) == "not_covered"


def test_a_parameter_added_beside_covered_ones_is_refused() -> None:
    headers = covering('"@method" "@authority" "@path" "@query-param";name="a" "@query-param";name="b"')
    assert reason(headers, url=URL + "&c=3") == "not_covered"
    assert reason(headers, url=URL + "&a=3") == "component_repeated"
    assert reason(headers, url="https://api.example.com/orders/7?a=1") == "not_covered"
    assert reason(headers, url="https://api.example.com/orders/7?a=1&b=3") == "signature_mismatch"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/orders/8?a=1&b=2",
        "https://api.example.com/orders/7?a=1&b=3",
        "https://api.example.com/orders/7?b=2&a=1",
        "https://api.example.com/orders/7",
        "https://api.example.com/orders/%37?a=1&b=2",
        "https://api.example.com:8443/orders/7?a=1&b=2",
        "https://evil.example.com/orders/7?a=1&b=2",
    ],
)
def test_another_target_is_refused(url: str) -> None:
    assert reason(covering(WHOLE), url=url) == "signature_mismatch"


def test_the_scheme_and_port_of_the_same_authority_count_where_they_are_covered() -> None:
    assert reason(covering(WHOLE + ' "@scheme"'), url=URL.replace("https", "http")) == "signature_mismatch"
    assert VERIFIER.verify("GET", URL.replace(".com", ".com:443").replace("api", "API"), covering(WHOLE)).label == "sig1"


@pytest.mark.parametrize(
    "covered",
    [
        '"@signature-params"',
        '"@status"',
        '"@nobody"',
        '"@method";req',
        '"x-more";tr',
        '"x-more";req',
        '"X-More"',
        '"x-more";sf',  # nobody told us its type
        '"x-more";bs;sf',
        '"x-more";bs;key="a"',
        '"x-more";key=1',
        '"x-more";bs=?0',
        '"x-more";other',
        '"@query-param"',
        '"@query-param";name=1',
        '"@query-param";name="a";other',
        '"@path";name="a"',
        "token",
        "1",
        ":AQ==:",
        '""',
        '"x more"',
    ],
)
def test_a_component_that_no_request_has_is_refused(covered: str) -> None:
    headers = {
        "x-more": "1",
        "signature-input": f'sig1=({WHOLE} {covered});created={int(NOW)};keyid="client-a"',
        "signature": "sig1=:AQ==:",
    }
    assert reason(headers) == "component_refused"


@pytest.mark.parametrize("covered", [WHOLE + ' "@method"', WHOLE + ' "x-d";key="a";sf "x-d";sf;key="a"'])
def test_a_component_twice_is_refused(covered: str) -> None:
    headers = {
        "x-d": "a=1",
        "signature-input": f'sig1=({covered});created={int(NOW)};keyid="client-a"',
        "signature": "sig1=:AQ==:",
    }
    assert reason(headers) == "component_repeated"


def test_a_covered_header_that_is_missing_or_was_added_to_is_refused() -> None:
    headers = covering(WHOLE + ' "x-more"', headers={"x-more": "1"})
    assert reason({name: value for name, value in headers.items() if name != "x-more"}) == "component_missing"
    assert reason([*headers.items(), ("X-More", "2")]) == "signature_mismatch"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\u00e9", "a\x00b"])
def test_a_header_that_could_forge_a_line_of_the_base_is_refused(value: str) -> None:
    headers = covering(WHOLE + ' "x-more"', headers={"x-more": "1"})
    assert reason({**headers, "x-more": value}) == "component_malformed"


def test_further_headers_may_be_wanted() -> None:
    verifier = SignatureVerifier({"client-a": KEY}, components=["x-tenant"], clock=lambda: NOW)
    assert reason(covering(WHOLE, headers={"x-tenant": "1"}), verifier=verifier) == "not_covered"
    assert verifier.verify("GET", URL, covering(WHOLE + ' "x-tenant"', headers={"x-tenant": "1"})).keyid == "client-a"


@pytest.mark.parametrize("names", ["@method", ["@status"], ["X-Tenant"], [1], ["@query-param"], ['"x";bs;sf'], ['("x")']])
def test_wanting_what_no_request_has_is_a_mistake_of_the_program(names: Any) -> None:
    with pytest.raises(ConfigurationError, match="components"):
        SignatureVerifier({"client-a": KEY}, components=names)


def signed(body: bytes, **settings: Any) -> dict[str, str]:
    return Signer(KEY, keyid="client-a", clock=lambda: NOW, **settings).sign("POST", URL, {"content-type": "text/plain"}, body)


def test_a_body_has_to_be_covered_by_its_digest() -> None:
    headers = signed(b"hello")
    assert VERIFIER.verify("POST", URL, headers, b"hello").keyid == "client-a"
    assert reason(headers, b"hellO", method="POST") == "digest_mismatch"
    assert reason(headers, b"", method="POST") == "digest_mismatch"
    bare = covering(WHOLE, "POST")
    assert reason(bare, b"added", method="POST") == "digest_missing"
    uncovered = {**bare, "content-digest": content_digest(b"added")}
    assert reason(uncovered, b"added", method="POST") == "body_not_covered"


def test_a_covered_digest_is_compared_with_the_body_even_where_bodies_need_not_be_covered() -> None:
    verifier = SignatureVerifier({"client-a": KEY}, insecure_unsigned_body=True, clock=lambda: NOW)
    assert verifier.verify("POST", URL, covering(WHOLE, "POST"), b"anything").keyid == "client-a"
    assert reason(signed(b"hello"), b"other", method="POST", verifier=verifier) == "digest_mismatch"


@pytest.mark.parametrize("digest", ["sha-256", "sha-512"])
def test_both_digests_of_the_rfc_are_there(digest: str) -> None:
    assert VERIFIER.verify("POST", URL, signed(b"hello", digest=digest), b"hello").version == "current"
    with pytest.raises(ConfigurationError):
        signed(b"", digest="md5")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("md5=:AQ==:", "digest_unknown"),
        ("sha-256=?1", "digest_malformed"),
        ("sha-256=(1)", "digest_malformed"),
        ("sha-256=AAAA", "digest_malformed"),
        ("sha-256=:AAAA:", "digest_mismatch"),
        ("\x80", "digest_malformed"),
        (content_digest(b"hello") + ", " + content_digest(b"other", "sha-512"), "digest_mismatch"),
    ],
)
def test_a_digest_that_says_nothing_of_the_body_is_refused(value: str, expected: str) -> None:
    covered = WHOLE + ' "content-digest"'
    headers = covering(covered, "POST", headers={"content-digest": value}) if value.isascii() else None
    if headers is None:
        headers = {**covering(WHOLE, "POST"), "content-digest": value}
    assert reason(headers, b"hello", method="POST") == expected


def test_one_digest_of_several_may_be_covered_by_its_key() -> None:
    both = content_digest(b"hello") + ", " + content_digest(b"hello", "sha-512") + ", md5=:AQ==:"
    named = covering(WHOLE + ' "content-digest";key="sha-512"', "POST", headers={"content-digest": both})
    assert VERIFIER.verify("POST", URL, named, b"hello").keyid == "client-a"
    unknown = covering(WHOLE + ' "content-digest";key="md5"', "POST", headers={"content-digest": both})
    assert reason(unknown, b"hello", method="POST") == "body_not_covered"


def cost(headers: Any, url: str) -> float:
    """Seconds of the processor for a request whose four signatures are all wrong; the least of three."""
    from time import process_time

    spent = []
    for _ in range(3):
        began = process_time()
        assert reason(headers, url=url) == "signature_mismatch"
        spent.append(process_time() - began)
    return min(spent)


def unsigned(covered: str) -> dict[str, str]:
    """What a stranger sends who knows a key id: as many wrong signatures as are tried, over as much as can be named."""
    made = f'({covered});created={int(NOW)};keyid="client-a"'
    return {
        "signature-input": ", ".join(f"s{place}={made}" for place in range(4)),
        "signature": ", ".join(f"s{place}=:{'A' * 43}=:" for place in range(4)),
    }


def test_the_query_is_read_once_however_many_of_its_parameters_are_covered() -> None:
    """The least work for a stranger was 1.7 s of ours when it was read for each of them."""
    url = "https://api.example.com/?" + "&".join(f"p{number}=%f0%9f%98%80" for number in range(1000))
    singly = " ".join(f'"@query-param";name="p{number}"' for number in range(60))
    assert cost(unsigned(f"{WHOLE} {singly}"), url) < 0.15


def test_a_header_is_read_once_however_many_of_its_members_are_covered() -> None:
    members = ", ".join(f'k{number}=("aaaaaaaaaa" "b" "c" "d" "e" "f" "g" "h" "i" "j";x;y;z)' for number in range(60))
    singly = " ".join(f'"x-list";key="k{number}"' for number in range(60))
    assert cost({**unsigned(f"{WHOLE} {singly}"), "x-list": members}, "https://api.example.com/") < 0.15
