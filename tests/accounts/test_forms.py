"""Bodies as forms: what a browser writes is read, and nothing else. (JSON: `test_endpoints.py`.)"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import Request
from authkit.accounts._bodies import texts
from authkit.errors import RequestError

from .parts import FORM, PASSWORD, Service, told


def read(body, *names, kind="application/x-www-form-urlencoded"):
    return texts(Request.build("POST", "/", {"content-type": kind}, body), *names)


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        'application/x-www-form-urlencoded;charset="UTF-8"',
    ],
)
def test_a_form_logs_in(kind):
    service = Service()
    answer = service.send("/login", b"username=alice&password=correct+horse", {"content-type": kind})
    assert (answer.status, told(answer)["user"]) == (200, "alice")


def test_a_whole_session_by_forms():
    service = Service()
    pair = service.pair()
    form = urlencode({"refresh_token": pair["refresh_token"]}).encode()
    assert service.send("/refresh", form, FORM).status == 200
    assert service.send("/verify", urlencode({"token": pair["access_token"]}).encode(), FORM).status == 200
    assert service.send("/logout", form, FORM).status == 204


WRONG = [
    b"",
    b"username=alice",
    b"password=x",
    b"username=alice&password=",
    b"username=&password=x",
    b"username=alice&password=x&password=x",
    b"username=alice&password=x&password=y",
    b"username=alice&password=x&admin=true",
    b"username=alice&password=x&",
    b"&username=alice&password=x",
    b"username=alice;password=x",
    b"username=alice&password",
    b"username&password=x",
    b"username[]=alice&password=x",
    b"username[$ne]=&password[$gt]=",
    b"Username=alice&Password=x",
    b"username=alice&password=%",
    b"username=alice&password=%4",
    b"username=alice&password=%zz",
    b"username=alice&password=%+1",
    b"username=alice&password=%C3",
    b"username=alice&password=%ED%A0%80",
    b"username=alice&password=%F4%90%80%80",
    b"username=alice&password=%C0%80",
    b"username=alice&password=%00",
    b"username=alice%00&password=x",
    b"username=alice&password=\x00",
    b"username=alice&password=\xc3\xa9",
    b"username=alice&password=correct horse",
    b"username=alice&password=x\r\n",
    b"username=alice\n&password=x",
    b"\xef\xbb\xbfusername=alice&password=x",
    "username=alice&password=x".encode("utf-16"),
    b"user%6eame=alice&username=alice&password=x",
    b'{"username":"alice","password":"correct horse"}',
    b"null",
    b"=&=",
    b"a=1&" * 10_000,
    b"%" * 60_000,
    b"&" * 60_000,
]


@pytest.mark.parametrize("body", WRONG, ids=lambda body: ascii(body[:40]))
def test_a_form_that_is_not_exactly_what_it_should_be_is_400(body):
    """PWD-14: 40 of them."""
    with pytest.raises(RequestError) as raised:
        read(body, "username", "password")
    assert raised.value.status == 400


def test_there_are_forty():
    assert len(WRONG) >= 40


def test_an_encoded_name_is_the_same_name():
    assert read(b"user%6eame=alice&password=%F0%9F%90%8E+x%2B", "username", "password") == ("alice", "\U0001f40e x+")


def test_a_body_for_which_nothing_is_wanted_is_empty():
    assert read(b"") == ()
    with pytest.raises(RequestError):
        read(b"a=b")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded; charset=utf-16", "application/x-www-form-urlencoded; charset=iso-8859-1"]
)
def test_another_charset_is_415(kind):
    with pytest.raises(RequestError) as raised:
        read(b"username=alice&password=x", "username", "password", kind=kind)
    assert raised.value.status == 415


@given(st.dictionaries(st.sampled_from(["username", "password", "x"]), st.text(max_size=20)))
def test_a_browsers_own_form_is_read_as_it_was_meant(fields):
    """Any text that a form can hold comes through unchanged."""
    try:
        body = urlencode(fields).encode()
    except UnicodeEncodeError:  # a lone surrogate: no browser sends one
        return
    try:
        found = read(body, "username", "password")
    except RequestError:
        assert fields.keys() != {"username", "password"} or any(not value or "\0" in value for value in fields.values())
    else:
        assert found == (fields["username"], fields["password"])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    try:
        found = read(body, "username", "password")
    except RequestError:
        return
    assert all(type(value) is str and value and "\0" not in value for value in found)


def test_the_longest_password_fits_however_it_is_encoded():
    service = Service()
    password = "\u00e9" * 2048
    service.accounts.register("bob", password)
    assert service.send("/login", urlencode({"username": "bob", "password": password}).encode(), FORM).status == 200
    assert service.send("/login", b"username=alice&password=" + PASSWORD.replace(" ", "%20").encode(), FORM).status == 200
