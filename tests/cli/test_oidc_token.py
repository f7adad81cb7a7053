"""`authkit oidc token`, against a real provider: a machine's token, printed once and never with the secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from authkit.tokens import base64url
from tests.cli.command import authkit
from tests.servers.oidc_provider import has_node, oidc_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.oidc_provider import OidcProviderServer

pytestmark = pytest.mark.skipif(not has_node(), reason="no node on this machine")

SECRET = "{}-secret-0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def op() -> Iterator[OidcProviderServer]:
    with oidc_provider() as running:
        yield running


def claims(token: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64url.decode(token.split(".")[1]))
    return found


def test_it_prints_the_token_and_nothing_else(op: OidcProviderServer, tmp_path: Path) -> None:
    said = authkit("oidc", "token", op.issuer, "--client-id", "m2m", "--scope", "read", "--scope", "write",
                   cwd=tmp_path, stdin=SECRET.format("m2m") + "\n")  # fmt: skip
    assert (said.code, said.err) == (0, "")
    assert said.out.count("\n") == 1
    assert (claims(said.out)["client_id"], claims(said.out)["scope"]) == ("m2m", "read write")
    judged = authkit("oidc", "verify", "--issuer", op.issuer, "--audience", op.audience, cwd=tmp_path, stdin=said.out)
    assert judged.code == 0, judged.all


def test_the_secret_comes_from_a_file_a_pipe_or_a_variable_and_is_never_shown(op: OidcProviderServer, tmp_path: Path) -> None:
    secret = SECRET.format("m2m")
    (tmp_path / "secret").write_text(secret)
    words = ("oidc", "token", op.issuer, "--client-id", "m2m", "--json")
    for said in (
        authkit(*words, "--value-from", "secret", cwd=tmp_path),
        authkit(*words, "--value-from", "-", cwd=tmp_path, stdin=secret),
        authkit(*words, "--client-secret-env", "M2M_SECRET", cwd=tmp_path, M2M_SECRET=secret),
    ):
        assert said.code == 0, said.err
        assert said.json["client_id"] == "m2m"
        assert said.json["expires_at"] - 300 == pytest.approx(claims(said.json["token"])["iat"], abs=60)
        assert secret not in said.all


def test_the_api_may_be_named_as_a_resource(op: OidcProviderServer, tmp_path: Path) -> None:
    said = authkit("oidc", "token", op.issuer, "--client-id", "m2m-opaque", "--resource", "https://other.example/api",
                   "--scope", "read", cwd=tmp_path, stdin=SECRET.format("m2m-opaque"))  # fmt: skip
    assert (said.code, claims(said.out)["aud"]) == (0, "https://other.example/api")


def test_a_private_key_shows_who_asks_as_well(op: OidcProviderServer, tmp_path: Path) -> None:
    made = authkit("keys", "new", "--kind", "ec", "--out", "key.jwk", "--json", cwd=tmp_path).json
    op.add_clients({
        "client_id": "m2m-key", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [made["public_jwk"]]},
        "grant_types": ["client_credentials"], "redirect_uris": [], "response_types": [],
    })  # fmt: skip
    said = authkit("oidc", "token", op.issuer, "--client-id", "m2m-key", "--key-from", "key.jwk", cwd=tmp_path)
    assert (said.code, said.err) == (0, "")
    assert claims(said.out)["client_id"] == "m2m-key"


def test_what_the_provider_refuses_is_exit_code_1_with_its_word(op: OidcProviderServer, tmp_path: Path) -> None:
    said = authkit("oidc", "token", op.issuer, "--client-id", "web", "--json", cwd=tmp_path, stdin=SECRET.format("web"))
    assert (said.code, said.json["error"]) == (1, "failed")
    assert said.err == "authkit: the token endpoint refused the grant: invalid_request\n"


def test_a_wrong_secret_or_no_answer_is_exit_code_5(op: OidcProviderServer, tmp_path: Path) -> None:
    words = ("oidc", "token", op.issuer, "--client-id", "m2m")
    said = authkit(*words, cwd=tmp_path, stdin="not the secret at all")
    assert (said.code, said.out) == (5, "")
    assert "what we authenticate with is wrong" in said.err
    op.faults([{"path": "/token", "status": 503, "times": 1}])
    assert authkit(*words, cwd=tmp_path, stdin=SECRET.format("m2m")).code == 5


@pytest.mark.parametrize(
    "words",
    [
        ("--value-from", "secret", "--client-secret-env", "HOME"),
        ("--value-from", "secret", "--key-from", "secret"),
        ("--provider", "auth0"),
        ("--setting", "no setting"),
        ("s3cret",),
    ],
)
def test_what_cannot_be_meant_asks_nobody(op: OidcProviderServer, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "secret").write_text("s3cret")
    before = op.counts()
    said = authkit("oidc", "token", op.issuer, "--client-id", "m2m", *words, cwd=tmp_path, stdin="s3cret")
    assert (said.code, said.out) == (2, "")
    assert "s3cret" not in said.err
    assert op.counts() == before


def test_without_an_issuer_it_is_that_of_the_settings_or_none(op: OidcProviderServer, tmp_path: Path) -> None:
    words = ("oidc", "token", "--client-id", "m2m")
    assert authkit(*words, cwd=tmp_path, stdin=SECRET.format("m2m"), AUTHKIT_OIDC_ISSUER=op.issuer).code == 0
    said = authkit(*words, cwd=tmp_path, stdin="x")
    assert said.code == 2
    assert "no issuer is named" in said.err
