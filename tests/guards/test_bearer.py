"""`require_auth`: what the client is told, who is anonymous, and when a login is fresh enough."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from authkit import (
    Allow,
    ConfigurationError,
    Request,
    Tokens,
    any_of,
    chain,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit._refusal import response as refusal
from authkit.http import Headers
from authkit.testing import Clock, TokenMint

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


# The golden table of AUZ-04

N401 = (401, 'Bearer realm="api"', "unauthorized")
U401 = (401, 'Bearer error="invalid_token"', "invalid_token")
B400 = (400, 'Bearer error="invalid_request"', "invalid_request")


@pytest.mark.parametrize(
    ("guards", "authorization", "status", "challenge", "code"),
    [
        ([], None, *N401),
        ([], "Basic YTpi", *N401),
        ([], "Digest username=a", *N401),
        ([], "Bearerish abc", *N401),
        ([], "Bearer " + MINT.bad()["expired"], *U401),
        ([], "Bearer " + MINT.bad()["signature_forged"], *U401),
        ([], "Bearer x", *U401),
        ([], "Bearer", *B400),
        ([], "Bearer ", *B400),
        ([], f"Bearer  {GOOD}", *B400),
        ([], f"Bearer {GOOD} x", *B400),
        (
            [require_scopes("orders:write", "orders:read")],
            f"Bearer {GOOD}",
            403,
            'Bearer error="insufficient_scope", scope="orders:write orders:read"',
            "insufficient_scope",
        ),
        (
            [require_scopes(any_of=["a", "b"])],
            f"Bearer {GOOD}",
            403,
            'Bearer error="insufficient_scope", scope="a b"',
            "insufficient_scope",
        ),
        ([require_roles("admin")], f"Bearer {GOOD}", 403, None, "forbidden"),
        ([require_scopes("orders:write")], None, *N401),
        ([require_roles("admin")], "Bearer x", *U401),
    ],
)
def test_what_the_client_is_told(guards, authorization, status, challenge, code):
    """AUZ-04: RFC 6750 sections 3 and 3.1, RFC 9110 section 15.5."""
    request = Request.build(headers={} if authorization is None else {"authorization": authorization})
    decision = chain(AUTH, *guards).decide(request)
    response = refusal(decision)
    assert (response.status, response.headers.get("www-authenticate")) == (status, challenge)
    assert f'"code":"{code}"'.encode() in response.body
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"


def test_every_cause_gives_the_same_bytes():
    """LOG-04: the cause stays in the audit code."""
    answers, reasons = set(), set()
    for token in MINT.bad().values():
        decision = AUTH.decide(bearer(token))
        response = refusal(decision)
        answers.add((response.status, tuple(response.headers.items()), response.body))
        reasons.add(decision.reason)
    assert len(answers) == 1
    assert len(reasons) >= 8


def test_the_realm_is_the_services_own():
    assert (
        str(require_auth(MINT.tokens, realm='my "api"').decide(Request.build()).challenge[0]) == 'Bearer realm="my \\"api\\""'
    )


# optional


@pytest.mark.parametrize("name", list(MINT.bad()))
def test_a_bad_token_on_an_optional_route_does_not_become_anonymous(name):
    """AUZ-12."""
    assert word(require_auth(MINT.tokens, optional=True).decide(bearer(MINT.bad()[name]))) == "401 invalid_token"


def test_only_who_sends_nothing_is_anonymous():
    optional = require_auth(MINT.tokens, optional=True, cookie="sid")
    assert word(optional.decide(Request.build())) == "anonymous"
    assert word(optional.decide(Request.build(headers={"authorization": "Basic YTpi"}))) == "anonymous"
    assert word(optional.decide(bearer(GOOD))) == "alice"
    assert word(optional.decide(with_cookie("bad"))) == "401 invalid_token"
    for value in ("Bearer", "Bearer ", f"Bearer  {GOOD}", " Bearer x y"):
        assert word(optional.decide(Request.build(headers={"authorization": value}))) == "400 invalid_request"
    assert word(chain(optional, require_scopes("a")).decide(Request.build())) == "401 unauthorized"


# Preflight

PREFLIGHT = {"origin": "https://app.example", "access-control-request-method": "PUT"}


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("OPTIONS", PREFLIGHT, "204 preflight"),
        ("OPTIONS", {}, "401 unauthorized"),
        ("OPTIONS", {"origin": "x"}, "401 unauthorized"),
        ("OPTIONS", {"access-control-request-method": "PUT"}, "401 unauthorized"),
        ("GET", PREFLIGHT, "401 unauthorized"),
        ("options", PREFLIGHT, "401 unauthorized"),
        ("POST", {**PREFLIGHT, "x-http-method-override": "OPTIONS"}, "401 unauthorized"),
        ("OPTIONS", {**PREFLIGHT, "authorization": "Bearer x"}, "401 invalid_token"),
    ],
)
def test_only_a_genuine_preflight_passes_and_only_when_asked_for(method, headers, expected):
    """AUZ-05: on a single handler it is answered, and the handler is not entered."""
    request = Request.build(method, "/", headers)
    entered = []
    assert word(require_auth(MINT.tokens, preflight=True).decide(request)) == expected
    assert word(AUTH.decide(request)).startswith("401")
    require_auth(MINT.tokens, preflight=True)(lambda request: entered.append(1))(request)
    assert entered == []


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_a_guarded_app_gets_the_preflight_because_its_cors_middleware_stands_behind(host):
    request = Request("OPTIONS", "/", host=host, headers=Headers(PREFLIGHT))
    assert word(require_auth(MINT.tokens, preflight=True).decide(request)) == "anonymous"
    assert word(AUTH.decide(request)) == "401 unauthorized"


async def test_a_preflight_that_a_guarded_app_let_through_enters_no_handler_with_the_same_guard():
    """AUZ-05: the app's CORS middleware answers it; where there is none, the guard on the handler decides for itself."""
    api = require_auth(MINT.tokens, preflight=True)
    for outer, inner in ((api, api), (chain(api), chain(api, require_scopes("a"))), (any_of(api, AUTH), any_of(api, AUTH))):
        entered = []

        @inner
        async def endpoint(request, entered=entered):
            entered.append(request)
            return PlainTextResponse("in")

        app = outer(Starlette(routes=[Route("/", endpoint, methods=["GET", "OPTIONS"])]))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example") as client:
            answer = await client.options("/", headers=PREFLIGHT)
            assert (answer.status_code in (204, 401), entered) == (True, [])
            good = {**PREFLIGHT, "authorization": f"Bearer {MINT.good('alice', scopes=['a'])}"}
            assert (await client.options("/", headers=good)).status_code == 200


# Step-up


NOW = Clock()
STEP = TokenMint(clock=NOW)


@pytest.mark.parametrize(
    ("claims", "missing"),
    [
        ({"auth_time": 0, "amr": ["pwd", "otp"]}, None),
        ({"auth_time": -600, "amr": ["otp"]}, None),
        ({"auth_time": -630, "amr": ["otp"]}, None),
        ({"auth_time": -631, "amr": ["otp"]}, "max_age"),
        ({"amr": ["otp"]}, "max_age"),
        ({"auth_time": 31, "amr": ["otp"]}, "max_age"),
        ({"auth_time": None, "amr": ["otp"]}, "max_age"),
        ({"auth_time": True, "amr": ["otp"]}, "max_age"),
        ({"auth_time": 0, "amr": ["pwd"]}, "methods"),
        ({"auth_time": 0}, "methods"),
        ({"auth_time": 0, "amr": "otp"}, "methods"),
        ({"auth_time": 0, "amr": {"otp": 1}}, "methods"),
        ({"auth_time": 0, "amr": [["otp"], None]}, "methods"),
    ],
)
def test_a_fresher_or_stronger_login_may_be_asked_for(claims, missing):
    """RFC 9470 section 3."""
    guard = require_auth(STEP.tokens, max_age=600, amr="otp", clock=NOW)
    at = claims.get("auth_time")
    sent = {**claims, "auth_time": int(NOW()) + at} if isinstance(at, int) and not isinstance(at, bool) else claims
    decision = guard.decide(bearer(STEP.good(claims=sent)))
    if missing is None:
        assert word(decision) == "alice"
        return
    assert word(decision) == "401 insufficient_user_authentication"
    challenge = str(decision.challenge[0])
    assert challenge.startswith('Bearer error="insufficient_user_authentication"')
    assert ('max_age="600"' in challenge) == (missing == "max_age")
    assert word(guard.decide(Request.build())) == "401 unauthorized"


# Settings


def test_without_verifiers_the_settings_are_read_when_the_chain_is_sealed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("AUTHKIT_JWT_SECRET", "AUTHKIT_JWT_KEY_FILE", "AUTHKIT_ISSUER", "AUTHKIT_AUDIENCE", "AUTHKIT_OIDC_ISSUER"):
        monkeypatch.delenv(name, raising=False)
    entered = []

    @require_auth
    def handler(request: Request, principal):
        entered.append(principal.subject)

    assert handler(bearer(GOOD)).status == 500
    with pytest.raises(ConfigurationError, match="AUTHKIT_JWT_SECRET"):
        require_auth().prepare()
    secret = "a secret that is long enough: 7f3a9c51e8"
    monkeypatch.setenv("AUTHKIT_JWT_SECRET", secret)
    with pytest.raises(ConfigurationError, match="AUTHKIT_ISSUER"):
        require_auth().prepare()
    monkeypatch.setenv("AUTHKIT_ISSUER", "https://i.example")
    monkeypatch.setenv("AUTHKIT_AUDIENCE", "a")
    assert entered == []
    handler(bearer(Tokens(secret, issuer="https://i.example", audience="a").issue("bob")))
    assert entered == ["bob"]
    monkeypatch.setenv("AUTHKIT_JWT_SECRET", "short")
    with pytest.raises(ConfigurationError, match="AUTHKIT_JWT_SECRET") as refused:
        require_auth().prepare()
    assert "short" not in str(refused.value).replace("too short", "").replace("at least", "")
