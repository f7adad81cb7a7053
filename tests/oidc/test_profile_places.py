"""Where a profile finds a subject that stands in one of several places, a role that is text, and an issuer of two spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken
from authkit.oidc import OIDCProvider, TokenProfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from .issuer import Issuer

SUBJECTS = TokenProfile(subject=["uid", "sub"])


@pytest.mark.parametrize(
    ("claims", "subject"),
    [({"uid": "00u1"}, "00u1"), ({}, "alice"), ({"uid": None}, "alice"), ({"uid": "00u1", "sub": ...}, "00u1")],
)
def test_the_subject_is_the_first_of_its_places_that_is_there(
    op: Issuer, provider_of: Callable[..., OIDCProvider], claims: dict[str, Any], subject: str
) -> None:
    assert provider_of(op, profile=SUBJECTS).verify(op.token(**claims)).subject == subject


@pytest.mark.parametrize("claims", [{"uid": ""}, {"uid": 7}, {"uid": ["00u1"]}, {"sub": ...}])
def test_a_first_place_that_holds_no_name_is_not_passed_over(
    op: Issuer, provider_of: Callable[..., OIDCProvider], claims: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken) as caught:
        provider_of(op, profile=SUBJECTS).verify(op.token(**claims))
    assert caught.value.reason == "token_claims"


@pytest.mark.parametrize(
    ("said", "roles"),
    [("admin", {"admin", "staff"}), (["admin"], {"staff"}), ("", {"staff"}), (7, {"staff"}), (..., {"staff"})],
)
def test_a_role_that_is_text_is_one_role(
    op: Issuer, provider_of: Callable[..., OIDCProvider], said: Any, roles: set[str]
) -> None:
    provider = provider_of(op, profile=TokenProfile(role="o.rol"))
    organization = {} if said is ... else {"rol": said}
    assert provider.verify(op.token(roles=["staff"], o=organization)).roles == roles


def test_an_issuer_of_two_spellings_is_one(op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
    provider = provider_of(op, issuers={"issuer.example": op.url})
    one, other = provider.verify(op.token()), provider.verify(op.token(iss="issuer.example"))
    assert (one.issuer, other.issuer) == (op.url, op.url)
    assert provider.identity(one).key == provider.identity(other).key
    assert provider.issuers == {op.url, "issuer.example"}
    with pytest.raises(InvalidToken):
        provider.verify(op.token(iss="issuer.example/"))


@pytest.mark.parametrize("issuers", [{"issuer.example": "https://third.example"}, {"": "https://issuer.example"}])
def test_a_spelling_is_of_an_issuer_that_is_accepted(issuers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="issuers"):
        OIDCProvider("https://issuer.example", audience="a", issuers=issuers)


@pytest.mark.parametrize(
    "said", [{"token_use": "id"}, {"typ": "ID"}, {"typ": "Refresh"}, {"typ": "Offline"}, {"typ": "Logout"}]
)
def test_where_no_header_tells_kinds_apart_a_claim_that_does_is_believed(
    op: Issuer, provider_of: Callable[..., OIDCProvider], said: dict[str, Any]
) -> None:
    """Cognito and Keycloak name the kind in a claim, and their ID tokens need have nothing else that gives them away."""
    provider = provider_of(op, token_type="JWT")
    header = {"typ": "JWT", "alg": "ES256", "kid": op.key.kid}
    with pytest.raises(InvalidToken) as caught:
        provider.verify(op.token(header, **said))
    assert caught.value.reason == "token_rule"
    for others in ({}, {"token_use": "access"}, {"typ": "Bearer"}, {"typ": "JWT"}, {"token_use": ["id"]}, {"typ": 1}):
        assert provider.verify(op.token(header, **others)).subject == "alice"
