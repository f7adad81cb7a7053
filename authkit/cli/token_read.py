"""`authkit token inspect | verify`: what a token says, and whether that is so. No signature is ever printed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ._ages import moment
from ._exits import EXITS, Failed
from ._frame import Command
from ._options import json_option
from ._output import Output
from ._token import service_of, service_options, token_of, token_options
from ._verdict import document, tell

if TYPE_CHECKING:
    from ..decision import Principal
    from ..secrets.versions import Sealed
    from ..tokens.why import Parts, Why
    from ._token import Service

NOT_VERIFIED = "NOT VERIFIED: anybody can write such a token; authkit token verify says whether it is valid"
_TIMES = ("exp", "iat", "nbf", "auth_time", "updated_at")


@click.command(cls=Command)
@token_options
@json_option
def inspect(value_from: str | None, token_env: str | None, as_json: bool) -> None:
    """Show what a token says. Nothing is verified.

    The token is asked for, or read from a pipe, from --value-from or --token-env; it is never an argument, because other users
    see those. It needs no key and no settings. The signature is not shown.
    """
    from ..tokens.why import shown

    out = Output(as_json)
    parts = _parts(token_of(value_from, token_env))
    if parts.header is None or parts.claims is None:
        raise Failed("this is no JWT: three parts, of which the first two are JSON objects in base64url")
    now = time.time()
    out.line(NOT_VERIFIED, "warn")
    rows = [("header", name, shown(value), "") for name, value in parts.header.items()]
    rows += [("claims", name, shown(value), _when(name, value, now)) for name, value in parts.claims.items()]
    out.table(("part", "name", "value", "when"), rows)
    out.document({"verified": False, "warning": NOT_VERIFIED, "header": dict(parts.header), "claims": dict(parts.claims)})


@click.command(cls=Command)
@token_options
@service_options
@json_option
def verify(
    value_from: str | None,
    token_env: str | None,
    issuer: str | None,
    audience: str | None,
    key: str | None,
    source: str,
    url: str | None,
    as_json: bool,
) -> int:
    """Say whether a token is valid, and if not, why.

    As a service with these settings does it. The token is asked for, or read from a pipe, from --value-from or --token-env.
    With a store it is looked up whether it was revoked. Exits with 1 if it is refused, with 5 if the store does not answer.
    """
    out = Output(as_json)
    token = token_of(value_from, token_env)
    service = service_of(issuer, audience, key, source, url)
    try:
        principal, refused = judged(service, token)
    finally:
        if service.store is not None:
            service.store.close()
    looked_up = service.store is not None
    asked = "looked up: not revoked" if looked_up else "not looked up: no store is named"
    tell(out, principal, refused, service.audience, asked)
    out.document(document(principal, refused, service.issuer, service.audience, revocation=looked_up))
    return EXITS["ok" if refused is None else "failed"][0]


def judged(service: Service, token: Sealed) -> tuple[Principal | None, Why | None]:
    """Who it is for, or why not. Its locals hold the token, so what it raises has no traceback through it that is shown."""
    from ..errors import InvalidToken
    from ..tokens.why import Expected, why

    try:
        return service.tokens().verify(str(token())), None
    except InvalidToken as error:
        expected = Expected(issuer=service.issuer, audience=service.audience, ring=service.ring, now=time.time())
        return None, why(error.reason, str(token()), expected)


def _parts(token: Sealed) -> Parts:
    from ..tokens.why import Parts

    return Parts(str(token()))


def _when(name: str, value: object, now: float) -> str:
    if name not in _TIMES or isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**36:
        return ""
    return moment(value, now)
