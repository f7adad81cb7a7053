"""`require_api_key`: one key in one header; whatever is wrong with it, the same bytes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import (
    Allow,
    ConfigurationError,
    InvalidCredentials,
    InvalidToken,
    Principal,
    Request,
    Response,
    Unavailable,
    any_of,
    chain,
    rate_limit,
    require_api_key,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit.apikeys import ApiKeys, MemoryKeys, SqliteKeys
from authkit.limits import by_header
from authkit.secrets import Secret
from authkit.stores import MemoryStore
from authkit.testing import Clock, TokenMint, lambda_event
from tests.parts import Handler

MINT = TokenMint()
CLOCK = Clock()
TABLE = MemoryKeys()
KEYS = ApiKeys(TABLE, clock=CLOCK)
GOOD = KEYS.new("alice", name="laptop", scopes=["orders:read"], roles=["clerk"])
OTHER = KEYS.new("bob")
REVOKED = KEYS.new("alice")
KEYS.revoke(REVOKED.id)
EXPIRED = ApiKeys(TABLE, clock=Clock(1.0)).new("alice", ttl=1)
STRANGE = ApiKeys(MemoryKeys()).new("alice")
BAD = {
    "api_key_malformed": [
        "",
        "x",
        GOOD.reveal()[:-1],
        GOOD.reveal() + "0",
        "\u00e9" * 51,
        "\xff",
        "x" * 100_000,
        "a b",
        "a\tb",
        "\x7f",
    ],
    "api_key_unknown": [STRANGE.reveal()],
    "api_key_expired": [EXPIRED.reveal()],
    "api_key_disabled": [REVOKED.reveal()],
}


def sent(*keys, header="x-api-key", more=(), **options):
    return Request.build(headers=[*((header, key) for key in keys), *more], **options)


def answer(guard, request):
    """What the client sees."""
    response = guard(Handler().fn)(request)
    return response.status, {name: response.headers[name] for name in response.headers}, response.body


def test_a_good_key_says_who_is_calling():
    handler = Handler()
    response = require_api_key(KEYS)(handler.fn)(sent(GOOD.reveal()))
    assert (response.status, handler.entered) == (200, 1)
    assert (handler.principal.subject, handler.principal.method) == ("alice", "api_key")
    assert handler.principal.claims == {"key_id": GOOD.id, "name": "laptop"}


def test_none_is_401_with_a_challenge_and_no_credential():
    status, headers, body = answer(require_api_key(KEYS), sent())
    assert (status, headers["www-authenticate"]) == (401, 'ApiKey realm="api"')
    assert b'"unauthorized"' in body
    deny = require_api_key(KEYS, realm='an "inner" one').decide(sent())
    assert (deny.reason, deny.no_credential) == ("no_credential", True)
    assert str(deny.challenge[0]) == 'ApiKey realm="an \\"inner\\" one"'


def test_a_bad_key_is_401_with_the_same_bytes_for_every_cause():
    answers = {str(answer(require_api_key(KEYS), sent(key))) for keys in BAD.values() for key in keys}
    [one] = answers
    assert "401" in one
    assert "invalid_api_key" in one
    assert "no-store" in one


@pytest.mark.parametrize("reason", BAD)
def test_the_log_says_why(reason):
    for key in BAD[reason]:
        assert require_api_key(KEYS).decide(sent(key)).reason == reason


@pytest.mark.parametrize("keys", [(GOOD, GOOD), (GOOD, OTHER), (GOOD, STRANGE), (STRANGE, GOOD)], ids=range(4))
def test_two_keys_are_400_however_the_host_tells_of_them(keys):
    """Some hosts join the lines."""
    texts = [key.reveal() for key in keys]
    for request in (sent(*texts), sent(",".join(texts)), sent(", ".join(texts))):
        deny = require_api_key(KEYS).decide(request)
        assert (deny.status, deny.code, deny.reason) == (400, "invalid_request", "two_credentials")


def test_white_space_around_a_key_is_no_part_of_it():
    assert require_api_key(KEYS).decide(sent(f" \t{GOOD.reveal()} \t")).principal.subject == "alice"


def test_a_key_elsewhere_is_never_looked_at():
    key = GOOD.reveal()
    for request in (
        Request.build(path=f"/?x-api-key={key}&api_key={key}"),
        sent(key, header="authorization"),
        sent(f"Bearer {key}", header="authorization"),
        sent(f"x-api-key={key}", header="cookie"),
        sent(key, header="x-api-keys"),
        sent(key, header="api-key"),
    ):
        assert require_api_key(KEYS).decide(request).reason == "no_credential"


def test_the_header_has_the_name_that_it_was_given():
    guard = require_api_key(KEYS, header="X-Service-Key")
    assert guard.decide(sent(GOOD.reveal(), header="x-service-key")).principal.subject == "alice"
    assert guard.decide(sent(GOOD.reveal())).reason == "no_credential"
    assert guard.sent_in == ("x-service-key",)


def test_optional_is_anonymous_without_a_key_and_refuses_a_bad_one():
    guard = require_api_key(KEYS, optional=True)
    assert guard.decide(sent()) == Allow()
    assert guard.decide(sent(GOOD.reveal())).principal.subject == "alice"
    for request in (sent("x"), sent(""), sent(GOOD.reveal(), GOOD.reveal())):
        assert guard.decide(request).status in (400, 401)


def test_scopes_and_roles_are_asked_of_the_key():
    for further, status in ((require_scopes("orders:read"), 200), (require_scopes("orders:write"), 403),
                            (require_roles("clerk"), 200), (require_roles("admin"), 403)):  # fmt: skip
        assert answer(chain(require_api_key(KEYS), further), sent(GOOD.reveal()))[0] == status
    assert answer(chain(require_api_key(KEYS), require_scopes("orders:read")), sent())[0] == 401


def test_configured_keys_open_the_same_door():
    keys = ApiKeys.of({"service-a": Secret.of("service-a-key-0123456789")}, scopes=["orders:read"])
    guard = chain(require_api_key(keys), require_scopes("orders:read"))
    guard.prepare()
    assert answer(guard, sent("service-a-key-0123456789"))[0] == 200
    assert answer(guard, sent("service-a-key-0123456788"))[0] == 401


def test_an_unfit_configured_key_is_told_when_the_chain_is_prepared():
    guard = require_api_key(ApiKeys.of({"service-a": Secret.of("short")}))
    with pytest.raises(ConfigurationError, match="no API key"):
        guard.prepare()
    assert answer(guard, sent("service-a-key-0123456789"))[0] == 500


class TestBesideTokens:
    """`require_auth(tokens, keys)`."""

    GUARD = staticmethod(lambda: require_auth(MINT.tokens, KEYS))

    def test_either_is_enough(self):
        assert self.GUARD().decide(sent(GOOD.reveal())).principal.method == "api_key"
        bearer = ("authorization", f"Bearer {MINT.good('carol')}")
        assert self.GUARD().decide(sent(more=[bearer])).principal.subject == "carol"
        assert self.GUARD().decide(sent()).reason == "no_credential"

    @pytest.mark.parametrize("key", [GOOD, STRANGE], ids=["good", "bad"])
    def test_both_are_400_whatever_they_are_worth(self, key):
        for token in (MINT.good("alice"), "x.y.z"):
            deny = self.GUARD().decide(sent(key.reveal(), more=[("authorization", f"Bearer {token}")]))
            assert (deny.status, deny.reason) == (400, "two_credentials")

    def test_a_bad_key_is_refused_and_does_not_fall_through(self):
        for reason, keys in BAD.items():
            deny = self.GUARD().decide(sent(keys[0]))
            assert (deny.status, deny.code, deny.reason) == (401, "invalid_api_key", reason)

    def test_another_header_has_its_name(self):
        guard = require_auth(MINT.tokens, KEYS.at("x-service-key"))
        assert guard.decide(sent(GOOD.reveal(), header="x-service-key")).principal.subject == "alice"
        assert guard.decide(sent(GOOD.reveal())).reason == "no_credential"

    def test_an_answer_may_be_cached_for_a_stage(self):
        assert (self.GUARD().reads_request, require_api_key(KEYS).reads_request) == (False, False)

    def test_any_of_asks_the_next_guard_and_tells_every_challenge(self):
        either = any_of(require_auth(MINT.tokens), require_api_key(KEYS))
        assert either.decide(sent(GOOD.reveal())).principal.subject == "alice"
        status, headers, _ = answer(either, sent())
        assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="api", ApiKey realm="api"')


def test_a_lambda_authorizer_judges_keys():
    authorizer = require_api_key(KEYS).authorizer()
    arn = "arn:aws:execute-api:eu-west-1:123456789012:api1234567/prod/GET/"

    def asked(kind, key):
        event = lambda_event(kind, headers={"x-api-key": key.reveal()})
        return authorizer({**event, "type": "REQUEST", "methodArn": arn, "routeArn": arn}, None)

    assert asked("v1", GOOD)["context"]["subject"] == asked("v2", GOOD)["context"]["subject"] == "alice"
    assert asked("v2", STRANGE)["isAuthorized"] is False
    with pytest.raises(Exception, match="Unauthorized"):  # how a REST API is told of 401
        asked("v1", STRANGE)


class TestLimits:
    def test_a_limit_by_principal_counts_whose_the_key_is(self):
        guard = chain(require_api_key(KEYS), rate_limit("1/hour", key="principal", store=MemoryStore()))
        assert [answer(guard, sent(key.reveal()))[0] for key in (GOOD, OTHER, GOOD, OTHER)] == [200, 200, 429, 429]

    def test_a_limit_by_the_header_counts_each_key_and_keeps_its_digest_alone(self):
        guard = chain(require_api_key(KEYS), rate_limit("1/hour", key=by_header("x-api-key"), store=MemoryStore()))
        second = KEYS.new("alice")
        assert [answer(guard, sent(key.reveal()))[0] for key in (GOOD, second, GOOD)] == [200, 200, 429]
        assert GOOD.reveal() not in by_header("x-api-key")(sent(GOOD.reveal()))


class Mine:
    """Somebody's own."""

    def __init__(self, says):
        self.says = says

    def verify(self, key):
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def test_what_verifies_keys_may_be_one_s_own():
    assert require_api_key(Mine(Principal("alice"))).decide(sent("k")).principal.subject == "alice"
    for error in (InvalidToken("key_gone"), InvalidCredentials("key_gone")):
        deny = require_api_key(Mine(error)).decide(sent("k"))
        assert (deny.status, deny.reason) == (401, "key_gone")
    assert answer(require_api_key(Mine(Unavailable("down"))), sent("k"))[0] == 503
    for nothing in (None, True, "alice"):
        with pytest.raises(TypeError, match="Principal"):
            require_api_key(Mine(nothing)).decide(sent("k"))


@pytest.mark.parametrize("keys", [None, ApiKeys, "key", {"a": "b"}, MemoryKeys(), lambda request: None])
def test_what_verifies_no_keys_is_a_configuration_error(keys):
    with pytest.raises(ConfigurationError, match="ApiKeys"):
        require_api_key(keys)


@pytest.mark.parametrize("header", ["", "x api key", "x:key", "\u00e9", "authorization", "Cookie", "x_api_key", None, 5])
def test_a_header_is_one_of_its_own(header):
    with pytest.raises(ConfigurationError, match="header"):
        require_api_key(KEYS, header=header)


@pytest.mark.parametrize("wrong", [{"optional": None}, {"optional": 1}, {"realm": 5}])
def test_a_wrong_setting_is_a_configuration_error(wrong):
    with pytest.raises(ConfigurationError):
        require_api_key(KEYS, **wrong)


async def test_an_async_handler_is_not_held_up_by_a_table_in_a_file(tmp_path):
    keys = ApiKeys(SqliteKeys(tmp_path / "keys.db", timeout=30))
    made = await keys.anew("alice")

    @require_api_key(keys)
    async def handler(request: Request, principal: Principal) -> Response:
        return Response(200, body=principal.subject)

    answers = await asyncio.gather(*(handler(sent(made.reveal())) for _ in range(8)))
    assert {response.body for response in answers} == {b"alice"}


def test_a_table_that_is_down_is_503(tmp_path):
    keys = ApiKeys(SqliteKeys(tmp_path / "nowhere" / "keys.db"))
    status, headers, _ = answer(require_api_key(keys), sent(GOOD.reveal()))
    assert (status, int(headers["retry-after"]) >= 1) == (503, True)


@given(st.lists(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")), max_size=3))
def test_no_header_raises_or_admits(values):
    """Property; WHK-03 among it."""
    deny = require_api_key(KEYS).decide(sent(*values))
    assert deny.status in (400, 401)
    assert deny.challenge or deny.status == 400


def test_two_sets_of_keys_in_one_header_are_refused_when_built() -> None:
    """Each of them would answer for every key, and every request would be one with two credentials."""
    made, configured = ApiKeys(MemoryKeys()), ApiKeys.of({"service-a": Secret.of("service-a-0123456789")})
    with pytest.raises(ConfigurationError, match="one header"):
        require_auth(made, configured)
    guard = require_auth(made, configured.at("x-service-key"))
    for sent, subject in (("x-service-key", "service-a"), ("x-api-key", "robot")):
        key = "service-a-0123456789" if subject == "service-a" else made.new("robot").reveal()
        decision = guard.decide(Request.build(headers={sent: key}))
        assert isinstance(decision, Allow)
        assert decision.principal is not None
        assert decision.principal.subject == subject
