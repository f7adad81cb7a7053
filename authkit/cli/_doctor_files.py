"""Who else has the files that secrets are in: other users of the machine, or git."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

from ._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

GIT_SECONDS = 10
_EMPTY = (".lock", ".history.jsonl", ".example", ".sample", ".template", ".dist")  # files beside a .env that hold no value


def files(source: str) -> Iterator[Finding]:
    """What is wrong with the files of that source; nothing for one that has none."""
    kind, _, path = source.partition(":")
    if kind == "dotenv":
        yield from _dotenv(path or ".env")
    elif kind == "files" and os.path.isdir(path):
        for entry in sorted(os.listdir(path)):
            if not entry.startswith("."):  # what a mount keeps for itself
                yield from _mode(os.path.join(path, entry), readable="note")  # Docker and Kubernetes mount them so


def _dotenv(path: str) -> Iterator[Finding]:
    if not os.path.lexists(path):
        yield Finding(
            "error",
            "no_file",
            path,
            "there is no such file",
            f"name another, or: authkit secrets set NAME --source dotenv:{path}",
        )
        return
    for one in (path, *_beside(path)):
        yield from _mode(one)
        yield from _git(one)
    if os.path.islink(path):
        yield Finding("warning", "symlink", path, "the file is a symbolic link, which a rotation refuses to replace",
                      f"name the file itself: {os.path.realpath(path)}")  # fmt: skip
    if os.path.lexists(f"{path}.bak"):
        yield Finding("warning", "backup_kept", f"{path}.bak", "a copy of the file is kept, with the values of then",
                      f"rm {path}.bak")  # fmt: skip
    yield from _overridden(path)


def _beside(path: str) -> list[str]:
    """The files beside `path` that hold values: those that a service reads, for whatever stage, and a copy that was kept."""
    directory, name = os.path.split(path)
    found = [entry for entry in os.listdir(directory or ".") if entry.startswith(f"{name}.") and not entry.endswith(_EMPTY)]
    return [os.path.join(directory, entry) for entry in sorted(found)]


def _mode(path: str, *, readable: str | None = None) -> Iterator[Finding]:
    if os.name != "posix":
        return
    try:
        status = os.stat(path)
    except OSError as error:
        yield Finding("error", "unreadable", path, f"the file cannot be looked at ({type(error).__name__})", f"ls -l {path}")
        return
    if not stat.S_ISREG(status.st_mode):
        return
    if status.st_mode & 0o022:
        yield Finding("error", "writable", path, "others can write the file, and with it the secrets", f"chmod 600 {path}")
    elif status.st_mode & 0o004:
        severity = readable or _grave()
        yield Finding(severity, "readable", path, "every user of this machine can read the file", f"chmod 600 {path}")
    if status.st_uid not in (os.geteuid(), 0):
        yield Finding("error", "foreign_owner", path, "the file belongs to another user", f"chown it to {os.geteuid()}")
    directory = os.path.dirname(os.path.abspath(path))
    mode = os.stat(directory).st_mode
    if mode & 0o002 and not mode & stat.S_ISVTX:
        yield Finding("error", "open_directory", directory, "every user can replace the files in it", f"chmod o-w {directory}")


def _grave() -> str:
    """What a file that others can read is: where `AUTHKIT_ENV` says production or nothing, a service refuses to read it."""
    return "warning" if os.environ.get("AUTHKIT_ENV") in ("development", "test") else "error"


def _git(path: str) -> Iterator[Finding]:
    name = os.path.basename(path)
    mend = f"git rm --cached {name}, put it into .gitignore, and rotate every secret in it: the history keeps them"
    tracked = _asked(path, "ls-files", "--error-unmatch", "--", name)
    if tracked == 0:
        yield Finding("error", "tracked_by_git", path, "git has the file, and so has everybody with a clone", mend)
    elif tracked == 1 and _asked(path, "check-ignore", "--quiet", "--", name) == 1:
        yield Finding("warning", "not_ignored_by_git", path, "the next git add takes the file in", "echo '.env*' >> .gitignore")


def _asked(path: str, *question: str) -> int | None:
    """git's answer as its exit code; None where there is no git. It is told to start nothing that the repository names."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", os.path.dirname(path) or ".", *question]
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode


def _overridden(path: str) -> Iterator[Finding]:
    from ..errors import AuthkitError
    from ..secrets.rotation.dotenv_file import DotenvTarget

    if not os.path.exists(f"{path}.local"):
        return
    try:
        both = sorted(set(DotenvTarget(path).names()) & set(DotenvTarget(f"{path}.local").names()))
    except AuthkitError as error:
        yield Finding("error", "refused", f"{path}.local", str(error), "mend what the message names")
        return
    for name in both:
        yield Finding("warning", "overridden", name, f"{path}.local has it too, and wins: a rotation in {path} changes nothing",
                      f"take it out of one, or use --source dotenv:{path}.local")  # fmt: skip
