"""`authkit token`: what it issues a service accepts, what it shows is said to be unverified, and why one is refused is told."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from authkit import Tokens
from authkit.secrets.rotation.generate import generate
from authkit.stores import open_store
from tests.cli.command import at_a_terminal, authkit

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = "https://api.example.com"
SECRET = str(generate()())
OTHER = str(generate()())


def tokens(**more):
    return Tokens(SECRET, **{"issuer": ISSUER, "audience": ISSUER, **more})


def refused(token: str, *words: str, cwd: Path, **env: str):
    """What `verify` says of a token that it refuses, which holds neither a key nor the token's signature."""
    said = authkit("token", "verify", "--json", *words, cwd=cwd, stdin=token, **env)
    assert said.code == 1, said.all
    for secret in (SECRET, OTHER, token.rpartition(".")[2]):
        assert not secret or secret not in said.all
    assert said.json["valid"] is False
    plain = authkit("token", "verify", *words, cwd=cwd, stdin=token, **env)
    assert plain.code == 1
    assert said.json["reason"] in plain.out
    assert said.json["likely"] in plain.out
    return said.json


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory whose `.env` has the settings of a service without a store."""
    lines = (f"AUTHKIT_JWT_SECRET={SECRET}", f"AUTHKIT_ISSUER={ISSUER}", f"AUTHKIT_AUDIENCE={ISSUER}", f"OTHER={OTHER}")
    (tmp_path / ".env").write_text("\n".join(lines) + "\n")
    (tmp_path / ".env").chmod(0o600)
    return tmp_path


def test_what_is_issued_is_what_a_service_issues(place: Path) -> None:
    words = ("alice", "--scope", "a:b", "--scope", "c", "--role", "admin", "--claim", "org=acme", "--claim", "n=[1]")
    said = authkit("token", "issue", *words, "--ttl", "2m", cwd=place)
    assert said.code == 0, said.err
    principal = tokens().verify(said.out.strip())
    assert (principal.subject, principal.scopes, principal.roles) == ("alice", {"a:b", "c"}, {"admin"})
    assert (principal.claims["org"], principal.claims["n"]) == ("acme", [1])
    assert 110 <= principal.claims["exp"] - time.time() <= 121
    assert said.err == ""
    found = authkit("token", "issue", "alice", "--json", cwd=place).json
    assert tokens().verify(found["token"]).claims["exp"] == pytest.approx(found["expires_at"], abs=2)


@pytest.mark.parametrize(
    "words",
    [
        ("alice", "--claim", "exp=1"),
        ("alice", "--claim", "org"),
        ("alice", "--claim", "a=1", "--claim", "a=2"),
        ("alice", "--scope", "two words"),
        ("alice", "--ttl", "900"),
        ("", "--role", "a"),
    ],
)
def test_what_no_verifier_would_accept_is_not_issued(words: tuple[str, ...], place: Path) -> None:
    said = authkit("token", "issue", *words, cwd=place)
    assert said.code == 2
    assert said.out == ""
    assert "defect" not in said.err


def test_the_key_may_be_a_secret_of_any_place(place: Path) -> None:
    said = authkit("token", "issue", "alice", "--key", "OTHER", "--issuer", "https://x", "--audience", "y", cwd=place)
    assert Tokens(OTHER, issuer="https://x", audience="y").verify(said.out.strip()).subject == "alice"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    said = authkit("token", "verify", cwd=tmp_path, stdin="a.b.c")
    assert (said.code, "AUTHKIT_JWT_SECRET" in said.err) == (2, True)
    said = authkit("token", "verify", cwd=tmp_path, stdin="a.b.c", AUTHKIT_JWT_SECRET=SECRET)
    assert (said.code, "AUTHKIT_ISSUER" in said.err) == (2, True)
    said = authkit("token", "verify", cwd=tmp_path, stdin="a.b.c", AUTHKIT_JWT_SECRET="short", AUTHKIT_ISSUER="i")
    assert (said.code, "AUTHKIT_JWT_SECRET" in said.err, "short\n" in said.err) == (2, True, False)


def test_inspect_shows_what_a_token_says_and_that_nothing_is_verified(place: Path) -> None:
    token = Tokens(OTHER, issuer="https://evil.example", audience="x").issue("mallory", roles=["admin"])
    said = authkit("token", "inspect", cwd=place, stdin=token)
    assert said.code == 0
    assert said.out.startswith("NOT VERIFIED")
    assert re.search(r'claims +sub +"mallory"', said.out)
    assert re.search(r"claims +exp +\d+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \(in 14m|15m", said.out)
    found = authkit("token", "inspect", "--json", cwd=place, stdin=token).json
    assert found["verified"] is False
    assert found["warning"].startswith("NOT VERIFIED")
    assert found["claims"]["roles"] == ["admin"]
    assert token.rpartition(".")[2] not in said.all + json.dumps(found)


def test_inspect_needs_no_settings_and_takes_the_token_from_a_file_or_a_variable(tmp_path: Path) -> None:
    token = tokens().issue("alice")
    (tmp_path / "token").write_text(token + "\n")
    for words, env in ((("--value-from", "token"), {}), (("--token-env", "TOKEN"), {"TOKEN": token})):
        said = authkit("token", "inspect", *words, cwd=tmp_path, **env)
        assert (said.code, '"alice"' in said.out) == (0, True)
    assert authkit("token", "inspect", "--value-from", "gone", cwd=tmp_path).code == 4
    assert authkit("token", "inspect", "--token-env", "GONE", cwd=tmp_path).code == 4
    assert authkit("token", "inspect", "--token-env", "T", "--value-from", "token", cwd=tmp_path, T=token).code == 2
    assert authkit("token", "inspect", cwd=tmp_path).code == 2, "nothing was given"


def test_a_token_is_asked_for_at_a_terminal_and_is_not_shown(place: Path) -> None:
    token = tokens().issue("alice")
    said = at_a_terminal("token", "verify", cwd=place, typed=[token])
    assert said.code == 0, said.out
    assert "alice" in said.out
    assert token not in said.out


def test_a_token_is_never_an_argument(place: Path) -> None:
    token = tokens().issue("alice")
    for command in ("inspect", "verify"):
        said = authkit("token", command, token, cwd=place)
        assert said.code == 2
        assert token not in said.all


@pytest.mark.parametrize("text", ["", "  \n", "a", "a.b", "a.b.c", "\x00", "\x1b[31m.x.y", "{}", "a.b.c.d.e", "x" * 60_000])
def test_what_is_no_token_is_told_to_be_none(text: str, place: Path) -> None:
    for command in ("inspect", "verify"):
        said = authkit("token", command, cwd=place, stdin=text)
        assert said.code in (1, 2)
        assert "\x1b" not in said.all
        assert "defect" not in said.all
        assert len(said.all) < 1_000


def test_a_claim_cannot_steer_the_terminal(place: Path) -> None:
    token = tokens().issue("\x1b[2J\x07alice")
    for command in ("inspect", "verify"):
        said = authkit("token", command, cwd=place, stdin=token)
        assert said.code == 0
        assert "\x1b" not in said.out


def test_verify_says_who_a_valid_token_is_for(place: Path) -> None:
    token = tokens().issue("alice", scopes=["b", "a"], roles=["admin"])
    said = authkit("token", "verify", cwd=place, stdin=token)
    assert said.code == 0, said.err
    assert re.search(r"subject +alice", said.out)
    found = authkit("token", "verify", "--json", cwd=place, stdin=token).json
    assert found["valid"] is True
    assert (found["subject"], found["scopes"], found["roles"]) == ("alice", ["a", "b"], ["admin"])
    assert found["revocation"] is False
    assert found["reason"] is None


def test_verify_says_which_check_refused_and_what_is_likely(place: Path) -> None:
    good = tokens().issue("alice")
    assert refused(tokens(issuer=ISSUER + "/").issue("a"), cwd=place)["check"] == "issuer"
    assert "slash" in refused(tokens(issuer=ISSUER + "/").issue("a"), cwd=place)["likely"]
    assert refused(good, "--audience", "another", cwd=place)["check"] == "audience"
    assert refused(good, cwd=place, AUTHKIT_JWT_SECRET=OTHER)["check"] == "key"
    assert refused(good[:-6] + "AAAAAA", cwd=place)["check"] == "signature"
    assert refused(tokens(clock=lambda: time.time() - 3_000).issue("a"), cwd=place)["check"] == "time"
    assert refused(tokens(clock=lambda: time.time() + 3_000).issue("a"), cwd=place)["check"] == "clock"
    assert refused("9f8c1d-refresh", cwd=place)["check"] == "form"


def test_with_a_store_a_revoked_token_is_told(place: Path) -> None:
    url = f"sqlite:///{place}/auth.db"
    store = open_store(url)
    store.adopt()
    service = tokens(store=store)
    kept, gone = service.issue("alice"), service.issue("alice")
    service.revoke(gone)
    store.close()
    said = authkit("token", "verify", "--json", "--store", url, cwd=place, stdin=kept)
    assert (said.code, said.json["revocation"]) == (0, True), said.all
    assert refused(gone, "--store", url, cwd=place)["reason"] == "token_revoked"
    assert refused(gone, cwd=place, AUTHKIT_STORE=url)["check"] == "revocation"
    issued = authkit("token", "issue", "bob", "--store", url, cwd=place).out.strip()
    assert authkit("token", "verify", "--store", url, cwd=place, stdin=issued).code == 0


def test_a_store_that_does_not_answer_is_no_verdict(place: Path) -> None:
    token = tokens().issue("alice")
    said = authkit("token", "verify", "--store", "redis://127.0.0.1:1", cwd=place, stdin=token)
    assert said.code == 5
    assert "valid" not in said.out
    assert authkit("token", "verify", "--store", f"sqlite:///{place}/gone.db", cwd=place, stdin=token).code == 4
