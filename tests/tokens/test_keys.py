"""A key is for one algorithm, and is refused if it is not fit for it. No message shows the material."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ed448, x25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import get_default_algorithms

from authkit.errors import ConfigurationError
from authkit.tokens import Key, Tokens
from authkit.tokens.algorithms import ALGORITHMS

from .craft import ALL, AUDIENCE, ISSUER, SECRET, b64, key_for, pem, private, public_pem, sign, ssh, tokens


def refused(material: Any, alg: str | None = None, **more: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Key(material, alg, **more)
    message = str(caught.value)
    text = material.decode("latin-1") if isinstance(material, bytes) else str(material)
    assert len(text.strip()) < 8 or text.strip()[:40] not in message
    return message


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, private("RSA").public_key(), 1, start, start + datetime.timedelta(days=1))
    return builder.sign(private("RSA"), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def der(kind: str) -> bytes:
    public = private(kind).public_key()
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("material", "alg"),
    [(SECRET, "HS256"), (SECRET.encode(), "HS256"), (bytearray(SECRET.encode()), "HS256")]
    + [
        (pem(kind), alg)
        for kind, alg in [("RSA", "RS256"), ("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("Ed25519", "EdDSA")]
    ],
)
def test_each_kind_of_material_has_its_default_algorithm(material: Any, alg: str) -> None:
    key = Key(material)
    assert key.alg == alg
    assert key.can_sign


@given(st.binary(min_size=64, max_size=300), st.binary(max_size=300), st.sampled_from(["HS256", "HS384", "HS512"]))
def test_our_hmac_is_the_standard_librarys(secret: bytes, data: bytes, alg: str) -> None:
    key = Key(secret, alg)
    digest = hmac.digest(secret, data, getattr(hashlib, ALGORITHMS[alg].hash))
    assert key.sign(data) == digest
    assert key.verify(data, b64(digest))
    assert not key.verify(data + b"x", b64(digest))


@pytest.mark.parametrize("alg", [*ALL, "ES512"])
def test_what_we_sign_pyjwt_verifies_and_the_other_way_round(alg: str) -> None:
    key = key_for(alg)
    oracle = get_default_algorithms()[alg]
    data = b"some data"
    if alg.startswith("HS"):
        material: Any = (SECRET * 3)[: int(alg[2:]) // 8].encode()
        public: Any = material
    else:
        material = oracle.prepare_key(
            pem({"RS256": "RSA", "PS256": "RSA", "ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}[alg])
        )
        public = material.public_key()
    assert oracle.verify(data, public, key.sign(data))
    assert key.verify(data, b64(oracle.sign(data, material)))
    assert not key.verify(b"other", b64(oracle.sign(data, material)))


def test_a_public_key_only_verifies() -> None:
    key = Key(public_pem("P-256"))
    assert not key.can_sign
    assert key.kid == Key(pem("P-256")).kid
    verifier = tokens(key)
    token = tokens(pem("P-256")).issue("alice")
    assert verifier.verify(token).subject == "alice"
    with pytest.raises(ConfigurationError, match="only verifies"):
        verifier.issue("alice")
    with pytest.raises(ConfigurationError, match="only verifies"):
        key.sign(b"data")


# TOK-02, TOK-06, TOK-07


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("kind", ["RSA", "P-256", "Ed25519"])
def test_tok_02_no_hmac_key_is_made_of_what_others_can_read(kind: str, alg: str) -> None:
    jwk = Key(public_pem(kind)).public_jwk()
    assert jwk is not None
    assert Key(jwk, alg).alg == Key(json.dumps(jwk), alg).alg == jwk.pop("alg"), "its own alg wins, and it is no secret"
    for text in (
        public_pem(kind),
        pem(kind),
        ssh(kind),
        ssh(kind) + " me@host",
        "no-pty " + ssh(kind),
        certificate(),
        json.dumps(jwk),
    ):
        refused(text, alg)
        refused(text.encode(), alg)
        refused("\n  " + text + "\n", alg)
    refused(public_pem(kind).replace("\n", " "), alg)
    refused(public_pem(kind).replace("\n", "\\n"), alg)
    refused(der(kind), alg)
    refused("".join(public_pem(kind).split("\n")[1:-2]), alg)  # the body without its armour
    refused(jwk, alg)


def test_tok_02_ssh_and_certificate_text_is_no_key_without_alg_either() -> None:
    for text in (
        ssh("RSA"),
        ssh("Ed25519"),
        certificate(),
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----",
    ):
        refused(text)


@pytest.mark.parametrize("kind", ["RSA", "P-256", "Ed25519"])
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_tok_02_a_token_signed_with_the_text_of_the_public_key_is_refused(kind: str, alg: str) -> None:
    from authkit.errors import InvalidToken

    verifier = tokens(Key(public_pem(kind)))
    kid = Key(public_pem(kind)).kid
    for text in (public_pem(kind), public_pem(kind).strip(), ssh(kind), der(kind).hex()):
        for head in ({"alg": alg, "typ": "at+jwt"}, {"alg": alg, "typ": "at+jwt", "kid": kid}):
            signed = f"{b64(json.dumps(head))}.{b64(json.dumps({'sub': 'alice'}))}"
            digest = hmac.digest(text.encode(), signed.encode(), getattr(hashlib, ALGORITHMS[alg].hash))
            with pytest.raises(InvalidToken) as caught:
                verifier.verify(f"{signed}.{b64(digest)}")
            assert caught.value.reason == "token_key"


@pytest.mark.parametrize(
    "material",
    [
        "",
        b"",
        " ",
        "\n",
        b"\t ",
        " " * 64,
        {"kty": "oct", "k": ""},
        {"kty": "oct"},
        {"kty": "oct", "k": None},
        {},
        [],
        None,
        5,
        True,
        object(),
    ],
)
def test_tok_06_an_empty_key_is_refused_in_every_form(material: Any) -> None:
    refused(material)
    with pytest.raises(ConfigurationError):
        Tokens(material, issuer=ISSUER, audience=AUDIENCE)


def test_tok_06_an_rsa_jwk_is_never_an_hmac_key() -> None:
    jwk = Key(public_pem("RSA")).public_jwk()
    assert jwk is not None
    del jwk["alg"]
    for alg in ("HS256", "HS384", "HS512"):
        refused(jwk, alg)
        refused({**jwk, "alg": alg})


@pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_tok_07_an_hmac_key_is_at_least_as_long_as_the_hash(alg: str, least: int) -> None:
    material = bytes(range(100, 100 + least))
    assert Key(material, alg).alg == alg
    assert "short" in refused(material[:-1], alg)
    assert "short" in refused({"kty": "oct", "k": b64(material[:-1]), "alg": alg})
    assert Key("é" * (least // 2), alg), "length is counted in bytes"


@pytest.mark.parametrize(
    "sample",
    [
        "secret", "your-256-bit-secret", "your-256-bit-secret" * 2, "secret" * 6, "SECRET-secret-" * 4, "secretsecretsecretsecretsecretse",
        "password" * 4, "a-string-secret-at-least-256-bits-long", "A_STRING_SECRET_AT_LEAST_256_BITS_LONG", "changeme" * 5,
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", "django-insecure-#7mk!x0k1w9d$y(l5u@q2z&n", "change-me " * 5,
    ],
)  # fmt: skip
def test_tok_07_a_sample_is_refused_however_it_is_filled_up(sample: str) -> None:
    refused(sample)
    refused(sample.encode())


def test_tok_07_weak_and_foreign_key_pairs_are_refused() -> None:
    assert "1024 bits" in refused(pem("RSA-1024"))
    assert "1024 bits" in refused(public_pem("RSA-1024"))
    refused(pem("P-256"), "ES384")
    refused(pem("P-384"), "ES256")
    refused(pem("P-256"), "RS256")
    refused(pem("RSA"), "ES256")
    refused(pem("Ed25519"), "ES256")
    refused(pem("secp256k1"))
    for key in (dsa.generate_private_key(1024), ed448.Ed448PrivateKey.generate(), x25519.X25519PrivateKey.generate()):
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        refused(text)


@pytest.mark.parametrize("alg", ["none", "None", "", "hs256", "HS1", "RS1", "ES256K", "A128GCM", 5, ["HS256"]])
def test_an_unknown_algorithm_is_refused(alg: Any) -> None:
    refused(SECRET, alg)
    refused(pem("RSA"), alg)
    refused({"kty": "oct", "k": b64(SECRET), "alg": alg})


def test_a_secret_has_no_public_algorithm() -> None:
    refused(SECRET, "RS256")


def test_pem_that_cannot_be_used_is_refused_with_its_cause() -> None:
    encrypted = private("P-256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"password")
    )
    assert "encrypted" in refused(encrypted)
    openssh = private("Ed25519").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    assert "SSH" in refused(openssh)
    assert "cannot be read" in refused(pem("P-256").replace("M", "?"))
    assert "one PEM" in refused(pem("P-256") + pem("P-384"))


def test_traditional_pem_with_its_parameters_is_read() -> None:
    traditional = private("P-256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert Key(parameters + traditional).kid == Key(pem("P-256")).kid


# kid, JWK


def test_the_default_kid_of_a_key_pair_is_the_thumbprint_of_rfc_7638() -> None:
    """The example of RFC 7638 section 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6"
        "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
        "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    assert Key({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"}).kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_default_kid_of_a_secret_is_stable_and_is_neither_the_secret_nor_its_plain_hash() -> None:
    kid = Key(SECRET).kid
    assert kid == Key(SECRET.encode()).kid
    assert kid != Key(SECRET + "x").kid
    for name in ("md5", "sha1", "sha256", "sha384", "sha512"):
        assert not b64(hashlib.new(name, SECRET.encode()).digest()).startswith(kid)
    assert not Key(SECRET).named


@pytest.mark.parametrize("kid", ["", "x" * 257, 5, b"a", ["a"]])
def test_a_kid_is_text(kid: Any) -> None:
    refused(SECRET, kid=kid)
    refused({"kty": "oct", "k": b64(SECRET), "kid": kid})


@pytest.mark.parametrize("alg", [*ALL[3:], "ES512"])
def test_a_public_jwk_has_the_public_members_only_and_pyjwt_reads_it(alg: str) -> None:
    jwk = key_for(alg).public_jwk()
    assert jwk is not None
    assert set(jwk) - {"kty", "use", "alg", "kid"} in ({"n", "e"}, {"crv", "x", "y"}, {"crv", "x"})
    token = tokens(key_for(alg)).issue("alice")
    assert (
        jwt.decode(
            token, jwt.PyJWK(jwk).key, algorithms=[alg], audience=AUDIENCE, options={"verify_exp": False, "verify_iat": False}
        )["sub"]
        == "alice"
    )
    assert Key(jwk).kid == key_for(alg).kid
    assert Key(json.dumps(jwk)).alg == alg


def test_a_secret_has_no_public_jwk() -> None:
    assert Key(SECRET).public_jwk() is None


def test_a_jwks_own_alg_wins() -> None:
    jwk = Key(pem("RSA"), "PS256").public_jwk()
    assert jwk is not None
    assert Key(jwk, "RS256").alg == "PS256"
    del jwk["alg"]
    assert Key(jwk).alg == "RS256"
    assert Key(jwk, "PS256").alg == "PS256"


def test_a_private_jwk_signs_unless_its_key_ops_say_otherwise() -> None:
    jwk = json.loads(get_default_algorithms()["ES256"].to_jwk(private("P-256")))
    assert Key(jwk).can_sign
    assert Key({**jwk, "key_ops": ["sign"]}).can_sign
    assert not Key({**jwk, "key_ops": ["verify"]}).can_sign
    for change in (
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"key_ops": "sign"},
        {"key_ops": None},
        {"key_ops": [["sign"]]},
    ):
        refused({**jwk, **change})


def test_a_jwk_that_is_none_is_refused() -> None:
    jwk = Key(pem("P-256")).public_jwk()
    assert jwk is not None
    for change in ({"kty": "XYZ"}, {"kty": 5}, {"crv": "P-257"}, {"x": "AAAA"}, {"y": jwk["x"]}, {"x": None}, {"kty": "RSA"}):
        refused({**jwk, **change})
    refused({"keys": [jwk]})
    refused(json.dumps({"keys": [jwk]}))


# TOK-08


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_tok_08_r_and_s_out_of_range_are_refused_in_every_pair(alg: str) -> None:
    key, algorithm = key_for(alg), ALGORITHMS[alg]
    n, size = algorithm.order, algorithm.size
    p = {
        "ES256": 2**256 - 2**224 + 2**192 + 2**96 - 1,
        "ES384": 2**384 - 2**128 - 2**96 + 2**32 - 1,
        "ES512": 2**521 - 1,
    }[alg]
    top = 2 ** (8 * size) - 1
    good = key.sign(b"data")
    parts = [int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")]
    assert key.verify(b"data", b64(good))
    for r in (0, 1, n - 1, n, n + 1, p, p + 1 if p < top else p, top, parts[0]):
        for s in (0, 1, n - 1, n, n + 1, p, top, parts[1]):
            if [r, s] != parts:
                assert not key.verify(b"data", b64(r.to_bytes(size, "big") + s.to_bytes(size, "big")))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_tok_08_an_ecdsa_signature_is_r_and_s_of_full_length_and_nothing_else(alg: str) -> None:
    key, size = key_for(alg), ALGORITHMS[alg].size
    good = key.sign(b"data")
    assert len(good) == 2 * size
    der_form = encode_dss_signature(int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big"))
    for other in (
        b"",
        good[:-1],
        good + b"\0",
        b"\0" + good,
        good[:size] + b"\0" + good[size:],
        der_form,
        good[size:] + good[:size],
        good * 2,
    ):
        assert not key.verify(b"data", b64(other))


@pytest.mark.parametrize("alg", [*ALL, "ES512"])
def test_no_signature_makes_verification_raise(alg: str) -> None:
    key = key_for(alg)
    length = len(key.sign(b"data"))
    for raw in (b"", b"\0" * length, b"\xff" * length, b"\0" * (length - 1), b"\x01" * (length + 1), b"\0" * 5000):
        assert not key.verify(b"data", b64(raw))
    for text in ("", "=", "é", "!" * len(b64(b"\0" * length)), "A" * len(b64(b"\0" * length)), "\0"):
        assert not key.verify(b"data", text)


def test_a_key_shows_its_algorithm_and_kid_only() -> None:
    assert repr(Key(SECRET, kid="one")) == "<Key HS256 'one'>"
    assert sign(Key(SECRET), {}, {})
