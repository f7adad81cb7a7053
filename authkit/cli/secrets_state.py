"""`authkit secrets status | history`: where a rotation stands, and what was changed before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ._ages import moment
from ._frame import Command
from ._options import Duration, json_option, name_argument, names, source_option
from ._output import Output

if TYPE_CHECKING:
    from ..secrets.rotation import RotationTarget
    from ..secrets.rotation.engine import Rotation
    from ..secrets.rotation.outcome import Status

SHORT = 24  # characters of a cell; enough to tell one rotation's id from another's


@click.command(cls=Command)
@click.argument("name", required=False, shell_complete=names)
@source_option
@click.option("--max-age", type=Duration(), help="How old a current value may become, such as 90d.")
@json_option
def status(name: str | None, source: str, max_age: int | None, as_json: bool) -> None:
    """Say where each secret stands in its rotation.

    steady; grace: the previous value is still accepted; expired: it is kept, though its time is over; pending: a next value
    waits; interrupted: a rotation began and did not end, run it again.
    """
    from ._place import rotation_of

    out = Output(as_json)
    rotation, target = rotation_of(source)
    with out.progress(f"reading {source}"):
        found = [rotation.status(name, max_age=max_age)] if name is not None else _readable(rotation, target, max_age)
    now = time.time()
    columns = ("name", "state", "versions", "previous until", "current since", "due")
    out.table(columns, [_row(each, now) for each in found])
    out.document({"source": source, "secrets": [_document(each) for each in found]})


def _readable(rotation: Rotation, target: RotationTarget, max_age: int | None) -> list[Status]:
    """Every secret of the place that can be one: in a file of settings some values are empty. `doctor` tells of those."""
    from ..errors import ConfigurationError

    found = []
    for name in target.names():
        try:
            found.append(rotation.status(name, max_age=max_age))
        except ConfigurationError:
            continue
    return found


def _row(status: Status, now: float) -> tuple[str, ...]:
    until = moment(status.previous_until, now) if "previous" in status.versions else "-"
    due = "overdue" if status.overdue else moment(status.due, now)
    return status.name, status.state, ", ".join(status.versions), until, moment(status.since.get("current"), now), due


def _version(told: dict[str, Any]) -> dict[str, Any]:
    """One version of a secret at AWS, as a line of its history."""
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(told["created"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"at": at, "version": told["version"], "labels": ", ".join(told["labels"]) or "-"}


def _document(status: Status) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state,
        "versions": list(status.versions),
        "since": dict(status.since),
        "previous_until": status.previous_until,
        "due": status.due,
        "overdue": status.overdue,
    }


@click.command(cls=Command)
@name_argument
@source_option
@json_option
def history(name: str, source: str, as_json: bool) -> None:
    """Show who changed a secret, and when.

    The oldest change comes first. It is the journal: one line for each step, never with a value. Where it has none, the
    versions that AWS Secrets Manager keeps: it was changed from elsewhere.
    """
    from ._place import rotation_of

    out = Output(as_json)
    rotation, target = rotation_of(source)
    changes = rotation.history(name)
    fields: tuple[str, ...] = ("at", "user", "host", "action", "step", "rotation")
    kept = getattr(target, "history", None)
    if not changes and kept is not None:
        fields, changes = ("at", "version", "labels"), [_version(told) for told in reversed(kept())]
    out.table(fields, [tuple(str(change.get(field, "-"))[:SHORT] for field in fields) for change in changes])
    out.document({"name": name, "source": source, "changes": changes})
