"""`authkit secrets set | rollback | discard | retire`: the changes of one step."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from ._ages import moment
from ._exits import Refused
from ._frame import Command
from ._options import GRACE, Duration, force_option, json_option, name_argument, source_option, value_option
from ._output import Output

if TYPE_CHECKING:
    from ..secrets.rotation import RotationTarget


@click.command("set", cls=Command)
@name_argument
@source_option
@value_option
@force_option
@json_option
def set_(name: str, source: str, value_from: str | None, force: bool, as_json: bool) -> None:
    """Give a new secret its value.

    Asks for it without echo, or reads it with --value-from. A secret that has a value keeps it, unless --force: the old one is
    then dead at once, which rotate avoids.
    """
    from ._judge import fit
    from ._place import looks_secret, rotation_of
    from ._rotation import tell
    from ._values import given

    out = Output(as_json)
    rotation, target = rotation_of(source)
    if not force and _exists(target, name):
        raise Refused(f"{name} has a value: authkit secrets rotate {name} --value-from ... keeps it valid for a while")
    value = given(value_from, name)
    weak = fit(value, None) if looks_secret(name) else None
    if weak is not None:
        click.echo(f"authkit: warning: {weak}", err=True)
    tell(out, rotation.create(name, value), source)


@click.command(cls=Command)
@name_argument
@source_option
@click.option("--grace", type=Duration(), default=GRACE, show_default=True, help="How long the value given up stays valid.")
@click.option("--force", is_flag=True, help="Also right after a rollback: bring the newer value forward again.")
@json_option
def rollback(name: str, source: str, grace: int, force: bool, as_json: bool) -> None:
    """Bring the previous value back.

    What was current becomes previous, and is accepted until the grace is over. Asked twice it is done once, unless --force.
    """
    from ._place import rotation_of
    from ._rotation import tell

    out = Output(as_json)
    tell(out, rotation_of(source)[0].roll_back(name, grace=grace, force=force), source)


@click.command(cls=Command)
@name_argument
@source_option
@force_option
@json_option
def retire(name: str, source: str, force: bool, as_json: bool) -> None:
    """Drop the previous value.

    Asks first where there is a terminal and its grace still lasts, unless --force. Afterwards the place is read again: the
    value is proven to be gone.
    """
    from ._place import rotation_of
    from ._rotation import tell

    out = Output(as_json)
    rotation, target = rotation_of(source)
    now = time.time()
    until = target.read(name).previous_until
    if until is not None and until > now and not force and sys.stdin.isatty():
        question = f"The previous value of {name} is accepted until {moment(until, now)}. Drop it now?"
        if not click.confirm(question, err=True):
            raise Refused("nothing was dropped")
    tell(out, rotation.retire(name), source)


@click.command(cls=Command)
@name_argument
@source_option
@json_option
def discard(name: str, source: str, as_json: bool) -> None:
    """Drop the pending value.

    A rotation that was interrupted is given up. What is current and previous stays.
    """
    from ._place import rotation_of
    from ._rotation import tell

    out = Output(as_json)
    tell(out, rotation_of(source)[0].discard(name), source)


def _exists(target: RotationTarget, name: str) -> bool:
    from ..errors import SecretNotFound

    try:
        target.read(name)
    except SecretNotFound:
        return False
    return True
