"""`Secrets`: the sources in their order, and one memo of what they said."""

from __future__ import annotations

import os
import time

from ..errors import ConfigurationError
from ._asking import Chain
from ._ledger import Ledger, Terms
from ._renewal import Renewal
from .secret import Secret
from .source import SecretSource
from .versions import Masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

TTL = 300.0  # seconds a value is used before its source is asked again
GRACE = 86_400.0  # seconds a previous value is accepted for, where the source does not say until when
STALE = 3_600.0  # seconds beyond its TTL for which a value is used while its source is down
COOLDOWN = 1.0  # seconds between two looks at a source because a verification failed; anybody may cause them
COOLDOWN_LOCAL = 0.1  # the same where a look costs no network


class Secrets(Masked):
    """Secrets by name, from the first source that has each.

    `ttl`: seconds a value is used. From about 0.8 of that (a little more or less, so that processes started together do not ask
    together) the first reader has it fetched again in the background and goes on with the value at hand; a reader beyond it
    waits. `grace`: seconds for which a previous value is accepted where the source does not say until when, counted from when
    the source says that it was replaced, or else from when it was first seen in this process. `stale`: seconds beyond `ttl` for
    which a value is used on while its source fails, with a warning in the log `authkit.secrets` for each of the attempts, which
    grow rarer; after that, and for a value never seen, `SecretUnavailable`. `cooldown`: seconds between two fetches because a
    verification failed (`Secret.recheck`); it doubles with each that brings nothing new, up to 30 s, or 0.5 s where all sources
    are local.

    A source that fails is never passed over for the next one, which may be weaker. `on_error="insecure_next"` does pass it
    over, with a warning, where no value is known: whoever can keep the first source from answering then chooses the second.

    Nothing is read before a secret is used, or `prefetch` is called. A fork is safe: children fetch for themselves.
    """

    __slots__ = ("_ledger", "_renewal", "_chain")

    def __init__(
        self,
        *sources: SecretSource,
        ttl: float = TTL,
        grace: float = GRACE,
        stale: float = STALE,
        cooldown: float | None = None,
        on_error: Literal["unavailable", "insecure_next"] = "unavailable",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._chain: Chain | None = None
        if not sources:
            raise ConfigurationError("Secrets needs at least one source")
        for source in sources:
            if not isinstance(source, SecretSource):
                raise ConfigurationError(f"{type(source).__name__} is no SecretSource")
        if cooldown is None:
            cooldown = COOLDOWN_LOCAL if all(source.local for source in sources) else COOLDOWN
        if not 0 < ttl < float("inf"):
            raise ConfigurationError("ttl is a positive number of seconds")
        for name, seconds in (("grace", grace), ("stale", stale), ("cooldown", cooldown)):
            if not 0 <= seconds < float("inf"):
                raise ConfigurationError(f"{name} is a number of seconds, 0 or more")
        if on_error not in ("unavailable", "insecure_next"):
            raise ConfigurationError('on_error is "unavailable" or "insecure_next"')
        self._chain = Chain(sources)
        terms = Terms(ttl, grace, stale, cooldown, on_error == "insecure_next", self._chain.local)
        self._ledger = Ledger(terms, clock, monotonic, random)
        self._renewal = Renewal(self._chain, self._ledger)

    def __getitem__(self, name: str) -> Secret:
        """A handle on the secret of that name. No I/O: whether it exists is found out when it is used.

        Every name is remembered for good, and asked for along with others: names come from the program, never from a request.
        """
        if not isinstance(name, str) or not name or "\0" in name or "=" in name:
            raise ConfigurationError("a secret's name is text, not empty, without '=' and NUL")
        return Secret(self._ledger.slot(name, self._renewal))

    # without these, `in` and `for` would call __getitem__ with 0, 1, 2, ...
    __contains__ = None
    __iter__ = None

    def refresh(self) -> None:
        """Have every secret fetched again at its next use, whatever its age, and one that was missing or unavailable too."""
        self._ledger.expire()

    def prefetch(self) -> None:
        """Fetch every secret that was asked for by name so far, with all its versions: at Lambda INIT, or before a fork.

        Raises: `SecretNotFound`, `SecretUnavailable` or `ConfigurationError`, of the first that failed, when all were tried.
        """
        self._renewal.fill()

    async def aprefetch(self) -> None:
        """`prefetch` on an event loop, which it does not block."""
        await self._renewal.afill()

    def __repr__(self) -> str:
        return f"Secrets({self._chain or ''})"
