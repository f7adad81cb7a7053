"""`authkit token issue`: an access token, printed once."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from ._exits import Wrong
from ._frame import Command
from ._options import Duration, json_option
from ._output import Output
from ._token import service_of, service_options


@click.command(cls=Command)
@click.argument("subject")
@click.option("--scope", "scopes", multiple=True, metavar="NAME", help="A scope of it. Repeat it.")
@click.option("--role", "roles", multiple=True, metavar="NAME", help="A role of it. Repeat it.")
@click.option(
    "--claim", "stated", multiple=True, metavar="NAME=JSON", help="Another claim; what is no JSON is text. Repeat it."
)
@click.option("--ttl", type=Duration(), default="15m", show_default=True, help="How long it is valid.")
@service_options
@json_option
def issue(
    subject: str,
    scopes: tuple[str, ...],
    roles: tuple[str, ...],
    stated: tuple[str, ...],
    ttl: int,
    issuer: str | None,
    audience: str | None,
    key: str | None,
    source: str,
    url: str | None,
    as_json: bool,
) -> None:
    """Print an access token for a subject.

    Signed with the service's own key, so whoever has it is let in: keep it out of files and logs. With a store it can be
    revoked by its subject.
    """
    out = Output(as_json)
    service = service_of(issuer, audience, key, source, url)
    signs = service.ring.current
    try:
        token = service.tokens().issue(subject, scopes=scopes, roles=roles, claims=_claims(stated), ttl=ttl)
    except ValueError as error:  # its words name the claim, never a value
        raise Wrong(str(error)) from None
    finally:
        if service.store is not None:
            service.store.close()
    out.line(token)
    out.document(
        {
            "token": token,
            "subject": subject,
            "issuer": service.issuer,
            "audience": service.audience,
            "scopes": sorted(scopes),
            "roles": sorted(roles),
            "expires_at": int(time.time()) + ttl,
            "alg": signs.alg,
            "kid": signs.kid,
        }
    )


def _claims(stated: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in stated:
        name, equals, text = one.partition("=")
        if not equals or not name or name in found:
            raise Wrong("--claim is NAME=JSON, each name once")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
