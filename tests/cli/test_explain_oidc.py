"""`authkit explain` of a request with a provider's token: judged by the issuer that the settings name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from authkit.testing import FakeIssuer, lambda_event
from tests.cli.command import authkit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUDIENCE = "https://api.example"


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer() as running:
        yield running


def explain(issuer: FakeIssuer, token: str, tmp_path: Path, *words: str, **env: str) -> Any:
    event = lambda_event("v2", "GET", "/orders", {"authorization": f"Bearer {token}"})
    (tmp_path / "event").write_text(json.dumps(event))
    told = {"AUTHKIT_OIDC_ISSUER": issuer.url, "AUTHKIT_AUDIENCE": AUDIENCE, **env}
    return authkit("explain", "event", "--json", *words, cwd=tmp_path, **told)


def test_a_good_token_is_accepted(issuer: FakeIssuer, tmp_path: Path) -> None:
    said = explain(issuer, issuer.token(), tmp_path)
    assert (said.code, said.json["accepted"], said.json["credential"]) == (0, True, "bearer token")


def test_a_refused_one_is_told_by_its_check_and_likely_cause(issuer: FakeIssuer, tmp_path: Path) -> None:
    for token, check, cause in (
        (issuer.id_token(), "token kind", "it is an ID token"),
        (issuer.token(iss=issuer.url + "/"), "issuer", "a slash at the end"),
        (issuer.token(aud="web"), "audience", "the client itself"),
    ):
        said = explain(issuer, token, tmp_path)
        assert (said.code, said.json["accepted"], said.json["check"]) == (1, False, check)
        assert cause in said.json["likely"]
        assert token not in said.all


def test_an_issuer_that_is_down_is_exit_code_5(issuer: FakeIssuer, tmp_path: Path) -> None:
    issuer.fault("*", status=503)
    assert explain(issuer, issuer.token(), tmp_path).code == 5


def test_settings_that_contradict_each_other_are_exit_code_2(issuer: FakeIssuer, tmp_path: Path) -> None:
    said = explain(issuer, issuer.token(), tmp_path, AUTHKIT_ISSUER="https://own.example")
    assert (said.code, "both set" in said.json["message"]) == (2, True)
    assert explain(issuer, issuer.token(), tmp_path, "--issuer", "https://own.example").code == 2  # then a key is wanted
