"""No value of a secret is in what any command prints, in any error, in its arguments, or in what it leaves behind."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from authkit.secrets import Dotenv
from authkit.secrets.rotation.generate import generate
from authkit.webhooks import sign
from tests.cli.command import COMMAND, at_a_terminal, authkit, environment

if TYPE_CHECKING:
    from tests.cli.command import Said

CURRENT = "cUr9-Qm4xW7bT2kZ8vN3pR6yL1sD5fGh"
PREVIOUS = "pRe9-Jm4xW7bT2kZ8vN3pR6yL1sD5fGw"
PENDING = "pEn9-Hm4xW7bT2kZ8vN3pR6yL1sD5fGu"
GIVEN = "gIv9-Bm4xW7bT2kZ8vN3pR6yL1sD5fGt"
WEAK = "wEaK-Jq7"
PEM = str(generate("ec")())
VALUES = (CURRENT, PREVIOUS, PENDING, GIVEN, WEAK, *PEM.splitlines()[1:-1])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    lines = [
        *(f"API_KEY={CURRENT}", f"API_KEY__PREVIOUS={PREVIOUS}", f"API_KEY__PREVIOUS_UNTIL={int(time.time()) + 9_000}"),
        *(
            f"API_KEY__PENDING={PENDING}",
            f"WEAK_KEY={WEAK}",
            f"RING='{PEM}'",
            "EMPTY_KEY=",
            f"TWICE_KEY__PREVIOUS_UNTIL={WEAK}",
        ),
        f"TWICE_KEY={CURRENT}",
    ]
    (tmp_path / ".env").write_text("\n".join(lines) + "\n")
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / "broken").write_text(f"A={CURRENT}\nA={PREVIOUS}\nB='{PENDING}\n")
    (tmp_path / "broken").chmod(0o600)
    (tmp_path / "given").write_text(GIVEN)
    (tmp_path / "sent").write_text(json.dumps({"headers": sign("github", CURRENT, b"{}"), "body": "{ }"}))
    (tmp_path / "older").write_text(json.dumps({"headers": sign("stripe", PREVIOUS, b"{}", timestamp=9), "body": "{}"}))
    (tmp_path / "bearer").write_text(json.dumps({"headers": {"Authorization": f"Bearer {GIVEN}"}, "method": "GET"}))
    return tmp_path


READING = [
    *("secrets list", "secrets get API_KEY", "secrets get API_KEY --version previous", "secrets get EMPTY_KEY"),
    *("secrets get TWICE_KEY", "secrets status", "secrets status TWICE_KEY", "secrets history API_KEY"),
    *("secrets verify API_KEY", "secrets verify WEAK_KEY", "secrets verify RING", "secrets verify RING --kind hmac"),
    *("secrets verify API_KEY --value-from given", "secrets verify API_KEY --kind rsa", "secrets verify WEAK_KEY --kind hmac"),
    *("secrets rotate API_KEY --dry-run", "secrets rotate API_KEY", "secrets rotate API_KEY --value-from given --force"),
    *("secrets rotate RING --test false", "secrets retire API_KEY", "secrets set API_KEY --value-from given"),
    *("keys list", "keys list API_KEY", "keys list WEAK_KEY", "keys jwks RING", "keys jwks API_KEY"),
    "keys new --kind ec --out k",
    *("doctor --source dotenv:.env", "doctor --source dotenv:broken", "doctor --source files:."),
    *("token verify --value-from given --key API_KEY --issuer i --audience a", "token inspect --value-from given"),
    *("token issue alice --key RING --issuer i --audience a", "token issue alice --key WEAK_KEY --issuer i --audience a"),
    *("password hash --value-from given --profile owasp", "password hash --value-from given --pepper API_KEY"),
    *("password check --hash-from given --value-from given", "password check --hash-from given --value-from given --pepper A"),
    *("secrets get A --source dotenv:broken", "secrets status B --source dotenv:broken"),
    *("explain sent --secret API_KEY", "explain sent --secret WEAK_KEY", "explain sent --secret-from given", "explain sent"),
    *("explain sent --scheme standard-webhooks --secret API_KEY", "explain sent --scheme discord --secret RING"),
    *("explain older --secret API_KEY", "explain older --secret WEAK_KEY --now 9", "explain given", "explain broken"),
    "explain bearer --key API_KEY --issuer i --audience a",
    *(
        "oidc verify --value-from given --issuer http://127.0.0.1:9 --audience a",
        "oidc verify --value-from given --provider auth0",
    ),
    "oidc keys http://127.0.0.1:9/jwks?key=" + GIVEN,
    *("webhook verify github sent --secret API_KEY", "webhook verify discord sent --secret RING"),
    *("webhook sign gitlab given --secret API_KEY", "webhook sign standard-webhooks given --secret API_KEY"),
    "webhook send github http://127.0.0.1:9/ given --secret WEAK_KEY",
    "secrets rotate B --source dotenv:broken",
]
ONE_EACH = list({tuple(line.split()[:2]): line for line in reversed(READING)}.values())
CHANGING = [
    *("secrets set NEW_KEY --value-from given", "secrets rotate NEW_KEY", "secrets rollback NEW_KEY", "secrets retire NEW_KEY"),
    *("secrets retire NEW_KEY --force", "secrets rotate API_KEY --force --grace 0s", "secrets rotate WEAK_KEY"),
    *("keys rotate RING --publish-only", "keys rotate RING", "secrets rotate RING --force --discard --value-from given"),
]  # fmt: skip


def shows(said: str | bytes) -> set[str]:
    """Which of the values are in it, whole or in half, as they are or as JSON writes them."""
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    return {value for value in VALUES for part in (value, value[: len(value) // 2], value[len(value) // 2 :]) if part in text}


def words(line: str) -> list[str]:
    return line.split()


def test_no_command_that_changes_nothing_shows_a_value(place: Path) -> None:
    def run(line: str) -> tuple[str, Said]:
        return line, authkit(*words(line), cwd=place)

    with ThreadPoolExecutor(2) as two:
        for line, said in two.map(run, READING):
            assert shows(said.all) == set(), line
            assert "Traceback" not in said.err, line
            assert said.err.count("\n") <= 1 or "test" in line, line
            assert said.code != 70, (line, said.err)


def test_no_command_shows_a_value_as_json_and_every_one_parses(place: Path) -> None:
    def run(line: str) -> tuple[str, Said]:
        return line, authkit(*words(line), "--json", cwd=place)

    with ThreadPoolExecutor(2) as two:
        for line, said in two.map(run, ONE_EACH):
            assert shows(said.all) == set(), line
            document = json.loads(said.out)
            assert ("error" in document) is (
                said.code != 0 and not {"findings", "dry_run", "valid", "accepted", "attempts"} & set(document)
            ), line


def test_no_command_that_changes_something_shows_a_value_or_leaves_one_behind(place: Path) -> None:
    for line in CHANGING:
        said = authkit(*words(line), cwd=place)
        now = {
            str(value)
            for name in ("API_KEY", "WEAK_KEY", "RING")
            for _, value in Dotenv(str(place / ".env")).fetch(name).named()
        }
        assert shows(said.all) == set(), line
        assert not [value for value in now if value in said.all], line
    for path in place.iterdir():
        if path.name not in (".env", "broken", "given", "bearer"):
            assert shows(path.read_bytes()) == set(), path.name


def test_no_value_is_shown_at_a_terminal(place: Path) -> None:
    for line in (
        "secrets get API_KEY",
        "secrets status",
        "doctor --source dotenv:.env",
        "keys list",
        "secrets rotate API_KEY --force",
    ):
        assert shows(at_a_terminal(*words(line), cwd=place).out) == set(), line
    said = at_a_terminal("secrets", "set", "NEW_KEY", cwd=place, typed=[GIVEN, GIVEN])
    assert (said.code, shows(said.out)) == (0, set())


def test_no_value_is_among_the_arguments_of_any_process(place: Path) -> None:
    """What every user of the machine can list. The test command looks, while the value is pending, at itself and its parent."""
    look = (
        "import os; own, parent = (open(f'/proc/{pid}/cmdline', 'rb').read() for pid in (os.getpid(), os.getppid()))\n"
        "value = os.environ['NEW_KEY'].encode(); assert value not in own + parent; assert b'authkit.cli' in parent"
    )
    authkit("secrets", "set", "NEW_KEY", "--value-from", "-", cwd=place, stdin=CURRENT)
    said = authkit(
        *("secrets", "rotate", "NEW_KEY", "--value-from", "-", "--test", shlex.join([sys.executable, "-c", look])),
        cwd=place,
        stdin=GIVEN,
        cold=True,
    )
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    "line", ["secrets get API_KEY", "secrets rotate API_KEY --force --take-pending", "doctor --source dotenv:.env"]
)
def test_a_failure_that_nobody_thought_of_shows_no_value(line: str, place: Path) -> None:
    """Every file is full, every pipe is closed: whatever breaks, the last words hold nothing."""
    command = ["sh", "-c", 'ulimit -f 0; ulimit -n 12; exec "$@" >/dev/full', "sh", *COMMAND, *words(line)]
    done = subprocess.run(command, cwd=place, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode in (5, 141)
    assert done.stderr.count(b"\n") == 1
    assert shows(done.stdout + done.stderr) == set()
    assert b"Traceback" not in done.stderr
    assert os.path.getsize(place / ".env") > 0
