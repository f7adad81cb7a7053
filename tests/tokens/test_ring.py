"""The keys of a ring: which one a header names, and which rings are refused."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from authkit.errors import ConfigurationError, InvalidToken
from authkit.tokens import Key, KeyRing

from .craft import OTHER_SECRET, SECRET, b64, header, key_for, payload, pem, public_pem, sign, token, tokens


def verdict(verifier: Any, text: str) -> str:
    try:
        return str(verifier.verify(text).subject)
    except InvalidToken as error:
        return error.reason


def test_current_signs_and_current_and_previous_verify() -> None:
    old, new = tokens(Key(OTHER_SECRET)), tokens(KeyRing(Key(SECRET), previous=[Key(OTHER_SECRET)]))
    assert verdict(new, old.issue("alice")) == "alice"
    assert verdict(new, new.issue("bob")) == "bob"
    assert verdict(tokens(Key(SECRET)), new.issue("bob")) == "bob"
    assert verdict(old, new.issue("bob")) == "token_key"


def test_a_pending_key_is_published_and_verifies_nothing_yet() -> None:
    ring = KeyRing(pem("P-256"), pending=[pem("P-256-other")])
    verifier = tokens(ring)
    assert verdict(verifier, tokens(pem("P-256-other")).issue("alice")) == "token_key"
    assert [jwk["kid"] for jwk in verifier.jwks()["keys"]] == [ring.current.kid, ring.pending[0].kid]


def test_jwks_has_public_members_only() -> None:
    ring = KeyRing(Key(pem("RSA")), previous=[Key(public_pem("P-256"))], pending=[Key(pem("Ed25519"))])
    keys = tokens(ring).jwks()["keys"]
    assert [jwk["alg"] for jwk in keys] == ["RS256", "ES256", "EdDSA"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set().union(*keys)
    assert tokens(Key(SECRET)).jwks() == {"keys": []}


def test_tok_12_a_ring_of_two_families_wants_a_kid_with_every_secret() -> None:
    for current, previous in ((Key(SECRET), Key(pem("Ed25519"))), (Key(pem("Ed25519")), Key(SECRET))):
        with pytest.raises(ConfigurationError, match="kid"):
            KeyRing(current, previous=[previous])
    with pytest.raises(ConfigurationError, match="kid"):
        KeyRing(pem("Ed25519"), pending=[SECRET])
    assert KeyRing(Key(SECRET, kid="h"), previous=[Key(pem("Ed25519"))])


def test_tok_12_in_a_mixed_ring_every_token_passes_with_its_own_key_and_kid_only() -> None:
    keys = {
        "h": Key(SECRET, kid="h"),
        "h2": Key(OTHER_SECRET, kid="h2"),
        "e": Key(pem("Ed25519"), kid="e"),
        "r": Key(pem("RSA"), kid="r"),
    }
    verifier = tokens(KeyRing(keys["h"], previous=[keys["h2"], keys["e"], keys["r"]]))
    for signer, named, alg in itertools.product(keys, keys, [key.alg for key in keys.values()]):
        text = sign(keys[signer], header(keys[named], alg=alg), payload())
        right = signer == named and alg == keys[signer].alg
        assert (verdict(verifier, text) == "alice") is right
    for key in keys.values():
        assert verdict(verifier, sign(key, {"alg": key.alg, "typ": "at+jwt"}, payload())) == "token_key", "no kid, no key"


def test_tok_11_the_header_names_the_keys_own_algorithm_or_nothing_is_verified() -> None:
    key = key_for("ES512")
    verifier = tokens(key)
    for alg in ("ES256", "ES384", "ES521", "es512", "RS256", "HS512", "EdDSA"):
        assert verdict(verifier, token(key, {"alg": alg})) == "token_key"
    assert verdict(verifier, token(key)) == "alice"
    rs, ps = key_for("RS256"), key_for("PS256")  # the same RSA key
    assert verdict(tokens(rs), sign(ps, header(rs, alg="PS256"), payload())) == "token_key"
    assert verdict(tokens(rs), sign(ps, header(rs), payload())) == "token_signature"


def test_a_token_without_kid_is_tried_with_the_keys_of_its_algorithm_in_a_ring_of_one_family() -> None:
    verifier = tokens(KeyRing(SECRET, previous=[OTHER_SECRET]))
    for secret in (SECRET, OTHER_SECRET):
        assert verdict(verifier, sign(Key(secret), {"alg": "HS256", "typ": "at+jwt"}, payload())) == "alice"
    assert verdict(verifier, sign(Key("x" + SECRET), {"alg": "HS256", "typ": "at+jwt"}, payload())) == "token_signature"


@pytest.mark.parametrize("kid", [None, 1, "", [], {}, "unknown", "../../dev/null", "' OR 1=1 --", "x" * 9000])
def test_a_kid_that_is_no_text_or_unknown_names_no_key(kid: Any) -> None:
    assert verdict(tokens(), token(key_for("HS256"), {"kid": kid})) == "token_key"


def test_two_keys_with_one_kid_are_refused() -> None:
    for previous in (Key(OTHER_SECRET, kid="a"), Key(pem("RSA"), kid="a")):
        with pytest.raises(ConfigurationError, match="same kid"):
            KeyRing(Key(SECRET, kid="a"), previous=[previous])
    with pytest.raises(ConfigurationError, match="same"):
        KeyRing(SECRET, previous=[SECRET])
    with pytest.raises(ConfigurationError, match="same"):
        KeyRing(Key(pem("RSA")), previous=[], pending=[Key(pem("RSA"), alg="PS256")])


def test_what_is_no_list_of_keys_is_refused() -> None:
    wrong: list[Any] = [SECRET, Key(SECRET), {"kty": "oct", "k": b64(SECRET)}, SECRET.encode()]
    for previous in wrong:
        with pytest.raises(ConfigurationError, match="list"):
            KeyRing(OTHER_SECRET, previous=previous)
    with pytest.raises(ConfigurationError):
        KeyRing(KeyRing(SECRET))
    with pytest.raises(ConfigurationError):
        KeyRing(SECRET, previous=["short"])


def test_a_ring_shows_no_material() -> None:
    assert SECRET not in repr(KeyRing(SECRET, previous=[OTHER_SECRET]))
    assert json.dumps(KeyRing(pem("RSA")).jwks())
