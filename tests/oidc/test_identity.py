"""Who somebody is, by issuer and subject and never by an address (OID-10, ACC-07)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit import Principal
from authkit.oidc import Identity, TokenProfile

from .issuer import Issuer

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit.oidc import OIDCProvider


def test_is_read_where_the_profile_says(op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
    profile = TokenProfile(
        tenant="tid", groups=["groups", "realm.groups", ("https://example.com/groups",)], email="mail.address",
        email_verified="mail.verified", name="display",
    )  # fmt: skip
    provider = provider_of(op, profile=profile)
    token = op.token(
        tid="t1", groups=["a"], realm={"groups": ["b"]}, mail={"address": "a@example.com", "verified": True}, display="Alice",
        email="other@example.com", name="Other", **{"https://example.com/groups": ["c"]},
    )  # fmt: skip
    found = provider.identity(provider.verify(token))
    assert found == Identity(
        op.url,
        "alice",
        tenant="t1",
        groups=frozenset("abc"),
        email="a@example.com",
        unverified_email="a@example.com",
        name="Alice",
    )
    assert found.key == (op.url, "alice")
    assert found.email_verified is True


@pytest.mark.parametrize(
    ("mark", "verified"),
    [(True, True), ("true", True), (False, False), ("false", False), (None, False), (..., False), (1, False), ("True", False),
     ("1", False), ([True], False), ({"x": True}, False), ("yes", False)],
)  # fmt: skip
def test_an_address_is_theirs_only_if_the_provider_says_so(
    op: Issuer, provider: OIDCProvider, mark: Any, verified: bool
) -> None:
    found = provider.identity(provider.verify(op.token(email="a@example.com", email_verified=mark)))
    assert found.email == ("a@example.com" if verified else None)
    assert found.unverified_email == "a@example.com"
    assert found.email_verified is verified
    assert found.key == (op.url, "alice")


def test_no_mark_no_address(op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
    provider = provider_of(op, profile=TokenProfile(email_verified=None))
    assert provider.identity(provider.verify(op.token(email="a@example.com", email_verified=True))).email is None


@pytest.mark.parametrize("value", [7, None, "", ["x"], {"x": "y"}, True])
def test_what_is_no_text_is_not_there(op: Issuer, provider_of: Callable[..., OIDCProvider], value: Any) -> None:
    provider = provider_of(op, profile=TokenProfile(tenant="tid", groups=["groups"]))
    said = op.token(email=value, email_verified=True, name=value, tid=value, groups=value if value != ["x"] else ["x", 7])
    assert provider.identity(provider.verify(said)) == Identity(op.url, "alice")


def test_of_somebody_elses_principal_is_an_error(provider: OIDCProvider) -> None:
    for issuer in (None, "https://other.example"):
        with pytest.raises(ValueError, match="another issuer"):
            provider.identity(Principal("alice", issuer=issuer))


def test_shows_no_address() -> None:
    shown = repr(Identity("https://issuer.example", "alice", email="a@example.com", name="Alice"))
    assert shown == "<Identity 'alice' of 'https://issuer.example'>"
