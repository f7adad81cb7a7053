"""`Secret`: a handle on a secret value. It reads the newest value each time it is used, and shows it to nobody."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from .._run import arun, run
from ..errors import ConfigurationError
from .usage import Usage
from .versions import Masked, SecretVersions, as_bytes, is_blank, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .usage import Used


class Keeper(ABC):
    """Who knows the versions of the secrets that handles stand for."""

    __slots__ = ()

    @abstractmethod
    def fresh(self, name: str) -> SecretVersions | None:
        """The versions, if they are at hand and still good. No I/O."""

    @abstractmethod
    async def load(self, name: str) -> SecretVersions:
        """The versions, fetched if need be; whoever awaits it drives the I/O."""


class Secret(Masked):
    """A handle on one secret: no I/O until it is used, and the newest value each time it is.

    From `secrets["NAME"]`, or `Secret.of("literal")`. `==` compares handles: the same name of the same `Secrets`. Nothing
    but `reveal`, `reveal_bytes`, `versions` and their twins gives a value: not str, repr, format, logging, JSON, pickle, or a
    traceback with locals. A copy of a Secret is the Secret.

    Whatever fetches raises `SecretNotFound`, `SecretUnavailable`, or `ConfigurationError` for a value that cannot be used.
    """

    __slots__ = ("_keeper", "_usage", "name")
    _keeper: Keeper
    name: str

    def __init__(self, keeper: Keeper, name: str) -> None:
        self._keeper = keeper
        self.name = name
        self._usage = Usage(time.time)

    @classmethod
    def of(cls, value: str | bytes | SecretVersions, *, clock: Callable[[], float] = time.time) -> Secret:
        """A secret that is a literal, or versions that are.

        Raises: `ConfigurationError` if it is None, empty, blank, or neither text nor bytes.
        """
        versions = value if isinstance(value, SecretVersions) else None if is_blank(value) else SecretVersions(value)
        del value
        if versions is None:
            raise ConfigurationError("a secret is empty, blank, or not text or bytes")
        return cls(_Literal(versions, clock), "(literal)")

    def fresh(self) -> SecretVersions | None:
        """The versions, if they are at hand and still good; None if they would have to be fetched. No I/O."""
        return self._keeper.fresh(self.name)

    def versions(self) -> SecretVersions:
        """All values at this moment. The same object until something changes; `previous` is gone once it has expired."""
        versions = self._keeper.fresh(self.name)
        return versions if versions is not None else run(self._keeper.load(self.name))

    async def aversions(self) -> SecretVersions:
        """`versions` on an event loop, which it does not block."""
        versions = self._keeper.fresh(self.name)
        return versions if versions is not None else await arun(self._keeper.load(self.name))

    async def load(self) -> SecretVersions:
        """`versions` for a guard's own coroutine, whether the host is sync or async."""
        versions = self._keeper.fresh(self.name)
        return versions if versions is not None else await self._keeper.load(self.name)

    def reveal(self) -> str:
        """The current value as text. Raises: `ConfigurationError` too, for bytes that are not UTF-8."""
        versions = self.versions()
        value = versions.current
        if isinstance(value, str):
            return value
        del value  # what is raised below may be shown with its locals
        return self._text(versions)

    async def areveal(self) -> str:
        """`reveal` on an event loop, which it does not block."""
        return self._text(await self.aversions())

    def reveal_bytes(self) -> bytes:
        """The current value as bytes, text in UTF-8. Raises: `ConfigurationError` too, for text that UTF-8 cannot say."""
        return self._bytes(self.versions())

    async def areveal_bytes(self) -> bytes:
        """`reveal_bytes` on an event loop, which it does not block."""
        return self._bytes(await self.aversions())

    def matches(self, value: str | bytes) -> bool:
        """Whether `value` is the current, pending, or not yet expired previous value; in constant time, whichever it is."""
        presented = sealed(value)
        del value  # it may be right, and what fails below may be shown with its locals
        return _is_one_of(self.versions(), presented())

    async def amatches(self, value: str | bytes) -> bool:
        """`matches` on an event loop, which it does not block."""
        presented = sealed(value)
        del value
        return _is_one_of(await self.aversions(), presented())

    def usage(self) -> Mapping[str, Used]:
        """How often, and when last, each version verified something in this process: by "current", "previous", "pending".

        A previous version that is no longer used anywhere may be retired. It counts what `note_use` was told.
        """
        return self._usage.read()

    def note_use(self, version: str) -> None:
        """Count one use of that version ("current", "previous", "pending"): something was verified with it."""
        self._usage.note(version)

    def recheck(self, seen: SecretVersions | None = None) -> bool:
        """Fetch once more because a verification failed, at most once per cooldown; whether there is something new to try.

        `seen`: the versions that the verification failed with. If others are at hand by now, that is something new, and
        nothing is fetched. A source that fails changes nothing. Raises nothing of the source's.
        """
        return run(self.reload_after_failure(seen))

    async def arecheck(self, seen: SecretVersions | None = None) -> bool:
        """`recheck` on an event loop, which it does not block."""
        return await arun(self.reload_after_failure(seen))

    async def reload_after_failure(self, seen: SecretVersions | None = None) -> bool:
        """`recheck` for a guard's own coroutine, whether the host is sync or async."""
        return False

    def _text(self, versions: SecretVersions) -> str:
        text = _decoded(versions)
        if text is None:
            raise ConfigurationError(f"the secret {self.name} is binary: use reveal_bytes()")
        return text

    def _bytes(self, versions: SecretVersions) -> bytes:
        value = as_bytes(versions.current)
        if value is None:
            raise ConfigurationError(f"the secret {self.name} holds text that UTF-8 cannot encode")
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._keeper is other._keeper and self.name == other.name

    def __hash__(self) -> int:
        return hash((id(self._keeper), self.name))

    def __repr__(self) -> str:
        return f"<Secret {self.name}>"


class _Literal(Keeper):
    """The keeper of one literal."""

    __slots__ = ("_versions", "_clock")

    def __init__(self, versions: SecretVersions, clock: Callable[[], float]) -> None:
        self._versions = versions
        self._clock = clock

    def fresh(self, name: str) -> SecretVersions:
        versions = self._versions
        if versions.previous_until is not None:
            versions = self._versions = versions.in_force(self._clock())
        return versions

    async def load(self, name: str) -> SecretVersions:
        return self.fresh(name)


def _decoded(versions: SecretVersions) -> str | None:
    value = versions.current
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:  # not passed on: the exception holds the value
        return None


def _is_one_of(versions: SecretVersions, value: object) -> bool:
    from hmac import compare_digest

    presented = as_bytes(value) if isinstance(value, (str, bytes)) else None
    if presented is None:
        return False
    found = False
    for _, candidate in versions.named():  # every one of them, so that time does not tell which it was
        encoded = as_bytes(candidate)
        if encoded is not None:
            found |= compare_digest(encoded, presented)
    return found
