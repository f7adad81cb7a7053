"""`Secrets`: the sources in their order, and one memo of what they said."""

from __future__ import annotations

import time

from .._run import SingleFlight
from ..errors import AuthkitError, ConfigurationError, SecretNotFound, SecretUnavailable, Unavailable
from .secret import Keeper, Secret
from .source import SecretSource
from .versions import Masked, SecretVersions, is_blank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TTL = 300.0  # seconds a value is used before its source is asked again
GRACE = 86_400.0  # seconds a previous value is accepted for, where the source does not say until when
STALE = 3_600.0  # seconds beyond its TTL for which a value is used while its source is down
RETRY = 10.0  # seconds between two attempts at a source that is down


class _Entry:
    """What is known of one secret, and how long it is good for. Times are epoch seconds."""

    __slots__ = ("versions", "seen", "fetched", "since", "due", "until", "generation")

    def __init__(
        self, versions: SecretVersions, seen: SecretVersions, fetched: float, since: float, due: float, generation: int
    ) -> None:
        self.versions = versions  # what is in force
        self.seen = seen  # what the source said, with the end of `previous` that we gave it if the source gave none
        self.fetched = fetched
        self.since = since
        self.due = due  # when the source is asked again
        self.until = due if versions.previous_until is None else min(due, versions.previous_until)
        self.generation = generation


class Secrets(Masked, Keeper):
    """Secrets by name, from the first source that has each.

    `ttl`: seconds a value is kept before its source is asked again. `grace`: seconds for which a previous value is
    accepted where the source does not say until when, counted from when it was first seen. A source that fails is never
    passed over for the next one: a value that is known is used on for up to an hour, with a warning in the log; otherwise
    `SecretUnavailable`.
    """

    __slots__ = ("_sources", "_ttl", "_grace", "_clock", "_memo", "_generation", "_flights")

    def __init__(
        self, *sources: SecretSource, ttl: float = TTL, grace: float = GRACE, clock: Callable[[], float] = time.time
    ) -> None:
        self._sources = sources
        if not sources:
            raise ConfigurationError("Secrets needs at least one source")
        for source in sources:
            if not isinstance(source, SecretSource):
                raise ConfigurationError(f"{type(source).__name__} is no SecretSource")
        if not 0 < ttl < float("inf"):
            raise ConfigurationError("ttl is a positive number of seconds")
        if not 0 <= grace < float("inf"):
            raise ConfigurationError("grace is a number of seconds, 0 or more")
        self._ttl = ttl
        self._grace = grace
        self._clock = clock
        self._memo: dict[str, _Entry] = {}
        self._generation = 0
        self._flights = SingleFlight()

    def __getitem__(self, name: str) -> Secret:
        """A handle on the secret of that name. No I/O: whether it exists is found out when it is used."""
        if not isinstance(name, str) or not name or "\0" in name or "=" in name:
            raise ConfigurationError("a secret's name is text, not empty, without '=' and NUL")
        return Secret(self, name)

    # without these, `in` and `for` would call __getitem__ with 0, 1, 2, ...
    __contains__ = None
    __iter__ = None

    def refresh(self) -> None:
        """Have every secret fetched again at its next use, whatever its age."""
        self._generation += 1

    def fresh(self, name: str) -> SecretVersions | None:
        """The versions, if they were fetched within the TTL. No I/O."""
        entry = self._memo.get(name)
        if entry is not None and entry.since <= self._clock() < entry.until and entry.generation == self._generation:
            return entry.versions
        return None

    async def load(self, name: str) -> SecretVersions:
        """The versions, fetched from the first source that has them: once, however many wait."""
        generation = self._generation
        # A fetch that began before refresh() is no answer to whoever asks after it: the generation is part of the key.
        return await self._flights.do((name, generation), lambda: self._renew(name, generation))

    def _renew(self, name: str, generation: int) -> SecretVersions:
        known = self._memo.get(name)
        now = self._clock()
        if known is not None and known.generation == generation and known.since <= now < known.due:
            # another flight has just landed, or nothing is due but the end of the previous value
            return self._keep(name, _Entry(known.versions.in_force(now), known.seen, known.fetched, now, known.due, generation))
        try:
            seen = self._fetch(name)
        except SecretNotFound:
            self._memo.pop(name, None)
            raise
        except Unavailable as error:
            if known is None or not known.fetched <= now < known.fetched + self._ttl + STALE:
                raise
            _warn_stale(name, error)
            due = now + min(RETRY, self._ttl)
            return self._keep(name, _Entry(known.versions.in_force(now), known.seen, known.fetched, now, due, generation))
        if seen.previous is not None and seen.previous_until is None:
            seen = seen.until(now + self._grace if known is None else _granted(known.seen, seen) or now + self._grace)
        versions = known.versions if known is not None and seen.same_as(known.seen) else seen
        return self._keep(name, _Entry(versions.in_force(now), seen, now, now, now + self._ttl, generation))

    def _keep(self, name: str, entry: _Entry) -> SecretVersions:
        self._memo[name] = entry
        return entry.versions

    def _fetch(self, name: str) -> SecretVersions:
        for source in self._sources:
            versions, failure = _ask(source, name)
            if failure is not None:
                raise failure  # out here, where no exception of the source's hangs on to it
            if versions is not None:
                return versions
        tried = ", ".join(map(str, self._sources))
        raise SecretNotFound(f"no source has the secret {name}; tried: {tried}")

    def __repr__(self) -> str:
        return f"Secrets({', '.join(map(str, self._sources))})"


def _granted(known: SecretVersions, seen: SecretVersions) -> float | None:
    """The end that this very previous value was given when it was first seen; reading it again does not prolong it."""
    return known.previous_until if known.previous == seen.previous else None


def _ask(source: SecretSource, name: str) -> tuple[SecretVersions | None, Exception | None]:
    """What `source` says: versions, that it has none (None, None), or the exception to raise."""
    try:
        found = source.fetch(name)
    except SecretNotFound:
        return None, None
    except (AuthkitError, Warning) as error:
        return None, error
    except Exception as error:  # its message and its chain may hold anything: only its kind and place are told
        return None, SecretUnavailable(f"{source} failed for the secret {name}: {_kind_and_place(error)}")
    if isinstance(found, SecretVersions):
        return found, None
    if is_blank(found):
        return None, ConfigurationError(f"{source} gave no text for the secret {name}, or only white space")
    return SecretVersions(found), None


def _kind_and_place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return type(error).__name__ + place


def _warn_stale(name: str, error: Unavailable) -> None:
    import logging

    logging.getLogger("authkit.secrets").warning(
        "the secret %s could not be read again (%s): the value that is known stays in use", name, type(error).__name__
    )
