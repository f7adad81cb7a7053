"""Who signed, with which key, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from authkit import require_signature
from authkit.errors import ConfigurationError, InvalidSignature, Unavailable
from authkit.secrets import Secret, SecretVersions
from authkit.signatures import SignatureAuth, SignatureKey, SignatureVerifier, Signer, asign, averify, sign, verify
from authkit.stores import MemoryStore, SqliteStore
from authkit.testing import Clock

SECRET = "requests: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"
OTHER = "another: 0f1e2d3c4b5a69788796a5b4c3d2e1f0f"
NOW = 1_800_000_000.0
URL = "https://api.example.com/orders/7?a=1"
BODY = b'{"n": 1}'


def pem(private: Any) -> tuple[str, str]:
    """A private key and its public half."""
    hidden = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    shown = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hidden.decode(), shown.decode()


RSA, RSA_PUBLIC = pem(rsa.generate_private_key(65537, 2048))
P256, P256_PUBLIC = pem(ec.generate_private_key(ec.SECP256R1()))
P384, P384_PUBLIC = pem(ec.generate_private_key(ec.SECP384R1()))
ED, ED_PUBLIC = pem(ed25519.Ed25519PrivateKey.generate())


def signer(key: Any = SECRET, keyid: str = "client-a", at: float = NOW, **settings: Any) -> Signer:
    return Signer(key, keyid=keyid, clock=lambda: at, **settings)


def verifier(keys: Any = None, **settings: Any) -> SignatureVerifier:
    return SignatureVerifier(keys or {"client-a": SECRET}, **{"clock": lambda: NOW, **settings})


def signed(**settings: Any) -> dict[str, str]:
    return signer(**settings).sign("POST", URL, {"content-type": "application/json"}, BODY)


def reason(headers: Any, by: SignatureVerifier | None = None, now: float | None = None) -> str:
    with pytest.raises(InvalidSignature) as raised:
        (by or verifier()).verify("POST", URL, headers, BODY, now)
    return raised.value.reason


@pytest.mark.parametrize(
    ("private", "public", "alg", "named"),
    [
        (SECRET, SECRET, None, "hmac-sha256"),
        (P256, P256_PUBLIC, None, "ecdsa-p256-sha256"),
        (P384, P384_PUBLIC, None, "ecdsa-p384-sha384"),
        (ED, ED_PUBLIC, None, "ed25519"),
        (RSA, RSA_PUBLIC, None, "rsa-pss-sha512"),
        (RSA, RSA_PUBLIC, "rsa-v1_5-sha256", "rsa-v1_5-sha256"),
    ],
)
def test_each_algorithm_verifies_what_it_signs(private: str, public: str, alg: str | None, named: str) -> None:
    headers = signed(key=SignatureKey(private, alg))
    assert f';alg="{named}"' in headers["signature-input"]
    by = verifier({"client-a": SignatureKey(public, alg)})
    found = by.verify("POST", URL, headers, BODY)
    assert (found.keyid, found.created, found.principal.subject, found.principal.method) == (
        "client-a", int(NOW), "client-a", "signature",
    )  # fmt: skip
    label, _, value = headers["signature"].partition("=")
    wrong = {**headers, "signature": f"{label}=:{'B' if value[1] == 'A' else 'A'}{value[2:]}"}
    assert reason(wrong, by) == "signature_mismatch"


def test_the_algorithm_is_the_keys_and_never_the_messages() -> None:
    headers = signed(key=SignatureKey(RSA, "rsa-v1_5-sha256"))
    assert reason(headers, verifier({"client-a": RSA_PUBLIC})) == "algorithm_mismatch"
    without = {**headers, "signature-input": headers["signature-input"].replace(';alg="rsa-v1_5-sha256"', "")}
    assert reason(without, verifier({"client-a": RSA_PUBLIC})) == "signature_mismatch"
    # The public key as an HMAC secret: nobody gets that far.
    with pytest.raises(ConfigurationError):
        SignatureKey(RSA_PUBLIC, "hmac-sha256")


@pytest.mark.parametrize("alg", ["HS256", "none", "", "rsa-pss-sha256", "ED25519"])
def test_an_algorithm_that_the_rfc_does_not_have_is_refused(alg: str) -> None:
    with pytest.raises(ConfigurationError, match="alg is one of"):
        SignatureKey(SECRET, alg)


@pytest.mark.parametrize("material", [None, "", "  ", b"", "short", 1, [], {"kty": "oct"}, {"kty": "oct", "k": "AAAA"}])
def test_what_is_no_key_is_refused_and_not_shown(material: Any) -> None:
    for build in (
        lambda: SignatureKey(material),
        lambda: verifier({"client-a": material}),
        lambda: signer(material),
    ):
        with pytest.raises(ConfigurationError) as raised:
            build()
        assert "short" not in str(raised.value).replace("too short", "")


def test_a_public_key_does_not_sign() -> None:
    with pytest.raises(ConfigurationError, match="only verifies"):
        sign(ED_PUBLIC, "GET", URL, keyid="client-a")


def test_nothing_shows_a_key() -> None:
    key = SignatureKey(SECRET)
    for thing in (key, verifier({"client-a": key}), signer(key)):
        assert SECRET not in repr(thing) + str(thing) + repr(getattr(thing, "__dict__", ""))


def test_the_principal_is_the_owner_of_the_key() -> None:
    key = SignatureKey(SECRET, subject="billing", scopes=["orders:read"], roles=["clerk"], claims={"org": "acme"})
    principal = verifier({"client-a": key}).verify("POST", URL, signed(), BODY).principal
    assert (principal.subject, principal.scopes, principal.roles) == ("billing", {"orders:read"}, {"clerk"})
    assert dict(principal.claims) == {"org": "acme", "keyid": "client-a"}


@pytest.mark.parametrize(
    ("age", "expected"), [(0, None), (300, None), (301, "created_too_old"), (-300, None), (-301, "created_in_future")]
)
def test_a_signature_is_good_for_the_tolerance_both_ways(age: int, expected: str | None) -> None:
    headers = signed()
    if expected is None:
        assert verifier().verify("POST", URL, headers, BODY, NOW + age + 0.9 * (age >= 0)).label == "sig1"
    else:
        assert reason(headers, now=NOW + age) == expected


def test_a_signature_is_no_longer_good_once_its_sender_says_so() -> None:
    headers = signed(expires=10)
    assert verifier().verify("POST", URL, headers, BODY, NOW + 9).expires == int(NOW) + 10
    assert reason(headers, now=NOW + 10) == "expired"


@pytest.mark.parametrize("tolerance", [0, -1, None, True, float("inf"), float("nan"), "300"])
def test_no_tolerance_switches_the_check_off(tolerance: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be switched off"):
        verifier(tolerance=tolerance)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (f"created={int(NOW)}", "keyid_missing"),
        ('keyid="client-a"', "created_missing"),
        (f'created="{int(NOW)}";keyid="client-a"', "signature_malformed"),
        ('created;keyid="client-a"', "signature_malformed"),
        (f"created={int(NOW)};keyid=client-a", "signature_malformed"),
        (f'created={int(NOW)};keyid=""', "signature_malformed"),
        (f'created={int(NOW)};keyid="client-a";nonce=1', "signature_malformed"),
        (f'created={int(NOW)};keyid="client-a";expires="x"', "signature_malformed"),
        (f'created={int(NOW)};keyid="client-a";alg=rsa', "signature_malformed"),
        (f'created={int(NOW)};keyid="{"k" * 600}"', "signature_malformed"),
        (f'created={int(NOW)};keyid="nobody"', "unknown_key"),
    ],
)
def test_what_a_signature_says_of_itself_is_strict(parameters: str, expected: str) -> None:
    headers = {"signature-input": f'sig1=("@method" "@target-uri");{parameters}', "signature": "sig1=:AQ==:"}
    assert reason(headers) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "signature_missing"),
        ({"signature": "sig1=:AQ==:"}, "signature_missing"),
        ({"signature-input": "sig1=()"}, "signature_missing"),
        ({"signature": "", "signature-input": ""}, "no_such_signature"),
        ({"signature": "a=:AQ==:", "signature-input": "b=()"}, "labels_differ"),
        ({"signature": "a=:AQ==:, b=:AQ==:", "signature-input": "a=()"}, "labels_differ"),
        ({"signature": "a=:AQ==:", "signature-input": "a=1"}, "signature_malformed"),
        ({"signature": "a=1", "signature-input": "a=()"}, "signature_malformed"),
        ({"signature": "a=::", "signature-input": "a=()"}, "signature_malformed"),
        ({"signature": "a=:AQ==:", "signature-input": "a=("}, "signature_malformed"),
        ({"signature": "a=:AQ==:, a=:AQ==:", "signature-input": "a=()"}, "signature_malformed"),
        ({"signature": 'keyId="x",algorithm="hs2019"', "signature-input": "a=()"}, "signature_malformed"),
    ],
)
def test_a_malformed_signature_is_refused(headers: dict[str, str], expected: str) -> None:
    assert reason(headers) == expected


@given(
    st.dictionaries(
        st.sampled_from(["signature", "signature-input", "content-digest", "x-more"]),
        st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
        | st.text('sig1=();:"@methodquryp-ak,?0AQ \\', max_size=80)
        | st.sampled_from([
            'sig1=("@method" "@target-uri");created=1800000000;keyid="client-a"', "sig1=:AQ==:",
            'sig1=("x-more";key="a" "content-digest";bs);created=1800000000;keyid="client-a"',
        ]),
    ),
    st.binary(max_size=20),
)  # fmt: skip
def test_whatever_is_sent_raises_nothing_but_a_refusal(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        ANY.verify("POST", URL, headers, body)


ANY = verifier(insecure_components=())


def test_signatures_of_others_stand_beside_ours() -> None:
    first = signed(label="proxy", key=OTHER, keyid="proxy")
    both = {**first, **signer().sign("POST", URL, {**first, "content-type": "application/json"}, BODY)}
    assert both["signature"].startswith("proxy=:")
    assert ", sig1=:" in both["signature"]
    for keys, label in (
        ({"client-a": SECRET}, "sig1"),
        ({"proxy": OTHER}, "proxy"),
        ({"client-a": SECRET, "proxy": OTHER}, "proxy"),
    ):
        assert verifier(keys).verify("POST", URL, both, BODY).label == label
    chosen = verifier({"client-a": SECRET, "proxy": OTHER}, label="sig1")
    assert chosen.verify("POST", URL, both, BODY).label == "sig1"
    assert reason(both, verifier(label="third")) == "no_such_signature"
    broken = {**both, "signature-input": both["signature-input"].replace(';keyid="proxy"', "")}
    assert verifier().verify("POST", URL, broken, BODY).label == "sig1"


def test_a_proxy_may_cover_the_clients_signature_and_what_it_added() -> None:
    """RFC 9421 section 4.3."""
    client = {"forwarded": "for=192.0.2.1", **signed()}
    covering = ['"signature";key="sig1"', "forwarded"]
    proxy = signer(OTHER, "proxy", label="proxy", components=covering)
    sent = {**client, **proxy.sign("POST", URL, client, BODY)}
    by = verifier({"proxy": OTHER}, components=covering)
    assert by.verify("POST", URL, sent, BODY).components[-2:] == ('"signature";key="sig1"', '"forwarded"')
    assert reason({**sent, "forwarded": "for=192.0.2.2"}, by) == "signature_mismatch"
    another = {**sent, "signature": signed()["signature"] + ", " + sent["signature"].partition(", ")[2]}
    assert reason(another, by) == "signature_mismatch"
    assert reason(signed(key=OTHER, keyid="proxy"), by) == "not_covered"


def test_a_signature_that_holds_is_found_among_few_and_not_among_many() -> None:
    def beside(count: int) -> dict[str, str]:
        made = signed(label="z")
        for name in [f"a{n}" for n in range(count)]:
            made["signature-input"] = (
                f'{name}=("@method" "@target-uri");created={int(NOW)};keyid="client-a", {made["signature-input"]}'
            )
            made["signature"] = f"{name}=:AQ==:, {made['signature']}"
        return made

    assert verifier().verify("POST", URL, beside(3), BODY).label == "z"
    assert reason(beside(4)) == "signature_mismatch"


def test_a_tag_that_is_named_is_wanted() -> None:
    by = verifier(tag="payments")
    assert by.verify("POST", URL, signed(tag="payments"), BODY).tag == "payments"
    assert reason(signed(tag="other"), by) == "no_such_signature"
    assert reason(signed(), by) == "no_such_signature"


@pytest.mark.parametrize("make", [lambda _: MemoryStore(), SqliteStore], ids=["in place", "blocking"])
def test_a_nonce_is_good_once(make: Callable[[Path], Any], tmp_path: Path) -> None:
    by = verifier({"client-a": SECRET, "client-b": OTHER}, replay=make(tmp_path / "store.db"))
    headers = signed()
    assert by.verify("POST", URL, headers, BODY).nonce
    assert reason(headers, by) == "replayed"
    assert by.verify("POST", URL, signed(), BODY).nonce  # a nonce of its own
    assert reason(signed(nonce=False), by) == "nonce_missing"
    fixed: dict[str, Any] = {"random": bytes}
    assert by.verify("POST", URL, signed(**fixed), BODY).keyid == "client-a"
    assert by.verify("POST", URL, signed(**fixed, key=OTHER, keyid="client-b"), BODY).keyid == "client-b"
    assert reason(signed(**fixed), by) == "replayed"


def test_a_nonce_is_kept_as_long_as_its_signature_could_be_accepted() -> None:
    clock = Clock(NOW)
    store = MemoryStore(clock=clock)
    by = verifier(replay=store, clock=clock)
    headers = signed(at=NOW + 300)  # a sender whose clock is ahead
    assert by.verify("POST", URL, headers, BODY).label == "sig1"
    clock.advance(600)
    assert reason(headers, by) == "replayed"
    clock.advance(1)
    assert reason(headers, by) == "created_too_old"


def test_a_machine_whose_clock_is_behind_lets_nothing_in_again() -> None:
    clock = Clock(NOW)
    store = MemoryStore(clock=clock)
    slow = verifier(replay=store, clock=lambda: clock() - 60)
    headers = signed()
    assert verifier(replay=store, clock=clock).verify("POST", URL, headers, BODY).label == "sig1"
    for _ in range(6):
        assert reason(headers, slow) == "replayed"
        clock.advance(60)
    clock.advance(1)
    assert reason(headers, slow) == "created_too_old"


def test_a_refused_request_notes_nothing() -> None:
    store = MemoryStore()
    by = verifier(replay=store)
    headers = signed()
    assert reason({**headers, "content-digest": "sha-256=:AQ==:"}, by) == "signature_mismatch"
    with pytest.raises(InvalidSignature, match="digest_mismatch"):
        by.verify("POST", URL, headers, BODY + b" ")
    assert by.verify("POST", URL, headers, BODY).label == "sig1"


def test_a_store_that_fails_is_no_refusal() -> None:
    class Failing(MemoryStore):
        def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
            raise Unavailable("the store is down")

    with pytest.raises(Unavailable):
        verifier(replay=Failing()).verify("POST", URL, signed(), BODY)


def test_every_version_of_a_secret_verifies_and_the_current_one_signs() -> None:
    versions = Secret.of(SecretVersions("current: " + SECRET, "previous: " + SECRET, "pending: " + SECRET, NOW + 9e9))
    by = verifier({"client-a": versions})
    for version in ("current", "previous", "pending"):
        assert by.verify("POST", URL, signed(key=f"{version}: {SECRET}"), BODY).version == version
    assert by.verify("POST", URL, signed(key=versions), BODY).version == "current"
    assert reason(signed(key=OTHER), by) == "signature_mismatch"
    assert {version: used.count for version, used in versions.usage().items()} == {"current": 2, "previous": 1, "pending": 1}


def test_keys_may_be_found_by_a_function() -> None:
    asked = []

    def find(keyid: str) -> SignatureKey | None:
        asked.append(keyid)
        return SignatureKey(SECRET) if keyid == "client-a" else None

    by = verifier(find)
    assert by.verify("POST", URL, signed(), BODY).keyid == "client-a"
    assert reason(signed(keyid="client-b"), by) == "unknown_key"
    assert asked == ["client-a", "client-b"]
    with pytest.raises(TypeError):
        verifier(lambda keyid: SECRET).verify("POST", URL, signed(), BODY)


def test_few_keys_are_looked_for_however_many_signatures_are_sent() -> None:
    asked: list[str] = []
    labels = [f"a{number}" for number in range(60)]
    inputs = ", ".join(f'{label}=("@method");created={int(NOW)};keyid="{label}"' for label in labels)
    headers = {"signature-input": inputs, "signature": ", ".join(f"{label}=:AQ==:" for label in labels)}
    assert reason(headers, verifier(lambda keyid: asked.append(keyid))) == "unknown_key"
    assert asked == labels[:8]


@pytest.mark.parametrize("keys", [{}, None, [], SECRET, {"": SECRET}, {1: SECRET}])
def test_keys_that_are_none_are_refused(keys: Any) -> None:
    with pytest.raises(ConfigurationError):
        SignatureVerifier(keys)


@pytest.mark.parametrize(
    "settings",
    [{"keyid": ""}, {"keyid": "\u00e9"}, {"tag": ""}, {"label": "A"}, {"expires": 0}, {"expires": 1.5}, {"query": "no"}],
)
def test_a_setting_of_a_signer_that_is_wrong(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        signer(**settings)


@pytest.mark.parametrize(
    "url",
    [
        "/orders",
        "orders",
        "ftp://api.example.com/",
        "https://",
        "https://user:pw@api.example.com/",
        "https://x/\u00e9",
        "https://x/ y",
        "https://x\\y/",
        "",
    ],
)
def test_a_url_that_cannot_be_signed(url: str) -> None:
    with pytest.raises(ValueError, match="a target is"):
        signer().sign("GET", url)


def test_parameters_signed_singly_hold_on_the_whole_query_too() -> None:
    url = "https://api.example.com/?q=a%20b+c&empty=&%C3%A9=~"
    headers = signer(query="params").sign("GET", url)
    assert '"@query-param";name="%C3%A9"' in headers["signature-input"]
    assert verifier().verify("GET", url.replace("%20", "+"), headers).label == "sig1"  # the same when decoded
    with pytest.raises(ValueError, match="component_repeated"):
        signer(query="params").sign("GET", "https://x/?a=1&a=2")
    assert verifier().verify("GET", "https://x/", signer(query="params").sign("GET", "https://x/")).label == "sig1"


def test_the_functions_do_what_the_classes_do() -> None:
    headers = sign(SECRET, "POST", URL, body=BODY, keyid="client-a")
    assert verify({"client-a": SECRET}, "POST", URL, headers, BODY).label == "sig1"

    async def both() -> str:
        made = await asign(SECRET, "POST", URL, body=BODY, keyid="client-a")
        return (await averify({"client-a": SECRET}, "POST", URL, made, BODY)).label

    assert asyncio.run(both()) == "sig1"


def test_a_body_that_was_decoded_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError):
        verifier().verify("POST", URL, signed(), "text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        signer().sign("POST", URL, (), "text")  # type: ignore[arg-type]


def test_no_secret_is_in_a_frame_of_a_failure() -> None:
    short = "short-secret-7c1f"
    for build in (
        lambda: sign(short, "GET", URL, keyid="a"),
        lambda: verify({"a": short}, "GET", URL, {}),
        lambda: Signer(short, keyid="a"),
        lambda: SignatureAuth(short, keyid="a"),
        lambda: require_signature({"a": short}, authority="x"),
    ):
        with pytest.raises(ConfigurationError) as raised:
            build()
        frame = raised.value.__traceback__
        while frame is not None:
            if "authkit" in frame.tb_frame.f_code.co_filename and "tests" not in frame.tb_frame.f_code.co_filename:
                assert short not in repr(frame.tb_frame.f_locals)
            frame = frame.tb_next
        assert raised.value.__cause__ is None
