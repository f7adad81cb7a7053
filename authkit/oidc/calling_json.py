"""`CallingJSON`: an API that is called over https as a machine, in JSON both ways. For whoever writes a provider."""

from __future__ import annotations

import os
import re
import time
from math import ceil

from .._fetch import Unfetched, checked_url, fetch
from .._run import arun, blocking
from ..errors import Unavailable
from ..tokens.strict_json import parse_object
from ._held import seconds_of, whole_seconds
from .asking_json import PATIENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ParamSpec, TypeVar

    from .._fetch import Answer
    from .client_credentials import ClientCredentials

    T = TypeVar("T")
    P = ParamSpec("P")

MAX_BYTES = 1_048_576  # of an answer
PAUSE = 0.25  # seconds before the one other attempt, and the least that is waited where too much was asked
MOST_PAUSES = 5  # waits of one call for a server that wants to be asked less
_READ = frozenset((*range(200, 300), *range(400, 500)))
_CODE = re.compile(r"[A-Za-z_]{1,64}", re.ASCII)


class Called:
    """What an API answered. `said`: its JSON, None if there is none; `code`: its `errorCode`, if that is one word, else ""."""

    __slots__ = ("status", "said", "code")

    def __init__(self, status: int, said: Any) -> None:
        code = said.get("errorCode") if isinstance(said, dict) and status >= 400 else None
        self.status = status
        self.said = said
        self.code = code if type(code) is str and _CODE.fullmatch(code) else ""

    def __repr__(self) -> str:  # what is said is somebody's
        return f"<Called {self.status}>"


class CallingJSON:
    """The API at `base`, called with the tokens that `credentials` gives. `name`: what the messages call it.

    `timeout`: seconds that one call takes at most; `patience`: seconds for all calls of one operation, with the waits between
    them. 429 is waited for as `Retry-After` or `X-RateLimit-Reset` (epoch seconds) say, if that is in time; a 5xx or no answer
    is tried once more where that does no harm. Nothing that is sent or answered is in a message or in a log.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        base: str,
        credentials: ClientCredentials,
        *,
        name: str,
        timeout: float = 5,
        patience: float = 10,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._base = checked_url("base", base).rstrip("/")
        self._credentials = credentials
        self._name = name
        self._timeout = seconds_of("timeout", timeout, 0.05, 30)
        self._patience = seconds_of("patience", patience, 0.05, 300)
        self._transport = transport
        self._clock, self._monotonic, self._sleep, self._random = clock, monotonic, sleep, random

    def until(self) -> float:
        """When an operation that begins now has to be over, on the monotonic clock."""
        return self._monotonic() + self._patience

    def call(
        self,
        what: str,
        path: str,
        *,
        until: float,
        query: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        again: bool = True,
    ) -> Called:
        """What the API answers, if that is 2xx or 4xx. `what`: method and kind of path, for the messages: "GET /users/{id}";
        `path`: the path itself, its segments percent-encoded. `again`: no harm is done if it is carried out twice. It blocks.

        Raises: `Unavailable` for 401 and 429 in the end, for whatever is no such answer, and when the time is over; what
        `credentials` raises.
        """
        repeated = False
        pauses = 0
        while True:
            self._credentials.token()  # or what is asked takes the time that this takes
            left = until - self._monotonic()
            if left <= 0:
                raise Unavailable(f"{self._name}: {what} was not reached in time")
            answer, failure = self._sent(what, path, query, json, min(self._timeout, left))
            if answer is None or answer.status >= 500:
                failure = failure or f"it answered {answer.status if answer else ''}"
                if again and not repeated and self._paused(PAUSE, until):
                    repeated = True
                    continue
                raise Unavailable(f"{self._name}: {what}: {failure}")
            if answer.status == 401:  # and a token that is not quite new was asked for once more
                raise Unavailable(f"{self._name}: {what}: our token is not accepted", retry_after=30)
            if answer.status == 429:
                wait = self._wait(answer.headers, pauses)
                pauses += 1
                if pauses <= MOST_PAUSES and self._paused(wait, until):
                    continue
                raise Unavailable(f"{self._name}: {what}: too much was asked", retry_after=min(PATIENCE, ceil(wait)))
            said = _parsed(answer.content) if answer.content else None
            if answer.status not in _READ or (said is None and answer.status not in (202, 204) and answer.status < 400):
                raise Unavailable(f"{self._name}: {what}: what it answered ({answer.status}) is not JSON with one reading")
            return Called(answer.status, said)

    def _sent(
        self, what: str, path: str, query: Mapping[str, str] | None, json: Mapping[str, Any] | None, seconds: float
    ) -> tuple[Answer | None, str]:
        """The answer, or why there is none."""
        from urllib.parse import urlencode

        from ..tokens.issue import encoded

        headers = {"accept": "application/json"}
        if json is not None:
            headers["content-type"] = "application/json"
        try:
            answer = fetch(
                self._base + path + (f"?{urlencode(query)}" if query else ""),
                max_bytes=MAX_BYTES,
                seconds=seconds,
                headers=headers,
                form=None if json is None else encoded(dict(json)),
                method=what.partition(" ")[0],
                told=_READ,
                quiet=True,
                auth=self._credentials,
                transport=self._transport,
            )
        except Unfetched as error:
            return None, str(error)
        return answer, ""

    def _wait(self, headers: Mapping[str, str], pauses: int) -> float:
        """Seconds to wait: as the server says, else longer each time; and a bit, which is another one for each of us."""
        told = whole_seconds(headers.get("retry-after"))
        reset = whole_seconds(headers.get("x-ratelimit-reset")) if told is None else None
        own = PAUSE * 2**pauses if reset is None else reset - self._clock()
        return max(PAUSE, own if told is None else told) + self._random(1)[0] / 1024

    def _paused(self, seconds: float, until: float) -> bool:
        """Whether there is time to wait so long and to ask again. Then it has been waited."""
        if self._monotonic() + seconds >= until:
            return False
        self._sleep(seconds)
        return True

    async def apart(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`fn(...)`, which may block, on a thread of ours: what a method's async twin is made of."""
        from functools import partial

        return await arun(_await(partial(fn, *args, **kwargs)))

    def __repr__(self) -> str:
        return f"<CallingJSON {self._name}>"


async def _await(fn: Callable[[], T]) -> T:
    return await blocking(fn)


def _parsed(content: bytes) -> Any:
    """An object or an array that has one reading; None if it is neither."""
    try:
        found = parse_object(b'{"":' + content + b"}")
    except ValueError:
        return None
    return found[""] if len(found) == 1 and isinstance(found.get(""), (dict, list)) else None
