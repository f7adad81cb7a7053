"""One verifier for several issuers that share keys and rules, and a profile's own rule (CLM-01, OID-08)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken, Principal, Request, Response, Unavailable, require_auth
from authkit.oidc import OIDCProvider, TokenProfile

from .issuer import AUDIENCE, Issuer

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit.testing import Clock

TENANTS = [f"https://login.example/{tenant}/v2.0" for tenant in ("one", "two")]


def reason(provider: OIDCProvider, token: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    return caught.value.reason


@pytest.fixture
def tenants(op: Issuer, provider_of: Callable[..., OIDCProvider]) -> OIDCProvider:
    return provider_of(op, issuers=TENANTS)


class TestIssuers:
    def test_each_of_them_is_accepted_and_named(self, op: Issuer, tenants: OIDCProvider) -> None:
        assert tenants.issuers == {op.url, *TENANTS}
        for iss in (op.url, *TENANTS):
            token = op.token(iss=iss)
            for _ in range(2):
                assert tenants.verify(token).issuer == iss
            assert tenants.recall(token) is tenants.verify(token)
        assert op.asked() == 1

    def test_the_same_subject_of_two_is_two_people(self, op: Issuer, tenants: OIDCProvider) -> None:
        one, two = (tenants.identity(tenants.verify(op.token(iss=iss))) for iss in TENANTS)
        assert one.subject == two.subject == "alice"
        assert one.key != two.key

    @pytest.mark.parametrize(
        "iss",
        ["https://login.example/three/v2.0", "https://login.example/one/v2.0/", "https://login.example/ONE/v2.0", TENANTS, {},
         "https://login.example/{tenantid}/v2.0", "", None, ..., 7, " ".join(TENANTS), [TENANTS[0]], True],
    )  # fmt: skip
    def test_none_that_only_resembles_them_is(self, op: Issuer, tenants: OIDCProvider, clock: Clock, iss: Any) -> None:
        assert reason(tenants, op.token(iss=iss)) == "token_issuer"
        clock.advance(40)
        assert reason(tenants, op.token({"typ": "at+jwt", "alg": "ES256", "kid": "none"}, iss=iss)) == "token_issuer"
        assert op.asked() == 1

    @pytest.mark.parametrize("issuers", ["https://login.example/one", [""], [7], [None], [["x"]], ["x", ""]])
    def test_that_are_none_are_refused(self, issuers: Any) -> None:
        with pytest.raises(ConfigurationError, match="issuers"):
            OIDCProvider("https://issuer.example", audience=AUDIENCE, issuers=issuers)

    def test_none_are_the_one(self) -> None:
        assert OIDCProvider("https://issuer.example", audience=AUDIENCE).issuers == {"https://issuer.example"}


class TestBehindAGuard:
    def test_the_verifier_is_chosen_by_any_of_its_issuers(self, op: Issuer, tenants: OIDCProvider) -> None:
        other = OIDCProvider("https://other.example", audience=AUDIENCE, jwks_uri=op.url + "/nowhere")
        seen = []

        @require_auth(other, tenants)
        def handler(request: Request) -> Response:
            assert request.principal is not None
            seen.append(request.principal.issuer)
            return Response(200)

        for iss in (op.url, *TENANTS):
            assert handler(Request.build("GET", "/", {"authorization": f"Bearer {op.token(iss=iss)}"})).status == 200
        assert seen == [op.url, *TENANTS]
        third = op.token(iss="https://login.example/three/v2.0")
        assert handler(Request.build("GET", "/", {"authorization": f"Bearer {third}"})).status == 401
        assert op.asked("/nowhere") == 0

    def test_two_verifiers_share_none(self, tenants: OIDCProvider) -> None:
        for issuer, issuers in ((TENANTS[0], None), ("https://other.example", [TENANTS[1]])):
            with pytest.raises(ConfigurationError, match="same issuer"):
                require_auth(tenants, OIDCProvider(issuer, audience=AUDIENCE, issuers=issuers))

    @pytest.mark.parametrize("issuers", ["https://login.example/one", b"x", [7], [""], [None]])
    def test_a_verifier_of_ones_own_says_them_as_a_set(self, issuers: Any) -> None:
        class Own:
            issuer = "https://own.example"

            def verify(self, token: str) -> Principal:
                raise InvalidToken("token_key")

        own: Any = Own()
        own.issuers = issuers
        with pytest.raises(ConfigurationError, match="issuer"):
            require_auth(own)
        own.issuers = None
        assert require_auth(own) is not None


class TestARule:
    def test_refuses_unless_it_returns_true_itself(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        for answer in (False, None, 1, "true", [True], object()):
            profile = TokenProfile(check=lambda claims, answer=answer: answer)  # type: ignore[arg-type, misc]
            assert reason(provider_of(op, profile=profile), op.token()) == "token_rule"
        assert provider_of(op, profile=TokenProfile(check=lambda claims: True)).verify(op.token()).subject == "alice"

    def test_that_raises_refuses_and_shows_nothing(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        for error in (KeyError("org"), ValueError("alice"), InvalidToken("other"), AssertionError(), RecursionError()):

            def rule(claims: Any, error: Exception = error) -> bool:
                raise error

            provider = provider_of(op, profile=TokenProfile(check=rule))
            with pytest.raises(InvalidToken) as caught:
                provider.verify(op.token())
            assert caught.value.reason == "token_rule"
            assert caught.value.__cause__ is caught.value.__context__ is None

    def test_that_cannot_decide_is_unavailable(self, op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
        def rule(claims: Any) -> bool:
            raise Unavailable("nobody knows")

        with pytest.raises(Unavailable):
            provider_of(op, profile=TokenProfile(check=rule)).verify(op.token())

    def test_is_asked_once_for_a_token_and_only_for_one_that_holds(
        self, op: Issuer, provider_of: Callable[..., OIDCProvider]
    ) -> None:
        asked = []
        provider = provider_of(op, profile=TokenProfile(check=lambda claims: not asked.append(claims["sub"])))
        token = op.token()
        for _ in range(3):
            provider.verify(token)
        for bad in (op.token(aud="other"), op.token(exp=1), op.token(iss="x"), op.token(cnf={}), token[:-4] + "AAAA"):
            with pytest.raises(InvalidToken):
                provider.verify(bad)
        asyncio.run(provider.averify(token))
        assert asked == ["alice"]

    @pytest.mark.parametrize("settings", [{"check": "sub"}, {"check": 1}, {"tenant": ""}, {"email": 7}, {"groups": "groups"},
                                          {"name": ()}, {"email_verified": "https://x.example/verified"}])  # fmt: skip
    def test_that_makes_no_sense_is_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="a token profile's"):
            TokenProfile(**settings)
