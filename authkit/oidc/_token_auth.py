"""What every client shares that sends access tokens: to whom, with which proof, and once more if one is refused. httpx's."""

from __future__ import annotations

import os
import time

from .._fetch import LOOPBACK
from .._needs import needs

needs("httpx")
import httpx  # noqa: E402

from .._lock import ProcessLock  # noqa: E402
from .._run import arun, run  # noqa: E402
from ..errors import ConfigurationError  # noqa: E402
from ._held import seconds_of, waits_for_it  # noqa: E402
from ._machine_token import MachineToken  # noqa: E402
from ._own import origin_of  # noqa: E402
from .token_endpoint import checked_origins  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
    from typing import Any

    from ._machine_token import AccessToken
    from .dpop_key import DPoPKey

SENDS = 3  # of one request at most: a nonce is wanted, and the token is refused
MAX_NONCE = 1024


class TokenAuth(httpx.Auth):
    """Sends the tokens that `ask` gives, which blocks for at most `wait` seconds; `name`: whose they are, in messages."""

    def __init__(
        self,
        ask: Callable[[], Mapping[str, Any]],
        name: str,
        *,
        wait: float,
        dpop: DPoPKey | None = None,
        apis: Iterable[str] | None = None,
        early: float = 60,
        background: bool | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._dpop = dpop
        self._apis = None if apis is None else frozenset(map(origin_of, checked_origins(apis)))
        if self._apis is not None and not self._apis:
            raise ConfigurationError("apis is a list of origins, and not empty")
        self._lock = ProcessLock()
        self._nonces: dict[Any, str] = {}  # by origin
        self._token = MachineToken(
            ask, name, "DPoP" if dpop is not None else "Bearer", early=seconds_of("early", early, 0, 3600), wait=wait,
            in_front=waits_for_it(background), clock=clock, monotonic=monotonic, random=random,
        )  # fmt: skip

    def token(self) -> str:
        """The access token, to be sent in another way than by httpx. I/O unless there is one. Raises as a request does."""
        return run(self._token.load()).text

    async def atoken(self) -> str:
        """`token` on an event loop, which it does not block."""
        return (await arun(self._token.load())).text

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if isinstance(request.stream, httpx.SyncByteStream):  # of one for the other kind of client httpx itself tells
            request.read()
        visit = _Visit(self, request)
        run(visit.begin())
        while run(visit.again((yield request))):
            pass

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if isinstance(request.stream, httpx.AsyncByteStream):
            await request.aread()
        visit = _Visit(self, request)
        await arun(visit.begin())
        while await arun(visit.again((yield request))):
            pass

    def _goes_to(self, url: httpx.URL) -> Any:
        """The origin of `url`, which may have the token. Raises: `ConfigurationError`."""
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            raise ConfigurationError("tokens go over https; over http to a loopback address only")
        origin = origin_of(str(url))
        apis = self._apis
        if apis is None:
            with self._lock:
                apis = self._apis = self._apis or frozenset((origin,))
        if origin not in apis:
            raise ConfigurationError("the token is for another origin than the request's: name both in apis")
        return origin

    def _note_nonce(self, origin: Any, response: httpx.Response) -> str | None:
        """The nonce that the API wants in the next proof, if it says one."""
        nonce: str = response.headers.get("dpop-nonce", "")
        if self._dpop is None or not 0 < len(nonce) <= MAX_NONCE or not nonce.isascii() or not nonce.isprintable():
            return None
        self._nonces[origin] = nonce
        return nonce


class _Visit:
    """One request, as often as it is sent."""

    __slots__ = ("_of", "_request", "_origin", "_token", "_nonce", "_sent", "_renewed", "_nonced")

    def __init__(self, of: TokenAuth, request: httpx.Request) -> None:
        self._of = of
        self._request = request
        self._origin = of._goes_to(request.url)
        self._token: Any = None
        self._nonce: str | None = None  # in the last proof; others may have heard of a newer one since
        self._sent = 0
        self._renewed = self._nonced = False

    async def begin(self) -> None:
        self._put(await self._of._token.load())

    async def again(self, response: httpx.Response) -> bool:
        """Whether to send it once more, with what it has now."""
        of = self._of
        if origin_of(str(response.request.url)) != self._origin:  # a redirect has led elsewhere, where no token went
            return False
        nonce = of._note_nonce(self._origin, response)
        if response.status_code != 401 or self._sent >= SENDS:
            return False
        if nonce not in (None, self._nonce) and not self._nonced and wants_nonce(response.headers.get_list("www-authenticate")):
            self._nonced = True  # RFC 9449 section 9
            self._put(self._token)
            return True
        if self._renewed:
            return False
        self._renewed = True
        other = await of._token.other(self._token)
        if other is None:
            return False
        self._put(other)
        return True

    def _put(self, token: AccessToken) -> None:
        of, request = self._of, self._request
        self._token = token
        self._sent += 1
        if of._dpop is None:
            request.headers["authorization"] = f"Bearer {token.text}"
            return
        url = request.url
        target = f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.decode('ascii')}"  # without user and password
        self._nonce = of._nonces.get(self._origin)
        for name, value in of._dpop.headers(request.method, target, token.text, self._nonce).items():
            request.headers[name] = value


def wants_nonce(challenges: Iterable[str]) -> bool:
    """Whether one of the WWW-Authenticate values says that a DPoP proof needs a nonce."""
    return any("dpop" in one.lower() and 'error="use_dpop_nonce"' in one.replace(" ", "") for one in challenges)
