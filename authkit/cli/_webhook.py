"""What `authkit webhook` and `authkit explain` go by: the scheme, its secret and options, and what is captured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ._exits import Wrong
from ._options import source_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..secrets import SecretVersions
    from ..webhooks import Scheme

LOCAL = ("dotenv:", "env", "files:")  # sources whose other secrets are tried: nobody wants a call to AWS for each


class Keys(NamedTuple):
    """`secret`: None for a scheme that fetches its keys. `name`: what to call it. `others`: what else the source has."""

    secret: SecretVersions | None
    name: str
    others: Mapping[str, SecretVersions]

    def __repr__(self) -> str:
        return f"<Keys {self.name}>"


secret_from_option = click.option(
    "--secret-from", metavar="FILE", help="Read the secret from FILE instead, or from stdin if it is -."
)
option_option = click.option(
    "--option", "options", multiple=True, metavar="NAME=TEXT", help="What the scheme asks for beside the secret."
)
url_option = click.option("--url", "at", metavar="URL", help="As it is registered with the sender, where the scheme signs it.")
now_option = click.option("--now", "moment", metavar="TIME", help="Judge as of then: epoch seconds, or 2026-01-31T12:00:00Z.")


def secret_options(command: Callable[..., Any]) -> Callable[..., Any]:
    name = click.option("--secret", "name", metavar="NAME", help="The secret in SOURCE.")
    for option in reversed((name, source_option, secret_from_option, option_option)):
        command = option(command)
    return command


def scheme_of(name: str) -> Scheme:
    """The built-in scheme of that name. Raises: `Wrong`."""
    from ..webhooks import schemes

    found = schemes().get(name)
    if found is None:
        raise Wrong("there is no scheme of that name: authkit webhook schemes lists them")
    return found


def keys_of(scheme: Scheme | None, name: str | None, source: str, secret_from: str | None, *, others: bool = False) -> Keys:
    """The secret that is named, and, with `others`, what else its source has that sounds like one.

    Raises: `Wrong` where none or two are named, `SecretNotFound`, and as the source does.
    """
    if scheme is not None and scheme.keyless:
        if name is not None or secret_from is not None:
            raise Wrong(f"the scheme {scheme.name} takes no secret: its keys are fetched")
        return Keys(None, "the sender's key", {})
    if (name is None) is (secret_from is None):
        raise Wrong("name the secret: --secret NAME with its --source, or --secret-from FILE; one of the two")
    if secret_from is not None:
        from ..secrets import SecretVersions
        from ._values import told

        return Keys(SecretVersions(told(secret_from, None, "Secret")()), "given", {})
    from .secrets_read import fetched

    assert name is not None
    found = fetched(name, source)
    return Keys(found, name, _others(name, source) if others and source.startswith(LOCAL) else {})


def options_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`--option NAME=TEXT`, several of one name together. Raises: `Wrong`."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        if not mark or not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) or not text.strip():
            raise Wrong("--option is NAME=TEXT, such as webhook_id=WH-1")
        found.setdefault(name, []).append(text)
    return found


def moment_option(text: str | None) -> float | None:
    """What `--now` says, epoch seconds. Raises: `Wrong`."""
    if text is None:
        return None
    from ._capture import moment_of

    found = float(text) if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) else moment_of(text)
    if found is None:
        raise Wrong("--now is epoch seconds, or a date and time with its zone: 2026-01-31T12:00:00Z")
    return found


def body_of(path: str | None) -> bytes:
    """The bytes of a body, as they stand in a file or come from a pipe. Raises: `Wrong`, `NotFound`."""
    from ._capture import read

    return read(path)


def refuse_twice_stdin(path: str | None, secret_from: str | None) -> None:
    """Raises: `Wrong` where both are to come from stdin."""
    if path in (None, "-") and secret_from == "-":
        raise Wrong("the capture and the secret cannot both come from stdin: name a file for one of them")


def _others(name: str, source: str) -> dict[str, SecretVersions]:
    """The other secrets of a place on this machine; whatever cannot be read is left out."""
    from ..errors import AuthkitError
    from ._place import target_of
    from .secrets_read import fetched

    found: dict[str, SecretVersions] = {}
    try:
        names = target_of(source).names()
    except AuthkitError:
        return {}
    for other in names[:50]:
        if other != name and "__" not in other:
            try:
                found[other] = fetched(other, source)
            except (AuthkitError, OSError):
                continue
    return found
