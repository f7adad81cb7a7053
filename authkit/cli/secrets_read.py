"""`authkit secrets list | get | verify`: what changes nothing."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from ._exits import Failed, NotFound
from ._frame import Command
from ._options import KINDS, OneOf, json_option, name_argument, source_option, value_option
from ._output import Output

if TYPE_CHECKING:
    from ..secrets.versions import Sealed, SecretVersions

MASK = "********"
VERSIONS = ("current", "previous", "pending")


@click.command("list", cls=Command)
@source_option
@json_option
def list_(source: str, as_json: bool) -> None:
    """List the names of the secrets of a place.

    Of the environment those whose name says that a secret is behind it.
    """
    from ._place import target_of

    out = Output(as_json)
    with out.progress(f"reading {source}"):
        names = target_of(source).names()
    for name in names:
        out.line(name)
    out.document({"source": source, "secrets": names})


@click.command(cls=Command)
@name_argument
@source_option
@click.option("--version", type=OneOf(VERSIONS), default="current", show_default=True, help="Which of its values.")
@click.option("--reveal", is_flag=True, help="Print the value itself.")
@json_option
def get(name: str, source: str, version: str, reveal: bool, as_json: bool) -> None:
    """Show one secret, masked unless --reveal.

    It is read as a service reads it. In JSON a value that is not text is value_base64.
    """
    out = Output(as_json)
    value = _version(name, source, version)
    document: dict[str, object] = {"name": name, "source": source, "version": version, "masked": not reveal, "value": None}
    if reveal:
        document |= revealed(value)
        if not as_json:
            put(value)
    else:
        out.line(MASK)
    out.document(document)


@click.command(cls=Command)
@name_argument
@source_option
@click.option("--kind", type=OneOf(KINDS), help="What the value has to be.")
@value_option
@json_option
def verify(name: str, source: str, kind: str | None, value_from: str | None, as_json: bool) -> int:
    """Judge a secret's values, or compare one with it.

    Says whether it is there, not a sample, strong enough, and a key that signs if it looks like one. With --value-from, which
    of its versions the value in FILE is.
    """
    from ._finding import plain, tell, worst
    from ._judge import judged
    from ._values import given

    out = Output(as_json)
    presented = None if value_from is None else given(value_from, name)
    versions = fetched(name, source)
    if presented is not None:
        matched = _matched(versions, presented)
        if matched is None:
            raise Failed(f"the value is none of the versions of {name}")
        out.line(f"the value is the {matched} one of {name}", "good")
        out.document({"name": name, "source": source, "matched": matched, "findings": []})
        return 0
    findings = judged(name, versions, time.time(), kind)
    tell(out, findings)
    if not findings:
        out.line(f"{name}: nothing found", "good")
    out.document({"name": name, "source": source, "matched": None, "findings": plain(findings)})
    return 1 if worst(findings) == "error" else 0


def fetched(name: str, source: str) -> SecretVersions:
    """The secret as a service would read it. Raises: as the source does."""
    from ..secrets import SecretVersions
    from ._place import source_of

    found = source_of(source).fetch(name)
    return found if isinstance(found, SecretVersions) else SecretVersions(found)


def revealed(value: Sealed) -> dict[str, str | None]:
    """The value as JSON has it."""
    from base64 import b64encode

    found = value()
    return {"value": found} if isinstance(found, str) else {"value": None, "value_base64": b64encode(found).decode()}


def put(value: Sealed) -> None:
    """Print the value as it is, text with a newline behind it."""
    found = value()
    sys.stdout.flush()
    sys.stdout.buffer.write(found if isinstance(found, bytes) else found.encode("utf-8", "surrogateescape") + b"\n")


def _version(name: str, source: str, version: str) -> Sealed:
    from ..secrets.versions import sealed

    found = {which: sealed(value) for which, value in fetched(name, source).named()}.get(version)
    if found is None:
        raise NotFound(f"{name} has no {version} value")
    return found


def _matched(versions: SecretVersions, presented: Sealed) -> str | None:
    """The name of the version that the value is. All are compared, in constant time, whichever it is."""
    from ..secrets.versions import sealed
    from ._values import same

    found = [which for which, value in versions.named() if same(sealed(value), presented)]
    return found[0] if found else None
