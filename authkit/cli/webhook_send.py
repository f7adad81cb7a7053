"""`authkit webhook send`: a signed delivery, to a receiver that is tried out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ._exits import EXITS, Wrong
from ._frame import Command
from ._options import Duration, Whole, json_option
from ._output import Output
from ._webhook import options_of, refuse_twice_stdin, secret_options
from .webhook import id_option, scheme_argument, signed

if TYPE_CHECKING:
    from ..webhooks import SignedDelivery

MAX_WAIT = 60.0  # seconds between two attempts
_AGAIN = (408, 425, 429, 500, 502, 503, 504)


@click.command(cls=Command)
@scheme_argument
@click.argument("url")
@click.argument("file", required=False)
@secret_options
@id_option
@click.option("--signed-url", metavar="URL", help="What is signed as the URL. Default: the one it is sent to.")
@click.option("--type", "media", default="application/json", show_default=True, metavar="TYPE", help="The Content-Type.")
@click.option("--timeout", "seconds", type=Duration(), default="10s", show_default=True, metavar="TIME", help="Of one attempt.")
@click.option("--retries", type=Whole(0, 5), default=0, show_default=True, metavar="N", help="After no answer, 429 or a 5xx.")
@json_option
def send(
    scheme: str,
    url: str,
    file: str | None,
    name: str | None,
    source: str,
    secret_from: str | None,
    options: tuple[str, ...],
    ident: str | None,
    signed_url: str | None,
    media: str,
    seconds: int,
    retries: int,
    as_json: bool,
) -> int:
    """Sign a body, and POST it.

    URL is https, or http to this machine; no redirect is followed. The body is FILE, or what is piped in. Each attempt has the
    same id and a time of its own; the pause before one doubles from a second on. Exits with 0 for an answer of 2xx, with 1 for
    any other, with 5 if there is none.
    """
    from ._webhook import body_of, keys_of, scheme_of

    refuse_twice_stdin(file, secret_from)
    _check(url)
    out = Output(as_json)
    found = scheme_of(scheme)
    keys = keys_of(None, name, source, secret_from)
    body = body_of(file)
    asked = options_of(options)
    if ident is None and found.signed_id:
        from secrets import token_hex

        ident = "msg_" + token_hex(12)
    target = url if signed_url is None else signed_url
    status: int | None = None
    attempts = 0
    for attempt in range(retries + 1):
        made = signed(found, keys, body, None, ident, target if found.needs else None, asked, headers={"content-type": media})
        status, wait = _posted(made, url if made.url in (None, target) else str(made.url), seconds)
        attempts = attempt + 1
        out.line(f"attempt {attempts}: {'no answer' if status is None else status}", None if _is_fine(status) else "warn")
        if _is_fine(status) or attempt == retries or (status is not None and status not in _AGAIN):
            break
        time.sleep(min(MAX_WAIT, max(wait, 2.0**attempt)))
    out.document({"scheme": found.name, "id": ident, "status": status, "attempts": attempts})
    return EXITS["ok" if _is_fine(status) else "unavailable" if status is None else "failed"][0]


def _is_fine(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _check(url: str) -> None:
    """Raises: `Wrong`; the URL is not repeated, it may hold a token."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise Wrong("URL is https, or http to this machine") from None
    if parts.username is not None or parts.password is not None:
        raise Wrong("other users see a command line: no user or password in URL")
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise Wrong("URL is https, or http to this machine")


def _posted(made: SignedDelivery, url: str, seconds: int) -> tuple[int | None, float]:
    """The status, None if there was no answer, and the seconds that it asks to wait."""
    from .._needs import needs

    needs("httpx")
    import httpx

    try:
        with httpx.Client(follow_redirects=False, timeout=float(max(1, seconds)), trust_env=False) as client:
            request = client.build_request(made.method, url, content=made.body, headers=made.headers)
            answer: Any = client.send(request, stream=True)  # its body is nothing to us
            answer.close()
    except httpx.HTTPError:
        return None, 0.0
    wait = answer.headers.get("retry-after", "")
    return answer.status_code, float(wait) if wait.isdecimal() and len(wait) < 6 else 0.0
