"""Keys that say whose they are, in a set that several issuers share: those of Microsoft's `common` endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken
from authkit.oidc import JWKS, KeySet, OIDCProvider, TokenProfile

from .issuer import AUDIENCE, Issuer, ec_key, signed

if TYPE_CHECKING:
    from collections.abc import Callable

ONE, OTHER = "https://login.example/one/v2.0", "https://login.example/other/v2.0"
EVERY = "https://login.example/{tenantid}/v2.0"
work, personal = ec_key("work"), ec_key("personal")


@pytest.fixture
def provider(op: Issuer, provider_of: Callable[..., OIDCProvider]) -> OIDCProvider:
    op.keys = [{**(work.public_jwk() or {}), "issuer": EVERY}, {**(personal.public_jwk() or {}), "issuer": OTHER}]
    return OIDCProvider(ONE, issuers=[OTHER], audience=AUDIENCE, jwks_uri=op.base + "/jwks", clock=op.clock, monotonic=op.clock)


def refused(provider: OIDCProvider, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    return caught.value.reason


def test_a_key_of_every_tenant_signs_for_the_one_that_the_token_is_of(op: Issuer, provider: OIDCProvider) -> None:
    for issuer, tenant in ((ONE, "one"), (OTHER, "other")):
        assert provider.verify(op.token(key=work, iss=issuer, tid=tenant)).issuer == issuer


@pytest.mark.parametrize("tid", [..., None, "", "other", 7, ["one"], "{tenantid}", "one/v2.0"])
def test_it_signs_for_no_tenant_that_the_token_does_not_name(op: Issuer, provider: OIDCProvider, tid: Any) -> None:
    assert refused(provider, op.token(key=work, iss=ONE, tid=tid)) == "token_issuer"


def test_a_key_of_one_issuer_signs_for_no_other(op: Issuer, provider: OIDCProvider) -> None:
    """A stolen key of personal accounts made tokens of every company in 2023."""
    assert provider.verify(op.token(key=personal, iss=OTHER, tid="other")).issuer == OTHER
    assert refused(provider, op.token(key=personal, iss=ONE, tid="one")) == "token_issuer"
    assert refused(provider, op.token(key=personal, iss=ONE, tid="other")) == "token_issuer"


def test_that_is_so_of_keys_that_were_restored_or_given(op: Issuer, provider: OIDCProvider) -> None:
    provider.prefetch()
    saved = provider.export()
    assert saved is not None
    later = OIDCProvider(
        ONE, issuers=[OTHER], audience=AUDIENCE, jwks_uri=op.base + "/jwks", clock=op.clock, monotonic=op.clock
    )
    given = OIDCProvider(ONE, issuers=[OTHER], audience=AUDIENCE, keys={"keys": op.keys}, clock=op.clock)
    assert later.restore(saved)
    for one in (later, given):
        assert one.verify(op.token(key=work, iss=ONE, tid="one")).subject == "alice"
        assert refused(one, op.token(key=personal, iss=ONE, tid="one")) == "token_issuer"


def test_a_key_that_becomes_another_issuers_is_another_key(op: Issuer, provider: OIDCProvider) -> None:
    token = op.token(key=work, iss=ONE, tid="one")
    provider.verify(token)
    op.keys[0] = {**op.keys[0], "issuer": OTHER}
    assert isinstance(provider.keys, JWKS)
    provider.keys.refresh()
    assert refused(provider, token) == "token_issuer"


@pytest.mark.parametrize("issuer", [7, ["x"], {"x": 1}, True])
def test_a_key_whose_issuer_is_no_text_is_nobodys(issuer: Any) -> None:
    with pytest.raises(ValueError, match="no key"):
        KeySet([{**(work.public_jwk() or {}), "issuer": issuer}])
    with pytest.raises(ConfigurationError):
        OIDCProvider(ONE, audience=AUDIENCE, keys={"keys": [{**(work.public_jwk() or {}), "issuer": issuer}]})


def test_a_key_that_says_nothing_is_every_issuers(op: Issuer) -> None:
    provider = OIDCProvider(
        ONE, audience=AUDIENCE, keys={"keys": [work.public_jwk()]}, profile=TokenProfile(types=["JWT"]), clock=op.clock
    )
    assert provider.verify(signed(work, op.claims(iss=ONE), {"typ": "JWT", "alg": "ES256", "kid": "work"})).issuer == ONE
