"""Whatever others write: key sets, metadata, saved keys, headers, claims and tokens neither raise a foreign error nor admit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import InvalidToken
from authkit.oidc import Identity, KeySet, OIDCProvider, TokenProfile
from authkit.oidc._held import kept_for
from authkit.oidc.identity import identity_of
from authkit.testing import Clock
from authkit.tokens import base64url

from .issuer import AUDIENCE, ec_key, ed_key, signed

ISSUER = "https://issuer.example"
NOW = 1_800_000_000.0
KEY = ec_key("one")
JWKS = [KEY.public_jwk(), ed_key("two").public_jwk()]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)
# What a key may say, each member now and then of another kind or size than it should be.
names = ["kty", "alg", "use", "key_ops", "kid", "n", "e", "crv", "x", "y", "d", "k", "issuer", "x5c"]
words = ["RSA", "EC", "OKP", "oct", "AKP", "P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519", "RS256",
         "PS512", "ES256", "EdDSA", "HS256", "none", "sig", "enc", "verify", "AQAB", "AQ", "", "one", "A" * 43]  # fmt: skip
members = st.dictionaries(st.sampled_from(names), st.sampled_from(words) | values, max_size=8)
changed = st.sampled_from([jwk for jwk in JWKS if jwk]).flatmap(lambda jwk: members.map(lambda more: {**jwk, **more}))


def provider() -> OIDCProvider:
    return OIDCProvider(ISSUER, audience=AUDIENCE, keys={"keys": JWKS}, clock=Clock(NOW))


@given(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
def test_bytes_are_a_key_set_or_a_value_error(raw: bytes) -> None:
    try:
        found = KeySet.read(raw)
    except ValueError:
        return
    assert len(found) >= 1


@given(st.lists(members | changed | values, max_size=5))
def test_members_of_every_kind_are_keys_or_left_out(some: list[Any]) -> None:
    try:
        found = KeySet(some)
    except ValueError:
        return
    assert 1 <= len(found) <= len(some)
    assert found.same_as(KeySet(found.members))  # what is saved is what is restored
    shown = json.dumps(found.members)
    assert '"d"' not in shown
    assert '"k"' not in shown


@given(st.text(max_size=200) | st.binary(max_size=200) | values.map(json.dumps))
def test_what_was_saved_by_somebody_else_is_not_taken(saved: str | bytes) -> None:
    fresh = OIDCProvider(ISSUER, audience=AUDIENCE)
    assert fresh.restore(saved) is False
    assert fresh.keys.at_hand() is None


@given(st.text(max_size=60), st.text(max_size=12))
def test_a_cache_control_of_any_kind_stays_within_the_bounds(said: str, age: str) -> None:
    assert 60 <= kept_for({"cache-control": said, "age": age}, 600) <= 3600


@given(st.text(max_size=200) | st.lists(st.text("abc-_=. é\0", max_size=12), max_size=5).map(".".join))
def test_text_is_no_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        provider().verify(text)


@given(values, values)
def test_what_is_really_signed_is_judged_whatever_it_is(header: Any, claims: Any) -> None:
    """Both segments are any JSON, and the signature holds."""
    data = b".".join(base64url.encode(json.dumps(part).encode()) for part in (header, claims))
    with pytest.raises(InvalidToken):
        provider().verify(f"{data.decode()}.{base64url.encode(KEY.sign(data)).decode()}")


claim_names = st.sampled_from(
    ["iss", "aud", "sub", "exp", "iat", "nbf", "scope", "scp", "roles", "cnf", "jti", "email", "groups"]
)


@given(st.dictionaries(claim_names, values, min_size=1, max_size=3))
def test_one_claim_of_another_kind_refuses_or_is_read_as_what_it_is(changes: dict[str, Any]) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": int(NOW) + 60, **changes}
    try:
        found = provider().verify(signed(KEY, claims))
    except InvalidToken:
        return
    assert (found.issuer, claims["sub"]) == (ISSUER, found.subject)
    assert claims["aud"] == AUDIENCE or AUDIENCE in claims["aud"]
    assert claims["exp"] + 30 > NOW
    assert all(type(name) is str and name for name in (*found.roles, *found.scopes))


@given(st.dictionaries(st.sampled_from(["email", "email_verified", "name", "tid", "groups"]), values | st.just("true")))
def test_an_identity_is_made_of_text(claims: dict[str, Any]) -> None:
    profile = TokenProfile(tenant="tid", groups=["groups"])
    found = identity_of(claims, ISSUER, "alice", profile)
    assert isinstance(found, Identity)
    assert found.email is None or claims["email_verified"] in (True, "true")
    assert all(value is None or type(value) is str for value in (found.tenant, found.email, found.unverified_email, found.name))
    assert all(type(group) is str for group in found.groups)
