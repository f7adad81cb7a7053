"""Proofs as nobody should make them: each is refused with the same bytes, and raises nothing of anybody else's."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import InvalidSignature, Request, require_auth
from authkit.oidc._proof import Proofs
from authkit.signatures.message import target_of
from authkit.tokens import base64url
from tests.oidc.dpop_parts import API, Scene, error
from tests.oidc.issuer import ec_key

SCENE = Scene()
JWK = {name: value for name, value in SCENE.key.public_jwk().items() if name in ("kty", "crv", "x", "y")}
OTHER = {name: value for name, value in (ec_key().public_jwk() or {}).items() if name in ("kty", "crv", "x", "y")}
RSA_OF_8192 = {"kty": "RSA", "n": "A" * 1366, "e": "AQAB"}


def refused(proof: str | list[str], **asked: Any) -> None:
    answer = SCENE.ask(proof, **asked)
    assert (answer.status, error(answer)) == (401, "invalid_dpop_proof")
    assert answer.body == SCENE.ask("x").body


def test_what_the_forger_makes_of_nothing_is_accepted() -> None:
    assert SCENE.ask(SCENE.forged()).status == 200


@pytest.mark.parametrize("header", [
    {"typ": "JWT"}, {"typ": "at+jwt"}, {"typ": ...}, {"typ": None}, {"typ": ["dpop+jwt"]}, {"typ": "DPOP+JWT"},
    {"alg": "none"}, {"alg": "HS256"}, {"alg": "ES384"}, {"alg": "RS256"}, {"alg": "EdDSA"}, {"alg": ...}, {"alg": None},
    {"alg": ["ES256"]}, {"alg": "es256"}, {"jwk": ...}, {"jwk": None}, {"jwk": {}}, {"jwk": []}, {"jwk": "x"}, {"jwk": OTHER},
    {"jwk": {**JWK, "d": "AA"}}, {"jwk": {**JWK, "k": "AA"}}, {"jwk": {**JWK, "p": ""}}, {"jwk": {**JWK, "keys": []}},
    {"jwk": {"kty": "oct", "k": "AAAA"}}, {"jwk": {**JWK, "kty": "RSA"}}, {"jwk": {**JWK, "crv": "P-384"}},
    {"jwk": {**JWK, "crv": "secp256k1"}}, {"jwk": {**JWK, "x": "A" * 43}}, {"jwk": {**JWK, "x": ""}}, {"jwk": {**JWK, "x": 1}},
    {"jwk": {**JWK, "x": JWK["x"] + "="}}, {"jwk": {**JWK, "y": ...}}, {"jwk": {**JWK, "use": "enc"}},
    {"jwk": {**JWK, "alg": "HS256"}}, {"jwk": RSA_OF_8192, "alg": "RS256"},
    {"jwk": {**RSA_OF_8192, "e": "A" * 43}, "alg": "RS256"},
    {"jwk": {"kty": "OKP", "crv": "X25519", "x": "A" * 43}, "alg": "EdDSA"}, {"crit": ["exp"]}, {"crit": []}, {"b64": False},
    {"pad": "x" * 4000},
])  # fmt: skip
def test_a_header_that_is_not_right_is_refused(header: dict[str, Any]) -> None:
    if header.get("jwk") and isinstance(header["jwk"], dict):
        header = {**header, "jwk": {name: value for name, value in header["jwk"].items() if value is not ...}}
    refused(SCENE.forged(header))


@pytest.mark.parametrize("claims", [
    {"htm": "POST"}, {"htm": "get"}, {"htm": ...}, {"htm": ["GET"]}, {"htm": ""}, {"ath": ...}, {"ath": "x"}, {"ath": None},
    {"ath": ""}, {"jti": ...}, {"jti": ""}, {"jti": 7}, {"jti": None}, {"jti": "x" * 257}, {"htu": ...}, {"htu": None},
    {"htu": [API + "/orders"]}, {"iat": ...}, {"iat": None}, {"iat": "0"}, {"iat": True}, {"iat": SCENE.clock() * 1000},
    {"iat": SCENE.clock() - 61}, {"iat": SCENE.clock() + 61}, {"iat": -1}, {"iat": 1e308}, {"iat": 0},
])  # fmt: skip
def test_a_claim_that_is_not_right_is_refused(claims: dict[str, Any]) -> None:
    refused(SCENE.forged(**claims))


@pytest.mark.parametrize("moment", [-60, 0, 60, 0.5])
def test_within_the_tolerance_a_proof_may_be_of_another_second(moment: float) -> None:
    assert SCENE.ask(SCENE.forged(iat=SCENE.clock() + moment)).status == 200


@pytest.mark.parametrize("htu", [
    API + "/order", API + "/orders/", API + "/Orders", API, API + ":444/orders", "http://api.example.com/orders",
    "https://api.example.com./orders", "https://user@api.example.com/orders", "https://user:pw@api.example.com/orders",
    "https://api.example.com.evil.example/orders", "https://evil.example/orders?" + API + "/orders", "//api.example.com/orders",
    "/orders", "", "orders", API + "/x/../orders", API + "/./orders", API + "//orders", API + "/orders;v=1", API + "/orders%20",
    API + "/orders\n", API + "/ordér", API + "\\orders", "https://api.example.com:0443/orders", "https://api.example.com:/orders",
    "ftp://api.example.com/orders", API + "/orders" + "x" * 3000, API + "/%6Frders%00", "https:///orders",
])  # fmt: skip
def test_a_proof_for_another_url_is_refused(htu: str) -> None:
    refused(SCENE.forged(htu=htu))


@pytest.mark.parametrize("htu", [
    API + "/orders?x=1", API + "/orders#top", API + "/orders?a#b", "HTTPS://API.EXAMPLE.COM/orders",
    "https://api.example.com:443/orders", API + "/%6frders", API + "/%6Frder%73",
])  # fmt: skip
def test_the_same_url_may_be_spelt_otherwise(htu: str) -> None:
    assert SCENE.ask(SCENE.forged(htu=htu)).status == 200


@pytest.mark.parametrize(("path", "htu", "same"), [
    ("/a%2fb", "/a%2Fb", True), ("/a%2Fb", "/a/b", False), ("/a/b", "/a%2Fb", False), ("/%7Ealice", "/~alice", True),
    ("/a%zzb", "/a%zzb", True), ("/a%", "/a%", True), ("/a%", "/a%25", False), ("/a%2541", "/a%41", False),
    ("/a%41", "/aA", True),
    ("/a?q=1", "/a", True), ("/a?q=1", "/a?q=2", True),
])  # fmt: skip
def test_the_path_is_compared_as_it_was_sent(path: str, htu: str, same: bool) -> None:
    assert (SCENE.ask(SCENE.forged(htu=API + htu), path=path).status == 200) is same


def test_neither_host_nor_forwarded_headers_say_where_we_are() -> None:
    elsewhere = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")]
    assert SCENE.ask(headers=elsewhere).status == 200
    refused(SCENE.forged(htu="https://evil.example/orders"), headers=elsewhere)


def test_a_proof_of_one_path_is_of_no_other() -> None:
    proof = SCENE.key.proof("GET", API + "/orders", SCENE.token)
    refused(proof, path="/admin")
    refused(proof, method="DELETE")
    assert SCENE.ask(proof).status == 200


def test_a_proof_with_another_token_is_refused() -> None:
    """Also where that token is bound to the same key."""
    refused(SCENE.key.proof("GET", API + "/orders", SCENE.token), token=SCENE.bound(jkt=SCENE.key.thumbprint))


def test_none_or_two_proofs_are_refused() -> None:
    one, two = SCENE.forged(), SCENE.forged()
    refused([])
    refused([one, two])
    refused(f"{one}, {two}")
    refused([one, one])
    refused("")
    assert SCENE.ask(one).status == 200


@pytest.mark.parametrize("proof", [
    "a.b.c", "..", ".", "eyJ9.e30.AA", "x" * 10_000, "\x00", "é.é.é", "a.b.c.d", "eyJhbGciOiJub25lIn0.e30.",
])  # fmt: skip
def test_what_is_no_jwt_is_refused(proof: str) -> None:
    refused(proof)


def test_a_jti_of_a_megabyte_is_refused_before_it_is_read() -> None:
    refused(SCENE.forged(jti="x" * 1_000_000))


def test_a_signature_that_does_not_hold_is_refused() -> None:
    good = SCENE.forged()
    head, payload, signature = good.split(".")
    other = base64url.encode(json.dumps({**json.loads(base64url.decode(payload)), "jti": "other"}).encode()).decode()
    refused(f"{head}.{other}.{signature}")
    refused(f"{head}.{payload}.{signature[::-1]}")
    refused(f"{head}.{payload}.")
    refused(f"{head}.{payload}.{'A' * 86}")
    refused(f"{head}.{payload}.{signature}=")
    assert SCENE.ask(good).status == 200


def test_members_that_are_there_twice_are_refused() -> None:
    text = b'{"typ":"dpop+jwt","alg":"ES256","alg":"ES256","jwk":' + json.dumps(JWK).encode() + b"}"
    _, payload, _ = SCENE.forged().split(".")
    data = base64url.encode(text) + b"." + payload.encode()
    refused(f"{data.decode()}.{base64url.encode(SCENE.pair.sign(data)).decode()}")


def test_a_clock_that_is_set_back_makes_no_proof_good_again() -> None:
    scene = Scene()
    proof = scene.key.proof("GET", API + "/orders", scene.token)
    assert scene.ask(proof).status == 200
    for step in (100, -100, 30, 60, -90):
        scene.clock.advance(step)
        assert scene.ask(proof).status == 401


def test_headers_of_many_keys_are_not_remembered_without_end() -> None:
    proofs = Proofs(60)
    target = target_of(API + "/orders")
    for _ in range(300):
        scene = Scene(SCENE.clock)
        proofs.read(scene.forged(), "GET", target, scene.token, scene.clock())
    assert len(proofs._keys) <= 256


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: base64url.encode(raw).decode() + ".e30.AA"))
def test_no_text_raises_anything_else_or_is_accepted(text: str) -> None:
    with pytest.raises(InvalidSignature):
        Proofs(60).read(text, "GET", target_of(API), "token", 0.0)


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.sampled_from(["dpop+jwt", "ES256", JWK]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "crit", "kid"]), _VALUE))
def test_no_header_raises_anything_else(header: dict[str, Any]) -> None:
    data = base64url.encode(json.dumps(header).encode()).decode() + ".e30"
    with pytest.raises(InvalidSignature):
        Proofs(60).read(f"{data}.{'A' * 86}", "GET", target_of(API), "token", 0.0)


def test_a_host_that_tells_its_paths_decoded_matches_what_was_meant() -> None:
    request = Request("GET", "/a b", raw_path=None, headers=Request.build(headers=SCENE.key.headers(
        "GET", API + "/a%20b", SCENE.token)).headers)  # fmt: skip
    assert SCENE.handler(request).status == 200


# Below a mount: the client has asked for /v2/orders, and a router has taken /v2 away


def _ask_asgi(headers: dict[str, str], told: bytes | None, path: str = "/v2/orders") -> int:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": told, "root_path": "/v2", "headers": lines}
    asyncio.run(require_auth(SCENE.dpop)(app)(scope, receive, send))
    return int(sent[0]["status"])


def _environ(headers: dict[str, str], told: bytes | None) -> dict[str, Any]:
    environ: dict[str, Any] = {"SCRIPT_NAME": "/v2", "PATH_INFO": "/orders"}
    setup_testing_defaults(environ)
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return environ if told is None else environ | {"REQUEST_URI": told.decode()}


def _ask_wsgi(headers: dict[str, str], told: bytes | None) -> int:
    said: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return []

    for _ in require_auth(SCENE.dpop)(app)(_environ(headers, told), lambda status, lines, exc_info=None: said.append(status)):
        pass
    return int(said[0][:3])


def _ask_django(headers: dict[str, str], told: bytes | None) -> int:
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse

    import tests.hosts.django_project  # noqa: F401  # the settings of every test here

    return int(require_auth(SCENE.dpop)(lambda request: HttpResponse())(WSGIRequest(_environ(headers, told))).status_code)


def _ask_old_asgi(headers: dict[str, str], told: bytes | None) -> int:
    """Servers and routers that leave the mount out of the path."""
    return _ask_asgi(headers, None, "/orders")


@pytest.mark.parametrize("told", [b"/v2/orders", None], ids=["as-sent", "decoded"])
@pytest.mark.parametrize("ask", [_ask_asgi, _ask_old_asgi, _ask_wsgi, _ask_django])
def test_a_proof_of_a_path_is_of_no_mount_that_has_such_a_path_too(ask: Any, told: bytes | None) -> None:
    for path, status in (("/orders", 401), ("/v2/orders", 200), ("/v2", 401), ("/v2/v2/orders", 401)):
        assert ask(SCENE.key.headers("GET", API + path, SCENE.token), told) == status, path
