"""`SigV4Auth`: every request of an httpx client is signed for AWS (Signature Version 4). It imports httpx."""

from __future__ import annotations

import re
import time

from .._fetch import LOOPBACK
from .._needs import needs

needs("httpx")
import httpx  # noqa: E402

from .._run import arun, run  # noqa: E402
from ..errors import ConfigurationError  # noqa: E402
from ._aws_keys import keys_of  # noqa: E402
from ._sigv4 import Scope, canonical_query, signed_headers  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable
    from typing import Any

SKEW = 240.0  # seconds that our clock may be off; AWS refuses from 300 on
_FUNCTION_URL = re.compile(r"[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws")


class SigV4Auth(httpx.Auth):
    """Signs requests to AWS: `httpx.Client(auth=SigV4Auth("eu-west-1"))` calls Function URLs with AWS_IAM.

    `service`: by which name AWS signs for it: "lambda" for Function URLs, "execute-api" for API Gateway. `credentials`: of
    botocore or boto3, or a session of theirs; by default botocore's own chain, with `profile`. They are renewed as botocore
    does, and never on an event loop. `headers`: names of further headers to sign, beside the host, the content-type and
    `x-amz-*`. The query is sent in the one spelling that AWS signs, with %20 for `+`.

    The body is read into memory and signed. `insecure_unsigned_body=True` streams it instead, and whoever is between may change
    it: for services that take no signed one (VPC Lattice). A refusal (403) by a server whose clock is elsewhere is followed by
    one further attempt by that clock.

    Requests go to https alone, or to this machine. Leave redirects off, as they are: httpx sends the signature of the first
    request along. Not checked: what is answered. Raises: `ConfigurationError`; at a request `Unavailable` too.
    """

    def __init__(
        self,
        region: str,
        service: str = "lambda",
        credentials: Any = None,
        *,
        profile: str | None = None,
        headers: Iterable[str] = (),
        insecure_unsigned_body: bool = False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        keys, wrong = keys_of(credentials, profile, clock, monotonic)
        del credentials  # what is raised below may be shown with its locals
        if keys is None:
            raise ConfigurationError(f"SigV4Auth: {wrong}")
        self._scope = Scope(region, service, headers)
        if insecure_unsigned_body is True and service == "lambda":
            raise ConfigurationError("insecure_unsigned_body: Lambda takes no unsigned body")
        self._streams = insecure_unsigned_body is True
        self._keys = keys
        self._clock = clock
        self._skew = 0.0  # seconds that the server's clock is ahead of ours

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not isinstance(request.stream, httpx.SyncByteStream):
            yield request  # nothing is sent: httpx says that it is for the other kind of client
            return
        if not self._streams:
            request.read()
        signed = run(self._sign(request))
        response = yield request
        if self._noted_skew(response, signed):
            run(self._sign(request))
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not isinstance(request.stream, httpx.AsyncByteStream):
            yield request
            return
        if not self._streams:
            await request.aread()
        signed = await arun(self._sign(request))
        response = yield request
        if self._noted_skew(response, signed):
            await arun(self._sign(request))
            yield request

    async def _sign(self, request: httpx.Request) -> float:
        """Sign it as of the time that it gives: epoch seconds."""
        url = request.url
        self._check(url)
        keys = await self._keys.load()
        path, _, query = url.raw_path.decode("ascii").partition("?")
        if (spelled := canonical_query(query)) != query:
            url = request.url = url.copy_with(query=spelled.encode())
        body = None if self._streams else request.content
        host = request.headers.get("host", url.netloc.decode("ascii"))
        headers = request.headers.multi_items()
        now = self._clock() + self._skew
        made = signed_headers(keys, self._scope, now, request.method, host, path, spelled, headers, body)
        request.headers.pop("x-amz-security-token", None)
        for name, value in made.items():
            request.headers[name] = value
        return now

    def _check(self, url: httpx.URL) -> None:
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            raise ConfigurationError("SigV4Auth signs https requests; http goes to a loopback address only")
        found = _FUNCTION_URL.fullmatch(url.host) if self._scope.service == "lambda" else None
        if found is not None and found[1] != self._scope.region:
            raise ConfigurationError("SigV4Auth: region is another one than the Function URL's")

    def _noted_skew(self, response: httpx.Response, signed: float) -> bool:
        """Whether a refusal may be for the time alone that was signed; then the server's clock is gone by from now on."""
        if response.status_code != 403 or self._streams:
            return False
        from email.utils import parsedate_to_datetime

        try:
            told = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError, TypeError):
            return False
        if abs(told - signed) < SKEW:
            return False
        ahead = told - self._clock()
        self._skew = ahead if abs(ahead) >= SKEW else 0.0
        return True

    def __repr__(self) -> str:
        return f"<SigV4Auth for {self._scope.service} in {self._scope.region}>"
