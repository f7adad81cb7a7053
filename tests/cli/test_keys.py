"""`authkit keys`: keys made into files of their own, and a secret's versions as a ring."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from authkit import InvalidToken, Tokens
from authkit.secrets import Dotenv, Secrets
from authkit.secrets.rotation.generate import generate
from authkit.tokens import Key
from tests.cli.command import authkit

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = "https://api.example.com"


def tokens(place: Path, name: str = "RING") -> Tokens:
    return Tokens(Secrets(Dotenv(str(place / ".env")))[name], issuer=ISSUER, audience=ISSUER)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory whose `.env` has an EC key as RING."""
    (tmp_path / ".env").write_text(f"RING='{generate('ec')()}'\n")
    (tmp_path / ".env").chmod(0o600)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "alg", "words"),
    [
        ("rsa", "RS256", ("--length", "2048")),
        ("ec", "ES256", ()),
        ("ec", "ES384", ("--length", "384")),
        ("ed25519", "EdDSA", ()),
        ("hmac", "HS256", ()),
    ],
)
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_a_new_key_signs_and_nobody_else_can_read_its_file(
    kind: str, alg: str, words: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    said = authkit("keys", "new", "--kind", kind, *words, "--form", form, "--out", "key", "--json", cwd=tmp_path)
    assert said.code == 0, said.err
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "key").read_text().strip()
    key = Key(text)
    assert (key.alg, key.kid, key.can_sign) == (alg, said.json["kid"], True)
    assert said.json["public_jwk"] == key.public_jwk()
    assert text not in said.all
    assert not {"d", "p", "q", "k"} & set(said.json["public_jwk"] or {})


def test_a_key_has_the_name_that_it_is_given(tmp_path: Path) -> None:
    said = authkit("keys", "new", "--kind", "ed25519", "--kid", "2027-a", "--stdout", cwd=tmp_path)
    assert Key(json.loads(said.out)).kid == "2027-a"
    assert authkit("keys", "new", "--kind", "ec", "--kid", "a", "--form", "pem", "--stdout", cwd=tmp_path).code == 2


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("in use")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("key", "link"):
        assert authkit("keys", "new", "--kind", "ec", "--out", name, cwd=tmp_path).code == 3
    assert (tmp_path / "key").read_text() == "in use"
    assert not (tmp_path / "elsewhere").exists()
    assert authkit("keys", "new", "--kind", "ec", "--out", "no/such/place", cwd=tmp_path).code == 5


def test_a_key_is_printed_only_when_that_is_asked_for(tmp_path: Path) -> None:
    assert authkit("keys", "new", "--kind", "ec", cwd=tmp_path).code == 2
    said = authkit("keys", "new", "--kind", "ec", "--stdout", "--json", cwd=tmp_path)
    assert Key(said.json["key"]).kid == said.json["kid"]


def test_list_names_the_keys_and_shows_none(place: Path) -> None:
    with (place / ".env").open("a") as file:
        file.write("PORT=80\n")
    [row] = authkit("keys", "list", "--json", cwd=place).json["keys"]
    assert (row["name"], row["version"], row["kind"], row["alg"]) == ("RING", "current", "ec", "ES256")
    said = authkit("keys", "list", "RING", cwd=place)
    assert row["kid"] in said.out
    assert "PRIVATE" not in said.out
    assert authkit("keys", "list", "PORT", cwd=place).code == 2


def test_jwks_is_the_public_half_of_every_version(place: Path) -> None:
    authkit("keys", "rotate", "RING", cwd=place)
    authkit("keys", "rotate", "RING", "--publish-only", "--force", cwd=place)
    found = authkit("keys", "jwks", "RING", cwd=place).json
    listed = authkit("keys", "list", "RING", "--json", cwd=place).json["keys"]
    assert {key["kid"] for key in found["keys"]} == {row["kid"] for row in listed}
    assert {row["version"] for row in listed} == {"current", "previous", "pending"}
    assert all(set(key) == {"crv", "kty", "x", "y", "use", "alg", "kid"} for key in found["keys"])
    authkit("secrets", "set", "PLAIN", "--value-from", "-", cwd=place, stdin=os.urandom(32).hex())
    assert authkit("keys", "jwks", "PLAIN", cwd=place).code == 2


def test_after_a_rotation_old_tokens_hold_until_the_old_key_is_retired(place: Path) -> None:
    old = tokens(place).issue("alice")
    said = authkit("keys", "rotate", "RING", "--grace", "1h", cwd=place)
    assert said.code == 0, said.err
    new = tokens(place).issue("alice")
    assert {tokens(place).verify(token).subject for token in (old, new)} == {"alice"}
    assert authkit("secrets", "retire", "RING", "--force", cwd=place).code == 0
    assert tokens(place).verify(new).subject == "alice"
    with pytest.raises(InvalidToken):
        tokens(place).verify(old)


def test_a_key_can_be_published_before_it_signs(place: Path) -> None:
    [before] = authkit("keys", "jwks", "RING", cwd=place).json["keys"]
    said = authkit("keys", "rotate", "RING", "--publish-only", "--json", cwd=place)
    assert (said.code, said.json["steps"]) == (0, ["begin", "staged", "end"])
    again = authkit("keys", "rotate", "RING", "--publish-only", "--json", cwd=place)
    assert (again.code, again.json["changed"]) == (0, False)
    published = {key["kid"] for key in authkit("keys", "jwks", "RING", cwd=place).json["keys"]} - {before["kid"]}
    assert len(published) == 1
    assert authkit("secrets", "status", "RING", "--json", cwd=place).json["secrets"][0]["state"] == "pending"
    assert authkit("keys", "rotate", "RING", cwd=place).code == 0
    rows = authkit("keys", "list", "RING", "--json", cwd=place).json["keys"]
    assert {row["version"]: row["kid"] for row in rows} == {"current": published.pop(), "previous": before["kid"]}


def test_a_key_whose_time_is_over_is_no_longer_published(place: Path) -> None:
    authkit("keys", "rotate", "RING", "--grace", "0s", cwd=place)
    time.sleep(1.1)
    assert len(authkit("keys", "jwks", "RING", cwd=place).json["keys"]) == 1


def test_a_value_that_is_no_key_of_the_rings_kind_is_refused_unless_that_is_wanted(place: Path) -> None:
    words = ("secrets", "rotate", "RING", "--value-from", "-")
    said = authkit(*words, cwd=place, stdin=os.urandom(32).hex())
    assert said.code == 1
    assert "no private key of kind ec" in said.err
    assert authkit(*words, "--kind", "hmac", cwd=place, stdin=os.urandom(32).hex()).code == 0


def test_the_kind_of_a_ring_can_change(place: Path) -> None:
    assert authkit("keys", "rotate", "RING", "--kind", "ed25519", cwd=place).code == 0
    rows = authkit("keys", "list", "RING", "--json", cwd=place).json["keys"]
    assert [(row["version"], row["alg"]) for row in rows] == [("current", "EdDSA"), ("previous", "ES256")]
