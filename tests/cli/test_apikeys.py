"""`authkit apikeys`: a key to stdout once, and which there are."""

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit import InvalidToken
from authkit.apikeys import ApiKeys, SqliteKeys
from tests.cli.command import at_a_terminal, authkit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Said


def apikeys(*words: str, cwd: Path, **more: Any) -> Said:
    return authkit("apikeys", *words, cwd=cwd, **{"AUTHKIT_APIKEYS": "sqlite:///keys.db", **more})


def verdict(place: Path, key: str, prefix: str = "ak") -> str:
    """What the service says, which has seen nothing yet."""
    table = SqliteKeys(place / "keys.db")
    try:
        return ApiKeys(table, prefix=prefix).verify(key).subject
    except InvalidToken as error:
        return error.reason
    finally:
        table.close()


def test_a_new_key_is_all_that_is_printed_and_opens_the_service(tmp_path: Path) -> None:
    said = apikeys("new", "robot", cwd=tmp_path)
    key = said.out.strip()
    assert said == (0, key + "\n", "")
    assert verdict(tmp_path, key) == "robot"
    assert stat.S_IMODE((tmp_path / "keys.db").stat().st_mode) == 0o600


def test_a_new_key_has_what_it_was_given(tmp_path: Path) -> None:
    before = time.time()
    said = apikeys(
        *("new", "robot", "--name", "nightly", "--scope", "b", "--scope", "a", "--role", "clerk", "--expires", "90d"),
        *("--prefix", "acme_live", "--json"),
        cwd=tmp_path,
    )
    document = said.json
    key = document.pop("key")
    assert key.startswith("acme_live_" + document.pop("id"))
    created, expires = document.pop("created"), document.pop("expires")
    assert before <= created <= time.time()
    assert expires - created == pytest.approx(90 * 86_400)
    assert document == {
        "place": "sqlite:///keys.db", "subject": "robot", "name": "nightly", "scopes": ["a", "b"], "roles": ["clerk"],
        "last_used": None, "disabled": False,
    }  # fmt: skip
    assert verdict(tmp_path, key, "acme_live") == "robot"


def test_the_list_shows_no_key_and_no_hash(tmp_path: Path) -> None:
    keys = [apikeys("new", subject, "--name", "n", cwd=tmp_path).out.strip() for subject in ("alice", "alice", "bob")]
    verdict(tmp_path, keys[2])
    whole, plain = apikeys("list", "--json", cwd=tmp_path), apikeys("list", cwd=tmp_path)
    assert {entry["id"] for entry in whole.json["keys"]} == {key[3:15] for key in keys}
    assert [
        entry["last_used"] is not None for entry in apikeys("list", "--subject", "bob", "--json", cwd=tmp_path).json["keys"]
    ] == [True]
    table = SqliteKeys(tmp_path / "keys.db")
    digests = [key.digest for key in table.list()]
    table.close()
    for text in (whole.all, plain.all):
        assert not [secret for secret in [key[15:45] for key in keys] + digests if secret in text]
    assert plain.out.splitlines()[0].split() == ["ID", "SUBJECT", "NAME", "STATE", "SCOPES", "ROLES", "EXPIRES", "LAST", "USED"]
    assert [line.split()[1:4] for line in plain.out.splitlines()[1:]].count(["alice", "n", "ok"]) == 2


def test_a_revoked_key_is_refused_and_stays_in_the_list(tmp_path: Path) -> None:
    key, other = (apikeys("new", "alice", cwd=tmp_path).out.strip() for _ in range(2))
    said = apikeys("revoke", key[3:15], "--json", cwd=tmp_path)
    assert (said.code, said.json["revoked"]) == (0, 1)
    assert (verdict(tmp_path, key), verdict(tmp_path, other)) == ("api_key_disabled", "alice")
    states = {line.split()[0]: line.split()[2] for line in apikeys("list", cwd=tmp_path).out.splitlines()[1:]}
    assert states == {key[3:15]: "disabled", other[3:15]: "ok"}
    assert apikeys("revoke", "--subject", "alice", "--json", cwd=tmp_path).json["revoked"] == 1
    assert verdict(tmp_path, other) == "api_key_disabled"


def test_a_successor_opens_what_the_key_before_it_did(tmp_path: Path) -> None:
    old = apikeys("new", "alice", "--prefix", "acme", cwd=tmp_path).out.strip()
    new = apikeys("rotate", old[5:17], cwd=tmp_path).out.strip()
    assert verdict(tmp_path, new, "acme") == "alice"


def test_a_mistyped_subject_is_no_success(tmp_path: Path) -> None:
    key = apikeys("new", "alice", cwd=tmp_path).out.strip()
    said = apikeys("revoke", "--subject", "alcie", cwd=tmp_path)
    assert (said.code, said.out, verdict(tmp_path, key)) == (4, "", "alice")
    for revoked in (1, 0):  # again: there are keys, and they are refused already
        assert apikeys("revoke", "--subject", "alice", "--json", cwd=tmp_path).json["revoked"] == revoked


def test_a_rotated_key_is_good_beside_its_successor_for_the_grace(tmp_path: Path) -> None:
    old = apikeys("new", "alice", "--scope", "a", cwd=tmp_path).out.strip()
    new = apikeys("rotate", old[3:15], cwd=tmp_path).out.strip()
    assert (verdict(tmp_path, old), verdict(tmp_path, new)) == ("alice", "alice")
    last = apikeys("rotate", new[3:15], "--grace", "0s", cwd=tmp_path).out.strip()
    assert (verdict(tmp_path, new), verdict(tmp_path, last)) == ("api_key_expired", "alice")
    assert apikeys("rotate", new[3:15], cwd=tmp_path).code == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("revoke AAAAAAAAAAAA", 4, "no API key"), ("rotate AAAAAAAAAAAA", 4, "no API key"), ("revoke", 2, "--subject"),
        ("revoke AAAAAAAAAAAA --subject alice", 2, "--subject"), ("new alice --expires soon", 2, "--expires"),
        ("new alice --expires 0s", 2, "ttl"), ("new alice --prefix A-B", 2, "prefix"),
        ("new alice --keys memory:", 2, "memory"),
        ("new alice --keys mysql://hunter2", 2, "sqlite:///"), ("list --keys sqlite:///typo.db", 4, "apikeys new"),
        ("revoke ak_AAAAhunter2", 2, "never the key"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, words: str, code: int, said: str) -> None:
    apikeys("new", "bob", cwd=tmp_path)
    found = apikeys(*words.split(), cwd=tmp_path)
    assert (found.code, found.out, found.err.count("\n")) == (code, "", 1)
    assert said in found.err
    assert "hunter2" not in found.err
    assert not (tmp_path / "typo.db").exists()


def test_where_no_keys_are_named_it_says_how(tmp_path: Path) -> None:
    found = apikeys("list", cwd=tmp_path, AUTHKIT_APIKEYS=None)
    assert (found.code, "--keys" in found.err, "AUTHKIT_APIKEYS" in found.err) == (2, True, True)


def test_at_a_terminal_it_says_that_the_key_is_shown_once(tmp_path: Path) -> None:
    said = at_a_terminal("apikeys", "new", "robot", cwd=tmp_path, AUTHKIT_APIKEYS="sqlite:///keys.db")
    assert said.code == 0
    assert "once" in said.out
    [key] = [word for word in said.out.split() if word.startswith("ak_")]
    assert verdict(tmp_path, key) == "robot"


PROGRAM = """
from authkit import chain, require_api_key, require_auth
from authkit.apikeys import ApiKeys, MemoryKeys, SqliteKeys
from authkit.testing import TokenMint

table = SqliteKeys("own.db")
keys = ApiKeys(table, prefix="acme")
guard = chain(require_api_key(keys, header="X-Acme-Key"))
either = require_auth(TokenMint().tokens, keys.at("x-acme-key"))
forgets = require_api_key(ApiKeys(MemoryKeys()))

@guard
def handler(request):
    return None
"""


@pytest.mark.parametrize("name", ["program:keys", "program:guard", "program:handler", "program:either"])
def test_a_program_says_its_own_keys(tmp_path: Path, name: str) -> None:
    """Its table, and its prefix: named by its `ApiKeys`, or by what is guarded with them."""
    (tmp_path / "program.py").write_text(PROGRAM)
    ours: dict[str, Any] = {"cwd": tmp_path, "AUTHKIT_APIKEYS": None}
    key = apikeys("new", "robot", "--app", name, **ours).out.strip()
    assert key.startswith("acme_")
    listed = apikeys("list", "--app", name, "--json", **ours).json
    assert (listed["place"], [one["subject"] for one in listed["keys"]]) == (name, ["robot"])
    rotated = apikeys("rotate", listed["keys"][0]["id"], "--app", name, **ours).out.strip()
    with_own = ApiKeys(SqliteKeys(tmp_path / "own.db"), prefix="acme")
    assert {with_own.verify(one).subject for one in (key, rotated)} == {"robot"}
    assert apikeys("revoke", "--subject", "robot", "--app", name, "--json", **ours).json["revoked"] == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--app", "program"), 2, "several ApiKeys"), (("--app", "program:forgets"), 2, "in memory"),
        (("--app", "program:table"), 4, "no ApiKeys"), (("--app", "program:nothing"), 4, "nothing of the name"),
        (("--app", "program:keys", "--keys", "sqlite:///keys.db"), 2, "without --app"),
    ],
)  # fmt: skip
def test_a_program_that_does_not_say_which_is_told(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    found = apikeys("list", *words, cwd=tmp_path, AUTHKIT_APIKEYS=None)
    assert (found.code, found.out) == (code, "")
    assert said in found.err
