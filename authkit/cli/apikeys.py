"""`authkit apikeys`: which API keys there are, and new ones, shown once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ._ages import moment
from ._apikeys import keys_option, opened
from ._exits import NotFound, Refused, Wrong
from ._frame import Command, Lazy
from ._options import GRACE, Duration, json_option
from ._output import Output

if TYPE_CHECKING:
    from ..apikeys import ApiKey, NewKey

group = Lazy(
    "apikeys",
    "Make, list, rotate and revoke API keys.",
    {
        "new": ("apikeys:new", "Make a key for a subject, and print it once."),
        "list": ("apikeys:list_", "List the keys there are."),
        "rotate": ("apikeys:rotate", "Make a new key beside one that ends, and print it once."),
        "revoke": ("apikeys:revoke", "Refuse a key from now on, or all of a subject."),
    },
)

prefix_option = click.option(
    "--prefix", metavar="TEXT", help="The prefix of the service's keys. Default: ak, or the program's."
)
expires_option = click.option("--expires", type=Duration(), help="How long it is valid. Default: until it is revoked.")


@click.command(cls=Command)
@click.argument("subject")
@click.option("--name", default="", metavar="TEXT", help="To tell several keys of a subject apart.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="Once for each scope.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Once for each role.")
@expires_option
@prefix_option
@keys_option
@json_option
def new(
    subject: str,
    name: str,
    scopes: tuple[str, ...],
    roles: tuple[str, ...],
    expires: int | None,
    prefix: str | None,
    url: str | None,
    app: str | None,
    as_json: bool,
) -> None:
    """Make a key for a subject, and print it once.

    Only its hash is kept: who loses the key gets a new one. Whoever has it is let in, so keep it out of files and logs. A file
    of keys that is not there is made.
    """
    out = Output(as_json)
    with opened(url, app, prefix, make=True) as (place, keys):
        try:
            made = keys.new(subject, name=name, scopes=scopes, roles=roles, ttl=expires)
        except ValueError as error:  # its words name the field, never a value
            raise Wrong(str(error)) from None
    _show(out, place, made)


@click.command("list", cls=Command)
@click.option("--subject", metavar="SUBJECT", help="Only keys of this subject.")
@keys_option
@json_option
def list_(subject: str | None, url: str | None, app: str | None, as_json: bool) -> None:
    """List the keys there are.

    By id, which is no secret: it stands in the key, and in the log. A DynamoDB table is read whole, which wants dynamodb:Scan.
    No key and no hash is shown.
    """
    out = Output(as_json)
    with opened(url, app) as (place, keys), out.progress(f"asking {place}"):
        found = keys.list(subject)
    now = time.time()
    columns = ("id", "subject", "name", "state", "scopes", "roles", "expires", "last used")
    out.table(columns, [_row(key, now) for key in found])
    out.document({"place": place, "keys": [_document(key) for key in found]})


@click.command(cls=Command)
@click.argument("id")
@click.option("--grace", type=Duration(), default=GRACE, show_default=True, help="How long the old key is valid still.")
@expires_option
@keys_option
@json_option
def rotate(id: str, grace: int, expires: int | None, url: str | None, app: str | None, as_json: bool) -> None:
    """Make a new key beside one that ends, and print it once.

    It is for the same subject, name, scopes and roles, with the same prefix, and valid for as long as the old one was made for,
    unless --expires says otherwise.
    """
    from ..apikeys import UnknownKey

    out = Output(as_json)
    with opened(url, app) as (place, keys):
        try:
            made = keys.rotate(_id(id), grace=grace, ttl=expires)
        except UnknownKey:
            raise NotFound(_NONE) from None
        except ValueError as error:
            raise Refused(str(error)) from None
    _show(out, place, made)


@click.command(cls=Command)
@click.argument("id", required=False)
@click.option("--subject", metavar="SUBJECT", help="Instead of ID: all keys of this subject.")
@keys_option
@json_option
def revoke(id: str | None, subject: str | None, url: str | None, app: str | None, as_json: bool) -> None:
    """Refuse a key from now on, or all of a subject.

    For good, and everywhere within a second. It stays in the list.
    """
    from ..apikeys import UnknownKey

    if (id is None) == (subject is None):
        raise Wrong("say which keys end: ID or --subject")
    out = Output(as_json)
    with opened(url, app) as (place, keys):
        if subject is not None:
            with out.progress(f"asking {place}"):
                count = keys.revoke_subject(subject)
                unknown = count == 0 and not keys.list(subject)
            if unknown:  # a name that was mistyped: the keys that are meant are good still
                raise NotFound("that subject has no API keys: authkit apikeys list shows whose there are")
        else:
            try:
                keys.revoke(_id(str(id)))
            except UnknownKey:
                raise NotFound(_NONE) from None
            count = 1
    out.line(f"{count} revoked", "good")
    out.document({"place": place, "id": id, "subject": subject, "revoked": count})


_NONE = "there is no API key of that id: authkit apikeys list shows them"


def _id(typed: str) -> str:
    """Raises: `Wrong` for what may be a whole key, which is not repeated."""
    if "_" in typed:
        raise Wrong("ID is the id of a key, as authkit apikeys list shows it: never the key")
    return typed


def _show(out: Output, place: str, made: NewKey) -> None:
    if out.drawn:
        out.line(f"id {made.id}; the key is shown this once:", "faint")
    out.line(made.reveal())
    out.document({"place": place, "key": made.reveal(), **_document(made.record)})


def _row(key: ApiKey, now: float) -> tuple[str, ...]:
    over = key.expires is not None and key.expires <= now
    state = "disabled" if key.disabled else "expired" if over else "ok"
    names = " ".join(sorted(key.scopes)), " ".join(sorted(key.roles))
    return key.id, key.subject, key.name, state, *names, _moment(key.expires, now), _moment(key.last_used, now)


def _moment(epoch: float | None, now: float) -> str:
    return moment(epoch if epoch is not None and 0 <= epoch < 2**37 else None, now)


def _document(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "subject": key.subject,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "roles": sorted(key.roles),
        "created": key.created,
        "expires": key.expires,
        "last_used": key.last_used,
        "disabled": key.disabled,
    }
