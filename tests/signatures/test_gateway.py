"""The HMAC of gateways: declared as a webhook scheme is, one secret a client."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit._run import run
from authkit.errors import ConfigurationError, InvalidSignature
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.signatures import HmacRequests, SharedSecret
from authkit.stores import MemoryStore
from authkit.testing import Clock
from authkit.webhooks import Scheme
from tests.vault import Vault

A, B = "client a: 0f1e2d3c4b5a69788796a5b4", "client b: 8796a5b4c3d2e1f00f1e2d3c"
NOW = 1_800_000_000.0
URL = "https://api.example.com/orders/7?a=1&b=%20"
BODY = b'{"n": 1}'


def requests(secrets: Any = None, **settings: Any) -> HmacRequests:
    return HmacRequests(secrets or {"a": A, "b": B}, **{"clock": lambda: NOW, **settings})


def reason(headers: Any, method: str = "POST", url: str = URL, body: bytes = BODY, now: float | None = None) -> str:
    with pytest.raises(InvalidSignature) as raised:
        requests().verify(method, url, headers, body, now)
    return raised.value.reason


def test_a_request_is_its_clients() -> None:
    headers = requests().sign("a", "POST", URL, BODY)
    found = requests().verify("POST", URL, headers, BODY)
    assert (found.keyid, found.created, found.version) == ("a", int(NOW), "current")
    assert (found.principal.subject, found.principal.method) == ("a", "signature")


def test_the_signature_is_the_hmac_that_the_standard_library_computes() -> None:
    headers = requests().sign("a", "POST", URL, BODY)
    digest = hashlib.sha256(BODY).hexdigest()
    text = f"a\nPOST\n/orders/7?a=1&b=%20\n{headers['x-timestamp']}\n{headers['x-nonce']}\n{digest}"
    assert headers["x-signature"] == hmac.new(A.encode(), text.encode(), "sha256").hexdigest()


def test_whatever_is_changed_is_refused() -> None:
    headers = requests().sign("a", "POST", URL, BODY)
    assert reason(headers, method="PUT") == "signature_mismatch"
    assert reason(headers, url=URL.replace("7", "8")) == "signature_mismatch"
    assert reason(headers, url=URL + "&c=1") == "signature_mismatch"
    assert reason(headers, body=b"") == "signature_mismatch"
    assert reason({**headers, "x-key-id": "b"}) == "signature_mismatch"
    assert reason({**headers, "x-key-id": "c"}) == "unknown_key"
    assert reason({**headers, "x-nonce": "another"}) == "signature_mismatch"
    assert reason({**headers, "x-timestamp": str(int(NOW) + 1)}) == "signature_mismatch"
    assert reason(headers, now=NOW + 301) == "timestamp_too_old"
    assert reason(headers, now=NOW - 301) == "timestamp_in_future"
    assert reason([*headers.items(), ("X-Key-Id", "a")]) == "keyid_malformed"
    for name in headers:
        assert reason({key: value for key, value in headers.items() if key != name}).endswith("missing")


def test_a_nonce_is_good_once() -> None:
    by = requests(replay=MemoryStore())
    headers = by.sign("a", "POST", URL, BODY)
    assert by.verify("POST", URL, headers, BODY).keyid == "a"
    with pytest.raises(InvalidSignature, match="replayed"):
        by.verify("POST", URL, headers, BODY)
    assert by.verify("POST", URL, by.sign("a", "POST", URL, BODY), BODY).nonce


def test_every_version_of_a_secret_is_accepted() -> None:
    by = requests({"a": Secret.of(SecretVersions("now: " + A, "before: " + A, "next: " + A))})
    for name, version in (("now", "current"), ("before", "previous"), ("next", "pending")):
        assert by.verify("POST", URL, requests({"a": f"{name}: {A}"}).sign("a", "POST", URL, BODY), BODY).version == version


def test_the_owner_of_a_secret_is_the_principal() -> None:
    by = requests({"a": SharedSecret(A, subject="billing", scopes=["orders"], roles=["clerk"])})
    principal = by.verify("POST", URL, by.sign("a", "POST", URL, BODY), BODY).principal
    assert (principal.subject, principal.scopes, principal.roles) == ("billing", {"orders"}, {"clerk"})


def test_a_scheme_of_ones_own() -> None:
    scheme = Scheme(
        "ours", signature="Authorization-Signature", timestamp="X-Date", unit="ms", encoding="base64", hash="sha512",
        signed="{method} {url} {timestamp} {body}", verified=True,
    )  # fmt: skip
    by = requests(scheme=scheme, key_id="X-Client")
    headers = by.sign("b", "GET", URL)
    assert set(headers) == {"x-client", "Authorization-Signature", "X-Date"}
    assert by.verify("GET", URL, headers).keyid == "b"
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        by.verify("GET", URL.replace("api", "evil"), headers)


@pytest.mark.parametrize("signed", ["{method}{timestamp}{body}", "{path}{timestamp}{body}", "{method}{path}{timestamp}"])
def test_a_scheme_that_leaves_something_out_is_refused(signed: str) -> None:
    with pytest.raises(ConfigurationError):
        requests(scheme=Scheme("less", signature="x-s", timestamp="x-t", signed=signed))


def test_a_scheme_without_a_signed_time_or_id_is_refused() -> None:
    untimed = Scheme("untimed", signature="x-s", signed="{method}{path}{body}")
    with pytest.raises(ConfigurationError, match="and the time"):
        requests(scheme=untimed)
    nameless = Scheme("nameless", signature="x-s", timestamp="x-t", signed="{method}{path}{timestamp}{body}")
    with pytest.raises(ConfigurationError, match="signs an id"):
        requests(scheme=nameless, replay=MemoryStore())


@pytest.mark.parametrize("secrets", [None, {}, [], {"a": ""}, {"a": None}, {"": A}, {1: A}, {"a": 1}])
def test_secrets_that_are_none_are_refused(secrets: Any) -> None:
    with pytest.raises(ConfigurationError):
        HmacRequests(secrets)


@given(
    st.dictionaries(
        st.sampled_from(["x-key-id", "x-signature", "x-nonce", "x-timestamp", "X-Signature"]),
        st.sampled_from(["a", "1800000000", "0" * 64])
        | st.binary(max_size=70).map(lambda raw: raw.decode("latin-1"))
        | st.text(),
    ),
    st.binary(max_size=20),
)
def test_whatever_is_sent_raises_nothing_but_a_refusal(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        ANY.verify("POST", URL, headers, body)


ANY = requests()


def test_async_twins_do_the_same() -> None:
    async def both() -> str:
        headers = await requests().asign("a", "POST", URL, BODY)
        return (await requests().averify("POST", URL, headers, BODY)).keyid

    assert asyncio.run(both()) == "a"
    with pytest.raises(ConfigurationError, match="no secret"):
        requests().sign("c", "GET", URL)


def test_nothing_shows_a_secret() -> None:
    for thing in (requests(), SharedSecret(A)):
        assert A not in repr(thing) + str(thing)


def test_a_secret_has_at_least_32_bytes() -> None:
    """RFC 2104 section 3. Who sees one request tries shorter ones through; no server has to be asked."""
    short = "s" * 31
    with pytest.raises(ConfigurationError, match=r"'a' \(current\) is shorter than 32 bytes") as raised:
        requests({"a": short})
    assert short not in str(raised.value)
    requests({"a": "s" * 32})
    with pytest.raises(ConfigurationError, match=r"\(pending\) is shorter"):
        requests({"a": Secret.of(SecretVersions(A, pending=short))})
    lax = requests({"a": short}, insecure_short_secrets=True)
    assert lax.verify("POST", URL, lax.sign("a", "POST", URL, BODY), BODY).keyid == "a"


def test_a_short_secret_of_a_source_is_refused_when_it_is_read() -> None:
    vault = Vault(SecretVersions("s" * 31))
    by = requests({"a": Secrets(vault)["KEY"]})
    with pytest.raises(ConfigurationError, match=r"\(current\) is shorter"):
        by.verify("POST", URL, requests().sign("a", "POST", URL, BODY), BODY)
    with pytest.raises(ConfigurationError, match=r"\(current\) is shorter"):
        run(by.warm())


def test_a_short_secret_that_is_read_meanwhile_lets_nobody_in() -> None:
    clock = Clock(NOW)
    vault = Vault(SecretVersions(A))
    by = requests({"a": Secrets(vault, ttl=3000, clock=clock)["KEY"]})
    assert by.verify("POST", URL, requests().sign("a", "POST", URL, BODY), BODY).version == "current"
    vault.versions = SecretVersions("short")
    clock.advance(60)
    made = requests({"a": "short"}, insecure_short_secrets=True).sign("a", "POST", URL, BODY)
    with pytest.raises(ConfigurationError, match="is shorter"):
        by.verify("POST", URL, made, BODY)
