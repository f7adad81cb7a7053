"""Whether a value is fit to be a secret."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.cli._judge import fit, judged, strength
from authkit.cli._shape import keys_of
from authkit.secrets import SecretVersions
from authkit.secrets.rotation.generate import KINDS, generate
from authkit.secrets.versions import sealed

NOW = 1_800_000_000.0
GOOD = generate()()


def codes(versions: SecretVersions, kind: str | None = None) -> list[tuple[str, str, str]]:
    return [(found.severity, found.code, found.subject) for found in judged("NAME", versions, NOW, kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_generated_is_fit_for_its_kind(kind: str) -> None:
    value = generate(kind)
    assert fit(value, kind) is None
    assert fit(value, None) is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("your-256-bit-secret", "sample"),
        ("Change Me", "sample"),
        ("secret" * 8, "sample"),
        ("hunter2", "weak"),
        ("0123456789" * 5, "weak"),
        ("a" * 64, "weak"),
        ("abcdefghijklmnopqrstuvwxyz", "weak"),
        (b"\x00\x01\x02\x03", "weak"),
        ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "unusable_key"),
        (json.dumps({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), "unusable_key"),
    ],
)
def test_a_value_that_is_not_fit_is_an_error(value: str | bytes, code: str) -> None:
    assert codes(SecretVersions(value)) == [("error", code, "NAME")]
    assert fit(sealed(value), None)


def test_a_value_of_modest_strength_is_a_warning() -> None:
    assert codes(SecretVersions("q7Zk2mXw9RtB")) == [("warning", "modest", "NAME")]


def test_a_jwk_set_is_as_good_as_its_first_key() -> None:
    [key] = keys_of(generate("ec"))
    good = {"keys": [key.public_jwk()]}
    assert codes(SecretVersions(json.dumps(good))) == []
    assert codes(SecretVersions(json.dumps({"keys": [{**key.public_jwk(), "x": "AAAA"}]}))) == [
        ("error", "unusable_key", "NAME")
    ]
    assert codes(SecretVersions('{"keys": []}')) == [("error", "unusable_key", "NAME")]


def test_no_finding_repeats_the_value() -> None:
    for value in ("hunter2", "secret" * 8, "-----BEGIN hunter2"):
        for finding in judged("NAME", SecretVersions(value), NOW):
            assert "hunter2" not in "".join(finding)
            assert value not in "".join(finding)


@pytest.mark.parametrize(
    ("kind", "other"), [("rsa", "ec"), ("ec", "ed25519"), ("ed25519", "hmac"), ("hmac", "ec"), ("webhook", "hmac")]
)
def test_a_key_of_another_kind_than_wanted_is_refused(kind: str, other: str) -> None:
    assert fit(generate(other), kind)


def test_versions_that_contradict_each_other_are_found() -> None:
    assert codes(SecretVersions(GOOD)) == []
    assert codes(SecretVersions(GOOD, GOOD, None, NOW + 1)) == [("warning", "previous_is_current", "NAME")]
    assert codes(SecretVersions(GOOD, None, GOOD)) == [("warning", "pending_is_current", "NAME")]
    assert codes(SecretVersions(GOOD, generate()(), None, NOW)) == [("warning", "previous_expired", "NAME")]
    assert codes(SecretVersions(GOOD, generate()())) == [("note", "previous_without_end", "NAME")]


def test_a_weak_value_that_is_not_current_is_named_with_its_version() -> None:
    assert codes(SecretVersions(GOOD, "hunter2", "hunter3", NOW + 1)) == [
        ("error", "weak", "NAME (previous)"),
        ("error", "weak", "NAME (pending)"),
    ]


def test_nothing_random_is_called_weak() -> None:
    for _ in range(300):
        assert strength(sealed(os.urandom(16).hex())) >= 96
        assert strength(generate("password")) > 128


@given(st.one_of(st.text(min_size=1), st.binary(min_size=1)), st.sampled_from([None, *KINDS]))
def test_any_value_is_judged_without_a_failure(value: str | bytes, kind: str | None) -> None:
    said = fit(sealed(value), kind)
    assert said is None or len(said) < 200
