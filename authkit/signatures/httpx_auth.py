"""`SignatureAuth`: every request of an httpx client is signed. The one module of this package that imports httpx."""

from __future__ import annotations

from .._needs import needs

needs("httpx")
import httpx  # noqa: E402

from .._run import arun, run  # noqa: E402
from .keys import key_of  # noqa: E402
from .signing import Signer  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from typing import Any


class SignatureAuth(httpx.Auth):
    """Signs requests: `httpx.Client(auth=SignatureAuth(key, keyid="client-a"))`. Settings: those of `Signer`.

    Each request is signed by itself, with a nonce of its own. A streamed body is read into memory first. Where httpx follows a
    redirect, it sends the signature of the first request along, which covers another target: leave redirects off, as they are.
    """

    requires_request_body = True

    def __init__(self, key: Any, **settings: Any) -> None:
        held = key_of(key)
        del key  # what is raised below may be shown with its locals
        self._signer = Signer(held, **settings)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.read()
        _add(request, run(self._signer.signing(*_parts(request))))
        yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        await request.aread()
        _add(request, await arun(self._signer.signing(*_parts(request))))
        yield request

    def __repr__(self) -> str:
        return "<SignatureAuth>"


def _parts(request: httpx.Request) -> tuple[str, str, list[tuple[str, str]], bytes]:
    url = request.url
    target = f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.decode('ascii')}"  # without user and password
    return request.method, target, request.headers.multi_items(), request.content


def _add(request: httpx.Request, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        request.headers[name] = value
