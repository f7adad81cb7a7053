"""The keys that a secret's values make: which sign, which verify, which are only published, and which are left out."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, InvalidToken
from authkit.secrets import Secret, SecretVersions
from authkit.tokens import Key, KeyRing
from authkit.tokens.followed import ring_of

from .craft import NOW, OTHER_SECRET, SECRET, Clock, b64, header, payload, pem, private, sign, tokens

if TYPE_CHECKING:
    from authkit.tokens import Tokens

CANARY = "canary-7f3a9c51e0"


def versions(current: Any, previous: Any = None, pending: Any = None, until: float | None = None) -> SecretVersions:
    return SecretVersions(current, previous, pending, until)


def under(*values: Any) -> Tokens:
    return tokens(Secret.of(versions(*values)), clock=Clock())


def verdict(verifier: Tokens, text: str) -> str:
    try:
        return verifier.verify(text).subject
    except InvalidToken as error:
        return error.reason


def private_jwk(kind: str, **members: Any) -> dict[str, Any]:
    """A private EC key as a JWK."""
    public = Key(pem(kind)).public_jwk()
    assert public is not None
    size = {"P-256": 32, "P-384": 48}[kind.removesuffix("-other")]
    return {**public, "d": b64(private(kind).private_numbers().private_value.to_bytes(size, "big")), **members}


def jwk_set(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": keys})


FORMS = [
    pytest.param(SECRET, OTHER_SECRET, id="text"),
    pytest.param(SECRET.encode(), OTHER_SECRET.encode(), id="bytes"),
    pytest.param(pem("P-256"), pem("P-256-other"), id="EC PEM"),
    pytest.param(pem("RSA"), pem("RSA-other"), id="RSA PEM"),
    pytest.param(json.dumps(private_jwk("P-256")), json.dumps(private_jwk("P-256-other")), id="JWK text"),
    pytest.param(
        json.dumps({"kty": "oct", "k": b64(SECRET), "kid": "one"}),
        json.dumps({"kty": "oct", "k": b64(OTHER_SECRET), "kid": "two"}),
        id="symmetric JWK",
    ),
    pytest.param(jwk_set(private_jwk("P-256")), jwk_set(private_jwk("P-256-other")), id="JWK Set"),
]


@pytest.mark.parametrize(("old", "new"), FORMS)
def test_a_key_of_any_form_is_rotated(old: Any, new: Any) -> None:
    before, during, after = under(old), under(new, old), under(new)
    first, second = before.issue("first"), during.issue("second")
    assert verdict(during, first) == "first"
    assert verdict(during, second) == verdict(after, second) == "second"
    assert verdict(after, first) in ("token_key", "token_signature")
    assert verdict(before, second) in ("token_key", "token_signature")


def test_what_comes_next_is_published_and_verifies_nothing() -> None:
    both = under(pem("P-256"), None, pem("P-256-other"))
    assert [key["kid"] for key in both.jwks()["keys"]] == [Key(pem("P-256")).kid, Key(pem("P-256-other")).kid]
    assert verdict(both, tokens(pem("P-256-other")).issue("alice")) == "token_key"
    assert under(SECRET, None, OTHER_SECRET).jwks() == {"keys": []}


@pytest.mark.parametrize(
    ("old", "new"), [(SECRET, pem("P-256")), (pem("P-256"), SECRET), (pem("P-256"), pem("RSA"))], ids=["up", "down", "across"]
)
def test_the_kind_of_key_may_change_in_a_rotation(old: str, new: str) -> None:
    during = under(new, old)
    assert verdict(during, tokens(old).issue("old")) == "old"
    assert verdict(during, during.issue("new")) == "new"


def test_between_two_kinds_of_key_a_token_names_its_own() -> None:
    during = under(pem("P-256"), SECRET)
    key, pair = Key(SECRET), Key(pem("P-256"))
    nameless = header(key)
    del nameless["kid"]
    assert verdict(during, sign(key, nameless, payload())) == "token_key"
    assert verdict(during, sign(key, header(key, kid=pair.kid), payload())) == "token_key", "HS256 under the pair's name"
    assert verdict(under(SECRET, OTHER_SECRET), sign(key, nameless, payload())) == "alice"


@pytest.mark.parametrize("unfit", ["too-short", "secret" * 6, "-----BEGIN PRIVATE KEY-----", '{"keys": []}', '{"kty": "oct"}'])
@pytest.mark.parametrize("place", ["previous", "pending"])
def test_a_value_that_makes_no_key_is_left_out_and_the_current_one_works_on(
    unfit: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "authkit.tokens"):
        both = tokens(Secret.of(SecretVersions(SECRET, **{place: unfit})), clock=Clock())
        assert verdict(both, both.issue("alice")) == "alice"
        both.verify(both.issue("bob"))
    (record,) = caplog.records
    assert place in record.getMessage()
    assert unfit not in record.getMessage()


def test_a_previous_key_under_the_name_of_the_current_one_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    one = json.dumps({"kty": "oct", "k": b64(SECRET), "kid": "same"})
    two = json.dumps({"kty": "oct", "k": b64(OTHER_SECRET), "kid": "same"})
    both = under(two, one)
    assert verdict(both, both.issue("alice")) == "alice"
    assert verdict(both, tokens(json.loads(one)).issue("alice")) == "token_signature"
    assert "kid" in caplog.text


def test_the_first_key_of_a_jwk_set_signs_and_the_others_verify(caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = private_jwk("P-256"), private_jwk("P-256-other"), private_jwk("P-384")
    both = under(jwk_set(second, first), jwk_set(first), jwk_set(third, second))
    assert verdict(tokens(KeyRing(second)), both.issue("new")) == "new"
    assert verdict(both, tokens(KeyRing(first)).issue("old")) == "old"
    assert verdict(both, tokens(KeyRing(third)).issue("next")) == "token_key"
    assert [key["kid"] for key in both.jwks()["keys"]] == [second["kid"], first["kid"], third["kid"]]
    assert all("d" not in key for key in both.jwks()["keys"])
    ring, version_of, until = ring_of("KEYS", versions(jwk_set(second, first), jwk_set(first), None, NOW + 5.0), NOW)
    assert version_of == {second["kid"]: "current", first["kid"]: "previous"}
    assert (ring.current.kid, until) == (second["kid"], NOW + 5)
    assert not caplog.records


@pytest.mark.parametrize(
    "wrong", ['{"keys": []}', '{"keys": {"kty": "oct"}}', '{"keys": ["a string, and a key it would be: 32 bytes"]}']
)
def test_a_jwk_set_without_keys_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\(literal\).*JWK Set"):
        under(wrong).issue("alice")


def test_two_keys_of_one_name_in_a_jwk_set_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="same kid"):
        under(jwk_set(private_jwk("P-256", kid="a"), private_jwk("P-256-other", kid="a"))).issue("alice")


@pytest.mark.parametrize(
    "unfit", [CANARY, f"-----BEGIN {CANARY}", f'{{"kty": "oct", "k": "{CANARY}"}}', f"ssh-rsa AAAA{CANARY}"]
)
def test_sec_01_no_refusal_of_a_key_shows_it_even_with_locals(unfit: str) -> None:
    both = under(unfit)
    for use in (lambda: both.issue("alice"), lambda: both.verify("a.b.c"), both.jwks):
        with pytest.raises(ConfigurationError) as raised:
            use()
        frames = traceback.TracebackException.from_exception(raised.value, capture_locals=True).stack
        inside = [frame.locals for frame in frames if frame.filename != __file__]
        assert inside
        assert CANARY not in f"{raised.value} {raised.value.__context__} {inside}"
