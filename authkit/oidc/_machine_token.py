"""One access token for all who call: asked for once, used until shortly before its end, and renewed behind them."""

from __future__ import annotations

import os
import threading
import time
from functools import partial

from .._lock import ProcessLock
from .._outage import Outage
from .._run import SingleFlight, run
from ..errors import AuthkitError, ConfigurationError, SecretNotFound, Unavailable
from ..secrets.slot import NEVER_YET, elapsed
from ..secrets.versions import Masked
from ..tokens.verify import MAX_TOKEN
from ._attempts import Attempts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..secrets.slot import Moment

UNSAID = 300.0  # seconds that a token is used whose server does not say how long it lives, or nothing that can be true
LONGEST = 86_400.0  # seconds that a token is used, whatever its server says
MARGIN = 5.0  # seconds before its end from which it is not sent any more: it is under way for a while
JUST_NOW = 30.0  # seconds that a token has to be old to be asked for again because an API has refused it
OVERDUE = 30.0  # seconds after which a renewal in the background is given up: it hangs, or the machine was frozen


class AccessToken(Masked):
    """What is sent. `text`; `order`: of the request for it."""

    __slots__ = ("text", "order", "at", "soft", "hard")

    def __init__(self, text: str, order: int, at: Moment, soft: float, hard: float) -> None:
        self.text = text
        self.order = order
        self.at = at  # before it was asked for
        self.soft, self.hard = soft, hard  # ages in seconds: at which it is renewed, and not used any more


class MachineToken(Masked):
    """`ask` blocks, for at most `wait` seconds, and gives a token endpoint's answer, whose `token_type` has to be `kind`.

    `early`: how many seconds before its end a token is renewed, a little earlier by chance. `in_front`: whoever finds it due
    waits for the renewal. While renewals fail a token is used as long as it lives; attempts come later each time.
    """

    __slots__ = (
        "_ask", "_name", "_kind", "_early", "_wait", "_in_front", "_clock", "_monotonic", "_random", "_lock", "_flights",
        "_attempts", "_outage", "_held", "_order", "_round", "_failure", "_begun",
    )  # fmt: skip

    def __init__(
        self,
        ask: Callable[[], Mapping[str, Any]],
        name: str,
        kind: str,
        *,
        early: float,
        wait: float,
        in_front: bool,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._ask = ask
        self._name = name
        self._kind = kind
        self._early = early
        self._wait = wait
        self._in_front = in_front
        self._clock, self._monotonic, self._random = clock, monotonic, random
        self._lock = ProcessLock()  # held for a few steps in memory, never over a request
        self._flights = SingleFlight()
        self._attempts = Attempts(self._chance)
        self._outage = Outage(f"tokens of {name}", "one that is known is used until its end", "the token endpoint")
        self._held: AccessToken | None = None
        self._order = 0
        self._round = 0  # goes up when a request ends or is given up, so that the next one does not wait for it
        self._failure: tuple[type[AuthkitError], str] = (Unavailable, "")
        self._begun: Moment = NEVER_YET  # in the background

    async def load(self) -> AccessToken:
        """A token that is good for a while. Raises: `Unavailable`; `ConfigurationError` where the server refuses the grant."""
        with self._lock:
            held, now = self._held, self._now()
            age = 0.0 if held is None else elapsed(held.at, now)
            if held is not None and age < held.soft:
                return held
            rest, round = self._attempts.rest(now), self._round
            usable = held if held is not None and age < held.hard else None
            begin = usable is not None and rest <= 0 and elapsed(self._begun, now) >= OVERDUE
            if begin:
                self._begun = now
        if usable is None:
            if rest > 0:
                raise self._failed(rest)
            return await self._flown(round)
        if begin and not self._in_front:
            self._renew_behind(round)
        elif begin:
            try:
                return await self._flown(round)
            except AuthkitError:
                pass
            finally:
                self._begun = NEVER_YET
        return usable

    async def other(self, refused: AccessToken) -> AccessToken | None:
        """A newer token than this one, which an API has refused; None: there is none to be had, or it is too new itself."""
        with self._lock:
            held, now, round = self._held, self._now(), self._round
            if held is not None and held.order > refused.order and elapsed(held.at, now) < held.hard:
                return held
            if elapsed(refused.at, now) < JUST_NOW or self._attempts.rest(now) > 0:
                return None
        try:
            found = await self._flown(round)
        except AuthkitError:
            return None
        return found if found.text != refused.text else None

    async def _flown(self, round: int) -> AccessToken:
        """What the request of that round brings; it is begun if nobody has."""
        fly = partial(self._renewed, round)
        try:
            return await self._flights.do(round, fly, bounded=True, lead=self._wait, follow=self._wait)
        except Unavailable:
            with self._lock:
                if self._round == round:  # who waited longest has heard nothing
                    self._round += 1
                    self._note_failure(Unavailable, "it takes too long")
            raise

    def _renew_behind(self, round: int) -> None:
        thread = threading.Thread(target=self._behind, args=(round,), name="authkit-token", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):  # no thread to be had, or the interpreter is closing: a later caller tries again
            self._begun = NEVER_YET

    def _behind(self, round: int) -> None:
        try:
            run(self._flown(round))
        except BaseException:  # it was noted and told when it happened
            pass
        finally:
            self._begun = NEVER_YET

    def _renewed(self, round: int) -> AccessToken:
        """One request, and what holds after it. It blocks."""
        with self._lock:
            at = self._now()
            held, rest = self._held, self._attempts.rest(at)
            if round != self._round:  # another flight has landed since
                if held is not None and elapsed(held.at, at) < held.soft:
                    return held
                if rest > 0:
                    raise self._failed(rest)
            self._order += 1
            order = self._order
        found, failure = None, ""
        kind: type[AuthkitError] = Unavailable
        try:
            found = self._read(self._ask(), at, order)
        except (ConfigurationError, SecretNotFound) as error:
            kind, failure = type(error), str(error)
        except Unavailable as error:
            failure = str(error)
        except Exception as error:  # of this not even the message is repeated: it may hold what was sent
            failure = type(error).__name__
        with self._lock:
            if found is None and round == self._round:
                self._note_failure(kind, failure)
            if round == self._round:
                self._round += 1
            if found is not None:
                self._attempts.failures = 0
                if self._held is None or self._held.order < order:
                    self._held = found
        if found is None:
            self._outage.began(kind(failure))
            raise kind(failure)
        self._outage.ended()
        return found

    def _read(self, said: Mapping[str, Any], at: Moment, order: int) -> AccessToken:
        text, kind = said.get("access_token"), said.get("token_type", "Bearer")
        if type(kind) is not str or kind.lower() != self._kind.lower():
            raise Unavailable(f"the token endpoint of {self._name} gave a token that is no {self._kind} token")
        if (
            type(text) is not str
            or not 0 < len(text) <= MAX_TOKEN
            or not text.isascii()
            or not text.isprintable()
            or " " in text
        ):
            raise Unavailable(f"the token endpoint of {self._name} gave a token that no header can carry")
        life = lifetime(said.get("expires_in"))
        early = min(self._early, life / 2)
        soft = life - early - self._chance() * min(early, life / 10)
        return AccessToken(text, order, at, soft, max(soft, life - MARGIN))

    def _note_failure(self, kind: type[AuthkitError], failure: str) -> None:
        now = self._now()
        held = self._held
        self._attempts.failed(now, held is not None and elapsed(held.at, now) < held.hard, LONGEST)
        self._failure = kind, failure

    def _failed(self, seconds: float) -> AuthkitError:
        kind, failure = self._failure
        if kind is Unavailable:
            return Unavailable(failure, retry_after=int(max(0.0, seconds)) + 1)
        return kind(failure)

    def _now(self) -> Moment:
        return self._clock(), self._monotonic()

    def _chance(self) -> float:
        """From 0 to 1."""
        return int.from_bytes(self._random(4), "big") / 0xFFFFFFFF


def lifetime(said: object) -> float:
    """Seconds that `expires_in` gives a token: 1 or more, also written as text; `UNSAID` for what cannot be true."""
    if type(said) is str and said.isascii() and said.isdigit() and len(said) <= 9:
        said = int(said)
    if type(said) not in (int, float) or not 1 <= said < float("inf"):  # type: ignore[operator]
        return UNSAID
    return min(LONGEST, float(said))  # type: ignore[arg-type]
