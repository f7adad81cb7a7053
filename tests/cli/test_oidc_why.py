"""Why a provider's token is refused, in words: by the mark that it lacks, whatever class verifies it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import authkit_providers
import pytest

import authkit.oidc
from authkit import InvalidToken
from authkit.cli._oidc_why import _AS_OURS, _CHECKS, why_refused
from authkit.testing import FakeIssuer

from .test_oidc_verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

GUID, API = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"


def keycloak(**keys: Any) -> Any:
    return authkit_providers.Keycloak("https://id.example.com/realms/main", audience="orders", **keys)


def auth0(**keys: Any) -> Any:
    return authkit_providers.Auth0("example.eu.auth0.com", audience="https://api", organizations=["org_a"], **keys)


def cognito(**keys: Any) -> Any:
    return authkit_providers.Cognito("eu-west-1_AbCdEfGhI", client_id="one", **keys)


def entra(**keys: Any) -> Any:
    return authkit_providers.Entra(GUID, audience=API, **keys)


def supabase(**keys: Any) -> Any:
    return authkit_providers.Supabase("https://abc.supabase.co", **keys)


def clerk(**keys: Any) -> Any:
    return authkit_providers.Clerk("https://clerk.example.com", authorized_parties="https://app.example.com", **keys)


def firebase(**keys: Any) -> Any:
    return authkit_providers.Firebase("example-1a2b3", **keys)


# What is signed for a provider that is built in code, its claims less what all have; the check that refuses it; what is said.
OF_PROVIDERS: dict[str, tuple[Callable[..., Any], dict[str, Any], str, str]] = {
    "an ID token of Keycloak": (keycloak, {"typ": "ID", "aud": "web"}, "token kind", "it is an ID token"),
    "a refresh token of Keycloak": (keycloak, {"typ": "Refresh", "aud": "x"}, "token kind", "it is a refresh token"),
    "Keycloak's account": (keycloak, {"typ": "Bearer", "aud": "account"}, "audience", "Audience mapper"),
    "Keycloak's inner host": (keycloak, {"iss": "http://keycloak:8080/realms/main"}, "issuer", "only known inside"),
    "no organization of Auth0": (auth0, {"aud": "https://api", "azp": "c"}, "token kind", "org_id is null, and has to be"),
    "Auth0's slash": (auth0, {"iss": "https://example.eu.auth0.com"}, "issuer", "a slash at the end"),
    "an ID token of Cognito": (cognito, {"token_use": "id", "aud": "one"}, "token kind", "it is an ID token"),
    "another client of Cognito": (cognito, {"token_use": "access", "client_id": "two"}, "audience", 'client_id is "two"'),
    "no client of Cognito": (cognito, {"token_use": "access"}, "audience", "it has no client_id"),
    "version 1 of Entra": (entra, {"iss": f"https://sts.windows.net/{GUID}/"}, "issuer", "requestedAccessTokenVersion"),
    "nobody of Entra": (entra, {"aud": API, "ver": "2.0"}, "claims", "it has no oid"),
    "a key of Supabase": (supabase, {"iss": "supabase", "role": "anon"}, "issuer", "another issuer issued it"),
    "another origin of Clerk": (clerk, {"azp": "https://evil.example"}, "audience", "azp is"),
    "a session of Firebase": (firebase, {"iss": "https://session.firebase.google.com/example-1a2b3"}, "issuer", "the host"),
    "anonymous of Firebase": (
        firebase, {"aud": "example-1a2b3", "firebase": {"sign_in_provider": "anonymous"}}, "provider's rule", "Firebase was",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_PROVIDERS)
def test_what_a_providers_class_refuses_is_told_by_the_mark_that_it_lacks(name: str) -> None:
    make, claims, check, said = OF_PROVIDERS[name]
    with FakeIssuer(token_type="JWT") as issuer:
        provider = make(keys={"keys": issuer.keys})
        token = issuer.token(**{"iss": provider.issuer, "client_id": ..., "aud": ..., **claims})
        with pytest.raises(InvalidToken) as refused:
            provider.verify(token)
        told = why_refused(refused.value.reason, token, provider, issuer.clock())
    assert told.check == check
    assert said in " ".join((told.says, told.cause, told.mend))
    assert "--token-type" not in told.mend
    assert "AUTHKIT_OIDC" not in told.mend


def test_a_token_that_stands_in_a_header_of_its_own_is_judged_too(tmp_path: Path) -> None:
    """A load balancer's, and GitHub's, which has no form that anybody here could read."""
    header = {"alg": "ES256", "signer": "arn:of-somebody-else"}
    with FakeIssuer() as issuer:
        token = issuer.forge(header, {"sub": "x"})
    settings = {
        "AUTHKIT_ALB_ARN": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/x/0123456789abcdef",
        "AUTHKIT_ALB_CLIENT_ID": "c",
        "AUTHKIT_ALB_ISSUER": "https://issuer.example",
    }
    told = [word for pair in settings.items() for word in ("--setting", "=".join(pair))]
    said = verify(token, tmp_path, "--provider", "alb_oidc", *told, "--json")
    assert (said.code, said.json["reason"], said.json["check"]) == (1, "token_signer", "load balancer")
    told = ["--provider", "github", "--setting", "AUTHKIT_GITHUB_CLIENT_ID=x"]
    said = verify(token, tmp_path, *told, "--json", AUTHKIT_GITHUB_CLIENT_SECRET="nobodys-5d21-secret")
    assert (said.code, said.json["reason"]) == (1, "token_type")
    assert "typ is" not in said.json["found"]


def test_every_reason_that_a_verifier_can_give_has_an_answer_of_its_own() -> None:
    """Those of the source code, whoever adds one."""
    found: set[str] = set()
    for folder in (Path(authkit.oidc.__path__[0]), Path(authkit_providers.__path__[0])):
        for path in folder.glob("*.py"):
            found.update(re.findall(r'(?:InvalidToken|Bad|_bad|fullmatch)\("(token_\w+)"', path.read_text()))
    assert {"token_key", "token_rule", "token_inactive", "token_signer"} <= found
    assert found - ELSEWHERE <= {*_CHECKS, *_AS_OURS}


# Of logins, and of proofs: no token that is verified by itself is refused for one of them.
ELSEWHERE = {
    "token_acr", "token_auth_time", "token_hash", "token_nonce", "token_replayed", "token_unbound",
}  # fmt: skip


def test_a_secret_is_no_argument_which_other_users_see(tmp_path: Path) -> None:
    said = verify("a.b.c", tmp_path, "--provider", "github", "--setting", "AUTHKIT_GITHUB_CLIENT_SECRET=nobodys-5d21-secret")
    assert (said.code, "5d21" in said.all) == (2, False)
    assert "environment" in said.err
