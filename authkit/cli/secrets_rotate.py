"""`authkit secrets rotate`: a secret replaced while it is in use."""

from __future__ import annotations

from typing import Any

import click

from ._frame import Command
from ._options import (
    GRACE,
    KINDS,
    Duration,
    OneOf,
    Whole,
    force_option,
    json_option,
    name_argument,
    source_option,
    value_option,
)
from ._output import Output

ENCODINGS = ("base64url", "base64", "hex")


@click.command(cls=Command)
@name_argument
@source_option
@click.option("--kind", type=OneOf(KINDS), help="What to generate. Default: what the current value is.")
@click.option("--length", type=Whole(1, 65_536), help="Bytes; of a password characters, of a key pair bits.")
@click.option("--alphabet", help="The characters of a password.")
@click.option("--encoding", type=OneOf(ENCODINGS), help="How an hmac secret is written.")
@value_option
@click.option("--grace", type=Duration(), default=GRACE, show_default=True, help="How long the old value stays valid.")
@click.option("--test", metavar="COMMAND", help="Promote only if COMMAND, with $AUTHKIT_NEW_VALUE, exits with 0.")
@click.option("--test-limit", type=Duration(), default="60s", show_default=True, help="How long COMMAND may take.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.option("--discard", is_flag=True, help="Drop a pending value and make another, instead of taking it.")
@click.option("--take-pending", is_flag=True, help="Promote a value that somebody else has staged.")
@click.option("--backup", is_flag=True, help="Keep a copy of the file as it was.")
@click.option("--reveal", is_flag=True, help="Print the new value once it is current.")
@force_option
@json_option
def rotate(as_json: bool, **wanted: Any) -> int:
    """Replace a secret while it is in use.

    The new value is written as pending, tested, and made current; the old one is accepted until the grace is over. Killed at
    any point and run again, it ends in the same place. The new value is judged by authkit, and by --test. Ended by a
    signal it takes back what it staged.
    """
    from ._rotation import Wanted, carry_out

    code = carry_out(Output(as_json), Wanted(**wanted))
    if code == 0 and not wanted["dry_run"] and wanted["source"].startswith("dotenv:"):
        _warn_if_hidden(wanted["source"], wanted["name"])
    return code


def _warn_if_hidden(source: str, name: str) -> None:
    """Say so if a service that reads these files gets another value: `.env.local` has the name too, and wins."""
    import warnings

    from ..errors import AuthkitError
    from ..secrets.versions import SecretVersions, sealed
    from ._place import source_of, target_of
    from ._values import same

    try:
        read, kept = source_of(source).fetch(name), target_of(source).read(name)
    except AuthkitError:
        return
    if not isinstance(read, SecretVersions) or not same(sealed(read.current), sealed(kept.current)):
        warnings.warn(
            f"{source.partition(':')[2]}.local has {name} too, and wins: a service there does not see this change", stacklevel=2
        )
