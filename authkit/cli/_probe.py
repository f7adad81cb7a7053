"""The test of a new value before it becomes current: the user's own command, or our own judgement."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

from ..secrets.versions import as_bytes
from ._exits import Wrong
from ._judge import fit

if TYPE_CHECKING:
    from ..secrets.versions import Sealed

LAST_LINES = 10
MAX_OUTPUT = 65_536  # bytes
MASK = b"********"


class Check:
    """Our own judgement: not a sample, strong enough, and a key that verifies what it signs if it is a key."""

    def __init__(self, kind: str | None) -> None:
        self.kind = kind
        self.why = ""

    def __call__(self, pending: Sealed) -> bool:
        self.why = fit(pending, self.kind) or ""
        return not self.why


class CommandTest:
    """A command that exits with 0 if the value works. It is started without a shell and without stdin.

    The value is in its environment under the secret's name, and nowhere else. Of a test that fails the last lines are kept,
    without the value. Raises: `Wrong` for a command that cannot be split or a name that no variable can have.
    """

    def __init__(self, command: str, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.why = ""
        self.said: list[str] = []
        try:
            self.words = shlex.split(command)
        except ValueError:
            self.words = []
        if not self.words:
            raise Wrong("--test is one command: the program and its arguments, quoted as a shell wants them")
        if "=" in name or "\0" in name:
            raise Wrong(f"{name} cannot be the name of an environment variable, which --test wants")

    def __call__(self, pending: Sealed) -> bool:
        raw = as_bytes(pending())
        if raw is None or b"\0" in raw:
            self.why = "the value cannot stand in an environment variable"
            return False
        del raw
        try:
            process = _started(self.words, self.name, pending)
        except OSError as error:
            self.why = f"the test cannot be started ({type(error).__name__})"
            return False
        output = b""
        try:
            output = process.communicate(timeout=self.seconds)[0]
        except subprocess.TimeoutExpired:
            self.why = f"the test was not done after {self.seconds:g} s"
        finally:
            _end(process)
        if not self.why and process.returncode:
            self.why = f"the test exited with {process.returncode}"
        if self.why:
            self.said = _without(output, pending)
        return not self.why


def _started(words: list[str], name: str, value: Sealed) -> subprocess.Popen[bytes]:
    environment = {**os.environ, name: os.fsdecode(as_bytes(value()) or b"")}
    return subprocess.Popen(  # noqa: S603
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """The test and whatever it started, if it is still there."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except AttributeError:  # Windows has no groups
            process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _without(output: bytes, value: Sealed) -> list[str]:
    """The last lines, with the value and each line of it masked."""
    raw = as_bytes(value()) or b""
    for part in (raw, repr(value()).encode()[1:-1], *(line for line in raw.splitlines() if len(line) >= 8)):
        output = output.replace(part, MASK)
    return output[-MAX_OUTPUT:].decode("utf-8", "replace").splitlines()[-LAST_LINES:]
