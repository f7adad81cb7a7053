"""`authkit password`: a hash that a service reads, and whether a password belongs to one; neither is ever an argument."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import bcrypt
import pytest

from authkit.accounts import PasswordHasher
from tests.cli.command import at_a_terminal, authkit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Said

PASSWORD = "correct horse battery"
PEPPER = "a pepper of thirty-two bytes or more"
CHEAP = PasswordHasher(memory=64, passes=1, lanes=1)


def check(stored: str, *words: str, cwd: Path, password: str = PASSWORD, **env: str) -> Said:
    return authkit("password", "check", "--hash-env", "HASH", *words, cwd=cwd, stdin=password, HASH=stored, **env)


def test_a_hash_is_one_that_a_service_reads(tmp_path: Path) -> None:
    said = authkit("password", "hash", "--value-from", "-", cwd=tmp_path, stdin=PASSWORD + "\n")
    assert said.code == 0, said.err
    assert said.out.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PasswordHasher().verify(PASSWORD, said.out.strip())
    assert PASSWORD not in said.all
    owasp = authkit("password", "hash", "--profile", "owasp", "--value-from", "-", "--json", cwd=tmp_path, stdin=PASSWORD)
    assert owasp.json["hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_at_a_terminal_it_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    said = at_a_terminal("password", "hash", "--profile", "owasp", cwd=tmp_path, typed=[PASSWORD, PASSWORD])
    assert said.code == 0, said.out
    assert "$argon2id$" in said.out
    assert PASSWORD not in said.out
    assert at_a_terminal("password", "hash", cwd=tmp_path, typed=[PASSWORD, "another one"]).code == 2


def test_to_check_one_it_is_asked_for_once(tmp_path: Path) -> None:
    (tmp_path / "hash").write_text(CHEAP.hash(PASSWORD) + "\n")
    said = at_a_terminal("password", "check", "--hash-from", "hash", cwd=tmp_path, typed=[PASSWORD])
    assert said.code == 0, said.out
    assert PASSWORD not in said.out


@pytest.mark.parametrize("password", ["", "short", "x" * 4_097, "a\tb\tc\td\te", "\udcff" * 9], ids=ascii)
def test_what_can_be_no_new_password_is_refused(password: str, tmp_path: Path) -> None:
    raw = password.encode("utf-8", "surrogateescape")
    said = authkit("password", "hash", "--value-from", "-", cwd=tmp_path, stdin=raw)
    assert (said.code, said.out) == (2, "")
    assert "defect" not in said.err


def test_a_password_belongs_to_its_hash_or_not(tmp_path: Path) -> None:
    stored = CHEAP.hash(PASSWORD)
    said = check(stored, "--json", cwd=tmp_path)
    assert (said.code, said.json) == (0, {"matches": True, "kind": "argon2id", "needs_rehash": True})
    wrong = check(stored, cwd=tmp_path, password="another one")
    assert (wrong.code, "does not belong" in wrong.err) == (1, True)
    for text in (PASSWORD, "another one", stored, stored[-20:]):
        assert text not in said.all + wrong.all
    assert check(PasswordHasher().hash(PASSWORD), "--json", cwd=tmp_path).json["needs_rehash"] is False


def test_a_hash_of_another_system_is_read_where_its_kind_is_named(tmp_path: Path) -> None:
    stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    assert "--also" in check(stored, cwd=tmp_path).err
    assert check(stored, cwd=tmp_path).code == 1
    assert check(stored, "--also", "bcrypt", "--json", cwd=tmp_path).json["kind"] == "bcrypt"
    weak = "md5$salt$" + hashlib.md5(("salt" + PASSWORD).encode(), usedforsecurity=False).hexdigest()
    assert check(weak, "--also", "django-md5", cwd=tmp_path).code == 2
    assert check(weak, "--insecure-also", "django-md5", cwd=tmp_path).code == 0
    salt = "someRandomSecretString"
    book = hashlib.sha256(f"{PASSWORD}{salt}alice{PASSWORD}".encode()).hexdigest()
    words = ("--handbook-salt-env", "SALT", "--username", "alice")
    assert check(book, *words, cwd=tmp_path, SALT=salt).code == 0
    assert check(book, *words, cwd=tmp_path, SALT="another").code == 1
    assert check(book, *words, cwd=tmp_path).code == 4


def test_a_pepper_comes_from_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"PEPPER='{PEPPER}'\n")
    (tmp_path / ".env").chmod(0o600)
    words = ("--pepper", "PEPPER", "--profile", "owasp")
    said = authkit("password", "hash", *words, "--value-from", "-", cwd=tmp_path, stdin=PASSWORD)
    assert said.out.startswith("$hmac-sha256$keyid=")
    assert PEPPER not in said.all
    stored = said.out.strip()
    assert check(stored, *words, cwd=tmp_path).code == 0
    assert check(stored, cwd=tmp_path).code == 1
    assert check(stored, "--pepper", "GONE", cwd=tmp_path).code == 4


def test_where_the_hash_and_the_password_are_is_said_without_doubt(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    stored = CHEAP.hash(PASSWORD)
    assert authkit("password", "check", cwd=tmp_path, stdin=PASSWORD).code == 2
    assert authkit("password", "check", "--hash-from", "-", cwd=tmp_path, stdin=stored).code == 2
    words = ("password", "check", "--hash-from", "-", "--value-from", "password")
    assert authkit(*words, cwd=tmp_path, stdin=stored).code == 0
    assert authkit("password", "check", "--hash-env", "GONE", cwd=tmp_path, stdin=PASSWORD).code == 4


@pytest.mark.parametrize("command", ["hash", "check"])
def test_a_password_is_never_an_argument(command: str, tmp_path: Path) -> None:
    said = authkit("password", command, PASSWORD, cwd=tmp_path)
    assert said.code == 2
    assert PASSWORD not in said.all


@pytest.mark.parametrize(
    "stored", ["", "!", "x" * 60_000, "$argon2id$", "\x1b[31m", "plain"], ids=lambda text: ascii(text)[:12]
)
def test_a_hash_that_cannot_be_read_is_told_to_be_none(stored: str, tmp_path: Path) -> None:
    said = check(stored, cwd=tmp_path)
    assert said.code in (1, 2)
    assert "defect" not in said.err
