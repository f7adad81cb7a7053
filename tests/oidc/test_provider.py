"""Which tokens of an issuer are accepted, for whom, and where what they say is read (CLM-01 to -16, TOK-15)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken, Principal, Request, Response, Tokens, chain, require_auth
from authkit.oidc import OIDCProvider, TokenProfile
from authkit.tokens import base64url

from .issuer import AUDIENCE, Issuer, ec_key, issuer

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit.testing import Clock


def reason(provider: OIDCProvider, token: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    return caught.value.reason


def bearer(token: str) -> Request:
    return Request.build("GET", "/", {"authorization": f"Bearer {token}"})


class TestAGoodToken:
    def test_says_who_is_calling(self, op: Issuer, provider: OIDCProvider) -> None:
        who = provider.verify(op.token(scope="read write", roles=["admin"], org={"id": "acme"}))
        assert who == Principal(
            "alice", issuer=op.url, scopes=["read", "write"], roles=["admin"], claims=dict(who.claims), method="bearer"
        )
        assert who.claims["org"] == {"id": "acme"}

    def test_is_the_same_object_to_whoever_asks_and_however(self, op: Issuer, provider: OIDCProvider) -> None:
        token = op.token()
        assert provider.recall(token) is None
        known = provider.verify(token)
        assert provider.verify(token) is provider.recall(token) is asyncio.run(provider.averify(token)) is known

    def test_is_remembered_no_longer_than_it_is_valid(self, op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
        token = op.token()
        provider.verify(token)
        clock.advance(329)
        assert provider.recall(token) is not None
        clock.advance(1)
        assert provider.recall(token) is None
        assert reason(provider, token) == "token_expired"

    def test_is_remembered_by_one_provider_alone(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        """The decision is of one configuration: another audience decides for itself."""
        token = op.token()
        provider_of(op).verify(token)
        assert reason(provider_of(op, audience="https://other.example"), token) == "token_audience"

    def test_memory_is_bounded(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        provider = provider_of(op, cache_size=10)
        tokens = [op.token(sub=f"u{number}") for number in range(50)]
        for token in tokens:
            provider.verify(token)
        assert sum(provider.recall(token) is not None for token in tokens) <= 10


class TestTime:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"exp": ...}, "token_claims"),
            ({"exp": None}, "token_claims"),
            ({"exp": "300"}, "token_claims"),
            ({"exp": True}, "token_claims"),
            ({"exp": float("nan")}, "token_malformed"),
            ({"exp": float("inf")}, "token_malformed"),
            ({"exp": -1}, "token_claims"),
            ({"exp": 10**12}, "token_claims"),
            ({"iat": "now"}, "token_claims"),
            ({"nbf": None}, "token_claims"),
            ({"iat": []}, "token_claims"),
            ({"nbf": float("-inf")}, "token_malformed"),
        ],
    )
    def test_that_is_none_is_refused(self, op: Issuer, provider: OIDCProvider, changes: dict[str, Any], expected: str) -> None:
        assert reason(provider, op.token(**changes)) == expected

    @pytest.mark.parametrize(
        ("changes", "good"),
        [
            ({"exp": -29}, True), ({"exp": -30}, False), ({"exp": -29.5}, True), ({"nbf": 30}, True), ({"nbf": 31}, False),
            ({"iat": 30}, True), ({"iat": 31}, False), ({"iat": 3600}, False),
        ],
    )  # fmt: skip
    def test_is_judged_with_the_leeway(
        self, op: Issuer, provider: OIDCProvider, clock: Clock, changes: dict[str, float], good: bool
    ) -> None:
        times: dict[str, Any] = {name: clock() + offset for name, offset in changes.items()}
        token = op.token(**times)
        if good:
            assert provider.verify(token).subject == "alice"
        else:
            assert reason(provider, token) in ("token_expired", "token_not_yet_valid", "token_issued_in_future")


class TestWhose:
    @pytest.mark.parametrize(
        "iss", [..., None, "", 7, ["{url}"], "{url}/", "{url} ", "{url}.evil.example", "x{url}", "urn:{url}"]
    )
    def test_the_issuer_is_this_one_exactly(self, op: Issuer, provider: OIDCProvider, iss: Any) -> None:
        said = [iss[0].format(url=op.url)] if isinstance(iss, list) else iss.format(url=op.url) if isinstance(iss, str) else iss
        assert reason(provider, op.token(iss=said)) == "token_issuer"

    @pytest.mark.parametrize(
        "aud",
        [..., None, "", [], [""], 7, [7], [AUDIENCE, 7], [AUDIENCE, None], [[AUDIENCE]], {"aud": AUDIENCE}, AUDIENCE + "/",
         AUDIENCE.upper(), AUDIENCE[:-1], f"{AUDIENCE} other", ["other"], True],
    )  # fmt: skip
    def test_another_audience_is_refused(self, op: Issuer, provider: OIDCProvider, aud: Any) -> None:
        assert reason(provider, op.token(aud=aud)) == "token_audience"

    def test_one_of_several_audiences_is_enough(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        provider = provider_of(op, audience=["https://one.example", "https://two.example"])
        for aud in ("https://one.example", "https://two.example", ["x", "https://two.example"]):
            assert provider.verify(op.token(aud=aud)).subject == "alice"
        assert reason(provider, op.token()) == "token_audience"

    @pytest.mark.parametrize("sub", [..., None, "", 7, ["alice"], True])
    def test_nobody_is_called_that(self, op: Issuer, provider: OIDCProvider, sub: Any) -> None:
        assert reason(provider, op.token(sub=sub)) == "token_claims"

    @pytest.mark.parametrize("cnf", [{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, {"x5t#S256": "x"}, {}, None])
    def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(self, op: Issuer, provider: OIDCProvider, cnf: Any) -> None:
        assert reason(provider, op.token(cnf=cnf)) == "token_bound"


class TestWhichKind:
    """CLM-10: each verifier accepts its own kind and no other."""

    KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "access": ({"typ": "at+jwt"}, {}),
        "plain": ({"typ": "JWT"}, {}),
        "id": ({"typ": "JWT"}, {"nonce": "n", "aud": "web", "at_hash": "x"}),
        "id for the API": ({"typ": "JWT"}, {"nonce": "n"}),
        "logout": ({"typ": "logout+jwt"}, {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        "old logout": ({}, {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        "marked": ({"typ": "JWT"}, {"token_use": "access", "aud": ..., "client_id": AUDIENCE}),
        "marked id": ({"typ": "JWT"}, {"token_use": "id", "client_id": AUDIENCE, "aud": "web"}),
        "refresh": ({"typ": "JWT"}, {"typ": "Refresh", "aud": "https://issuer.example"}),
        "proof": ({"typ": "dpop+jwt"}, {}),
        "odd": ({"typ": 7}, {}),
        "nothing": ({"typ": ""}, {}),
        "null": ({"typ": None}, {}),
    }
    VERIFIERS: dict[str, tuple[dict[str, Any], set[str]]] = {
        "RFC 9068": ({}, {"access"}),
        "JWT": ({"token_type": "JWT"}, {"plain", "null"}),
        "marks": (
            {"profile": TokenProfile(types=("JWT", ""), required={"token_use": "access"}, audience="client_id")},
            {"marked"},
        ),
        "logout": ({"token_type": "logout+jwt"}, {"logout"}),
    }

    @pytest.mark.parametrize("verifier", VERIFIERS)
    def test_only_its_own_kind_passes(self, op: Issuer, provider_of: Callable[..., OIDCProvider], verifier: str) -> None:
        settings, accepted = self.VERIFIERS[verifier]
        provider = provider_of(op, **settings)
        for kind, (header, claims) in self.KINDS.items():
            token = op.token({"alg": "ES256", "kid": "one", **header}, **claims)
            if kind in accepted:
                assert provider.verify(token).issuer == op.url
            else:
                assert reason(provider, token) in ("token_type", "token_audience"), kind

    @pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"])
    def test_the_type_is_a_media_type(self, op: Issuer, provider: OIDCProvider, typ: str) -> None:
        assert provider.verify(op.token({"alg": "ES256", "kid": "one", "typ": typ})).subject == "alice"

    @pytest.mark.parametrize("typ", ["xapplication/at+jwt", "at+jwt ", "at+jwt;x", "text/at+jwt", "at", ["at+jwt"]])
    def test_and_nothing_like_it(self, op: Issuer, provider: OIDCProvider, typ: Any) -> None:
        assert reason(provider, op.token({"alg": "ES256", "kid": "one", "typ": typ})) == "token_type"


class TestProfile:
    def test_says_where_things_are(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        profile = TokenProfile(
            types=("JWT",), audience="azp", subject=("https://x.example/uid",), scopes=["permissions", "scope"],
            roles=["realm_access.roles", ("https://x.example/groups",), "absent"],
        )  # fmt: skip
        claims: dict[str, Any] = {
            "azp": AUDIENCE, "aud": "account", "https://x.example/uid": "u1", "permissions": ["a"], "scope": "b c",
            "realm_access": {"roles": ["admin"]}, "https://x.example/groups": ["staff"],
        }  # fmt: skip
        token = op.token({"alg": "ES256", "kid": "one", "typ": "JWT"}, **claims)
        who = provider_of(op, profile=profile).verify(token)
        assert (who.subject, sorted(who.scopes), sorted(who.roles)) == ("u1", ["a", "b", "c"], ["admin", "staff"])

    @pytest.mark.parametrize(
        "claims",
        [{"realm_access.roles": ["admin"]}, {"realm_access": [{"roles": ["admin"]}]}, {"realm_access": "roles"},
         {"realm_access": {"roles": "admin"}}, {"realm_access": {"roles": ["admin", 7]}}, {"realm_access": {"roles": [""]}}],
    )  # fmt: skip
    def test_what_only_looks_like_the_place_gives_no_role(
        self, op: Issuer, provider_of: Callable[..., OIDCProvider], claims: dict[str, Any]
    ) -> None:
        """CLM-14."""
        provider = provider_of(op, profile=TokenProfile(roles=["realm_access.roles"]))
        assert provider.verify(op.token(**claims)).roles == frozenset()

    @pytest.mark.parametrize("scopes", [7, [7], ["a", None], "a  b", {"a": 1}, [""]])
    def test_scopes_that_are_none_are_refused(self, op: Issuer, provider_of: Callable[..., OIDCProvider], scopes: Any) -> None:
        assert reason(provider_of(op, profile=TokenProfile(scopes=["p"])), op.token(p=scopes)) == "token_claims"

    @pytest.mark.parametrize("value", ["Access", "access ", ["access"], True, 1, None, ...])
    def test_a_mark_is_that_value_and_that_type(self, op: Issuer, provider_of: Callable[..., OIDCProvider], value: Any) -> None:
        provider = provider_of(op, profile=TokenProfile(required={"use": ["access", "user"], "v": 1}))
        assert provider.verify(op.token(use="user", v=1)).subject == "alice"
        assert reason(provider, op.token(use=value, v=1)) == "token_type"
        assert reason(provider, op.token(use="user", v=True)) == "token_type"

    def test_is_a_value(self) -> None:
        assert TokenProfile() == TokenProfile(types=["AT+JWT"])
        assert TokenProfile(roles=["a.b"]) == TokenProfile(roles=[("a", "b")]) != TokenProfile(roles=[("a.b",)])
        with pytest.raises(AttributeError):
            TokenProfile().audience = ("x",)

    @pytest.mark.parametrize(
        "settings",
        [
            {"types": ()},
            {"types": "JWT"},
            {"types": [7]},
            {"audience": ""},
            {"audience": "a..b"},
            {"audience": 7},
            {"audience": ()},
            {"roles": "roles"},
            {"scopes": "scope"},
            {"forbidden": "nonce"},
            {"roles": ["https://x.example/roles"]},
            {"required": {"a": ()}},
            {"required": {"a": None}},
            {"required": {"": 1}},
            {"required": {"a": 1.5}},
        ],
    )
    def test_that_makes_no_sense_is_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="a token profile's"):
            TokenProfile(**settings)


class TestForm:
    @pytest.mark.parametrize(
        "token", ["", ".", "..", "...", "a.b", "a.b.c.d", "a.b.c.d.e", "é.b.c", None, 7, b"a.b.c", "a" * 17_000]
    )
    def test_what_is_no_token_asks_nobody(self, op: Issuer, provider: OIDCProvider, token: Any) -> None:
        if token in ("..",):
            provider.verify(op.token())
        assert reason(provider, token) in ("token_malformed", "token_too_large")
        assert op.asked() == (token == "..")

    def test_what_is_too_long_is_refused_however_well_it_is_signed(self, op: Issuer, provider: OIDCProvider) -> None:
        assert reason(provider, op.token(padding="x" * 17_000)) == "token_too_large"
        assert op.asked() == 0

    @pytest.mark.parametrize("crit", [[], ["exp"], ["b64"], ["x", "x"], "exp", None, {}, 7, ["kid"], [""]])
    def test_what_must_be_understood_is_not(self, op: Issuer, provider: OIDCProvider, crit: Any) -> None:
        assert reason(provider, op.token({"typ": "at+jwt", "alg": "ES256", "kid": "one", "crit": crit})) == "token_critical"

    def test_every_changed_byte_is_refused(self, op: Issuer, provider: OIDCProvider) -> None:
        token = op.token()
        provider.verify(token)
        for place in range(0, len(token), 3):
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            with pytest.raises(InvalidToken):
                provider.verify(changed)

    @pytest.mark.parametrize(
        "name", ["nonce_supported", "verify", "leeway", "alg_allowed", "jwks_uri", "issuer", "audience", "crit_ok"]
    )
    def test_nothing_in_a_token_changes_what_is_asked_of_it(self, op: Issuer, provider: OIDCProvider, name: str) -> None:
        """CLM-16."""
        for value in (False, True, 10**9, op.url, None):
            said: dict[str, Any] = {name: value}
            header = {"typ": "at+jwt", "alg": "ES256", "kid": "one", **said}
            assert provider.verify(op.token(header, **said)).subject == "alice"
            assert reason(provider, op.token(header, aud="other", **said)) == "token_audience"


class TestBehindAGuard:
    def test_several_issuers_are_told_by_what_the_token_says(
        self, op: Issuer, provider: OIDCProvider, provider_of: Callable[..., OIDCProvider], clock: Clock
    ) -> None:
        own = Tokens("s" * 40 + "0123456789abcdef", issuer="https://own.example", audience=AUDIENCE, clock=clock)
        with issuer("/second", clock) as other:
            guard = require_auth(provider, provider_of(other), own)

            @guard
            def handler(request: Request) -> Response:
                assert request.principal is not None
                return Response(200, {}, str(request.principal.issuer).encode())

            for token, iss in ((op.token(), op.url), (other.token(), other.url), (own.issue("alice"), own.issuer)):
                assert handler(bearer(token)).body == iss.encode()
            assert handler(bearer(op.token(iss=other.url))).status == 401
            assert handler(bearer(op.token(iss="https://third.example"))).status == 401

    def test_a_subclass_that_checks_more_is_not_passed_by(self, op: Issuer, clock: Clock) -> None:
        class Members(OIDCProvider):
            def verify(self, token: str) -> Principal:
                found = super().verify(token)
                if found.claims.get("org") != "acme":
                    raise InvalidToken("not_a_member")
                return found

        provider = Members(op.url, audience=AUDIENCE, clock=clock, monotonic=clock)
        handler = require_auth(provider)(_handler)
        ahandler = require_auth(provider)(_async_handler)
        for _ in range(2):
            for token, status in ((op.token(org="acme"), 200), (op.token(), 401)):
                assert handler(bearer(token)).status == status
                assert asyncio.run(ahandler(bearer(token))).status == status

    def test_warming_fetches_the_keys(self, op: Issuer, provider: OIDCProvider) -> None:
        handler = require_auth(provider)(_handler)
        provider.prefetch()
        assert op.asked() == 1
        assert handler(bearer(op.token())).status == 200
        asyncio.run(provider.aprefetch())
        assert op.asked() == 1

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_so_does_the_chain_that_is_prepared(self, op: Issuer, provider: OIDCProvider, asynchronous: bool) -> None:
        guards = chain(require_auth(provider))
        if asynchronous:
            asyncio.run(guards.aprepare())
        else:
            guards.prepare()
        assert op.asked() == 1

    def test_no_key_or_token_is_shown(self, op: Issuer, provider: OIDCProvider, caplog: pytest.LogCaptureFixture) -> None:
        token = op.token()
        provider.verify(token)
        forged = op.token(key=ec_key("one"))
        shown = repr(provider) + repr(provider.keys) + repr(provider.keys.at_hand()) + reason(provider, forged) + caplog.text
        assert not [part for part in (*token.split("."), *forged.split(".")) if part in shown]


def _handler(request: Request) -> Response:
    return Response(200)


async def _async_handler(request: Request) -> Response:
    return Response(200)


def test_the_claims_of_a_token_are_as_they_were_signed(op: Issuer, provider: OIDCProvider) -> None:
    token = op.token(deep={"a": [1, {"b": None}]})
    claims = json.loads(base64url.decode(token.split(".")[1]))
    assert dict(provider.verify(token).claims) == claims


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://issuer.example/.well-known/openid-configuration"},
        {"background": "no"},
        {"background": 0},
        {"provider_name": ""},
        {"provider_name": 5},
    ],
)
def test_what_is_easily_mistaken_is_refused_when_it_is_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"iss, not|background is|provider_name is"):
        OIDCProvider(**{"issuer": "https://issuer.example", "audience": "a", **wrong})
