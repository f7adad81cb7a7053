"""Which verifier judges a credential, and what its answer means."""

from __future__ import annotations

import asyncio
import threading

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Deny,
    InvalidToken,
    Principal,
    Request,
    Tokens,
    Unavailable,
    require_auth,
)
from authkit.http import Headers
from authkit.secrets import Secret
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


# Several verifiers


ONE, TWO = TokenMint(issuer="https://one.example"), TokenMint(issuer="https://two.example")


class Opaque:
    """Knows the tokens whose issuer cannot be read."""

    issuer = None

    def __init__(self):
        self.asked = []

    def verify(self, token):
        self.asked.append(token)
        if token == "opaque":
            return Principal("opaque")
        raise InvalidToken("unknown")


def test_the_issuer_chooses_among_those_configured():
    both = require_auth(ONE.tokens, TWO.tokens)
    assert both.decide(bearer(ONE.good())).principal.issuer == ONE.issuer
    assert both.decide(bearer(TWO.good())).principal.issuer == TWO.issuer
    crossed = TokenMint(issuer=TWO.issuer).good()
    decision = both.decide(bearer(crossed))
    assert (word(decision), decision.reason) == ("401 invalid_token", "token_key")
    assert both.decide(bearer(MINT.good())).reason == "unknown_issuer"
    assert both.decide(bearer("opaque")).reason == "unknown_issuer"
    for token in ONE.bad().values():
        assert word(both.decide(bearer(token))) == "401 invalid_token"


def test_the_verifier_without_an_issuer_gets_what_nobody_can_read():
    opaque = Opaque()
    guard = require_auth(ONE.tokens, opaque)
    assert word(guard.decide(bearer("opaque"))) == "opaque"
    for token in (*ONE.bad().values(), MINT.good(), ONE.good()):
        guard.decide(bearer(token))
    from authkit.tokens import unverified_issuer

    assert [unverified_issuer(token) for token in opaque.asked if unverified_issuer(token) is not None] == []


def test_two_of_one_issuer_and_what_is_no_verifier_are_configuration_errors():
    with pytest.raises(ConfigurationError, match="same issuer"):
        require_auth(ONE.tokens, TokenMint(issuer=ONE.issuer).tokens)
    with pytest.raises(ConfigurationError, match="issuer=None"):
        require_auth(Opaque(), Opaque())
    for wrong in (None, "secret", 42, object(), [ONE.tokens], Tokens):
        with pytest.raises((ConfigurationError, TypeError)):
            require_auth(wrong, realm="x")
    for settings in (
        {"max_age": -1},
        {"max_age": True},
        {"max_age": "60"},
        {"amr": []},
        {"amr": ""},
        {"cookie": ""},
        {"cookie": "a b"},
        {"cookie": "a;b"},
        {"websocket_protocol": "a,b"},
        {"csrf": "off"},
        {"csrf": False},
        {"csrf": None},
        {"csrf": ["app.example"]},
        {"csrf": ["https://a/"]},
    ):
        with pytest.raises(ConfigurationError, match=next(iter(settings))):
            require_auth(ONE.tokens, **settings)
    with pytest.raises(TypeError):
        require_auth(ONE.tokens, algorithms=["none"])


class Named:
    """A verifier of a provider."""

    def __init__(self, mint, name):
        self.tokens, self.issuer, self.provider_name = mint.tokens, mint.issuer, name

    def verify(self, token):
        return self.tokens.verify(token)


@pytest.mark.parametrize(
    ("mint", "header", "expected"),
    [
        (ONE, "one", "alice"),
        (ONE, None, "alice"),
        (TWO, "two", "alice"),
        (ONE, "two", "401 invalid_token"),
        (TWO, "one", "401 invalid_token"),
        (ONE, "three", "401 invalid_token"),
        (ONE, "ONE", "401 invalid_token"),
        (ONE, "", "401 invalid_token"),
        (ONE, "one, two", "401 invalid_token"),
    ],
)
def test_the_clients_auth_provider_can_only_narrow(mint, header, expected):
    for guard in (
        require_auth(Named(ONE, "one"), Named(TWO, "two")),
        require_auth(Named(mint, "one" if mint is ONE else "two")),
    ):
        request = bearer(mint.good()) if header is None else bearer(mint.good(), auth_provider=header)
        assert word(guard.decide(request)) == expected


# Verifiers of others


class Plain:
    """A verifier with nothing but `verify`, which may block."""

    def __init__(self):
        self.threads = []

    def verify(self, token):
        self.threads.append(threading.current_thread().name)
        return MINT.tokens.verify(token)


class Both(Plain):
    async def averify(self, token):
        await asyncio.sleep(0)
        self.threads.append("averify")
        return MINT.tokens.verify(token)


async def test_a_verifier_that_may_block_never_runs_on_the_loop():
    plain, both = Plain(), Both()
    for verifier in (plain, both):
        guard = require_auth(verifier)
        assert word(await guard.adecide(bearer(GOOD))) == "alice"
        assert word(await asyncio.to_thread(guard.decide, bearer(GOOD))) == "alice"
        assert word(await guard.adecide(bearer("bad"))) == "401 invalid_token"
    assert plain.threads[0].startswith("authkit-io")
    assert both.threads[0] == "averify"
    assert not both.threads[1].startswith("authkit-io")


async def test_a_sync_handler_that_a_coroutine_calls_asks_the_sync_way():
    class Both:
        def verify(self, token):
            return Principal("sync")

        async def averify(self, token):
            await asyncio.sleep(0)
            return Principal("async")

    guard = require_auth(Both())
    assert word(guard.decide(bearer("x"))) == "sync"
    assert word(await guard.adecide(bearer("x"))) == "async"


@pytest.mark.parametrize("issuer", ["", 7, ["https://one.example"], b"https://one.example"])
def test_an_issuer_that_no_token_could_name_is_a_configuration_error(issuer):
    wrong = Opaque()
    wrong.issuer = issuer
    with pytest.raises(ConfigurationError, match="issuer"):
        require_auth(wrong, ONE.tokens)


async def test_tokens_with_a_secret_are_read_without_blocking():
    secret = Secret.of("0123456789abcdef0123456789abcdef-is-no-sample")
    tokens = Tokens(secret, issuer="https://i.example", audience="a")
    guard = require_auth(tokens)
    assert word(await guard.adecide(bearer(tokens.issue("bob")))) == "bob"
    assert word(await asyncio.to_thread(guard.decide, bearer(tokens.issue("eve")))) == "eve"


@pytest.mark.parametrize("answer", [None, True, "alice", {"sub": "alice"}, Allow()])
async def test_a_verifier_that_returns_no_principal_admits_nobody(answer):
    class Wrong:
        def verify(self, token):
            return answer

    class InPlace(Wrong):
        in_place = True

    for wrong in (Wrong(), InPlace()):
        with pytest.raises(TypeError, match="returns a Principal"):
            require_auth(wrong).decide(bearer("x"))
        with pytest.raises(TypeError, match="returns a Principal"):
            await require_auth(wrong).adecide(bearer("x"))


def test_what_a_verifier_raises_is_its_answer():
    class Down:
        def __init__(self, error):
            self.error = error

        def verify(self, token):
            raise self.error

    assert require_auth(Down(Unavailable("jwks"))).decide(bearer("x")).status == 503
    assert require_auth(Down(InvalidToken("mine"))).decide(bearer("x")).reason == "mine"
    with pytest.raises(ZeroDivisionError):
        require_auth(Down(ZeroDivisionError())).decide(bearer("x"))


class ApiKey:
    """A credential of its own kind."""

    def __init__(self, header="x-api-key"):
        self.header = header

    async def authenticate(self, request):
        sent = request.headers.get(self.header)
        if sent is None:
            return None
        return Principal("machine", method="api_key") if sent == "right" else Deny(401, "invalid_token", reason="api_key")


def test_an_authenticator_judges_a_credential_of_its_own_kind():
    guard = require_auth(MINT.tokens, ApiKey())
    assert word(guard.decide(Request.build(headers={"x-api-key": "right"}))) == "machine"
    assert guard.decide(Request.build(headers={"x-api-key": "wrong"})).reason == "api_key"
    assert word(guard.decide(bearer(GOOD))) == "alice"
    assert word(guard.decide(Request.build())) == "401 unauthorized"
    alone = require_auth(ApiKey())
    assert word(alone.decide(Request.build())) == "401 unauthorized"
    assert alone.decide(bearer(GOOD)).status == 401
    optional = require_auth(ApiKey(), optional=True)
    assert word(optional.decide(Request.build())) == "anonymous"
    assert word(optional.decide(Request.build(headers={"x-api-key": "wrong"}))) == "401 invalid_token"


@pytest.mark.parametrize("key", ["right", "wrong"])
def test_two_kinds_of_credential_are_two_credentials(key):
    guard = require_auth(MINT.tokens, ApiKey(), ApiKey("x-other"))
    assert word(guard.decide(bearer(GOOD, x_api_key=key))) == "400 invalid_request"
    assert word(guard.decide(Request.build(headers={"x-api-key": key, "x-other": key}))) == "400 invalid_request"


async def test_a_wrong_answer_of_an_authenticator_admits_nobody():
    class Wrong:
        async def authenticate(self, request):
            return True

    with pytest.raises(TypeError):
        await require_auth(Wrong()).adecide(Request.build())


# A token seen before


def tokens_of(cls=Tokens, **settings):
    return cls("a secret of thirty-two bytes, or more", issuer="https://a", audience="https://a", **settings)


def test_a_token_seen_before_stands_under_the_same_rules():
    tokens = tokens_of()
    auth, token = require_auth(tokens), tokens.issue("alice")
    assert auth.decide(bearer(token)).principal == auth.decide(bearer(token)).principal == tokens.verify(token)
    for lines, status in [
        ([("authorization", f"Bearer {token}")] * 2, 400),
        ([("authorization", f"Bearer {token} x")], 400),
        ([("authorization", f"Bearer  {token}")], 400),
        ([("authorization", f"Basic {token}")], 401),
        ([("authorization", f"Bearer {token}x")], 401),
    ]:
        assert auth.decide(Request("GET", "/", headers=Headers(lines))).status == status, lines
    assert require_auth(tokens, max_age=60).decide(bearer(token)).reason == "step_up_needed"
    assert require_auth(tokens, cookie="sid").decide(bearer(token, cookie=f"sid={token}")).reason == "two_credentials"


def test_a_token_seen_before_ends_when_it_expires():
    now = [1_000_000.0]
    tokens = tokens_of(clock=lambda: now[0], access_ttl=60, leeway=0)
    auth, token = require_auth(tokens), tokens.issue("alice")
    assert isinstance(auth.decide(bearer(token)), Allow)
    now[0] += 59
    assert isinstance(auth.decide(bearer(token)), Allow)
    now[0] += 1
    assert auth.decide(bearer(token)).reason == "token_expired"


class Revoking(Tokens):
    """Checks something of its own whenever it verifies."""

    revoked = False

    def verify(self, token):
        principal = super().verify(token)
        if self.revoked:
            raise InvalidToken("token_revoked")
        return principal


def test_what_a_subclass_verifies_besides_is_asked_for_a_token_seen_before_too():
    tokens = tokens_of(Revoking)
    auth, token = require_auth(tokens), tokens.issue("alice")
    assert isinstance(auth.decide(bearer(token)), Allow)
    tokens.revoked = True
    assert auth.decide(bearer(token)).reason == "token_revoked"


def test_verify_set_on_one_object_is_asked_for_a_token_seen_before_too():
    tokens = tokens_of()
    token = tokens.issue("alice")
    tokens.verify(token)

    def nobody(token):
        raise InvalidToken("token_revoked")

    tokens.verify = nobody
    assert require_auth(tokens).decide(bearer(token)).reason == "token_revoked"
