"""The real command in a process of its own, and what it said: on pipes, or at a terminal."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cli import warm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMMAND = (sys.executable, "-m", "authkit.cli")
SECONDS = 60.0


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def all(self) -> str:
        return self.out + self.err


def environment(**more: str | None) -> dict[str, str]:
    """What the tests' own environment says, without what would change the command's mind."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("AUTHKIT_", "AWS_", "NO_COLOR", "_AUTHKIT"))
    }
    found = {**own, "AUTHKIT_ENV": "test", "TERM": "xterm", **more}
    return {name: value for name, value in found.items() if value is not None}


def authkit(*words: str, cwd: Path, stdin: str | bytes | None = None, cold: bool = False, **env: str | None) -> Said:
    """One run of the command. `stdin`: what is piped in; None: nothing is there. `cold`: by an interpreter of its own."""
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    if not cold:
        code, out, err = warm.run(list(words), str(cwd), environment(**env), raw)
        return Said(code, out.decode(), err.decode())
    process = start(*words, cwd=cwd, piped=stdin is not None, **env)
    try:
        out, err = process.communicate(raw, timeout=SECONDS)
    finally:
        process.kill()
    return Said(process.returncode, out.decode(), err.decode())


def start(*words: str, cwd: Path, piped: bool = False, **env: str | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def at_a_terminal(*words: str, cwd: Path, typed: Sequence[str | signal.Signals] = (), **env: str | None) -> Said:
    """One run with a terminal for all three streams; each of `typed` is given when the command has asked for it (": ")."""
    terminal, theirs = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=cwd,
        env=environment(COLUMNS="100", **env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, waiting, seen = b"", list(typed), 0
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                read = os.read(terminal, 65_536)
            except OSError:  # EIO: the other end is closed
                break
            if not read:
                break
            shown += read
            if waiting and shown[seen:].rstrip(b" ").endswith(b":"):
                seen = len(shown)
                _answer(process, terminal, waiting.pop(0))
        return Said(process.wait(max(0.1, end - time.monotonic())), shown.decode(), "")
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def _answer(process: subprocess.Popen[bytes], terminal: int, answer: str | signal.Signals) -> None:
    if isinstance(answer, signal.Signals):
        process.send_signal(answer)
    else:
        os.write(terminal, answer.encode() + b"\n")
