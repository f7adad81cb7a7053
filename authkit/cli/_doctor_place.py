"""What is wrong with the secrets of a place: their values, and where they stand in their rotation."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING

from ..errors import AuthkitError, Unavailable
from ._ages import moment, span
from ._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ..secrets.rotation import RotationTarget
    from ..secrets.rotation.engine import Rotation
    from ..secrets.rotation.outcome import Status


def place(source: str, max_age: int, now: float, ignored: Collection[str] = ()) -> list[Finding]:
    """The findings on every secret of that place but those `ignored`. `max_age` in seconds, `now` in epoch seconds."""
    from ._place import rotation_of

    try:
        rotation, target = rotation_of(source)
        names = [name for name in target.names() if name not in ignored]
    except AuthkitError as error:
        return [_failed(source, error)]
    found = [finding for name in names for finding in _secret(rotation, target, name, max_age, now)]
    return [finding._replace(mend=_at(finding.mend, source)) for finding in found]


def _secret(rotation: Rotation, target: RotationTarget, name: str, max_age: int, now: float) -> Iterator[Finding]:
    from ._judge import judged
    from ._place import looks_secret

    try:
        versions = target.read(name)
        status = rotation.status(name, max_age=max_age)
    except AuthkitError as error:
        if looks_secret(name) or isinstance(error, Unavailable):  # `DEBUG=` is a setting that is off
            yield _failed(name, error)
        return
    if looks_secret(name) or status.state != "steady" or status.since:
        yield from judged(name, versions, now)
        yield from _standing(name, status, _interrupted(rotation, name), max_age, now)
        if status.due is None and _untouched(str(target)) > max_age:
            message = f"the file was not changed for {span(_untouched(str(target)))}: the value is older than {span(max_age)}"
            yield Finding("warning", "overdue", name, message, f"authkit secrets rotate {name}")


def _untouched(target: str) -> float:
    """Seconds since a file that holds all its secrets was last written; 0 for any other place."""
    import time

    kind, _, path = target.partition(":")
    try:
        return time.time() - os.stat(path).st_mtime if kind == "dotenv" else 0.0
    except OSError:
        return 0.0


def _interrupted(rotation: Rotation, name: str) -> str:
    """What began last: the command that takes it up again."""
    begun = [str(change.get("action")) for change in rotation.history(name) if change.get("step") == "begin"]
    return {"roll_back": "rollback", "create": "set"}.get(begun[-1], begun[-1]) if begun else "rotate"


def _standing(name: str, status: Status, begun: str, max_age: int, now: float) -> Iterator[Finding]:
    if status.state == "interrupted":
        yield Finding(
            "error",
            "interrupted",
            name,
            f"a {begun} began and did not end, unless one is at work now",
            f"authkit secrets {begun} {name}",
        )
    elif status.state == "pending":
        since = status.since.get("pending")
        waits = "" if since is None else f" for {span(now - since)}"
        yield Finding("warning", "pending_left", name, f"a pending value waits{waits}", f"authkit secrets rotate {name}")
    if status.overdue:
        message = f"the value is older than {span(max_age)}: it was due {moment(status.due, now)}"
        yield Finding("warning", "overdue", name, message, f"authkit secrets rotate {name}")


def _failed(subject: str, error: AuthkitError) -> Finding:
    if isinstance(error, Unavailable):
        return Finding("error", "unreachable", subject, str(error), "look at the network, the address and the credentials")
    return Finding("error", "refused", subject, str(error), "mend what the message names")


def _at(mend: str, source: str) -> str:
    if not mend.startswith("authkit ") or source == "dotenv:.env":
        return mend
    if source == "env":
        return "change it where the process is started: the environment is read here and never changed"
    return ", then: ".join(f"{command} --source {quote(source)}" for command in mend.split(", then: "))
