"""`KeysById`: public keys that are published one by one, each as PEM at an address of its own."""

from __future__ import annotations

import os
import re
import time
from _weakrefset import WeakSet  # what `weakref` and `threading` import as well
from functools import partial

from .._fetch import Unfetched, checked_url, fetch
from .._lock import ProcessLock
from .._outage import Outage
from .._run import SingleFlight
from ..errors import ConfigurationError, Unavailable
from ..secrets.slot import elapsed
from ..tokens.keys import Key
from ._budget import Budget
from ._held import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..secrets.slot import Moment

MAX_BYTES = 16_384  # of an answer
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
RATE, FLIGHTS = 4.0, 4  # questions about unknown ids, a second and at once
_NONE = (403, 404, 410)  # what says that there is no such key; stores of files say 403 where they do not list them


class KeysById:
    """The keys at `url`/id, for ids of which all matches the regular expression `ids`; each is of the algorithm `alg`.

    A key is fetched when somebody first asks for it, once however many do, and again after `ttl` seconds; while that fails it
    is used on, at most `stale` seconds after it was last fetched. An id that has none is not asked for again for `cooldown`
    seconds, and of unknown ids only so many are asked for in a second. At most `size` of each are kept. `timeout`: seconds for
    one fetch. Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        url: str,
        *,
        alg: str = "ES256",
        ids: str = UUID,
        size: int = 64,
        ttl: float = 86_400,
        stale: float = 7 * 86_400,
        cooldown: float = 30,
        timeout: float = 5,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = checked_url("url", url).rstrip("/")
        self._alg, self._ids = alg, re.compile(ids, re.ASCII)
        if type(size) is not int or not 1 <= size <= 10_000:
            raise ConfigurationError("size is a whole number from 1 to 10000")
        self._size = size
        self._ttl = seconds_of("ttl", ttl, 1, 7 * 86_400)
        self._stale = seconds_of("stale", stale, self._ttl, 30 * 86_400)
        self._cooldown = seconds_of("cooldown", cooldown, 1, 3600)
        self._timeout = seconds_of("timeout", timeout, 0.05, 30)
        self._transport, self._clock, self._monotonic = transport, clock, monotonic
        self._known: dict[str, tuple[Key, Moment]] = {}
        self._none: dict[str, Moment] = {}
        self._lock = ProcessLock()
        self._flights = SingleFlight()
        self._budget = Budget(RATE, FLIGHTS)
        self._outage = Outage(f"the keys at {self.url}", "those that are known stay in use", "their server")
        _all.add(self)

    async def find(self, kid: object) -> Key | None:
        """The key of that id; None if there is none. Raises: `Unavailable` if that cannot be known."""
        if type(kid) is not str or self._ids.fullmatch(kid) is None:  # nothing else becomes a part of a URL
            return None
        now = self._clock(), self._monotonic()
        known = self._known.get(kid)
        if known is not None and elapsed(known[1], now) < self._ttl:
            return known[0]
        none = self._none.get(kid)
        if none is not None and elapsed(none, now) < self._cooldown:
            return None
        wait = 2 * self._timeout + 1.0
        try:
            return await self._flights.do(kid, partial(self._fetched, kid), bounded=True, lead=wait, follow=wait)
        except Unavailable:
            if known is None or elapsed(known[1], now) >= self._stale:
                raise
            return known[0]

    def _fetched(self, kid: str) -> Key | None:
        now = self._clock(), self._monotonic()
        known = kid in self._known
        self._budget.begin(known, now[1])
        try:
            key, failure = self._asked(kid)
        finally:
            self._budget.end(known)
        if failure is not None:
            self._outage.began(Unavailable(failure))
            raise Unavailable(f"the keys at {self.url} cannot be had: {failure}")
        self._outage.ended()
        with self._lock:
            if key is None:
                self._known.pop(kid, None)
                _keep(self._none, kid, now, self._size)
            else:
                self._none.pop(kid, None)
                _keep(self._known, kid, (key, now), self._size)
        return key

    def _asked(self, kid: str) -> tuple[Key | None, str | None]:
        """The key, or what went wrong; neither if there is none."""
        try:
            answer = fetch(f"{self.url}/{kid}", max_bytes=MAX_BYTES, seconds=self._timeout, transport=self._transport)
        except Unfetched as error:
            return None, str(error)
        if answer.status in _NONE:
            return None, None
        if answer.status != 200:
            return None, f"it answered {answer.status}"
        try:
            return Key(answer.content, self._alg, kid), None  # what is no PEM of this kind is no key: never a secret
        except ConfigurationError as error:
            return None, str(error)

    def __repr__(self) -> str:
        return f"<KeysById at {self.url!r}>"


def _keep(where: dict[str, Any], name: str, value: Any, size: int) -> None:
    where.pop(name, None)
    while len(where) >= size:
        del where[next(iter(where))]
    where[name] = value


_all: WeakSet[KeysById] = WeakSet()


def _after_fork() -> None:
    for keys in list(_all):
        keys._budget.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
