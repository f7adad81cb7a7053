"""`authkit password hash | check`: what a table of users keeps, made or compared by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._exits import Failed, Wrong
from ._frame import Command, Lazy
from ._options import OneOf, json_option, source_option, value_option
from ._output import Output
from ._values import given, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..accounts import PasswordHasher
    from ..secrets.versions import Sealed

REFUSED = {
    "password_not_acceptable": "this can be no password: it is too long, or has characters that are not seen",
    "password_too_short": "a new password has at least 8 characters",
}

group = Lazy(
    "password",
    "Hash a password, or check one against a hash.",
    {
        "hash": ("password:hash_", "Print the hash of a password."),
        "check": ("password:check", "Say whether a password belongs to a hash."),
    },
)

PROFILES = ("rfc9106-low-memory", "rfc9106-high-memory", "owasp")  # those of accounts._argon2, which --help does not load
profile_option = click.option("--profile", type=OneOf(PROFILES), help="How much work it is. Default: the first of them.")
pepper_option = click.option("--pepper", metavar="NAME", help="The secret in SOURCE that the service passes as pepper.")


@click.command("hash", cls=Command)
@profile_option
@pepper_option
@source_option
@value_option
@json_option
def hash_(profile: str | None, pepper: str | None, source: str, value_from: str | None, as_json: bool) -> None:
    """Print the hash of a password.

    It is asked for twice, or read from --value-from. The hash goes into a table of users as it is.
    """
    out = Output(as_json)
    hasher = _hasher(profile, pepper, source)
    password = given(value_from, "the password")
    refused = _refused(hasher, password)
    if refused is not None:
        raise Wrong(REFUSED[refused])
    with out.progress("hashing"):
        hashed = hasher.hash(_text(password))
    out.line(hashed)
    out.document({"hash": hashed})


@click.command(cls=Command)
@click.option("--hash-from", metavar="FILE", help="Read the hash from FILE, or from stdin if it is -.")
@click.option("--hash-env", metavar="NAME", help="The environment variable that has the hash.")
@click.option(
    "--also", multiple=True, metavar="KIND", help="Read hashes of that kind too, such as bcrypt or django. Repeat it."
)
@click.option("--insecure-also", multiple=True, metavar="KIND", help="The same for weak kinds, such as django-md5.")
@click.option("--handbook-salt-env", metavar="NAME", help="Read the handbook's hashes; the variable that has their salt.")
@click.option("--username", metavar="NAME", help="As it was typed; the handbook's hashes need it.")
@profile_option
@pepper_option
@source_option
@value_option
@json_option
def check(
    hash_from: str | None,
    hash_env: str | None,
    also: tuple[str, ...],
    insecure_also: tuple[str, ...],
    handbook_salt_env: str | None,
    username: str | None,
    profile: str | None,
    pepper: str | None,
    source: str,
    value_from: str | None,
    as_json: bool,
) -> None:
    """Say whether a password belongs to a hash.

    The password is asked for, read from --value-from, or from a pipe; a hash is never an argument, because other users see
    those. Exits with 1 if it does not belong to it.
    """
    if (hash_from is None) is (hash_env is None):
        raise Wrong("say where the hash is: --hash-from FILE, or --hash-env NAME")
    if hash_from == "-" and value_from in (None, "-"):
        raise Wrong("stdin has the hash: give the password with --value-from FILE")
    out = Output(as_json)
    weak: list[Any] = list(insecure_also)
    if handbook_salt_env is not None:
        weak.append(_handbook(handbook_salt_env))
    hasher = _hasher(profile, pepper, source, also=also, insecure_also=weak)
    stored = told(hash_from, hash_env, "Hash")
    password = told(value_from, None, "Password")
    kind = hasher.kind(_text(stored).strip())
    if kind is None:
        raise Failed("this is no hash that is read here: --also and --insecure-also name the kinds that other systems made")
    with out.progress("hashing"):
        matches = _matches(hasher, password, stored, username)
    if not matches:
        raise Failed(f"the password does not belong to the hash ({kind})")
    anew = hasher.needs_rehash(_text(stored).strip())
    out.line(f"the password belongs to the hash ({kind})", "good")
    if anew:
        out.line("the hash is not as it would be made today: a login replaces it", "warn")
    out.document({"matches": True, "kind": kind, "needs_rehash": anew})


def _hasher(profile: str | None, pepper: str | None, source: str, **more: Any) -> PasswordHasher:
    from ..accounts import PasswordHasher

    if pepper is None:
        return PasswordHasher(profile=profile, **more)
    from ..secrets import Secrets
    from ._place import source_of

    return PasswordHasher(profile=profile, pepper=Secrets(source_of(source))[pepper], **more)


def _handbook(variable: str) -> Any:
    from ..accounts import HandbookSha256

    return HandbookSha256(_text(told(None, variable, "Salt")))


def _text(value: Sealed) -> str:
    """Bytes that are no text are none that somebody typed."""
    found: Callable[[], str | bytes] = value
    return str(found()) if isinstance(found(), str) else "\ud800"


def _refused(hasher: PasswordHasher, password: Sealed) -> str | None:
    from .._run import run

    return run(hasher.refusing(_text(password)))


def _matches(hasher: PasswordHasher, password: Sealed, stored: Sealed, username: str | None) -> bool:
    return hasher.verify(_text(password), _text(stored).strip(), username)
