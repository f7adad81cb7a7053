"""Who somebody is, where several providers know them: never an address, a name or a subject alone (OID-09)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Auth0, Clerk, Cognito, Firebase, Google, Keycloak, Okta, Supabase

from authkit import ConfigurationError, Principal, Request, Response, chain, require_auth

from . import test_auth0, test_clerk, test_cognito, test_firebase, test_google, test_keycloak, test_okta, test_supabase
from .signer import Signer

if TYPE_CHECKING:
    from authkit.oidc import OIDCProvider
    from authkit.testing import Clock

CLIENT = test_google.CLIENT
ADDRESS = {"email": "alice@example.com", "email_verified": True}


class Known:
    """One provider with its issuer, and the claims and header of a good token and of one that no API should get."""

    def __init__(self, provider: OIDCProvider, signer: Signer, good: Any, header: Any, other: Any) -> None:
        self.provider, self.signer, self.good, self.header, self.other = provider, signer, good, header, other

    def token(self, **changes: Any) -> str:
        return self.signer.token(self.good, self.header, **changes)


@pytest.fixture
def all_of_them(clock: Clock) -> list[Known]:
    auth0, okta = Signer(test_auth0.ISSUER, clock), Signer(test_okta.ISSUER, clock)
    cognito, firebase = Signer(test_cognito.ISSUER, clock), Signer(test_firebase.ISSUER, clock)
    google, keycloak = Signer(test_google.ISSUER, clock), Signer(test_keycloak.REALM, clock)
    supabase, clerk = Signer(test_supabase.ISSUER, clock), Signer(test_clerk.FRONTEND, clock)
    jwt: dict[str, str] = {"typ": "JWT"}
    return [
        Known(
            Auth0("example.eu.auth0.com", audience=test_auth0.API, **auth0.known), auth0, test_auth0.ACCESS, jwt, test_auth0.ID
        ),
        Known(Okta("example.okta.com", audience=test_okta.API, **okta.known), okta, test_okta.ACCESS, {}, test_okta.ID),
        Known(
            Cognito(test_cognito.POOL, client_id=test_cognito.CLIENT, token_use="id", **cognito.known),
            cognito,
            test_cognito.ID,
            {},
            test_cognito.ACCESS,
        ),
        Known(
            Firebase(test_firebase.PROJECT, **firebase.known), firebase, test_firebase.ID, jwt, {**test_firebase.ID, "aud": "x"}
        ),
        Known(Google(CLIENT, **google.known), google, test_google.ID, jwt, test_google.ROBOT),
        Known(
            Keycloak(test_keycloak.REALM, audience="orders", **keycloak.known),
            keycloak,
            test_keycloak.ACCESS,
            jwt,
            test_keycloak.ID,
        ),
        Known(
            Supabase(test_supabase.URL, **supabase.known),
            supabase,
            test_supabase.ACCESS,
            jwt,
            {**test_supabase.ACCESS, "role": "anon"},
        ),
        Known(
            Clerk(test_clerk.FRONTEND, authorized_parties=test_clerk.APP, **clerk.known),
            clerk,
            test_clerk.SESSION,
            jwt,
            test_clerk.TEMPLATE,
        ),
    ]


def test_one_address_at_eight_issuers_is_eight_people(all_of_them: list[Known]) -> None:
    found = [one.provider.identity(one.provider.verify(one.token(**ADDRESS))) for one in all_of_them]
    assert {identity.unverified_email for identity in found} == {"alice@example.com"}
    assert len({identity.key for identity in found}) == len(found) == 8


def test_one_subject_at_two_issuers_is_two_people(clock: Clock) -> None:
    one, other = Signer(test_google.ISSUER, clock), Signer(test_firebase.ISSUER, clock)
    google, firebase = Google(CLIENT, **one.known), Firebase(test_firebase.PROJECT, **other.known)
    first = google.identity(google.verify(one.token(test_google.ID, sub="1")))
    second = firebase.identity(firebase.verify(other.token(test_firebase.ID, sub="1")))
    assert first.subject == second.subject
    assert first.key != second.key


def test_another_address_or_name_is_the_same_person(all_of_them: list[Known]) -> None:
    for one in all_of_them:
        before = one.provider.identity(one.provider.verify(one.token(**ADDRESS)))
        changed = {
            "email": "bob@example.com",
            "name": "Bob",
            "preferred_username": "bob",
            "username": "bob",
            "iat": 1_799_999_990,
        }
        after = one.provider.identity(one.provider.verify(one.token(**changed)))
        assert after.key == before.key
        assert after != before


def test_a_provider_says_nothing_of_who_another_one_knows(all_of_them: list[Known]) -> None:
    first, second, *_ = all_of_them
    with pytest.raises(ValueError, match="another issuer"):
        first.provider.identity(second.provider.verify(second.token()))


class TestBehindOneGuard:
    def test_each_token_is_judged_by_the_provider_of_its_issuer(self, all_of_them: list[Known]) -> None:
        @chain(require_auth(*[one.provider for one in all_of_them]))
        def handler(request: Request, principal: Principal) -> Response:
            return Response(200, {}, str(principal.issuer).encode())

        for one in all_of_them:
            answer = handler(Request.build("GET", "/", {"authorization": f"Bearer {one.token()}"}))
            assert (answer.status, answer.body) == (200, one.signer.issuer.encode())

    def test_whatever_is_no_token_for_this_api_has_one_answer(self, all_of_them: list[Known]) -> None:
        """An ID token, another client's, another pool's, a foreign key's: nothing tells them apart from outside."""

        @chain(require_auth(*[one.provider for one in all_of_them]))
        def handler(request: Request) -> Response:
            return Response(200, {}, b"")

        answers = set()
        for one in all_of_them:
            forged = Signer(one.signer.issuer, one.signer.clock, number=1)
            for token in (
                one.signer.token(one.other, one.header),
                one.token(aud="other", client_id="other", azp="https://other.example"),
                one.token(iss=f"{one.signer.issuer}x"),
                forged.token(one.good, one.header),
                "opaque",
            ):
                answer = handler(Request.build("GET", "/", {"authorization": f"Bearer {token}"}))
                answers.add((answer.status, answer.body, answer.headers["www-authenticate"]))
        assert len(answers) == 1
        assert answers.pop()[0] == 401

    def test_two_of_one_issuer_are_refused_in_either_spelling(self, clock: Clock) -> None:
        signer = Signer(test_google.ISSUER, clock)
        with pytest.raises(ConfigurationError, match="issuer"):
            require_auth(Google(CLIENT, **signer.known), Google(CLIENT, **signer.known))
