"""`authkit keys list | rotate | jwks`: a secret whose versions are the keys of a ring."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..errors import AuthkitError, ConfigurationError
from ._ages import moment
from ._exits import NotFound
from ._frame import Command
from ._options import GRACE, TOKEN_KINDS, Duration, OneOf, Whole, force_option, json_option, name_argument, names, source_option
from ._output import Output

if TYPE_CHECKING:
    from ..secrets.versions import SecretVersions


class _Row(NamedTuple):
    name: str
    version: str
    kind: str
    alg: str
    kid: str
    until: float | None


@click.command("list", cls=Command)
@click.argument("name", required=False, shell_complete=names)
@source_option
@json_option
def list_(name: str | None, source: str, as_json: bool) -> None:
    """List the keys that the secrets of a place are.

    Without NAME: of every secret that is PEM or a JWK. With NAME an hmac secret counts as a key too.
    """
    from ._place import target_of

    out = Output(as_json)
    target = target_of(source)
    with out.progress(f"reading {source}"):
        found = [
            row for each in ([name] if name else target.names()) for row in _rows(each, target.read(each), strict=bool(name))
        ]
    if name and not found:
        raise NotFound(f"{name} holds no key")
    now = time.time()
    out.table(
        ("name", "version", "kind", "alg", "kid", "accepted until"), [(*row[:5], moment(row.until, now)) for row in found]
    )
    out.document({"source": source, "keys": [row._asdict() for row in found]})


@click.command(cls=Command)
@name_argument
@source_option
@json_option
def jwks(name: str, source: str, as_json: bool) -> None:
    """Print the public keys of a ring as a JWK Set.

    The pending key is in it, so that others know it before it signs. Always JSON (RFC 7517 section 5).
    """
    from ..tokens.followed import ring_of
    from .secrets_read import fetched

    found = ring_of(name, fetched(name, source), time.time())[0].jwks()
    if not found["keys"]:
        raise ConfigurationError(f"{name} is a secret and no key pair: it has no public half, and nobody else may have it")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


@click.command(cls=Command)
@name_argument
@source_option
@click.option("--kind", type=OneOf(TOKEN_KINDS), help="What to generate. Default: what the current key is.")
@click.option("--length", type=Whole(1, 65_536), help="Bits; of an hmac key bytes.")
@click.option("--grace", type=Duration(), default=GRACE, show_default=True, help="How long the old key still verifies.")
@click.option("--publish-only", is_flag=True, help="Only publish the new key; run again without it to sign with it.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.option("--discard", is_flag=True, help="Drop a pending key and make another, instead of taking it.")
@click.option("--take-pending", is_flag=True, help="Promote a key that somebody else has staged.")
@click.option("--backup", is_flag=True, help="Keep a copy of the file as it was.")
@force_option
@json_option
def rotate(as_json: bool, publish_only: bool, **options: Any) -> int:
    """Replace the signing key of a ring.

    The new key signs at once. Where others verify with a JWK Set that they keep for a while, run it with --publish-only first,
    and again without when they have read the set anew.
    """
    from ._rotation import Wanted, carry_out, publish

    fixed: dict[str, Any] = {
        "alphabet": None,
        "encoding": None,
        "value_from": None,
        "test": None,
        "test_limit": 0,
        "reveal": False,
    }
    wanted = Wanted(**options, **fixed)
    return publish(Output(as_json), wanted) if publish_only else carry_out(Output(as_json), wanted)


def _rows(name: str, versions: SecretVersions, *, strict: bool) -> list[_Row]:
    from ..secrets.versions import sealed
    from ._shape import KINDS, is_key, keys_of

    rows = []
    for version, material in [(version, sealed(value)) for version, value in versions.named()]:
        if not strict and not is_key(material):
            continue
        try:
            keys = keys_of(material)
        except AuthkitError as error:
            if strict:
                raise ConfigurationError(f"{name} ({version}): {error}") from None
            continue
        until = versions.previous_until if version == "previous" else None
        rows += [_Row(name, version, KINDS[key.algorithm.kty], key.alg, key.kid, until) for key in keys]
    return rows
