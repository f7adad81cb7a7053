"""`Secret`: a handle on a secret value. It reads the newest value each time it is used, and shows it to nobody."""

from __future__ import annotations

import sys
import time
from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

from .._run import arun, run
from ..errors import ConfigurationError, SecretNotFound
from ._literal import LITERAL
from .slot import EVER, NEVER
from .versions import Masked, SecretVersions, as_bytes, is_blank, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .slot import Slot
    from .usage import Used


class Secret(Masked):
    """A handle on one secret: no I/O until it is used, and the newest value each time it is.

    From `secrets["NAME"]`, or `Secret.of("literal")`. `==` compares handles: the same name of the same `Secrets`. Nothing
    but `reveal`, `reveal_bytes`, `versions` and their twins gives a value: not str, repr, format, logging, JSON, pickle, or a
    traceback with locals. A copy of a Secret is the Secret.

    Whatever fetches raises `SecretNotFound`, `SecretUnavailable`, or `ConfigurationError` for a value that cannot be used.
    """

    __slots__ = ("_slot",)
    _slot: Slot

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    @property
    def name(self) -> str:
        """What it is called at its sources."""
        return self._slot.name

    @classmethod
    def of(cls, value: str | bytes | SecretVersions, *, clock: Callable[[], float] = time.time) -> Secret:
        """A secret that is a literal, or versions that are.

        Raises: `ConfigurationError` if it is None, empty, blank, or neither text nor bytes.
        """
        versions = value if isinstance(value, SecretVersions) else None if is_blank(value) else SecretVersions(value)
        del value
        if versions is None:
            raise ConfigurationError("a secret is empty, blank, or not text or bytes")
        return cls(LITERAL.slot(versions, clock))

    @property
    def is_fixed(self) -> bool:
        """Whether its versions are the same for ever: a literal of which nothing ends."""
        entry = self._slot.full
        return entry.since == NEVER and entry.until == EVER and entry.ticks == EVER

    def fresh(self) -> SecretVersions | None:
        """The versions, if they are at hand and still good; None if they would have to be fetched.

        No I/O in this thread: what is due soon begins to be fetched in the background.
        """
        return self._at_hand(True)

    def versions(self) -> SecretVersions:
        """All values at this moment. The same object until something changes; `previous` is gone once it has expired."""
        slot = self._slot
        entry = slot.full
        if entry.since <= slot.clock() < entry.until and slot.monotonic() < entry.ticks:
            return entry.versions
        return self._fetched(True, "aversions")

    async def aversions(self) -> SecretVersions:
        """`versions` on an event loop, which it does not block."""
        return await self._afetched(True)

    async def load(self) -> SecretVersions:
        """`versions` for a guard's own coroutine, whether the host is sync or async."""
        versions = self._at_hand(True)
        return versions if versions is not None else await self._slot.keeper.load(self._slot, True)

    def reveal(self) -> str:
        """The current value as text. Raises: `ConfigurationError` too, for bytes that are not UTF-8."""
        slot = self._slot
        entry = slot.entry
        if entry.since <= slot.clock() < entry.until and slot.monotonic() < entry.ticks:
            text = entry.text
            if text is not None:
                return text()
        return self._text(self._fetched(False, "areveal"))

    async def areveal(self) -> str:
        """`reveal` on an event loop, which it does not block."""
        return self._text(await self._afetched(False))

    def reveal_bytes(self) -> bytes:
        """The current value as bytes, text in UTF-8. Raises: `ConfigurationError` too, for text that UTF-8 cannot say."""
        return self._bytes(self._fetched(False, "areveal_bytes"))

    async def areveal_bytes(self) -> bytes:
        """`reveal_bytes` on an event loop, which it does not block."""
        return self._bytes(await self._afetched(False))

    def matches(self, value: str | bytes | bytearray | memoryview) -> bool:
        """Whether `value` is the current, pending, or not yet expired previous value; in constant time, whichever it is.

        A match is counted as a use of that version. Where nothing matches, no newer value is looked for: that is `recheck`.
        """
        presented = sealed(value)  # type: ignore[arg-type]  # whatever it is
        del value  # it may be right, and what fails below may be shown with its locals
        return self._counted(_match(self._fetched(True, "amatches"), presented()))

    async def amatches(self, value: str | bytes | bytearray | memoryview) -> bool:
        """`matches` on an event loop, which it does not block."""
        presented = sealed(value)  # type: ignore[arg-type]
        del value
        return self._counted(_match(await self._afetched(True), presented()))

    def usage(self) -> Mapping[str, Used]:
        """How often, and when last, each version verified something in this process: by "current", "previous", "pending".

        A previous version that is no longer used in any process may be retired. Guards, tokens, webhooks and `matches` count by
        themselves; what you verify with a revealed value, tell `note_use`.
        """
        return self._slot.usage.read()

    def note_use(self, version: str) -> None:
        """Count one use of that version ("current", "previous", "pending"): something was verified with it."""
        slot = self._slot
        usage = slot.usage
        step = usage.steps.get(version)
        if step is None:
            raise ConfigurationError("a secret's version is current, previous or pending")
        step()
        usage.last[version] = slot.clock()

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
        return await self._slot.keeper.recheck(self._slot, seen)

    def look_again(self) -> None:
        """Have the sources asked at the next use although they did not have it a moment ago: somebody may have put it there.

        Whoever calls this bounds how often. A source that fails rests as before.
        """
        slot = self._slot
        if slot.failure is not None and slot.failure[0] is SecretNotFound:
            slot.round += 1  # a fetch under way may have begun before that
            slot.failures = 0

    def _counted(self, version: str | None) -> bool:
        if version is not None:
            self.note_use(version)
        return version is not None

    def _fetched(self, whole: bool, twin: str) -> SecretVersions:
        slot = self._slot
        versions = self._at_hand(whole)
        if versions is not None:
            return versions
        _warn_on_a_loop(slot, twin)
        return run(slot.keeper.load(slot, whole))

    async def _afetched(self, whole: bool) -> SecretVersions:
        versions = self._at_hand(whole)
        return versions if versions is not None else await arun(self._slot.keeper.load(self._slot, whole))

    def _at_hand(self, whole: bool) -> SecretVersions | None:
        slot = self._slot
        entry = slot.full if whole else slot.entry
        if entry.since <= slot.clock() < entry.until and slot.monotonic() < entry.ticks:
            return entry.versions
        return slot.keeper.at_hand(slot, whole)

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
        return isinstance(other, Secret) and self._slot is other._slot

    def __hash__(self) -> int:
        return hash(id(self._slot))

    def __repr__(self) -> str:
        return f"<Secret {self.name}>"


def _warn_on_a_loop(slot: Slot, twin: str) -> None:
    """Tell once in a process that this fetch keeps a running event loop waiting."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return
    try:
        asyncio.get_running_loop()
    except (RuntimeError, AttributeError):  # no loop; another thread is still importing it
        return
    if slot.first_in_this_process():
        import warnings

        warnings.warn(
            f"the secret {slot.name} is fetched on a running event loop, which waits for it: await {twin}() instead",
            RuntimeWarning, stacklevel=4,
        )  # fmt: skip


def _decoded(versions: SecretVersions) -> str | None:
    value = versions.current
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:  # not passed on: the exception holds the value
        return None


def _match(versions: SecretVersions, value: object) -> str | None:
    """Which version `value` is."""
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    presented = as_bytes(value) if isinstance(value, (str, bytes)) else None
    if presented is None:
        return None
    found = None
    for version, candidate in versions.named():  # every one of them, so that time does not tell which it was
        encoded = as_bytes(candidate)
        same = encoded is not None and compare_digest(encoded, presented)
        found = version if same and found is None else found
    return found
