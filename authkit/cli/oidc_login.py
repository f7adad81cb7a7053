"""`authkit oidc login`: a login in the browser, from a terminal: who the provider says that you are."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from ._ages import moment
from ._frame import Command
from ._oidc_client import client_of, client_options
from ._options import Duration, Whole, json_option
from ._output import Output, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..oidc import Identity
    from ._oidc_client import Client

_TOKENS = ("access_token", "id_token", "refresh_token")


@click.command(cls=Command)
@client_options
@click.option("--parameter", "more", metavar="NAME=TEXT", multiple=True, help="More to ask the provider: prompt=login.")
@click.option("--port", type=Whole(0, 65_535), default=0, help="Where the answer comes to. Default: one that is free.")
@click.option("--no-browser", is_flag=True, help="Open none: the address is printed.")
@click.option("--timeout", type=Duration(), default="5m", show_default=True, help="How long to wait for you.")
@click.option("--reveal", is_flag=True, help="Print the tokens too.")
@json_option
def login(
    issuer: str | None,
    client_id: str,
    secret_env: str | None,
    value_from: str | None,
    key_from: str | None,
    name: str | None,
    settings: tuple[str, ...],
    scopes: tuple[str, ...],
    more: tuple[str, ...],
    port: int,
    no_browser: bool,
    timeout: int,
    reveal: bool,
    as_json: bool,
) -> None:
    """Log in in your browser, and show who the provider says that you are.

    Register http://127.0.0.1/callback as a redirect URI of a native client; where the provider wants its port too, say it with
    --port. A client without a secret is public. Nothing is kept. Exits with 1 if the login does not succeed, with 5 if nobody
    comes back in time.
    """
    from ._oidc_flow import begun
    from ._oidc_loopback import Loopback

    out = Output(as_json)
    client = client_of(issuer, client_id, secret_env, value_from, key_from, name, settings, must_show=False)
    with Loopback(port) as loopback:
        flow = begun(client, loopback.redirect_uri, scopes, more)
        address = flow.address()
        loopback.expect(flow.state)
        _show(address, no_browser)
        answer = loopback.answer(timeout)
    with out.progress("asking the provider"):
        tokens, claims = flow.judged(answer)
        identity = flow.identity(tokens, claims)
    granted = str(tokens.get("scope", " ".join(flow.scopes)))  # left out: as it was asked for (RFC 6749 section 5.1)
    _tell(out, identity, client, sorted(granted.split()), tokens, claims, reveal)


def _show(address: str, no_browser: bool) -> None:
    """On stderr, as a question is: what the command prints is who came back."""
    words = "open this address in a browser on this machine" if no_browser else "log in in your browser; if none opens, here"
    sys.stderr.write(f"{words}:\n{printable(address)}\n")
    sys.stderr.flush()
    if not no_browser:
        import subprocess

        # A process of its own: some browsers last as long as they are open, and would hold a pipe behind us open as well.
        null = subprocess.DEVNULL
        command = [sys.executable, "-I", "-m", "webbrowser", address]
        subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)  # noqa: S603


def _tell(
    out: Output,
    identity: Identity,
    client: Client,
    scopes: list[str],
    tokens: Mapping[str, Any],
    claims: Mapping[str, Any],
    reveal: bool,
) -> None:
    now, expires = time.time(), tokens.get("expires_in")
    until = int(now) + int(expires) if isinstance(expires, (int, float)) else None
    shown = {name: str(tokens[name]) for name in _TOKENS if reveal and tokens.get(name) is not None}
    address = identity.email or (f"{identity.unverified_email} (not verified)" if identity.unverified_email else "-")
    out.line("logged in", "good")
    rows = [
        ("subject", identity.subject),
        ("issuer", identity.issuer),
        ("name", identity.name or "-"),
        ("e-mail", address),
        ("scopes", " ".join(scopes) or "-"),
        ("access token", f"until {moment(until, now)}" if until is not None else "its lifetime is not told"),
        ("refresh token", "yes" if "refresh_token" in tokens else "no"),
    ]
    out.table(("what", "value"), rows)
    for name, text in shown.items():
        out.line(f"{name}: {text}")
    out.document(
        {
            "subject": identity.subject,
            "issuer": identity.issuer,
            "client_id": client.id,
            "name": identity.name,
            "email": identity.email,
            "unverified_email": identity.unverified_email,
            "scopes": scopes,
            "expires_at": until,
            "auth_time": claims.get("auth_time"),
            "acr": claims.get("acr"),
            "has_refresh_token": "refresh_token" in tokens,
            **shown,
        }
    )
