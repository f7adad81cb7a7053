"""Where a bearer token may stand: one, in one place, in exactly one form."""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import (
    Allow,
    Deny,
    Request,
    _credential,
    require_auth,
)
from authkit.http import Headers
from authkit.testing import TokenMint

MINT = TokenMint()
GOOD = MINT.good("alice", scopes=["orders:read"], roles=["clerk"], ttl=86_400)
AUTH = require_auth(MINT.tokens)


def bearer(token, method="GET", **headers):
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request.build(method, "/", {"authorization": f"Bearer {token}", **lines})


def with_cookie(token, method="GET", websocket=False, **headers):
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, "/", headers=Headers({"cookie": f"sid={token}", **lines}), websocket=websocket)


def word(decision):
    """What the client would be told."""
    if isinstance(decision, Allow):
        return "anonymous" if decision.principal is None else decision.principal.subject
    return f"{decision.status} {decision.code}"


# ADP-01, ADP-02


@pytest.mark.parametrize("first", [GOOD, "bad"])
@pytest.mark.parametrize("second", [GOOD, "bad"])
def test_two_credentials_are_a_bad_request(first, second):
    """ADP-01: in two lines, joined by a server, and in header and cookie."""
    guard = require_auth(MINT.tokens, cookie="sid", websocket_protocol="bearer")
    lines = [("Authorization", f"Bearer {first}"), ("Authorization", f"Bearer {second}")]
    joined = [("Authorization", f"Bearer {first}, Bearer {second}")]
    both = [("Authorization", f"Bearer {first}"), ("Cookie", f"sid={second}")]
    twice = [("Cookie", f"sid={first}; sid={second}")]
    cookies = [("Cookie", f"sid={first}"), ("Cookie", f"sid={second}")]
    for headers in (lines, joined, both, twice, cookies):
        assert word(guard.decide(Request.build(headers=headers))) == "400 invalid_request"
    protocol = [*both[:1], ("Sec-WebSocket-Protocol", f"bearer, {second}")]
    assert word(guard.decide(Request("GET", "/", headers=Headers(protocol), websocket=True))) == "400 invalid_request"


def test_a_bearer_beside_another_scheme_is_two_credentials():
    for lines in (["Basic YTpi", f"Bearer {GOOD}"], [f"Bearer {GOOD}", "Basic YTpi"]):
        assert word(AUTH.decide(Request.build(headers=[("Authorization", line) for line in lines]))) == "400 invalid_request"
        assert word(AUTH.decide(Request.build(headers={"authorization": ", ".join(lines)}))) == "400 invalid_request"


LINES = ["", " ", "Basic YTpi", "Negotiate x", 'Digest username="bearer"', "bearer", "Bearer a,b", f"Bearer {GOOD}"]


@pytest.mark.parametrize("first", LINES)
@pytest.mark.parametrize("second", LINES)
def test_repeated_lines_mean_the_same_where_a_server_has_joined_them(first, second):
    """WSGI servers join with a comma, API Gateway with a comma or into a list, ASGI servers not at all."""
    for guard in (AUTH, require_auth(MINT.tokens, optional=True)):
        apart = guard.decide(Request.build(headers=[("Authorization", first), ("Authorization", second)]))
        for joined in (f"{first},{second}", f"{first}, {second}"):
            assert guard.decide(Request.build(headers={"Authorization": joined})) == apart
        assert isinstance(apart, Deny) or (apart.principal is None and "earer" not in first + second)


NAMES = ("Bearer", "bearer", "BEARER", "bEaReR")
HEADER_VALUES = {
    **{f"{name} {GOOD}": "alice" for name in NAMES},
    **{f"{before}Bearer {GOOD}{after}": "alice" for before in ("", " ", "\t") for after in ("", " ", "\t ")},
    **{
        f"{name}{gap}{GOOD}": "400 invalid_request"
        for name in NAMES[:2]
        for gap in ("  ", "\t", " \t", "\t ", "   ", "\xa0", "\0", "\n", ":", "=", ",", "/")
    },
    **{
        f"Bearer {text}": "400 invalid_request"
        for text in (
            f'"{GOOD}"',
            f"'{GOOD}'",
            f"<{GOOD}>",
            f"{GOOD},",
            f",{GOOD}",
            f"{GOOD};",
            f"Bearer {GOOD}",
            f"bearer={GOOD}",
            f"token={GOOD}, x=y",
            f"{GOOD} {GOOD}",
            "=",
            "==",
            "=a",
            "a=b",
            "a==b",
            "{}",
            "[]",
            "\x00",
            "\x7f",
            "\x1b[0m",
            "é",
            "\xff",
            "ａ",
            "\u202e",
            "a\nb",
            "a\r\nSet-Cookie: x=1",
            "%20",
            "a b",
            "*",
            "",
            "(comment)",
            "a:b",
            "a@b",
            "\\",
            "|",
            "!",
            "a,b",
            f"{GOOD}\u200b",
        )
    },
    **{
        f"Bearer {text}": "401 invalid_token"
        for text in (
            "a",
            "a=",
            "a==",
            "-",
            ".",
            "..",
            "...",
            "_",
            "~",
            "+",
            "/",
            "null",
            "undefined",
            "None",
            "true",
            "0",
            "a" * 8000,
            f"{GOOD}=",
            f"{GOOD}.",
            GOOD[:-1],
            GOOD.upper(),
            GOOD.swapcase(),
            "Bearer",
            "bearer",
        )
    },
    **dict.fromkeys(
        (
            "",
            " ",
            GOOD,
            f"Token {GOOD}",
            f"JWT {GOOD}",
            "Basic YTpi",
            f"Bearers {GOOD}",
            f"Bearer-{GOOD}",
            f"Bearer.{GOOD}",
            f"XBearer {GOOD}",
            "B",
            "Beare",
            f"ＢEARER {GOOD}",
            f"MAC {GOOD}",
            "Negotiate",
            f"DPoP {GOOD}",
        ),
        "401 unauthorized",
    ),
}


@pytest.mark.parametrize("value", HEADER_VALUES, ids=lambda value: ascii(re.sub(r"[\w-]{20,}", "x", value)))
def test_the_grammar_of_the_header_is_exact(value):
    """ADP-02."""
    assert word(AUTH.decide(Request.build(headers={"authorization": value}))) == HEADER_VALUES[value]


def test_there_are_eighty_header_values():
    assert len(HEADER_VALUES) >= 80


@given(st.text(max_size=60))
def test_no_header_value_raises_or_admits(value):
    for text in (value, "Bearer " + value, "bearer" + value):
        decision = AUTH.decide(Request.build(headers={"authorization": text, "cookie": text}))
        assert isinstance(decision, Deny)
        assert decision.status in (400, 401)


def test_the_query_is_never_looked_at():
    request = Request.build("GET", f"/?access_token={GOOD}&token={GOOD}&authorization=Bearer%20{GOOD}")
    assert word(AUTH.decide(request)) == "401 unauthorized"


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "", "X-NEW", "\0"]
)
def test_no_method_skips_the_guard(method):
    """AUZ-05."""
    assert word(AUTH.decide(Request(method, "/"))) == "401 unauthorized"
    assert word(AUTH.decide(bearer(GOOD, method))) == "alice"


# Cookies

COOKIE = require_auth(MINT.tokens, cookie="sid")
SAME = {"origin": "https://app.example", "host": "app.example"}


def test_a_cookie_is_read_only_when_asked_for():
    assert word(AUTH.decide(with_cookie(GOOD))) == "401 unauthorized"
    assert word(COOKIE.decide(with_cookie(GOOD))) == "alice"
    assert word(COOKIE.decide(bearer(GOOD))) == "alice"
    assert word(COOKIE.decide(Request.build(headers={"cookie": f"other={GOOD}; sid="}))) == "401 unauthorized"
    assert word(COOKIE.decide(with_cookie("bad"))) == "401 invalid_token"


@given(st.lists(st.sampled_from(["sid", "=", ";", " ", "a", "sid=", "x", "\t", "\xa0"]), max_size=12))
def test_the_cookie_is_the_one_that_a_map_of_all_would_have(parts):
    request = Request.build(headers={"cookie": "".join(parts)})
    values = request.cookies.get("sid", [])
    expected = _credential.TWO_CREDENTIALS if len(values) > 1 else values[0] if values and values[0] else None
    assert _credential.from_cookie(request, "sid") == expected


@pytest.mark.parametrize("value", ["\xff", "a b", "\x01", "\u20ac", "\ud800", "a\tb", "\x7f"])
def test_a_verifier_sees_no_token_that_no_header_could_hold(value):
    """From a cookie or a WebSocket protocol, as from the header: a verifier of one's own need not expect it."""

    class Own:
        def verify(self, token):
            raise AssertionError("it was asked")

    either = require_auth(Own(), cookie="sid", websocket_protocol="bearer")
    assert word(either.decide(with_cookie(value))) == "401 invalid_token"
    assert word(either.decide(offer(f"bearer, {value}"))) == "401 invalid_token"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cookie", "".join(f"c{n}=;" for n in range(9000))),
        ("cookie", "sid=" * 16_000),
        ("cookie", "xsid=;" * 10_000),
        ("cookie", " sid=" * 12_000),
        ("cookie", ";" * 64_000),
        ("sec-websocket-protocol", "ab," * 21_000),
        ("sec-websocket-protocol", "," * 64_000),
        ("authorization", "," * 64_000),
        ("authorization", "Bearer " + "a" * 64_000),
    ],
)
def test_a_hostile_line_takes_no_memory(name, line):
    """Invariant 2: at most 1 MiB for a request of 64 KB before authentication."""
    either = require_auth(MINT.tokens, cookie="sid", websocket_protocol="bearer")
    request = Request("GET", "/", headers=Headers({name: line}), websocket=True)
    either.decide(request)  # whatever is loaded on first use
    tracemalloc.start()
    try:
        assert isinstance(either.decide(request), Deny)
        assert tracemalloc.get_traced_memory()[1] < 1_048_576
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_a_safe_method_needs_no_csrf_check(method):
    assert word(COOKIE.decide(with_cookie(GOOD, method, origin="https://evil.example", sec_fetch_site="cross-site"))) == "alice"


CSRF = [
    ({}, False),
    ({"sec_fetch_site": "same-origin"}, True),
    ({"sec_fetch_site": "none"}, True),
    ({"sec_fetch_site": "same-site"}, False),
    ({"sec_fetch_site": "cross-site"}, False),
    ({"sec_fetch_site": ""}, False),
    ({"sec_fetch_site": "SAME-ORIGIN"}, False),
    ({"sec_fetch_site": "cross-site", **SAME}, False),
    (SAME, True),
    ({"origin": "null", "host": "app.example"}, False),
    ({"origin": "https://evil.example", "host": "app.example"}, False),
    ({"origin": "https://app.example"}, False),
    ({"origin": "https://app.example.evil.example", "host": "app.example"}, False),
    ({"origin": "https://app.example:8443", "host": "app.example"}, False),
    ({"origin": "https://app.example/", "host": "app.example"}, False),
    ({"origin": "", "host": ""}, False),
    ({"host": "app.example"}, False),
    ({"origin": "http://app.example", "host": "app.example"}, False),
    ({"referer": "https://app.example/", "host": "app.example"}, False),
    ({"origin": "https://partner.example"}, True),
    ({"origin": "https://partner.example", "sec_fetch_site": "cross-site"}, True),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "X"])
@pytest.mark.parametrize(("headers", "passes"), CSRF)
def test_an_unsafe_method_with_a_cookie_must_come_from_the_site_itself(headers, passes, method):
    guard = require_auth(MINT.tokens, cookie="sid", csrf=["https://partner.example"])
    assert word(guard.decide(with_cookie(GOOD, method, **headers))) == ("alice" if passes else "403 csrf_failed")
    assert word(guard.decide(bearer(GOOD, method, **headers))) == "alice", "a header is never sent by itself"


def test_partners_are_trusted_only_by_name():
    assert word(COOKIE.decide(with_cookie(GOOD, "POST", origin="https://partner.example"))) == "403 csrf_failed"
    two = Headers(
        [
            ("cookie", f"sid={GOOD}"),
            ("origin", "https://app.example"),
            ("origin", "https://app.example"),
            ("host", "app.example"),
        ]
    )
    assert word(COOKIE.decide(Request("POST", "/", headers=two))) == "403 csrf_failed"


def test_a_websocket_with_a_cookie_is_checked_though_its_method_is_safe():
    assert word(COOKIE.decide(with_cookie(GOOD, websocket=True))) == "403 csrf_failed"
    assert (
        word(COOKIE.decide(with_cookie(GOOD, websocket=True, origin="https://evil.example", host="app.example")))
        == "403 csrf_failed"
    )
    assert word(COOKIE.decide(with_cookie(GOOD, websocket=True, **SAME))) == "alice"


# Websockets

SOCKET = require_auth(MINT.tokens, websocket_protocol="bearer")


def offer(value, websocket=True):
    return Request("GET", "/", headers=Headers({"sec-websocket-protocol": value}), websocket=websocket)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (f"bearer, {GOOD}", "alice"),
        (f"chat,bearer,{GOOD},x", "alice"),
        ("chat", "401 unauthorized"),
        ("bearer", "400 invalid_request"),
        (f"{GOOD}, bearer", "400 invalid_request"),
        (f"bearer, {GOOD}, bearer, {GOOD}", "400 invalid_request"),
        ("bearer, bad", "401 invalid_token"),
        ("bearer, ", "401 invalid_token"),
        (f"BEARER, {GOOD}", "401 unauthorized"),
    ],
)
def test_a_websocket_may_offer_its_token_as_a_protocol_when_asked_for(offered, expected):
    assert word(SOCKET.decide(offer(offered))) == expected
    assert word(SOCKET.decide(offer(offered, websocket=False))) == "401 unauthorized"
    assert word(AUTH.decide(offer(offered))) == "401 unauthorized"
