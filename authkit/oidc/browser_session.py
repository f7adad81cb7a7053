"""`BrowserSession`: the credential that a login leaves in a browser; for `require_auth(login.session)`."""

from __future__ import annotations

import time
from urllib.parse import quote, urlencode

from .. import _credential
from .._lines import Lines
from ..decision import Allow, Deny, Principal
from ._served import start_from, wants_page
from .return_to import safe_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine
    from typing import Any

    from ..http import Request, Response
    from ._web_cookies import WebCookies
    from .refreshing import Refreshing
    from .sealed import SealedSessions
    from .session import Session
    from .stored import StoredSessions

SEEN = 60.0  # seconds: how exactly it is known when somebody was last here, or a tenth of `idle`
KEPT = 0.5  # seconds for which what a store said is not asked again: a logout is seen everywhere within one
SET_BACK = 60.0  # seconds by which a clock may be set back before sessions are opened again
_CACHED = 2048  # sessions remembered, of each half
_NOT_STORED = "cache-control", "no-store"  # what a page says of itself does not hold where a session comes with it
_PRIVATE = "private, no-store"  # unless a page says otherwise: whoever goes back after a logout finds nothing of theirs
_CROSS_SITE = Deny(403, "csrf_failed", reason="csrf_failed")


class Opened:
    """A session that was opened. Until `soft` (epoch seconds, and `ticks` by the monotonic clock) it is used as it is."""

    __slots__ = ("session", "principal", "soft", "ticks", "since", "asked", "succeeded")

    def __init__(self, session: Session, principal: Principal) -> None:
        self.session = session
        self.principal = principal
        self.soft = self.ticks = float("-inf")
        self.since = float("inf")
        self.succeeded: str | None = None  # the value that has taken the place of the one it was opened from


class BrowserSession:
    """Who logged in, by the session's cookies; None for none, and for one that is over, forged or another login's.

    On unsafe methods and websockets the request has to come from this site, or from one of `origins` (403 `csrf_failed`). A
    browser that navigates is led to `start` with the way back; whoever else has no session is answered 401. Dead cookies are
    forgotten by the answer. What a handler answers whom a session let in is `Cache-Control: private, no-store`, unless it says
    something else there.
    """

    reads_request = True
    needs_body = False
    challenges = ()

    def __init__(
        self,
        sessions: SealedSessions | StoredSessions,
        cookies: WebCookies,
        *,
        start: str,
        own: Collection[str],
        origins: frozenset[str],
        idle: float,
        absolute: float,
        refreshing: Refreshing | None,
        background: bool,
        warms: Callable[[], Coroutine[Any, Any, None]] | None = None,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._cookies = cookies
        self._start = start
        self._own = own
        self._origins = origins
        self._idle = idle
        self._absolute = absolute
        self._refreshing = refreshing
        self._warms = warms
        self._background = background and sessions.revocable  # what a browser alone has is renewed in the answer to it
        self._exact = min(SEEN, idle / 10)
        self._clock = clock
        self._monotonic = monotonic
        self._young: dict[str, Opened] = {}
        self._old: dict[str, Opened] = {}

    async def authenticate(self, request: Request) -> Principal | Allow | Deny | None:
        value = self._cookies.sent(request)
        if not value:
            return None
        if isinstance(value, Deny):
            return value
        if (request.method not in _credential.SAFE_METHODS or request.websocket) and _credential.is_cross_site(
            request, self._origins
        ):
            return _CROSS_SITE
        opened = self._young.get(value)
        if opened is None or not self._is_fresh(opened):
            opened = await self.opened(value)
            if opened is None:
                return None
        state = request.state
        if state is not None:
            state.kept = {**(state.kept or {}), id(self): True}  # for `after`
        if opened.succeeded is None:
            return opened.principal
        lines = self.kept(opened.succeeded, opened.session, request)
        return Allow(opened.principal, headers=Lines([*lines, _NOT_STORED]))

    def after(self, request: Request, response: Response | None) -> None:
        """The response hook: what was answered to somebody with a session is in no cache, unless it says so itself."""
        state = request.state
        if response is None or request.websocket or state is None or state.kept is None:
            return
        if state.kept.get(id(self)) is not None:
            response.headers.setdefault("cache-control", _PRIVATE)

    async def warm(self) -> None:
        """Have the key at hand before the first request, and what the first login wants to know of its provider."""
        await self._sessions.warm()
        if self._warms is not None:
            await self._warms()

    def lead(self, request: Request, deny: Deny) -> Deny | None:
        """What a request is answered that nobody is known by: a browser is sent to log in, dead cookies are forgotten."""
        value = self._cookies.sent(request)
        dead = [] if value is None else self._cookies.forgotten(request)
        reason = "no_credential" if value is None else "session_over"
        lines = [("set-cookie", line) for line in dead]
        if request.method in ("GET", "HEAD") and not request.websocket and wants_page(request):
            whole = request.whole_path
            target = whole if request.host == "aws_lambda" else request.raw_path or quote(whole)  # events may lack the stage
            query = request.query_string or urlencode(request.query)  # some hosts give it decoded alone
            if query:
                target += "?" + query
            back = safe_path(target, never=self._own)
            lines += [("location", start_from(self._start, back)), ("vary", "accept, cookie")]
            return Deny(303, "login_required", reason=reason, headers=Lines(lines), no_credential=True, respond=b"")
        if not lines:
            return None
        return Deny(401, deny.code, reason=reason, challenge=deny.challenge, headers=Lines(lines), no_credential=True)

    async def opened(self, value: str) -> Opened | None:
        """The session of a cookie's value, seen now, and refreshed if that is due; None if there is none any more.

        Raises: `Unavailable`.
        """
        known = self._young.get(value) or self._old.get(value)
        if known is not None and self._is_fresh(known):
            self._remember(value, known)
            return known
        now = self._clock()
        current = value if known is None or known.succeeded is None else known.succeeded
        session = await self._sessions.find(current)
        if session is not None and not self._is_over(session, now):
            return await self._seen(value, current, session, now)
        self.forget(value)
        return None

    async def _seen(self, value: str, current: str, session: Session, now: float) -> Opened | None:
        """The session that `value` led to and `current` holds, refreshed and seen now where that is due."""
        held: Session | None = session
        if self._refreshing is not None and self._refreshing.is_due(session, now):
            if self._background and now < (session.expires or 0.0):
                self._refreshing.begin(current, session)
            else:
                current, held = await self._refreshing.refreshed(current, session)
        if held is not None and now - held.seen >= self._exact:
            current, held = await self._sessions.replace(current, held, held.but(seen=now))
        if held is None:
            self.forget(value)
            return None
        opened = self._remembered(value, held, now)
        if current != value:
            opened.succeeded = current
            self._remembered(current, held, now)
        return opened

    def _remembered(self, value: str, session: Session, now: float) -> Opened:
        opened = Opened(session, session.principal())
        self._arm(opened, now)
        self._remember(value, opened)
        return opened

    def kept(self, value: str, session: Session, request: Request | None) -> list[tuple[str, str]]:
        """The header lines that keep a session in its browser."""
        left = int(session.began + self._absolute - self._clock()) + 1
        return [("set-cookie", line) for line in self._cookies.lines(value, max(1, left), request)]

    def forget(self, value: str) -> None:
        """A session has ended here: it is remembered no longer."""
        self._young.pop(value, None)
        self._old.pop(value, None)

    def forget_all(self) -> None:
        """Sessions have ended, nobody knows which."""
        self._young, self._old = {}, {}

    def _is_over(self, session: Session, now: float) -> bool:
        return not (session.seen - SET_BACK <= now < min(session.seen + self._idle, session.began + self._absolute))

    def _is_fresh(self, opened: Opened) -> bool:
        return opened.since <= self._clock() < opened.soft and self._monotonic() < opened.ticks

    def _arm(self, opened: Opened, now: float) -> None:
        session = opened.session
        soft = min(session.seen + self._exact, session.began + self._absolute, session.seen + self._idle)
        if self._refreshing is not None:
            soft = min(soft, self._refreshing.due_at(session, now))
        if self._sessions.revocable:
            soft = min(soft, now + KEPT)
        opened.since, opened.soft = now - 1.0, soft
        opened.ticks = self._monotonic() + max(0.0, soft - now)

    def _remember(self, value: str, opened: Opened) -> None:
        if len(self._young) >= _CACHED:  # two generations: the older one goes as a whole, but for what was used since
            self._old, self._young = self._young, {}
        self._young[value] = opened

    def __repr__(self) -> str:
        return f"<BrowserSession of the cookie {self._cookies.name}>"
