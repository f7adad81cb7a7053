"""Keys that are given: an issuer with a shared secret, or one that is never asked (TOK-02, JWK-12, SEC-12)."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from authkit import ConfigurationError, InvalidToken, Unavailable
from authkit.errors import SecretUnavailable
from authkit.oidc import OIDCProvider
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.testing import Clock, TokenMint
from authkit.tokens import Key, KeyRing
from tests.providers.world import locals_of
from tests.vault import Vault

from .issuer import AUDIENCE, ec_key, ed_key, pem, rsa_pem, signed

ISSUER = "https://issuer.example"
SECRET = "shared-with-the-issuer-b1f7-0a52-tests"
NEXT = "the-next-one-of-the-issuer-77c0-4d1e-tests"
THIRD = "nobody-has-told-us-of-this-55e1-c04d-Kp"
NOW = 1_800_000_000.0


def provider(keys: Any, clock: Clock | None = None, **settings: Any) -> OIDCProvider:
    clock = clock or Clock(NOW)
    return OIDCProvider(ISSUER, audience=AUDIENCE, keys=keys, clock=clock, monotonic=clock, **settings)


def token(key: Key, now: float = NOW, kid: Any = ..., typ: str = "at+jwt", alg: str | None = None, **claims: Any) -> str:
    members = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": int(now) + 300, **claims}
    header = {"typ": typ, "alg": key.alg if alg is None else alg, **({} if kid is ... else {"kid": kid})}
    return signed(key, members, header)


def reason(verifier: OIDCProvider, text: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(text)
    return caught.value.reason


EC, ED, RSA = ec_key(), ed_key(), Key(rsa_pem())
FORMS: dict[str, tuple[Any, Key]] = {
    "text": (SECRET, Key(SECRET)),
    "bytes": (SECRET.encode(), Key(SECRET)),
    "HS512 key": (Key(SECRET * 2, "HS512"), Key(SECRET * 2, "HS512")),
    "JWK": (EC.public_jwk(), EC),
    "JWK as text": (json.dumps(EC.public_jwk()), EC),
    "public key": (Key({name: value for name, value in (ED.public_jwk() or {}).items() if name != "kid"}), ED),
    "PEM": (rsa_pem(), RSA),
    "JWK Set": ({"keys": [EC.public_jwk(), ED.public_jwk()]}, ED),
    "JWK Set as text": (json.dumps({"keys": [EC.public_jwk()]}), EC),
    "JWK Set with a secret": ({"keys": [{"kty": "oct", "k": "c2hhcmVkLXdpdGgtdGhlLWlzc3Vlci1iMWY3LTBhNTI", "kid": "s"}]},
                              Key("shared-with-the-issuer-b1f7-0a52", kid="s")),
    "ring": (KeyRing(EC, previous=[ED]), ED),
    "ring with a key to come": (KeyRing(EC, pending=[ED]), ED),
    "secret": (Secret.of(SECRET), Key(SECRET)),
    "secret that is PEM": (Secret.of(rsa_pem()), RSA),
    "secret that is a JWK Set": (Secret.of(json.dumps({"keys": [EC.public_jwk()]})), EC),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_verifies_and_nobody_is_asked(form: str) -> None:
    given, key = FORMS[form]
    verifier = provider(given)
    good = token(key, kid=key.kid)
    assert verifier.verify(good).subject == "alice"
    assert verifier.recall(good) is verifier.verify(good) is asyncio.run(verifier.averify(good))
    for forged in (token(Key(THIRD), kid=key.kid), token(ec_key(), kid=key.kid), token(ed_key()), good[:-6] + "AAAAAA"):
        assert reason(verifier, forged) in ("token_key", "token_signature")
    verifier.prefetch()
    assert verifier.export() is None
    assert verifier.restore("{}") is False


def test_rsa_of_no_stated_algorithm_is_of_the_one_family() -> None:
    for given in (rsa_pem(), {name: value for name, value in (RSA.public_jwk() or {}).items() if name != "alg"}):
        verifier = provider(given)
        for alg in ("RS256", "RS384", "RS512"):
            assert verifier.verify(token(Key(rsa_pem(), alg))).subject == "alice"
        assert reason(verifier, token(Key(rsa_pem(), "PS256"))) == "token_key"
    assert reason(provider(Key(rsa_pem())), token(Key(rsa_pem(), "RS512"))) == "token_key"


class TestNames:
    @pytest.mark.parametrize("kid", [..., "", "anything", "../../etc/passwd", "x" * 5000])
    def test_a_key_that_nobody_named_is_of_every_kid(self, kid: Any) -> None:
        """The issuer names it, and whoever copied its secret does not know how."""
        assert provider(SECRET).verify(token(Key(SECRET), kid=kid)).subject == "alice"
        assert provider(pem_of_ec()).verify(token(Key(pem_of_ec()), kid=kid)).subject == "alice"

    def test_a_key_that_has_a_name_is_of_that_alone(self) -> None:
        named = Key(SECRET, kid="one")
        verifier = provider(named)
        assert verifier.verify(token(named, kid="one")).subject == verifier.verify(token(named)).subject == "alice"
        assert reason(verifier, token(named, kid="two")) == "token_key"

    @pytest.mark.parametrize("kid", [None, 7, ["one"], {"kid": "one"}, True])
    def test_what_is_no_name_names_nothing(self, kid: Any) -> None:
        assert reason(provider(SECRET), token(Key(SECRET), kid=kid)) == "token_key"

    def test_of_two_keys_without_names_either_may_have_signed(self) -> None:
        verifier = provider(Secret.of(SecretVersions(SECRET, previous=NEXT)))
        for key in (Key(SECRET), Key(NEXT), Key(SECRET)):
            assert verifier.verify(token(key, kid="theirs", jti=key.kid)).subject == "alice"


class TestAlgorithms:
    def test_a_public_key_is_no_secret(self) -> None:
        """TOK-02: the confusion of a public key with an HMAC key."""
        public = pem(ec_private()).replace("PRIVATE", "PUBLIC")
        verifier = provider(EC.public_jwk())
        for material in (json.dumps(EC.public_jwk()), public):
            assert reason(verifier, forged_hmac(material)) == "token_key"

    def test_none_is_never_one(self) -> None:
        for alg in ("none", "None", "NONE", "nOnE", ""):
            text = token(Key(SECRET), alg=alg)
            for one in (text, text[: text.rindex(".") + 1]):
                assert reason(provider(SECRET), one) == "token_key"


class TestASecret:
    def service(self, versions: SecretVersions | None = None) -> tuple[Vault, Clock, Secret, OIDCProvider]:
        vault, clock = Vault(versions or SecretVersions(SECRET)), Clock(NOW)
        secret = Secrets(vault, ttl=300, clock=clock)["SHARED"]
        return vault, clock, secret, provider(secret, clock)

    def test_is_read_once_for_many_tokens(self) -> None:
        vault, _, _, verifier = self.service()
        for number in range(20):
            verifier.verify(token(Key(SECRET), sub=f"u{number}"))
        assert vault.asked == 1

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_that_was_rotated_is_read_again_when_a_token_does_not_hold(self, asynchronous: bool) -> None:
        vault, _, _, verifier = self.service()
        old = token(Key(SECRET))
        verifier.verify(old)
        vault.rotate(NEXT)
        new = token(Key(NEXT), kid="x")
        found = asyncio.run(verifier.averify(new)) if asynchronous else verifier.verify(new)
        assert found.subject == "alice"
        assert verifier.verify(old).subject == "alice"  # of the previous value
        assert vault.asked == 2
        assert reason(verifier, token(Key(THIRD))) in ("token_signature", "token_key")
        assert vault.asked <= 3

    def test_a_flood_of_forged_tokens_is_no_flood_of_questions(self) -> None:
        vault, _, _, verifier = self.service()
        for number in range(300):
            assert reason(verifier, token(Key(THIRD), sub=f"u{number}")) == "token_signature"
        assert vault.asked <= 2

    def test_what_is_remembered_falls_with_the_value_that_it_was_verified_with(self) -> None:
        _, clock, _, verifier = self.service(SecretVersions(NEXT, previous=SECRET, previous_until=NOW + 100))
        old, new = token(Key(SECRET)), token(Key(NEXT))
        verifier.verify(old)
        verifier.verify(new)
        assert verifier.recall(old) is not None
        clock.advance(100)
        assert verifier.recall(old) is None
        assert reason(verifier, old) == "token_signature"
        assert verifier.verify(new) == verifier.recall(new)

    def test_the_next_value_holds_before_it_is_ours(self) -> None:
        """The issuer decides when it signs with it."""
        _, _, _, verifier = self.service(SecretVersions(SECRET, pending=NEXT))
        assert verifier.verify(token(Key(NEXT))).subject == "alice"

    def test_counts_what_its_values_verified(self) -> None:
        _, _, secret, verifier = self.service(SecretVersions(SECRET, previous=NEXT, pending=THIRD))
        for material, times in ((SECRET, 3), (NEXT, 2), (THIRD, 1)):
            text = token(Key(material))
            for _ in range(times):
                verifier.recall(text) or verifier.verify(text)
        assert [secret.usage()[name].count for name in ("current", "previous", "pending")] == [3, 2, 1]

    def test_that_becomes_a_key_pair_verifies_with_both(self) -> None:
        vault, _, _, verifier = self.service()
        old = token(Key(SECRET))
        verifier.verify(old)
        vault.rotate(pem_of_ec())
        assert verifier.verify(token(Key(pem_of_ec()), kid="pair")).subject == verifier.verify(old).subject == "alice"

    def test_that_cannot_be_had_is_unavailable(self) -> None:
        vault, _, _, verifier = self.service()
        vault.versions = SecretUnavailable("down")
        with pytest.raises(Unavailable):
            verifier.verify(token(Key(SECRET)))

    def test_that_makes_no_key_is_a_wrong_configuration_and_is_not_shown(self) -> None:
        _, _, _, verifier = self.service(SecretVersions("short-4711"))
        with pytest.raises(ConfigurationError) as caught:
            verifier.verify(token(Key(SECRET)))
        assert "SHARED" in str(caught.value)
        assert "4711" not in str(caught.value)

    def test_another_value_that_makes_none_does_not_take_the_current_one_with_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        _, _, _, verifier = self.service(SecretVersions(SECRET, previous="short-4711"))
        assert verifier.verify(token(Key(SECRET))).subject == "alice"
        assert "the previous value of the secret SHARED is left out" in caplog.text
        assert "4711" not in caplog.text + repr(verifier) + repr(verifier.keys) + repr(verifier.keys.at_hand())

    def test_threads_that_see_it_rotate_see_one_state_or_the_other(self) -> None:
        """No token of a value that is gone is accepted after the new set is at hand, and none of a good one refused."""
        vault, _, _, verifier = self.service()
        keys = [Key(SECRET), Key(NEXT)]
        wrong: list[str] = []

        def work(start: int) -> None:
            for number in range(60):
                try:
                    verifier.verify(token(keys[number % 2], sub=f"{start}-{number}"))
                except InvalidToken as error:
                    wrong.append(error.reason)

        vault.rotate(NEXT)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


@pytest.mark.parametrize(
    "given",
    ["", "short", "secret" * 8, {}, {"keys": []}, {"keys": "x"}, {"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}, {"kty": "EC"}, 7,
     {"keys": [{"kty": "RSA", "use": "enc"}]}, {"keys": [{}] * 101}, object(),
     "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"],
)  # fmt: skip
def test_what_makes_no_key_is_refused_when_it_is_built(given: Any) -> None:
    with pytest.raises(ConfigurationError):
        provider(given)


@pytest.mark.parametrize("settings", [{"jwks_uri": "https://issuer.example/jwks"}, {"discovery": "https://issuer.example/d"}])
def test_one_setting_says_what_the_keys_are(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="one of them"):
        provider(SECRET, **settings)


def ec_private() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


_made: list[str] = []


def pem_of_ec() -> str:
    if not _made:
        _made.append(pem(ec_private()))
    return _made[0]


def forged_hmac(material: str) -> str:
    """A token whose HMAC is of text that everybody knows."""
    import hmac

    from authkit.tokens import base64url

    text = token(Key(SECRET), kid="x")
    head = text.rpartition(".")[0]
    return f"{head}.{base64url.encode(hmac.digest(material.encode(), head.encode(), 'sha256')).decode()}"


def test_every_bad_token_of_the_catalogue_is_refused() -> None:
    """But for those that are bad only in what they call the key, which nobody has named here."""
    mint = TokenMint(clock=Clock(NOW))
    verifier = OIDCProvider(mint.issuer, audience=mint.audience, keys=mint.key, clock=mint.clock)
    assert verifier.verify(mint.good()).subject == "alice"
    passed = []
    for name, text in mint.bad().items():
        try:
            verifier.verify(text)
        except InvalidToken:
            continue
        passed.append(name)
    assert sorted(passed) == ["kid_path", "kid_sql", "kid_unknown"]


@pytest.mark.parametrize("wrong", [{"leeway": -1}, {"audience": ""}, {"issuer": ""}, {"jwks_uri": "https://issuer.example/k"}])
def test_a_secret_that_is_told_in_code_shows_in_no_traceback(wrong: dict[str, Any]) -> None:
    for secret in (SECRET, SECRET[:20], '{"kty": "oct", "k": "' + SECRET[:20] + '"}', {"keys": [{"kty": "oct", "k": SECRET}]}):
        with pytest.raises(ConfigurationError) as caught:
            OIDCProvider(**{"issuer": "https://issuer.example", "audience": "a", "keys": secret, **wrong})
        assert SECRET[:20] not in locals_of(caught.value)
