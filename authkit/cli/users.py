"""`authkit users`: who there is, who may log in, and whose sessions end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from ._ages import moment
from ._exits import Failed, NotFound, Refused, Wrong
from ._frame import Command, Lazy
from ._options import Whole, json_option, value_option
from ._output import Output
from ._users import Asked, app_option, every, named, opened, revoking_options, users_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..accounts import User
    from ._users import Place

group = Lazy(
    "users",
    "Add, list, disable and delete users, and end their sessions.",
    {
        "add": ("users:add", "Add a user, whose password is asked for."),
        "list": ("users:list_", "List the users there are."),
        "disable": ("users:disable", "Let a user log in no more, and end their sessions."),
        "enable": ("users:enable", "Let a user log in again."),
        "revoke": ("users:revoke", "End all sessions of a user, who may log in anew."),
        "delete": ("users:delete", "Delete a user, and end their sessions."),
    },
)

username_argument = click.argument("username")


@click.command(cls=Command)
@username_argument
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Once for each role.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="Once for each scope.")
@value_option
@app_option
@users_option
@json_option
def add(
    username: str,
    roles: tuple[str, ...],
    scopes: tuple[str, ...],
    value_from: str | None,
    app: str | None,
    users_url: str | None,
    as_json: bool,
) -> None:
    """Add a user, whose password is asked for.

    The password is asked for without echo, or read with --value-from; it is never an argument. It is hashed as --app does, or
    as a PasswordHasher() of defaults; a login moves it to what the service has. USERNAME is kept in its canonical form. A file
    that is not there is made.
    """
    from ..accounts import RegistrationRefused
    from ._values import given

    out = Output(as_json)
    with opened(Asked(app, users_url), make=True) as found:
        name = named(username)
        if found.users.find(name) is not None:
            raise Refused(_TAKEN)
        password = given(value_from, f"the password of {name}")
        try:
            with out.progress("hashing the password"):
                user = _registered(found, name, password, roles, scopes)
        except RegistrationRefused as error:
            if error.reason == "username_taken":
                raise Refused(_TAKEN) from None
            raise Failed(_REFUSED.get(error.reason, f"this user cannot be added: {error.reason}")) from None
        except ValueError as error:  # a role or a scope; its words say what, and no value
            raise Wrong(str(error)) from None
    out.line(f"{user.username} is added", "good")
    out.document({"place": found.shown, **_document(user)})


@click.command("list", cls=Command)
@click.option("--after", default="", metavar="NAME", help="Only users whose names come after this one.")
@click.option("--limit", type=Whole(1, 999_999_999), help="So many at most.")
@app_option
@users_option
@json_option
def list_(after: str, limit: int | None, app: str | None, users_url: str | None, as_json: bool) -> None:
    """List the users there are.

    By name, all of them or --limit. A DynamoDB table is read whole, which wants dynamodb:Scan. No hash is shown.
    """
    out = Output(as_json)
    with opened(Asked(app, users_url)) as found, out.progress(f"asking {found.shown}"):
        users = every(found.users, after, limit)
    now = time.time()
    columns = ("user", "subject", "state", "roles", "scopes", "second factor", "password set")
    out.table(columns, [_row(user, now) for user in users])
    out.document({"place": found.shown, "users": [_document(user) for user in users]})


@click.command(cls=Command)
@username_argument
@revoking_options
@json_option
def disable(username: str, as_json: bool, **asked: Any) -> None:
    """Let a user log in no more, and end their sessions.

    Access and refresh tokens are refused within a second, everywhere. If it fails on the way, the user is disabled first: ask
    again, and the sessions end.
    """
    _change(username, as_json, asked, lambda found: found.does.disable, "is disabled, and their sessions are over")


@click.command(cls=Command)
@username_argument
@app_option
@users_option
@json_option
def enable(username: str, as_json: bool, **asked: Any) -> None:
    """Let a user log in again.

    Sessions that were ended stay so.
    """
    _change(username, as_json, asked, lambda found: found.does.enable, "may log in again", revoking=False)


@click.command(cls=Command)
@username_argument
@click.option("--force", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@revoking_options
@json_option
def delete(username: str, force: bool, as_json: bool, **asked: Any) -> None:
    """Delete a user, and end their sessions.

    The name is free afterwards: whoever registers it next is another user, with the same subject unless the service gives
    another. Where that must not be, disable instead.
    """
    if not force:
        if not sys.stdin.isatty():
            raise Refused("a user would be deleted for good: --force does it")
        if not click.confirm(f"Delete {named(username)} for good?", err=True):
            raise Refused("nothing was deleted")
    _change(username, as_json, asked, lambda found: found.does.delete, "is deleted, and their sessions are over")


@click.command(cls=Command)
@click.argument("username", required=False)
@click.option("--subject", metavar="SUBJECT", help="Instead of USERNAME: of somebody who is deleted, say.")
@revoking_options
@json_option
def revoke(username: str | None, subject: str | None, as_json: bool, **asked: Any) -> None:
    """End all sessions of a user, who may log in anew.

    Every access and refresh token issued to them before now is refused, within a second, everywhere.
    """
    if (username is None) == (subject is None):
        raise Wrong("say whose sessions end: USERNAME or --subject")
    out = Output(as_json)
    with opened(Asked(**asked), revoking=True) as found:
        if username is not None:
            user = found.users.find(named(username))
            if user is None:
                raise NotFound("there is no user of that name; of one who is deleted, --subject ends the sessions")
            subject = str(user.subject)
        with out.progress("asking the store"):
            found.does.revoke_subject(subject)
    out.line(f"all sessions of the subject {subject} are over", "good")
    out.document({"place": found.shown, "subject": subject, "revoked": True})


_TAKEN = "there is a user of that name already, who stays as they are"
_REFUSED = {
    "password_not_acceptable": "this can be no password: it is too long, or has a character that is not seen",
    "password_too_short": "the password is too short",
    "password_breached": "the password is known from a breach: everybody tries it",
}


def _change(
    username: str,
    as_json: bool,
    asked: dict[str, Any],
    change: Callable[[Place], Callable[[str], User]],
    done: str,
    *,
    revoking: bool = True,
) -> None:
    from ..accounts import UnknownUser

    out = Output(as_json)
    with opened(Asked(**asked), revoking=revoking) as found:
        try:
            user = change(found)(named(username))
        except UnknownUser:
            raise NotFound("there is no user of that name") from None
    out.line(f"{user.username} {done}", "good")
    out.document({"place": found.shown, **_document(user)})


def _registered(found: Place, name: str, password: Any, roles: tuple[str, ...], scopes: tuple[str, ...]) -> User:
    text = password()
    if isinstance(text, bytes):
        raise Wrong("the password is not text")
    user: User = found.does.register(name, text, roles=roles, scopes=scopes)
    return user


def _row(user: User, now: float) -> tuple[str, ...]:
    state = "disabled" if user.disabled else "no password" if user.password_hash is None else "ok"
    factor = "no" if user.factors is None else "yes"
    changed = user.password_changed
    since = moment(changed if changed is not None and 0 <= changed < 2**37 else None, now)
    return user.username, user.subject, state, " ".join(sorted(user.roles)), " ".join(sorted(user.scopes)), factor, since


def _document(user: User) -> dict[str, Any]:
    return {
        "user": user.username,
        "subject": user.subject,
        "disabled": user.disabled,
        "roles": sorted(user.roles),
        "scopes": sorted(user.scopes),
        "has_password": user.password_hash is not None,
        "second_factor": user.factors is not None,
        "password_changed": user.password_changed,
    }
