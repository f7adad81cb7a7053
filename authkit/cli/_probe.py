"""The test of a new value before it becomes current: our own judgement, and the user's own command."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click

from ..secrets.versions import as_bytes
from ._exits import Wrong
from ._judge import fit

if TYPE_CHECKING:
    from ..secrets.versions import Sealed

VALUE = "AUTHKIT_NEW_VALUE"  # the variable that a test finds the value in, whatever the secret is called
LAST_LINES = 10
MASK = b"********"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Variables that say what a shell, a loader or an interpreter runs, or where a program looks for its files.
_STEERING = re.compile(
    r"(LD|DYLD|BASH|PYTHON|PERL|RUBY|NODE|JAVA|JDK|MALLOC|GCONV|GLIBC|LC|XDG)_.*|(PYTHON|PERL|RUBY|BASH|CLASSPATH).*|_JAVA_.*"
    r"|GIT_(SSH|EXEC|CONFIG|DIR|WORK|ASKPASS|EDITOR|PAGER|PROXY|EXTERNAL|TEMPLATE).*|SSL_CERT_.*|(HTTPS?|ALL|NO|FTP)_PROXY"
    r"|PATH|HOME|SHELL|ENV|IFS|CDPATH|PS[0-9]|PROMPT_COMMAND|SHELLOPTS|TERM|TERMINFO|LANG|LANGUAGE|TZ|TMPDIR|TMP|TEMP|USER"
    r"|LOGNAME|PWD|OLDPWD|EDITOR|VISUAL|PAGER|BROWSER|DISPLAY|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|NLSPATH|SYSTEMROOT|COMSPEC"
    r"|PATHEXT|WINDIR",
    re.IGNORECASE,
)


class Check:
    """Our own judgement: not a sample, strong enough, and a key that verifies what it signs if it is a key.

    `given`: somebody chose the value, and a weak one is only warned of: it may be a PIN that a vendor sets.
    """

    def __init__(self, kind: str | None, *, given: bool = False) -> None:
        self.kind = kind
        self.given = given
        self.why = ""

    def __call__(self, pending: Sealed) -> bool:
        self.why = fit(pending, self.kind, weak_too=not self.given) or ""
        weak = fit(pending, self.kind) if self.given and not self.why else None
        if weak is not None:
            click.echo(f"authkit: warning: {weak}", err=True)
        return not self.why


class CommandTest:
    """A command that exits with 0 if the value works. It is started without a shell and without stdin.

    The value is in its environment as AUTHKIT_NEW_VALUE, and under the secret's name too where that can be a variable's and
    steers nothing (PATH, LD_PRELOAD); nowhere else. When the command has ended, was given up, or authkit ends, so does whatever
    it has started, unless that has left the process group. Of a test that fails the last lines are kept, without the value.
    `check`: what is judged first. Raises: `Wrong` for a command that cannot be split.
    """

    def __init__(self, command: str, name: str, seconds: float, check: Check | None = None) -> None:
        self.names = {VALUE, name} if _PLAIN.fullmatch(name) and not _STEERING.fullmatch(name) else {VALUE}
        self.seconds = seconds
        self.check = check
        self.why = ""
        self.said: list[str] = []
        try:
            self.words = shlex.split(command)
        except ValueError:
            self.words = []
        if not self.words:
            raise Wrong("--test is one command: the program and its arguments, quoted as a shell wants them")

    def __call__(self, pending: Sealed) -> bool:
        from ._process import ended

        if self.check is not None and not self.check(pending):
            self.why = self.check.why
            return False
        raw = as_bytes(pending())
        if raw is None or b"\0" in raw:
            self.why = "the value cannot stand in an environment variable"
            return False
        del raw
        masked = _forms(pending)
        longest = max(len(form()) for form in masked)
        try:
            code, output, cut = ended(self.words, self.names, pending, self.seconds, longest)
        except OSError as error:
            self.why = f"the test cannot be started ({type(error).__name__})"
            return False
        if code is None:
            self.why = f"the test was not done after {self.seconds:g} s"
        elif code:
            self.why = f"the test exited with {code}"
        if self.why:
            self.said = _without(output, masked, longest if cut else 0)
        return not self.why


def _forms(value: Sealed) -> list[Sealed]:
    """The value, the value as Python shows it, and each line of it that is long enough to say something."""
    from ..secrets.versions import sealed

    raw = as_bytes(value()) or b""
    parts = (
        raw,
        repr(value()).encode("utf-8", "surrogateescape")[1:-1],
        *(line for line in raw.splitlines() if len(line) >= 8),
    )
    return [sealed(part) for part in parts]


def _without(output: bytes, masked: list[Sealed], partial: int) -> list[str]:
    """The last lines, masked. `partial`: so many bytes at the beginning may be the rest of a value that was cut in two."""
    for form in masked:
        output = output.replace(form(), MASK)  # type: ignore[arg-type]  # bytes, every one
    return output[partial:].decode("utf-8", "replace").splitlines()[-LAST_LINES:]
