"""`Refreshing`: sessions whose tokens are renewed in time, once for each, however many requests wait for it."""

from __future__ import annotations

import time
from functools import partial

from .._run import SingleFlight, behind, run
from ..errors import InvalidToken, Unavailable
from .stored import StoredSessions
from .token_endpoint import GrantRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    from .sealed import SealedSessions
    from .session import Session
    from .token_endpoint import TokenEndpoint, TokenResponse

    Landed: TypeAlias = tuple[str, Session | None]

REST = 10.0  # seconds between two attempts for one session at a provider that is down
GRACE = 600.0  # seconds after its access token's end for which a session is kept while the provider is down
OVERLAP = 60.0  # seconds for which requests that still come with the former value get the session that it has become
_POLL = 0.05  # seconds between two looks at what another process does
_MOST = 4096
_OVER = frozenset(("invalid_grant", "access_denied", "interaction_required", "login_required", "consent_required"))


class Refreshing:
    """Renews sessions of `sessions` at `endpoint`. `renewed(session, tokens, now)`: what a session becomes by tokens that came
    at `now`; it raises `InvalidToken` where they are another's.

    One flight for each session: in this process always, among processes where there is a store. A session ends where the
    provider says `invalid_grant`, or that somebody has to log in anew. A provider that is down ends none: it is kept until 10
    minutes after its access token's end, and is `Unavailable` from then on.
    """

    def __init__(
        self,
        sessions: SealedSessions | StoredSessions,
        endpoint: TokenEndpoint,
        renewed: Callable[[Session, TokenResponse, float], Awaitable[Session]],
        *,
        timeout: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sessions = sessions
        self._endpoint = endpoint
        self._renewed = renewed
        self._wait = 5 * timeout + 2.0  # metadata, keys, tokens, userinfo, and the store
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._flights = SingleFlight()
        self._landed: dict[tuple[str, int], tuple[float, Landed]] = {}
        self._begun: set[tuple[str, int]] = set()
        self._came: dict[tuple[str, int], tuple[float, TokenResponse]] = {}  # and could not be kept yet
        self._resting: dict[str, float] = {}  # until when, by the id of a session

    def due_at(self, session: Session, now: float) -> float:
        """Epoch seconds."""
        if session.refresh_token is None or session.due is None:
            return float("inf")
        return min(max(session.due, self._resting.get(session.id, 0.0)), self._last(session))

    def is_due(self, session: Session, now: float) -> bool:
        return now >= self.due_at(session, now)

    def begin(self, value: str, session: Session) -> None:
        """Have it refreshed by a thread of ours, and wait for nothing: its token is good still. For sessions in a store, where
        whoever comes next finds what it has become."""
        key = session.id, session.turn
        if key in self._begun:
            return
        self._begun.add(key)
        try:
            behind(partial(self._in_background, key, value, session), "io")
        except Unavailable:  # too much waits already: whoever comes when it has ended waits for it
            self._begun.discard(key)

    def _in_background(self, key: tuple[str, int], value: str, session: Session) -> None:
        try:
            run(self.refreshed(value, session))
        except Unavailable:
            pass
        finally:
            self._begun.discard(key)

    async def refreshed(self, value: str, session: Session) -> Landed:
        """The session with new tokens, and the value that now leads to it; None: it is over. Raises: `Unavailable`."""
        key = session.id, session.turn
        return await self._flights.do(key, partial(self._fly, key, value, session), lead=self._wait, follow=self._wait)

    def _fly(self, key: tuple[str, int], value: str, session: Session) -> Landed:
        """It blocks."""
        now = self._clock()
        landed = self._landed.get(key)
        if landed is not None and 0 <= now - landed[0] < OVERLAP:  # since whoever flies looked
            return landed[1]
        if now < self._resting.get(session.id, 0.0):
            if now >= self._last(session):
                raise Unavailable("a session cannot be refreshed, and is tried again in a while")
            return value, session
        failure = ""
        try:
            found = run(self._flown(value, session))
        except Unavailable as error:
            failure = str(error)
        else:
            _keep(self._landed, key, (now, found))
            return found
        _keep(self._resting, session.id, now + REST)
        if now >= self._last(session):
            raise Unavailable(f"a session cannot be refreshed: {failure}")
        return value, session

    @staticmethod
    def _last(session: Session) -> float:
        """Until when a session that cannot be refreshed is good."""
        return (session.expires or 0.0) + GRACE

    async def _flown(self, value: str, session: Session) -> Landed:
        sessions = self._sessions
        if not isinstance(sessions, StoredSessions):
            return await self._asked(value, session)
        key = session.id, session.turn
        name = f"refresh:{session.id}:{session.turn}"
        end = self._monotonic() + self._wait
        while key not in self._came and not await sessions.add(name, self._wait):  # another process flies
            found = await sessions.find(value)
            if found is None or found.turn > session.turn:
                return value, found
            if self._monotonic() >= end:
                raise Unavailable("another process refreshes it, and is not done")
            self._sleep(_POLL)
        try:
            found = await sessions.find(value)
            if found is None or found.turn > session.turn:  # it was done when we came
                return value, found
            return await self._asked(value, found)
        except Unavailable:
            if key not in self._came:  # what came is here alone, and others would show what it has taken the place of
                await sessions.drop(name)
            raise

    async def _asked(self, value: str, session: Session) -> Landed:
        key, refused = (session.id, session.turn), ""
        came = self._came.pop(key, None)
        try:
            if came is None:
                tokens = self._endpoint.post("refresh_token", refresh_token=session.refresh_token)
                came = self._clock(), tokens
            new = await self._renewed(session, came[1], came[0])
            return await self._sessions.replace(value, session, new)
        except GrantRefused as error:
            refused = error.error
        except InvalidToken:
            refused = "invalid_grant"  # the provider answers for somebody else
        except Unavailable:
            if came is not None:  # what was shown for these is spent: they are judged and kept at the next attempt
                _keep(self._came, key, came)
            raise
        if refused not in _OVER:
            raise Unavailable(f"the provider refused: {refused}", retry_after=30)
        await self._sessions.end(value, session)
        return value, None


def _keep(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) >= _MOST:
        known.clear()
    known[key] = value
