"""Which keys of a set are used, and for what (JWK-10, TOK-11, TOK-12)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from authkit import InvalidToken
from authkit.oidc import KeySet
from authkit.tokens import Key, base64url

from .issuer import ec_key, ed_key, pem, rsa_pem

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit.oidc import OIDCProvider

    from .issuer import Issuer


def jwk(key: Key, *without: str, **changes: Any) -> dict[str, Any]:
    members = {**(key.public_jwk() or {}), **changes}
    return {name: value for name, value in members.items() if name not in without}


def algs(members: dict[str, Any], kid: str | None = None) -> set[str]:
    keys = KeySet([members])
    return {alg for alg in ALGS if keys.candidates(kid, alg)}


RSA = Key(rsa_pem(), kid="r")
EC = ec_key("e")
ED = ed_key("d")
SECRET = {"kty": "oct", "k": base64url.encode(b"s" * 64).decode(), "kid": "s"}
ALGS = ["none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
        "EdDSA", "Ed25519", "Ed448", "ES256K", "ed25519", ""]  # fmt: skip


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (jwk(RSA), {"RS256"}),
        (jwk(RSA, alg="PS512"), {"PS512"}),
        (jwk(RSA, "alg", "use"), {"RS256", "RS384", "RS512"}),
        (jwk(EC, "alg", "use"), {"ES256"}),
        (jwk(ED), {"EdDSA", "Ed25519"}),
        (jwk(ED, alg="Ed25519"), {"EdDSA", "Ed25519"}),
        (jwk(ED, "alg", "use"), {"EdDSA", "Ed25519"}),
        (jwk(RSA, "use", key_ops=["verify"]), {"RS256"}),
        (jwk(RSA, alg=None), {"RS256", "RS384", "RS512"}),
        (jwk(RSA, x5c=["nonsense"], x5u="http://127.0.0.1:1/", jku="http://127.0.0.1:1/"), {"RS256"}),
    ],
)
def test_a_key_is_for_its_own_algorithm_or_for_one_family(members: dict[str, Any], expected: set[str]) -> None:
    assert algs(members, members.get("kid")) == expected


@pytest.mark.parametrize(
    "members",
    [
        SECRET,
        {**SECRET, "alg": "HS256"},
        jwk(RSA, use="enc"),
        jwk(RSA, alg="RSA-OAEP"),
        jwk(RSA, alg="RSA-OAEP", use="enc"),
        jwk(RSA, alg="HS256"),
        jwk(RSA, alg="none"),
        jwk(RSA, alg="ES256"),
        jwk(EC, alg="ES384"),
        jwk(EC, alg="RS256"),
        jwk(ED, alg="Ed448"),
        jwk(RSA, "use", key_ops=["sign"]),
        jwk(RSA, key_ops="verify"),
        jwk(RSA, key_ops=[]),
        jwk(RSA, "n"),
        jwk(RSA, n=7),
        jwk(RSA, n="!"),
        jwk(EC, "alg", crv="secp256k1"),
        jwk(EC, x=jwk(EC)["y"]),
        jwk(ED, crv="X25519"),
        jwk(ED, "alg", crv="Ed448"),
        jwk(RSA, kty="rsa"),
        jwk(RSA, kty=["RSA"]),
        jwk(RSA, kid=7),
        jwk(RSA, kid="x" * 1000),
        jwk(RSA, alg=7),
        "text",
        None,
        7,
        [],
        {},
    ],
    ids=range(31),
)
def test_what_signs_no_tokens_is_left_out(members: Any) -> None:
    with pytest.raises(ValueError, match="no key that verifies tokens"):
        KeySet([members])
    keys = KeySet([members, jwk(EC)])
    assert len(keys) == 1
    assert [key.kid for key in keys.candidates("e", "ES256")] == ["e"]


def test_a_short_rsa_key_is_left_out() -> None:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    short = {"kty": "RSA", "n": base64url.encode(numbers.n.to_bytes(128, "big")).decode(), "e": "AQAB"}
    with pytest.raises(ValueError, match="no key"):
        KeySet([short])


def test_a_private_part_that_somebody_published_is_not_read() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    secret = base64url.encode(private.private_numbers().private_value.to_bytes(32, "big")).decode()
    keys = KeySet([{**jwk(Key(pem(private), kid="p")), "d": secret}])
    assert secret not in json.dumps(keys.members)
    assert not keys.candidates("p", "ES256")[0].can_sign


def test_two_keys_of_one_name_are_told_by_their_algorithm() -> None:
    keys = KeySet([jwk(RSA, kid="same"), jwk(EC, kid="same"), jwk(ED, kid="same")])
    algs = ["RS256", "ES256", "EdDSA"]
    assert [key.alg for alg in algs for key in keys.candidates("same", alg)] == algs


def test_the_same_keys_are_the_same_in_any_order() -> None:
    one, other = KeySet([jwk(RSA), jwk(EC)]), KeySet([jwk(EC), SECRET, jwk(RSA)])
    assert one.same_as(other)
    assert other.same_as(one)
    assert not one.same_as(KeySet([jwk(RSA), jwk(ED)]))
    assert not one.same_as(KeySet([jwk(RSA)]))


class TestThroughTheProvider:
    """An issuer that publishes all of these signs, and others try."""

    @pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512"])
    def test_a_key_of_no_stated_alg_verifies_its_family(self, op: Issuer, provider: OIDCProvider, alg: str) -> None:
        op.keys = [SECRET, jwk(EC, use="enc"), jwk(RSA, "alg", "use")]
        assert provider.verify(op.token(key=Key(rsa_pem(), alg, "r"))).subject == "alice"

    def test_pss_with_such_a_key_is_refused(self, op: Issuer, provider: OIDCProvider) -> None:
        op.keys = [jwk(RSA, "alg", "use")]
        with pytest.raises(InvalidToken, match="token_key"):
            provider.verify(op.token(key=Key(rsa_pem(), "PS256", "r")))

    def test_no_name_on_either_side_is_fine_and_on_the_token_alone_is_not(self, op: Issuer, provider: OIDCProvider) -> None:
        other = ec_key("f")
        op.keys = [jwk(EC, "kid"), jwk(other, "kid")]
        for key in (EC, other):
            assert provider.verify(op.token({"typ": "at+jwt", "alg": "ES256"}, key)).subject == "alice"
        with pytest.raises(InvalidToken, match="token_key"):
            provider.verify(op.token(key=EC))

    @pytest.mark.parametrize(("said", "published"), [("Ed25519", "EdDSA"), ("EdDSA", "Ed25519"), ("Ed25519", "Ed25519")])
    def test_both_names_of_eddsa_are_one(self, op: Issuer, provider: OIDCProvider, said: str, published: str) -> None:
        op.keys = [jwk(ED, alg=published)]
        assert provider.verify(op.token({"typ": "at+jwt", "alg": said, "kid": "d"}, ED)).subject == "alice"

    @pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
    def test_no_public_key_is_ever_a_secret(self, op: Issuer, provider: OIDCProvider, alg: str) -> None:
        """The classic: the published key as the HMAC key; and one that was published as such."""
        op.keys = [jwk(RSA), SECRET]
        published = json.dumps(jwk(RSA)).encode()
        for secret, kid in ((published.ljust(64), "r"), (b"s" * 64, "s"), (b"s" * 64, "r")):
            forged = _hmac(op, alg, secret, kid)
            with pytest.raises(InvalidToken, match="token_key"):
                provider.verify(forged)

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
    def test_a_key_in_the_token_is_neither_used_nor_fetched(
        self, op: Issuer, provider: OIDCProvider, provider_of: Callable[..., OIDCProvider], member: str
    ) -> None:
        mallory = ec_key("one")
        value = {"jwk": mallory.public_jwk(), "jku": op.base + "/mine", "x5u": op.base + "/mine", "x5c": ["MIIB"]}[member]
        for kid in ("one", "mine"):
            with pytest.raises(InvalidToken, match=r"token_(key|signature)"):
                provider.verify(op.token({"typ": "at+jwt", "alg": "ES256", "kid": kid, member: value}, mallory))
        assert op.asked("/mine") == 0


def _hmac(op: Issuer, alg: str, secret: bytes, kid: str) -> str:
    import hmac

    header = base64url.encode(json.dumps({"typ": "at+jwt", "alg": alg, "kid": kid}).encode())
    data = header + b"." + base64url.encode(json.dumps(op.claims()).encode())
    return (data + b"." + base64url.encode(hmac.digest(secret, data, f"sha{alg[2:]}"))).decode()
