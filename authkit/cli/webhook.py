"""`authkit webhook sign | verify | schemes`: deliveries by hand. `send` is in its own file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ._exits import EXITS, Failed, Wrong
from ._frame import Command, Lazy
from ._options import json_option
from ._output import Output
from ._webhook import moment_option, now_option, refuse_twice_stdin, secret_options, url_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..webhooks import Scheme, SignedDelivery
    from ._webhook import Keys

group = Lazy(
    "webhook",
    "Sign, send and verify webhooks by hand, and list the schemes.",
    {
        "sign": ("webhook:sign", "Print the headers that a sender would send with a body."),
        "verify": ("webhook:verify", "Say whether a captured delivery is signed."),
        "send": ("webhook_send:send", "Sign a body, and POST it."),
        "schemes": ("webhook:schemes", "List the schemes that are built in."),
    },
)


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ..webhooks import schemes as all_of

    return [CompletionItem(name) for name in sorted(all_of()) if name.startswith(incomplete)]


scheme_argument = click.argument("scheme", shell_complete=_names)
id_option = click.option(
    "--id", "ident", metavar="TEXT", help="Of the delivery. Default: a random one, if the scheme signs it."
)


@click.command(cls=Command)
@scheme_argument
@click.argument("file", required=False)
@secret_options
@url_option
@now_option
@id_option
@click.option("--reveal", is_flag=True, help="Also where the scheme sends the secret itself.")
@json_option
def sign(
    scheme: str,
    file: str | None,
    name: str | None,
    source: str,
    secret_from: str | None,
    options: tuple[str, ...],
    at: str | None,
    moment: str | None,
    ident: str | None,
    reveal: bool,
    as_json: bool,
) -> None:
    """Print the headers that a sender would send with a body.

    SCHEME is one of authkit webhook schemes. The body is FILE, or what is piped in, byte for byte. Where the scheme writes into
    the body, that follows the headers after an empty line.
    """
    from ._webhook import body_of, keys_of, options_of, scheme_of

    refuse_twice_stdin(file, secret_from)
    out = Output(as_json)
    found = scheme_of(scheme)
    refuse_token(found, reveal)
    keys = keys_of(None, name, source, secret_from)
    body = body_of(file)
    made = signed(found, keys, body, moment_option(moment), ident, at, options_of(options))
    for header, text in made.headers.items():
        out.line(f"{header}: {text}")
    document: dict[str, Any] = {"scheme": found.name, "headers": made.headers}
    if made.body != body:
        from base64 import b64encode

        document["body_base64"] = b64encode(made.body).decode()
        if not as_json:
            out.line("")
            import sys

            sys.stdout.flush()
            sys.stdout.buffer.write(made.body)
    out.document(document)


@click.command(cls=Command)
@scheme_argument
@click.argument("file", required=False)
@secret_options
@url_option
@now_option
@json_option
def verify(
    scheme: str,
    file: str | None,
    name: str | None,
    source: str,
    secret_from: str | None,
    options: tuple[str, ...],
    at: str | None,
    moment: str | None,
    as_json: bool,
) -> int:
    """Say whether a captured delivery is signed.

    FILE, or a pipe, is in one of the forms of authkit explain, which says why one is refused. Exits with 1 if it is.
    """
    from ..errors import InvalidSignature
    from ..webhooks import Verifier
    from ._capture import Unreadable, captured
    from ._webhook import keys_of, options_of, scheme_of

    refuse_twice_stdin(file, secret_from)
    out = Output(as_json)
    found = scheme_of(scheme)
    keys = keys_of(found, name, source, secret_from)
    verifier = Verifier(found, keys.secret, **options_of(options))
    event, reason = None, None
    try:
        taken = captured(file)
        url = at if at is not None else taken.url if found.needs else None
        now = moment_option(moment)
        event = verifier.verify(taken.headers, taken.body, taken.received if now is None else now, url, taken.method)
    except (InvalidSignature, Unreadable) as error:
        reason = error.reason
    if event is not None:
        out.line(f"signed with the {event.version} secret", "good")
        rows = [("scheme", found.name), ("id", event.id or "-"), ("id is signed", "yes" if event.signed_id else "no")]
        out.table(("what", "value"), [*rows, ("timestamp", str(event.timestamp) if event.timestamp is not None else "-")])
    else:
        out.line(f"refused ({reason}); authkit explain says why", "bad")
    out.document(
        {
            "valid": event is not None,
            "reason": reason,
            "scheme": found.name,
            "matched": event and str(event.version),
            "id": event and event.id,
            "signed_id": event and event.signed_id,
            "timestamp": event and event.timestamp,
        }
    )
    return EXITS["ok" if event is not None else "failed"][0]


@click.command(cls=Command)
@json_option
def schemes(as_json: bool) -> None:
    """List the schemes that are built in.

    "verified" is yes where the sender's own documents or code were read, and no where only others' word is known: try such a
    scheme with a real delivery before you rely on it.
    """
    from ..webhooks import schemes as all_of

    out = Output(as_json)
    found = [_row(scheme) for _, scheme in sorted(all_of().items())]
    out.table(
        ("scheme", "signature", "algorithm", "time", "id", "body", "url", "options", "verified"),
        [
            (
                row["name"], " or ".join(row["signature"]), row["algorithm"],
                f"{row['tolerance']:g} s" if row["timed"] else "-", "signed" if row["signed_id"] else "-",
                "yes" if row["covers_body"] else "no", "yes" if row["needs_url"] else "-",
                ", ".join(row["options"]) or "-", "yes" if row["verified"] else "no",
            )
            for row in found
        ],
    )  # fmt: skip
    out.document({"schemes": found})


def _row(scheme: Scheme) -> dict[str, Any]:
    hashed = f"-{scheme.hash}" if scheme.algorithm in ("hmac", "digest", "rsa", "ecdsa") else ""
    return {
        "name": scheme.name,
        "signature": list(scheme.signature),
        "algorithm": scheme.algorithm + hashed,
        "timed": scheme.timed,
        "tolerance": scheme.tolerance,
        "signed_id": scheme.signed_id,
        "covers_body": scheme.covers_body,
        "needs_url": scheme.needs is not None,
        "options": list(scheme.options),
        "handshake": scheme.handshake,
        "verified": scheme.verified,
    }


def refuse_token(scheme: Scheme, reveal: bool) -> None:
    """Raises: `Wrong` where what is printed would be the secret."""
    if scheme.algorithm == "token" and not reveal:
        raise Wrong(f"the scheme {scheme.name} sends the secret itself: it is printed only with --reveal")


def signed(
    scheme: Scheme, keys: Keys, body: bytes, now: float | None, ident: str | None, url: str | None,
    options: Mapping[str, list[str]], method: str = "POST", headers: Mapping[str, str] | None = None,
) -> SignedDelivery:  # fmt: skip
    """The delivery, signed now or then. Raises: `Failed` for what the scheme cannot carry, and `ConfigurationError`."""
    from ..webhooks import signed as made

    given: dict[str, Any] = {key: value[0] if len(value) == 1 else value for key, value in options.items()}
    try:
        return made(scheme, keys.secret, body, time.time() if now is None else now, ident, url, method, headers, **given)
    except ValueError as error:  # it names the field, and holds nothing of it
        raise Failed(str(error)) from None
