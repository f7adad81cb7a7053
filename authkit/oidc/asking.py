"""`Asking`: tokens that only their issuer can read. It is asked about each, once in a while, and by nobody twice at once."""

from __future__ import annotations

import os
import time
from _weakrefset import WeakSet  # what `weakref` and `threading` import as well
from functools import partial

from .._fetch import Unfetched
from .._outage import Outage
from .._run import SingleFlight, arun, blocking, run
from ..decision import FrozenDict, Principal, frozen
from ..errors import ConfigurationError, InvalidToken, SecretNotFound, Unavailable
from ..tokens.claims import MAX_TIME, names_of, scopes_of
from ..tokens.verify import MAX_TOKEN
from ._asked import Asked, Bad, Good
from ._budget import Budget
from ._held import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..secrets.slot import Moment


class Asking:
    """A verifier that asks a server about each token; for `require_auth`. Override `ask`, and `principal_of` if need be.

    `principal_issuer`: the issuer of every principal; None: what the claims say (`iss`), if they do. `name` stands in
    messages. Times are in seconds. `ttl`: how long a token that is good is not asked about again, 0 to 3600; one that is
    revoked meanwhile is accepted until then, and none past its own `exp`. `negative_ttl`: the same of one that is not good, 0
    to 60. `cache_size`: how many of each are remembered, as digests. `rate`: questions a second about tokens that were not
    good lately; `flights`: at once. More of them are `Unavailable`, and asked about by nobody; tokens that were good are asked
    about all the same. Both count in one process. `timeout`: what a caller waits for an answer. `leeway`: how far clocks may
    differ, 0 to 300.

    Nothing is accepted while the server does not answer, but what is remembered. A token that is bound to a key (`cnf`) is
    refused as a bearer token. Raises: `ConfigurationError`.
    """

    in_place = False
    issuer: str | None = None  # what `require_auth` chooses by: an opaque token tells of none

    def __init__(
        self,
        *,
        principal_issuer: str | None = None,
        name: str = "the token's server",
        ttl: float = 60,
        negative_ttl: float = 5,
        cache_size: int = 1024,
        rate: float = 50,
        flights: int = 16,
        timeout: float = 5,
        leeway: float = 30,
        provider_name: str | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if principal_issuer is not None and (type(principal_issuer) is not str or not principal_issuer):
            raise ConfigurationError("principal_issuer is text, and not empty")
        for setting, value, most in (("cache_size", cache_size, 1_000_000), ("flights", flights, 1000)):
            if type(value) is not int or not (setting == "flights") <= value <= most:
                raise ConfigurationError(f"{setting} is a whole number, at most {most}")
        self.principal_issuer = principal_issuer
        self.provider_name = provider_name
        self._ttl = seconds_of("ttl", ttl, 0, 3600)
        self._negative_ttl = seconds_of("negative_ttl", negative_ttl, 0, 60)
        self._timeout = seconds_of("timeout", timeout, 0.05, 30)
        self._leeway = seconds_of("leeway", leeway, 0, 300)
        if type(rate) not in (int, float) or not 0 < rate <= 100_000:
            raise ConfigurationError("rate is a number of questions a second, above 0")
        self._clock = clock
        self._monotonic = monotonic
        self._asked = Asked(cache_size, random)
        self._budget = Budget(rate, flights)
        self._flights = SingleFlight()
        self._outage = Outage(name, "no token is accepted but those that are remembered", "the server")
        self._name = name
        _all.add(self)

    def ask(self, token: str) -> Mapping[str, Any] | None:
        """The claims of `token`, or None if it is not good. It may block, for at most `timeout` seconds.

        Raises: `InvalidToken` for a token that is good for somebody else; whatever else it raises makes it `Unavailable`, and
        so does what `principal_of` raises.
        """
        raise NotImplementedError

    def principal_of(self, claims: FrozenDict) -> Principal:
        """Who `claims` are about: `sub`, or the client of a token that is nobody's, with its scopes and roles.

        Raises: `InvalidToken`.
        """
        subject = claims["sub"] if "sub" in claims else claims.get("client_id")
        if type(subject) is not str or not subject:
            raise InvalidToken("token_claims")
        issuer = claims.get("iss") if self.principal_issuer is None else self.principal_issuer
        if issuer is not None and (type(issuer) is not str or not issuer):
            raise InvalidToken("token_issuer")
        roles = names_of(claims.get("roles")) or ()
        return Principal(subject, issuer=issuer, scopes=scopes_of(claims), roles=roles, claims=claims)

    def verify(self, token: str) -> Principal:
        """Who an access token is for. I/O unless it was asked about lately.

        Raises: `InvalidToken`, whatever is wrong with the token; `Unavailable` if nobody can be asked.
        """
        known = self.recall(token)
        return run(self._verifying(token, False)) if known is None else known

    async def averify(self, token: str) -> Principal:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(token))

    async def verifying(self, token: str) -> Principal:
        """`verify` for a guard's own coroutine, whether the host is sync or async."""
        if type(self).verify is not Asking.verify or "verify" in vars(self):  # a subclass's checks more, and may wait
            return await blocking(self.verify, token)
        return await self._verifying(token, False)

    async def verifying_bound(self, token: str) -> Principal:
        """`verifying` for who has checked, or will check, the proof that a bound token (`cnf`) wants."""
        return await self._verifying(token, True)

    def recall(self, token: str) -> Principal | None:
        """Who a token is for that was found good lately, if it still is; None: ask `verify`. Never I/O."""
        if type(token) is not str or len(token) > MAX_TOKEN:
            return None
        found = self._asked.good(self._asked.digest(token))
        if found is None or found.bound or not found.holds(self._now(), self._ttl):
            return None
        return found.principal

    async def _verifying(self, token: str, bound: bool) -> Principal:
        if type(token) is not str or not token or not token.isascii() or not token.isprintable() or " " in token:
            raise InvalidToken("token_malformed")
        if len(token) > MAX_TOKEN:
            raise InvalidToken("token_too_large")
        digest = self._asked.digest(token)
        found: Good | Bad | None = self._known(digest)
        if found is None:
            found = await self._flown(digest, token)
        if isinstance(found, Bad):
            raise InvalidToken(found.reason)
        if found.bound and not bound:
            raise InvalidToken("token_bound")
        return found.principal

    def _known(self, digest: bytes) -> Good | Bad | None:
        now = self._now()
        good = self._asked.good(digest)
        if good is not None and good.holds(now, self._ttl):
            return good
        bad = self._asked.bad(digest)
        return bad if bad is not None and bad.holds(now, self._negative_ttl) else None

    async def _flown(self, digest: bytes, token: str) -> Good | Bad:
        """What the server says, asked once however many wait; in a thread of its own, so that nobody waits for ever."""
        wait = 2 * self._timeout + 1.0
        fly = partial(self._answered, digest, token)
        return await self._flights.do(digest, fly, bounded=True, lead=wait, follow=wait)

    def _answered(self, digest: bytes, token: str) -> Good | Bad:
        """One question, and what follows from the answer. It blocks."""
        landed = self._known(digest)  # since whoever flies looked
        if landed is not None:
            return landed
        known = self._asked.good(digest) is not None
        at = self._now()
        self._budget.begin(known, at[1])
        try:
            found = self._told(token, at)
        finally:
            self._budget.end(known)
        if isinstance(found, Good):
            self._asked.keep(digest, found)
        else:
            self._asked.keep_bad(digest, found)
        return found

    def _told(self, token: str, at: Moment) -> Good | Bad:
        found, failure, retry, wrong = None, "", 1, None
        try:
            found = self._judged(self.ask(token), at)
        except InvalidToken as error:
            found = Bad(error.reason, at)
        except (ConfigurationError, SecretNotFound) as error:  # the frames of whoever asked hold what it authenticates with
            wrong = error.with_traceback(None)
        except Unavailable as error:
            failure, retry = str(error), error.retry_after
        except Unfetched as error:
            failure = str(error)
        except Exception as error:  # of this not even the message is repeated: it may hold the token, or what was said of it
            failure = type(error).__name__
        if wrong is not None:
            raise wrong
        if found is None:
            self._outage.began(Unavailable(failure))
            raise Unavailable(f"{self._name} cannot be asked: {failure}", retry_after=retry)
        self._outage.ended()
        return found

    def _judged(self, claims: Mapping[str, Any] | None, at: Moment) -> Good | Bad:
        if claims is None:
            return Bad("token_inactive", at)
        kept = claims if isinstance(claims, FrozenDict) else frozen(dict(claims))
        lower, upper = _span(kept, self._leeway, at[0])
        principal = self.principal_of(kept)
        return Good(principal, "cnf" in kept or "cnf" in principal.claims, at, lower, upper)

    def _now(self) -> Moment:
        return self._clock(), self._monotonic()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._name!r}>"


def _span(claims: FrozenDict, leeway: float, now: float) -> tuple[float, float]:
    """Between which times (epoch seconds) what was said may be used again: never past `exp`. Raises: `InvalidToken`."""
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if any(type(at) not in (int, float) or not 0 <= at <= MAX_TIME for at in times.values()):
        raise InvalidToken("token_claims")
    upper = times.get("exp", MAX_TIME)
    if not now < upper + leeway:
        raise InvalidToken("token_expired")
    if now < times.get("nbf", 0) - leeway:
        raise InvalidToken("token_not_yet_valid")
    if now < times.get("iat", 0) - leeway:
        raise InvalidToken("token_issued_in_future")
    return max(times.get("nbf", 0), times.get("iat", 0)) - leeway, upper


_all: WeakSet[Asking] = WeakSet()


def _after_fork() -> None:
    for asking in list(_all):
        asking._budget.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
