"""`JWKS`: the keys of one issuer, fetched as seldom as will do and kept standing while it is down."""

from __future__ import annotations

import os
import threading
import time
from _weakrefset import WeakSet  # what `weakref` and `threading` import as well
from functools import partial

from .._fetch import Unfetched, checked_url, fetch
from .._lock import ProcessLock
from .._outage import Outage
from .._run import SingleFlight, run
from ..errors import ConfigurationError, Unavailable
from ..secrets.slot import NEVER_YET, elapsed
from . import _saved
from ._attempts import RETRY, Attempts
from ._held import Held, kept_for, seconds_of, waits_for_it
from .discovery import REDIRECTS, Discovery
from .keyset import KeySet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..secrets.slot import Moment

MAX_BYTES = 1_048_576  # of a set
OVERDUE = 30.0  # seconds after which a fetch in the background is given up: it hangs, or the machine was frozen in its midst
ALOFT = 8  # fetches that may be under way at once, those that hang included
FOLLOW = 1.0  # seconds that others wait for the fetch that a token of an unknown key has caused
JUST_NOW = 1.0  # a set that is younger is not fetched again for a token that names none of its keys
_JSON = {"accept": "application/jwk-set+json, application/json"}


class JWKS:
    """The keys at `url`, or where a `Discovery` says that they are.

    Keys that are known never wait for a fetch: from `ttl` seconds on they are fetched again in the background, and while that
    fails they are used on, at most `stale` seconds after they were last fetched; then nothing is accepted. A removed key is
    refused from the next fetch on. A `Cache-Control` changes `ttl` to a tenth or to six times of itself at most. A token that
    names an unknown key has the set fetched again, at most once in `cooldown` seconds, whatever comes of it. One fetch at a
    time, for all threads and tasks. `name` stands in messages. `timeout`: seconds for one fetch, to its last byte.
    `background=False`: whoever finds them due waits for the fetch, for a process whose threads stand still between requests; by
    default so on AWS Lambda.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        url: str | Discovery,
        *,
        name: str | None = None,
        ttl: float = 600.0,
        stale: float = 86_400.0,
        cooldown: float = 30.0,
        timeout: float = 5.0,
        background: bool | None = None,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.discovery = url if isinstance(url, Discovery) else None
        self._url = "" if isinstance(url, Discovery) else checked_url("jwks_uri", url)
        self.name = name or (url.issuer if isinstance(url, Discovery) else self._url)
        self._ttl = seconds_of("ttl", ttl, 1, 86_400)
        self._stale = seconds_of("stale", stale, 0, 7 * 86_400)
        self._cooldown = seconds_of("cooldown", cooldown, 1, 3600)
        self._timeout = seconds_of("timeout", timeout, 0.05, 30)
        if self._stale < self._ttl:
            raise ConfigurationError("stale is at least ttl: keys are kept until then")
        self._in_front = waits_for_it(background)
        self._transport = transport
        self._clock = clock
        self._monotonic = monotonic
        self._random = random
        self._lock = ProcessLock()  # held for a few steps in memory, never over a fetch
        self._flights = SingleFlight()
        self._outage = Outage(
            f"the keys of {self.name}", f"those that are known stay in use for at most {self._stale:g} seconds", "the issuer"
        )
        self._held: Held | None = None
        self._round = 0  # of fetches: goes up when one ends or is given up, so that the next one does not wait for it
        self._order = 0
        self._aloft = 0
        self._background: tuple[int, Moment] | None = None  # the round that a thread is at, and since when
        self._looked: Moment = NEVER_YET
        self._looking = -1  # the round that a token of an unknown key has caused
        self._attempts = Attempts(self._chance)
        _all.add(self)

    # Reading

    def at_hand(self) -> KeySet | None:
        """The keys, if they are known and may still be used. No I/O: what is due is fetched in the background."""
        held = self._held
        if held is not None and held.is_armed(self._clock(), self._monotonic()):
            return held.keys
        return self._considered()

    def _considered(self) -> KeySet | None:
        with self._lock:
            held, now = self._held, self._now()
            if held is None or (left := self._stale - held.age(now)) <= 0:
                return None
            if not held.is_due(now):
                held.arm(now, min(left, held.soft - held.age(now)))
                return held.keys
            rest = self._attempts.rest(now)
            if rest <= 0 and self._in_front:
                return None
            held.arm(now, min(left, rest if rest > 0 else OVERDUE))
            begin = rest <= 0 and self._aloft < ALOFT
            if begin and self._background is not None:
                begin = elapsed(self._background[1], now) >= OVERDUE
                self._round += begin
            if begin:
                self._background = self._round, now
            round = self._round
        if begin:
            self._in_background(round)
        return held.keys

    async def load(self) -> KeySet:
        """The keys, fetched once however many wait. Raises: `Unavailable` if there are none that may be used."""
        keys = self.at_hand()
        if keys is not None:
            return keys
        with self._lock:
            refusal, round = self._refusal(self._now()), self._round
        if refusal is not None:
            raise refusal
        try:
            return await self._flown(round, False, None)
        except Unavailable:
            if not self._in_front or (keys := self.at_hand()) is None:
                raise
        return keys

    async def look(self, seen: KeySet) -> KeySet | None:
        """Others than `seen`, in which the key of a token was not found; None if there are none.

        Raises: `Unavailable` if that cannot be known: the issuer does not answer.
        """
        with self._lock:
            held, now = self._held, self._now()
            if held is not None and held.keys is not seen and self._usable(now):
                return held.keys
            leads = self._looking != self._round
            if leads:
                refusal = self._refusal(now)
                if refusal is not None:
                    raise refusal
                if elapsed(self._looked, now) < self._cooldown or (held is not None and held.age(now) < JUST_NOW):
                    if self._attempts.failures:
                        raise self._unavailable(self._cooldown - elapsed(self._looked, now))
                    return None
                self._looked, self._looking = now, self._round  # before the fetch: one that fails counts as well
            round = self._round
        keys = await self._flown(round, True, None if leads else FOLLOW)
        return None if keys is seen else keys

    async def _flown(self, round: int, forced: bool, follow: float | None) -> KeySet:
        """What the fetch of that round brings; it is begun if nobody has."""
        wait, fly = 2 * self._timeout + 1.0, partial(self._renewed, round, forced)  # to wait for: the metadata and the keys
        try:
            return await self._flights.do(round, fly, bounded=True, lead=wait, follow=follow or wait)
        except Unavailable:
            if follow is None:
                self._given_up(round)
            raise

    def _given_up(self, round: int) -> None:
        """Who waited longest has heard nothing: the next fetch does not wait for this one, and is not begun at once."""
        with self._lock:
            if self._round == round:
                self._round += 1
                self._note_failure(self._now())

    # Fetching

    def refresh(self) -> None:
        """Fetch the keys now, whatever is known; it blocks. Raises: `Unavailable`; what is known stays in use then."""
        with self._lock:
            round = self._round
        run(self._flights.do(round, partial(self._renewed, round, True)))

    def _in_background(self, round: int) -> None:
        thread = threading.Thread(target=self._refreshed, args=(round,), name="authkit-jwks", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):  # no thread to be had, or the interpreter is closing: a later caller tries again
            self._background = None

    def _refreshed(self, round: int) -> None:
        """One refresh, in a thread of its own that ends with it."""
        time.sleep(0.001)  # whoever began it waits for this thread's start, and would wait for its turn after that
        try:
            run(self._flights.do(round, partial(self._renewed, round, False)))
        except BaseException:  # it was noted and told when it happened
            pass
        finally:
            with self._lock:
                if self._background is not None and self._background[0] == round:
                    self._background = None

    def _renewed(self, round: int, forced: bool) -> KeySet:
        """One fetch, and what holds after it. It blocks."""
        with self._lock:
            now, held = self._now(), self._held
            if round != self._round or not (forced or held is None or held.is_due(now) or held.age(now) >= self._stale):
                # Another flight has landed since.
                if held is not None and held.age(now) < self._stale:
                    return held.keys
                raise self._refusal(now) or self._unavailable(1)
            if self._aloft >= ALOFT:
                raise self._unavailable(RETRY)
            self._order += 1
            order = self._order
            self._aloft += 1
        failure, found, keys = "", None, None
        try:
            found = self._fetched()
        except Unfetched as error:
            failure = str(error)
        except ConfigurationError:
            failure = "it cannot be asked"
            raise
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            with self._lock:
                self._aloft -= 1
                if round == self._round:
                    self._round += 1
                if found is not None:
                    keys = self._land(*found, order, now)
                elif self._held is None or order > self._held.order:
                    self._note_failure(self._now())
            if found is None:
                self._outage.began(Unfetched(failure))
        if keys is None:
            raise self._unavailable(self._attempts.rest(now), failure)
        self._outage.ended()
        return keys

    def _fetched(self) -> tuple[KeySet, float]:
        discovery = self.discovery
        try:
            url = self._url if discovery is None else discovery.jwks_uri()
            answer = fetch(
                url, max_bytes=MAX_BYTES, seconds=self._timeout, headers=_JSON, redirects=REDIRECTS, transport=self._transport
            )
            if answer.status != 200:
                raise Unfetched(f"its keys: it answered {answer.status}")
            try:
                return KeySet.read(answer.content), kept_for(answer.headers, self._ttl)
            except ValueError as error:
                raise Unfetched(f"its keys: {error}") from None
        except Unfetched:
            if discovery is not None:
                discovery.forget()
            raise

    def _land(self, keys: KeySet, soft: float, order: int, at: Moment) -> KeySet:
        held = self._held
        if held is not None and held.order > order:  # a fetch that began later has landed already
            return held.keys
        if held is not None and keys.same_as(held.keys):
            keys = held.keys  # the same object: what was verified with it is still so
        self._held = Held(keys, at, soft * self._jitter(), order)
        self._attempts.failures = 0
        return keys

    def _note_failure(self, now: Moment) -> None:
        self._attempts.failed(now, self._usable(now), self._ttl)
        if self._held is not None:
            self._held.disarm()

    def _usable(self, now: Moment) -> bool:
        return self._held is not None and self._held.age(now) < self._stale

    def _refusal(self, now: Moment) -> Unavailable | None:
        rest = self._attempts.rest(now)
        return self._unavailable(rest) if rest > 0 else None

    def _unavailable(self, seconds: float, failure: str = "it did not answer when it was last asked") -> Unavailable:
        return Unavailable(f"the keys of {self.name} cannot be had: {failure}", retry_after=int(max(0.0, seconds)) + 1)

    def _now(self) -> Moment:
        return self._clock(), self._monotonic()

    def _jitter(self) -> float:
        return 0.9 + 0.1 * self._chance()  # not all processes at one moment

    def _chance(self) -> float:
        """From 0 to 1."""
        return int.from_bytes(self._random(4), "big") / 0xFFFFFFFF

    # From one process to the next

    def export(self) -> str | None:
        """What is known, as text for `restore`; None if nothing is. It holds public keys and no secret."""
        held = self._held
        return None if held is None else _saved.written(self.name, held.keys, held.at[0])

    def restore(self, saved: str | bytes | None) -> bool:
        """Take what `export` gave, as old as it is, where nothing newer is known; whether it was taken. It never raises.

        Whoever can write what is restored can sign tokens that are accepted: keep it where only you write.
        """
        now = self._now()
        found = _saved.read(saved, self.name, now)
        if found is None:
            return False
        keys, at = found
        with self._lock:
            if elapsed(at, now) >= self._stale or (self._held is not None and self._held.age(now) <= elapsed(at, now)):
                return False
            self._order += 1
            self._held = Held(keys, at, self._ttl * self._jitter(), self._order)
        return True

    def after_fork(self) -> None:
        """In the child: none of the parent's threads is here, and not all children are to refresh at one moment."""
        self._background, self._aloft = None, 0
        self._round += 1
        held = self._held
        if held is not None:
            self._held = Held(held.keys, held.at, held.soft * self._jitter(), held.order)

    def __repr__(self) -> str:
        return f"<JWKS of {self.name!r}>"


_all: WeakSet[JWKS] = WeakSet()


def _after_fork() -> None:
    for jwks in list(_all):
        jwks.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
