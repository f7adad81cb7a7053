"""`authkit doctor` about the issuer that the settings name: what it finds, and that nobody is asked where none is named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from authkit.cli._doctor_issuer import issuer as examined
from authkit.settings import Settings
from authkit.testing import FakeIssuer
from tests.cli.command import authkit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUDIENCE = "https://api.example"


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer() as running:
        yield running


def found(tmp_path: Path, **settings: str) -> dict[str, str]:
    """Code -> severity."""
    return {each.code: each.severity for each in examined(Settings(settings, directory=str(tmp_path)))}


def test_where_no_issuer_is_named_nobody_is_asked(tmp_path: Path) -> None:
    assert found(tmp_path) == {}
    assert found(tmp_path, AUTHKIT_JWT_SECRET="x" * 40, AUTHKIT_ISSUER="https://a.example", AUTHKIT_AUDIENCE=AUDIENCE) == {}


def test_a_good_one_has_no_finding(issuer: FakeIssuer, tmp_path: Path) -> None:
    assert found(tmp_path, AUTHKIT_OIDC_ISSUER=issuer.url, AUTHKIT_AUDIENCE=AUDIENCE) == {}
    assert (issuer.asked("discovery"), issuer.asked("keys")) == (1, 1)
    said = authkit("doctor", cwd=tmp_path, AUTHKIT_OIDC_ISSUER=issuer.url, AUTHKIT_AUDIENCE=AUDIENCE)
    assert said == (0, "nothing found\n", "")


def test_it_is_found_in_a_file_too(issuer: FakeIssuer, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"AUTHKIT_OIDC_ISSUER={issuer.url}/\nAUTHKIT_AUDIENCE={AUDIENCE}\n")
    (tmp_path / ".env").chmod(0o600)
    said = authkit("doctor", "--json", cwd=tmp_path)
    [mismatch] = [finding for finding in said.json["findings"] if finding["code"] == "issuer_mismatch"]
    assert said.code == 1
    assert "a slash at the end" in mismatch["message"]


def test_settings_that_are_no_verifier_are_named(issuer: FakeIssuer, tmp_path: Path) -> None:
    for settings in (
        {"AUTHKIT_OIDC_ISSUER": issuer.url},
        {"AUTHKIT_OIDC_ISSUER": "http://issuer.example", "AUTHKIT_AUDIENCE": AUDIENCE},
        {"AUTHKIT_OIDC_ISSUER": issuer.url, "AUTHKIT_AUDIENCE": AUDIENCE, "AUTHKIT_ISSUER": "https://a.example"},
        {"AUTHKIT_PROVIDER": "no-such-provider", "AUTHKIT_AUDIENCE": AUDIENCE},
        {"AUTHKIT_PROVIDER": "auth0", "AUTHKIT_AUDIENCE": AUDIENCE},
    ):
        assert found(tmp_path, **settings) == {"issuer_settings": "error"}, settings
    assert issuer.counts.total() == 0


def test_each_fault_is_a_finding(issuer: FakeIssuer, tmp_path: Path) -> None:
    settings = {"AUTHKIT_OIDC_ISSUER": issuer.url, "AUTHKIT_AUDIENCE": AUDIENCE}
    for place, code in (("discovery", "issuer_unreachable"), ("keys", "keys_unreachable")):
        for fault in ({"status": 503}, {"drop": True}, {"garbage": True}, {"huge": True}):
            issuer.fault(place, **fault)
            assert found(tmp_path, **settings) == {code: "error"}
            issuer.mend()
    issuer.keys.append({"kty": "oct", "k": "c2VjcmV0"})
    issuer.headers["cache-control"] = "no-store"
    assert found(tmp_path, **settings) == {"private_key_published": "error", "keys_lifetime": "note"}
    issuer.keys = []
    assert found(tmp_path, **settings)["no_usable_key"] == "error"


def test_the_clock_is_compared_with_the_issuers_and_told_once(tmp_path: Path) -> None:
    for ahead, severity in ((3600.0, "error"), (90.0, "warning")):
        with FakeIssuer(clock=lambda ahead=ahead: time.time() + ahead) as issuer:  # type: ignore[misc]
            settings = Settings({"AUTHKIT_OIDC_ISSUER": issuer.url, "AUTHKIT_AUDIENCE": AUDIENCE}, directory=str(tmp_path))
            [finding] = examined(settings)
            assert (finding.code, finding.severity, "behind that of" in finding.message) == ("clock_skew", severity, True)


def test_a_provider_whose_keys_are_at_an_address_is_asked_there(issuer: FakeIssuer, tmp_path: Path) -> None:
    from authkit.cli._doctor_issuer import _asked
    from authkit.oidc import OIDCProvider

    assert list(_asked(OIDCProvider("urn:x", audience="a", jwks_uri=issuer.url + "/jwks"))) == []
    assert (issuer.asked("discovery"), issuer.asked("keys")) == (0, 1)
    [finding] = _asked(OIDCProvider("urn:x", audience="a", jwks_uri=issuer.url + "/none"))
    assert (finding.code, finding.subject) == ("keys_unreachable", "urn:x")
    assert list(_asked(OIDCProvider("urn:x", audience="a", keys="k" * 40))) == []
