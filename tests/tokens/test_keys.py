"""A key is for one algorithm, and is refused if it is not fit for it. No message shows the material."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import traceback
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, x25519
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import get_default_algorithms

from authkit.errors import ConfigurationError
from authkit.tokens import Key, Tokens
from authkit.tokens.algorithms import ALGORITHMS

from .craft import ALL, AUDIENCE, ISSUER, SECRET, b64, key_for, pem, private, public_pem, sign, ssh, tokens
from .craft import refused_key as refused


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


@pytest.mark.parametrize("kind", ["RSA", "P-256", "Ed25519"])
def test_tok_02_what_others_can_read_is_no_secret_however_it_was_wrapped(kind: str) -> None:
    """Quoted, in UTF-16, in hexadecimal, or in base64 of either alphabet, as environment variables have it."""
    body = "".join(public_pem(kind).split("\n")[1:-2])
    jwk = json.dumps(Key(public_pem(kind)).public_jwk())
    for text in (
        f'"{body}"',
        f"  {body}",
        "\n".join(body[at : at + 64] for at in range(0, len(body), 64)),
        body.replace("+", "-").replace("/", "_").rstrip("="),
        der(kind).hex(),
        public_pem(kind).replace("-----", ""),
        base64.b64encode(public_pem(kind).encode()).decode(),
        base64.urlsafe_b64encode(jwk.encode()).decode().rstrip("="),
        jwk.replace('"', "'"),
        "\ufeff" + jwk + ",",
        f"[{jwk}, {jwk}]",
        ssh(kind).replace(" ", "  "),
    ):
        refused(text)
        refused(text, "HS256")
        refused(text.encode(), "HS256")
    refused(public_pem(kind).encode("utf-16"), "HS256")


def test_tok_02_where_a_key_is_found_is_no_secret() -> None:
    for text in (
        "https://issuer.example/.well-known/jwks.json",
        "HTTPS://issuer.example/realms/main/protocol/openid-connect/certs",
        "file:///etc/keys/of-the-issuer/public.pem",
        "/etc/authkit/keys/of-the-issuer/realm-public-key.pem",
        "C:\\keys\\of-the-issuer\\realm-public-key.PEM".lower(),
        "keys/of-the-issuer-of-everything/jwks.json",
    ):
        refused(text)
        refused(text.encode(), "HS256")


def test_a_secret_that_only_resembles_a_place_is_one() -> None:
    for text in ("x7!/9'qK(2)vT$u8#Wm-0Zp&Lr4^Hn*Yb6.key", "q9;://w#4Rt{8}Yu!2Io(5)Pa&7Sd^Fg*3Hj-k"):
        assert Key(text).alg == "HS256"


@given(st.binary(min_size=32, max_size=64))
def test_a_random_secret_is_a_secret_whatever_its_bytes_and_however_it_is_written(value: bytes) -> None:
    for secret in (base64.b64encode(value), base64.urlsafe_b64encode(value).rstrip(b"="), value.hex().encode()):
        assert Key(secret).alg == "HS256"


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
        "secret", "your-256-bit-secret", "your-256-bit-secret" * 2, "secret" * 6, "SECRET-secret-" * 4,
        "secretsecretsecretsecretsecretse",
        "password" * 4, "a-string-secret-at-least-256-bits-long", "A_STRING_SECRET_AT_LEAST_256_BITS_LONG", "changeme" * 5,
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", "django-insecure-#7mk!x0k1w9d$y(l5u@q2z&n",
        "change-me " * 5,
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


def test_letters_in_the_base64_of_a_key_say_nothing_of_its_form() -> None:
    """One key in a hundred thousand has "SSH2" there by chance."""
    three = base64.b64decode("SSH2")
    for start in range(3):  # one of them meets the groups of base64
        number = int.from_bytes((three * 12)[start : start + 32], "big")
        key = ec.derive_private_key(number, ec.SECP256R1())
        form, unlocked = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        text = key.private_bytes(serialization.Encoding.PEM, form, unlocked).decode()
        assert Key(text).alg == "ES256"
        if "SSH2" in text:
            return
    pytest.fail("none of these has the letters")


def test_traditional_pem_with_its_parameters_is_read() -> None:
    traditional = private("P-256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert Key(parameters + traditional).kid == Key(pem("P-256")).kid


def test_a_key_shows_its_algorithm_and_kid_only() -> None:
    assert repr(Key(SECRET, kid="one")) == "<Key HS256 'one'>"
    assert sign(Key(SECRET), {}, {})


@pytest.mark.parametrize("text", ["\ud800" * 40, "a secret of thirty-two bytes, and this \udfff"], ids=["only", "one"])
def test_sec_01_text_that_utf_8_cannot_say_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="UTF-8") as caught:
        Key(text)
    assert caught.value.__context__ is None
    assert "thirty" not in repr(caught.value)


def test_bytes_that_the_environment_could_not_decode_are_a_key() -> None:
    raw = b"\xff\xfe a secret of thirty-two bytes or more"
    assert Key(raw.decode("utf-8", "surrogateescape")).kid == Key(raw).kid


def test_a_key_that_was_refused_can_be_shown_in_a_traceback() -> None:
    half = Key.__new__(Key)
    assert repr(half) == "<Key>"
    with pytest.raises(ConfigurationError) as caught:
        Key("too short")
    "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())


@pytest.mark.parametrize(
    "material",
    [
        {"kty": "oct", "k": "canary-\ud800"},
        {"kty": "RSA", "n": "canary-\ud800", "e": "AQAB", "d": "canary"},
        {"kty": "EC", "crv": "P-256", "x": "canary", "y": "canary", "d": "canary"},
        "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----",
    ],
    ids=["oct", "RSA", "EC", "PEM"],
)
def test_sec_01_no_refusal_carries_what_a_parser_said(material: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Key(material)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
