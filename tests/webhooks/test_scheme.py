"""Scheme: a sender's way of signing, declared; what is declared wrong is refused when it is built."""

from __future__ import annotations

import base64
import hashlib
import hmac
from itertools import product
from typing import Any

import pytest

from authkit import webhooks
from authkit.errors import ConfigurationError, InvalidSignature
from authkit.webhooks import Scheme, Verifier

NOW = 1_700_000_000.25
BODY = b"body \xff\0"


def _scheme(**fields: Any) -> Scheme:
    return Scheme("mine", **{"signature": "X-Signature", **fields})


TEMPLATES: dict[str, dict[str, Any]] = {
    "body": {},
    "v0:ts:body": {"signed": "v0:{timestamp}:{body}", "prefix": "v0=", "timestamp": "X-Time"},
    "body and ts": {"signed": "{body}{timestamp}", "timestamp": "X-Time"},
    "id, ts and body with nothing between": {"signed": "{id}{timestamp}{body}", "timestamp": "X-Time", "id": "X-Id"},
    "ts=;h1=": {"signed": "{timestamp}:{body}", "separator": ";", "prefix": "h1=", "timestamp_item": "ts="},
    "url and body": {"signed": "{url}{body}"},
    "method, url, body and ts": {"signed": "{method}{url}{body}{timestamp}", "timestamp": "X-Time"},
    "a percent sign and a brace of the sender's": {"signed": "100%s{body}%(id)s"},
    "several": {"separator": ",", "prefix": "v1="},
    "two header names": {"signature": ("X-Signature", "X-Old-Signature")},
}


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    ("hash", "encoding", "unit"),
    list(product(["sha256", "sha1", "sha512"], ["hex", "base64", "base64url"], ["s", "ms", "rfc3339"])),
)
def test_whatever_is_declared_signs_what_it_verifies(template: str, hash: str, encoding: str, unit: str) -> None:
    scheme = _scheme(**TEMPLATES[template], hash=hash, encoding=encoding, unit=unit)
    options: dict[str, Any] = {"url": "https://example.com/ä?x=1", "method": "PUT"}
    headers = webhooks.sign(scheme, "secret-1", BODY, timestamp=NOW, id="id-1", **options)
    verifier = Verifier(scheme, "secret-1")
    event = verifier.verify(headers, BODY, now=NOW, **options)
    assert event.scheme == "mine"
    assert event.timestamp is None or abs(event.timestamp - NOW) < 1
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        Verifier(scheme, "secret-2").verify(headers, BODY, now=NOW, **options)
    if "url" in scheme.signed:
        with pytest.raises(InvalidSignature, match="signature_mismatch"):
            verifier.verify(headers, BODY, now=NOW, url="https://example.org/", method="PUT")
        with pytest.raises(ConfigurationError, match="url="):
            verifier.verify(headers, BODY, now=NOW)
    if scheme.timed:
        with pytest.raises(InvalidSignature, match="timestamp_too_old"):
            verifier.verify(headers, BODY, now=NOW + 302, **options)
        with pytest.raises(InvalidSignature, match="timestamp_in_future"):
            verifier.verify(headers, BODY, now=NOW - 302, **options)


def test_the_template_is_what_is_signed() -> None:
    scheme = _scheme(signed="a%{method}|{url}|{id}.{timestamp}.{body}!%%", id="X-Id", timestamp="X-Time")
    headers = webhooks.sign(scheme, "s-1", b"B", timestamp=5, id="i", url="u", method="PUT")
    assert headers["X-Signature"] == hmac.new(b"s-1", b"a%PUT|u|i.5.B!%%", hashlib.sha256).hexdigest()


@pytest.mark.parametrize("length", [1, 63, 64, 65, 127, 128, 129, 300])
@pytest.mark.parametrize("hash", ["sha256", "sha1", "sha384", "sha512"])
def test_the_hmac_is_that_of_the_standard_library_for_keys_of_any_length(length: int, hash: str) -> None:
    key = bytes(range(1, 256))[:length] if length < 255 else b"k" * length
    headers = webhooks.sign(_scheme(hash=hash), key, BODY)
    assert headers["X-Signature"] == hmac.new(key, BODY, hash).hexdigest()


def test_a_key_may_be_text_base64_or_hex() -> None:
    raw = b"\x00\x01\xfe\xff raw"
    expected = hmac.new(raw, BODY, "sha256").hexdigest()
    assert webhooks.sign(_scheme(), raw, BODY)["X-Signature"] == expected
    assert webhooks.sign(_scheme(key="base64"), base64.b64encode(raw), BODY)["X-Signature"] == expected
    assert webhooks.sign(_scheme(key="hex"), raw.hex().upper(), BODY)["X-Signature"] == expected
    assert webhooks.sign(_scheme(key="hex", key_prefix="k_"), "k_" + raw.hex(), BODY)["X-Signature"] == expected
    for key, value in (("base64", "a"), ("base64", "!!!!"), ("hex", "abc"), ("hex", "zz"), ("hex", "é"), ("base64", "é")):
        with pytest.raises(ConfigurationError, match="secret"):
            Verifier(_scheme(key=key), value)


@pytest.mark.parametrize(
    "fields",
    [
        {"signature": ""},
        {"signature": ()},
        {"signature": "X Signature"},
        {"signature": "X-Signätur"},
        {"signed": "{timestamp}.body", "timestamp": "X-Time"},
        {"signed": "{body}{body}"},
        {"signed": "{nonce}{body}"},
        {"signed": "{body"},
        {"signed": "{timestamp}{body}"},
        {"signed": "{id}{body}"},
        {"timestamp": "X-Time"},
        {"timestamp_item": "t=", "signed": "{timestamp}{body}"},
        {"timestamp_item": "t=", "separator": ",", "signed": "{timestamp}{body}"},
        {"timestamp_item": "t=", "separator": ",", "prefix": "v=", "timestamp": "X-Time", "signed": "{timestamp}{body}"},
        {"timestamp_item": "t=", "separator": ",", "prefix": "t", "signed": "{timestamp}{body}"},  # each time is a signature
        {"timestamp_item": "t", "separator": ",", "prefix": ("v1", "t1"), "signed": "{timestamp}{body}"},  # and some are
        {"separator": ""},
        {"separator": "·", "prefix": "v1="},
        {"prefix": "é="},
        {"hash": "md5"},
        {"hash": "SHA256"},
        {"key": "pem"},
        {"encoding": "base32"},
        {"unit": "us"},
        {"tolerance": 0},
        {"tolerance": None},
        {"tolerance": float("inf")},
        {"max_body": 0},
        {"signature": ("A", "B"), "id": ("C", "D", "E")},
        {"signed": "{body:token}", "idempotency": "body:event"},  # not signed: whoever saw one sends it as many events
        {"signed": "{form:token}", "idempotency": "body:token"},
    ],
)
def test_what_is_declared_wrong_is_refused_when_built(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        _scheme(**fields)


def test_a_scheme_is_a_frozen_value() -> None:
    assert _scheme() == _scheme()
    assert _scheme() != _scheme(hash="sha1")
    assert hash(_scheme()) == hash(_scheme())
    with pytest.raises(AttributeError):
        _scheme().hash = "sha1"


def test_the_built_in_schemes_are_listed_and_nobody_can_change_them() -> None:
    known = webhooks.schemes()
    assert {"github", "standard-webhooks", "stripe"} <= set(known)
    assert list(known) == sorted(known)
    assert all(name == scheme.name for name, scheme in known.items())
    with pytest.raises(TypeError):
        known["mine"] = _scheme()  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("2023-11-14T22:13:20Z", True),
        ("2023-11-14T22:13:20.123456789Z", True),
        ("2023-11-14T23:13:20+01:00", True),
        ("2023-11-14T22:13:20", False),
        ("2023-11-14", False),
        ("20231114T221320Z", True),
        ("2023-11-14T22:13:20.1234567890123456789012345678901Z", False),
        ("9999-99-99T22:13:20Z", False),
        ("T+", False),
        ("1700000000", False),
        ("", False),
    ],
)
def test_an_rfc3339_time_has_a_zone(text: str, accepted: bool) -> None:
    scheme = _scheme(signed="{timestamp}{body}", timestamp="X-Time", unit="rfc3339")
    signature = hmac.new(b"s-1", text.encode() + BODY, "sha256").hexdigest()
    headers = {"X-Signature": signature, "X-Time": text}
    if accepted:
        assert Verifier(scheme, "s-1").verify(headers, BODY, now=1_700_000_000)
    else:
        with pytest.raises(InvalidSignature, match="timestamp"):
            Verifier(scheme, "s-1").verify(headers, BODY, now=1_700_000_000)
