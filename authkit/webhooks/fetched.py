"""Keys that a delivery names and that are fetched: Amazon SNS's and PayPal's certificates, Plaid's JWKs.

The name is the sender's word. It was held against the scheme's pattern before it comes here, so that nobody chooses what we
contact; and there is a limit to how often we contact anything for deliveries that nobody has vouched for yet.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial

from .._run import SingleFlight
from ..errors import ConfigurationError, InvalidSignature, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .algorithms import Key
    from .scheme import Scheme

MAX_KEYS = 64  # kept at a time; SNS has one in each region
KEEP = 86_400.0  # seconds a key is kept: then a certificate that was withdrawn is no longer found
KEEP_UNKNOWN = 60.0  # seconds a name that stands for no key is remembered
PER_MINUTE = 20  # look-ups; a receiver needs one or two a day
MAX_BYTES = 65_536  # of a certificate; SNS's has 2,000
TOTAL = 10.0  # seconds, from the first to the last byte


class Fetched:
    """The keys of one scheme, by name. `fetch(name)` gives what is there: PEM, or a JWK; None if there is no such key."""

    __slots__ = ("_scheme", "_fetch", "_clock", "_lock", "_kept", "_unknown", "_asked", "_flights")

    def __init__(self, scheme: Scheme, fetch: Callable[[str], Any] | None, clock: Callable[[], float]) -> None:
        if fetch is None and not scheme.key_url.startswith("https://"):
            raise ConfigurationError(f"webhook scheme {scheme.name}: pass fetch=, a function that gives the key of that name")
        self._scheme = scheme
        self._fetch = fetch or get
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Key]] = OrderedDict()  # until when
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._asked: list[float] = []
        self._flights = SingleFlight()

    def kept(self, name: str) -> tuple[Key | None] | None:
        """The key of that name if it is known, in a tuple, since it may be known that there is none."""
        with self._lock:
            now = self._clock()
            found = self._kept.get(name)
            if found is not None and now < found[0]:
                self._kept.move_to_end(name)
                return (found[1],)
            return (None,) if now < self._unknown.get(name, now) else None

    async def key(self, name: str) -> Key:
        """The key of that name. It may be fetched: once for all who want it, and in a thread of its own.

        Raises: `InvalidSignature` with `key_unknown`; `Unavailable` if it cannot be had now.
        """
        found = self.kept(name)
        if found is None:
            found = await self._flights.do(name, partial(self._look_up, name), bounded=True)
        if found[0] is None:
            raise InvalidSignature("key_unknown")
        return found[0]

    def _look_up(self, name: str) -> tuple[Key | None]:
        found = self.kept(name)  # since a moment, perhaps
        if found is None:
            self._count(name)
            found = (self._ask(name),)
            self._keep(name, found[0])
        return found

    def _count(self, name: str) -> None:
        """Count a look-up. One that had a key before is free: no flood of others may keep us from it."""
        with self._lock:
            if name in self._kept:
                return
            now = self._clock()
            self._asked = [moment for moment in self._asked if 0 <= now - moment < 60]
            if len(self._asked) >= PER_MINUTE:
                raise Unavailable("too many keys of webhooks are looked up", retry_after=60)
            self._asked.append(now)

    def _ask(self, name: str) -> Key | None:
        try:
            material = self._fetch(name)
        except (Unavailable, ConfigurationError):
            raise
        except Exception as error:
            raise Unavailable(f"the key of webhook scheme {self._scheme.name} cannot be had: {type(error).__name__}") from None
        if material is None:
            return None
        if self._scheme.algorithm.startswith("jws"):
            from .jws_keys import of_material

            return of_material(self._scheme, material)
        from .key_pairs import of_certificate

        raw = material.encode() if isinstance(material, str) else material
        return of_certificate(self._scheme, raw, self._clock()) if isinstance(raw, bytes) else None

    def _keep(self, name: str, key: Key | None) -> None:
        with self._lock:
            now = self._clock()
            if key is None:
                self._kept.pop(name, None)
                self._unknown[name] = now + KEEP_UNKNOWN
            else:
                self._kept[name] = (now + KEEP, key)
                self._kept.move_to_end(name)
            for names in (self._kept, self._unknown):
                if len(names) > MAX_KEYS:
                    names.popitem(last=False)


def get(url: str, seconds: float = TOTAL) -> bytes | None:
    """What a URL gives, without following a redirect; None where it says that there is nothing.

    Raises: `Unavailable` for anything but an answer of a sensible size in time.
    """
    from .._fetch import Unfetched, fetch

    try:
        answer = fetch(url, max_bytes=MAX_BYTES, seconds=seconds)
    except Unfetched as error:
        raise Unavailable(f"the key of a webhook cannot be had: {error}") from None
    if answer.status in (403, 404, 410):  # S3 says 403 for what is not there
        return None
    if answer.status != 200:
        raise Unavailable(f"the key of a webhook cannot be had: status {answer.status}")
    return answer.content
