"""`Replay`: each event is handled once, whoever delivers it again, how often, and to which process."""

from __future__ import annotations

import os
from _operator import _compare_digest as same  # what `hmac` gives, without what it loads
from hashlib import sha256
from itertools import count

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from ..stores import Store

    Standing: TypeAlias = Literal["new", "done", "busy"]

LEASE = 60.0  # seconds for which an event is one process's alone, unless it renews that
DONE = b"done"
_CLAIM = b"claim:"
_numbers = count()  # of claims in this process


class Replay:
    """Which events have been handled, and which are being handled now, in a store.

    `name`: events are told apart by it. Two endpoints that get the same events, and shall both handle them, need different
    names, or different stores. `lease`: seconds that a claim lasts without being renewed: after a process was killed, its event
    is deliverable again so much later. `keep`: seconds that an event is known at least, after it was handled. None: as long as
    its signed time is accepted. Senders sign an event again when they deliver it again, with a new time, and do so for days:
    one whose answer was lost is told for as long only with such a `keep`.

    Raises: `ConfigurationError` for what is no store, a name that is no short plain text, a lease or `keep` that is no positive
    number.
    """

    __slots__ = ("store", "name", "lease", "keep", "_random")

    def __init__(
        self,
        store: Store,
        *,
        name: str = "",
        lease: float = LEASE,
        keep: float | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if not callable(getattr(store, "swap", None)):
            raise ConfigurationError("replay is a store: MemoryStore, SqliteStore, RedisStore, DynamoStore or one of your own")
        if not isinstance(name, str) or len(name) > 64 or not name.isascii() or not (name.isprintable() or not name):
            raise ConfigurationError("the name of a Replay is at most 64 printable ASCII characters")
        for what, seconds in (("lease", lease), ("keep", 1 if keep is None else keep)):
            if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 < seconds < float("inf"):
                raise ConfigurationError(f"the {what} of a Replay is a positive number of seconds")
        self.store = store
        self.name = name
        self.lease = lease
        self.keep = keep
        self._random = random

    def claim(self, key: str, lease: float | None = None) -> Claim:
        """A claim on the event with that `WebhookEvent.replay_key`, not made yet. Does no I/O."""
        # Hashed: what is in it is the sender's (an id, perhaps somebody's), and it is as long as the sender likes.
        digest = sha256(f"{self.name}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
        # whose it is: in the memory of one process its number says that
        holder = _CLAIM + self._random(16) if self.store.blocks else b"claim:%d" % next(_numbers)
        return Claim(self.store, f"webhook:{digest}", holder, self.lease if lease is None else lease)

    def begin(self, key: str, lease: float | None = None) -> tuple[Standing, Claim]:
        """Claim the event: whether it is "new" and ours now, "done", or "busy". Raises: `StoreUnavailable`."""
        claim = self.claim(key, lease)
        return claim.begin(), claim

    def __repr__(self) -> str:
        return f"<Replay {self.name!r} on {type(self.store).__name__}>"


class Claim:
    """One attempt to handle one event. Each step is one atomic step of the store, and about nobody's claim but this one.

    `lease`: seconds from the last renewal on. Every method raises `StoreUnavailable` where the store does not answer.
    """

    __slots__ = ("_store", "_key", "_holder", "lease")

    def __init__(self, store: Store, key: str, holder: bytes, lease: float) -> None:
        self._store = store
        self._key = key
        self._holder = holder
        self.lease = lease

    @property
    def blocks(self) -> bool:
        return self._store.blocks

    @property
    def store(self) -> Store:
        return self._store

    def begin(self) -> Standing:
        """ "new": the event is ours, for the lease. "done": it has been handled. "busy": another claim is in force."""
        if self._store.add(self._key, self.lease, self._holder):
            return "new"
        found = self._store.get(self._key)
        if found is None:  # gone since
            if self._store.add(self._key, self.lease, self._holder):
                return "new"
            found = self._store.get(self._key)  # None: gone each time we looked, others are at it
        return "done" if found is not None and same(found, DONE) else "busy"

    def renew(self) -> bool:
        """Hold it for another lease, also where the store has forgotten it and nobody has taken it. False: it is another's."""
        if self._store.swap(self._key, self._holder, self._holder, self.lease):
            return True
        return self._store.add(self._key, self.lease, self._holder)

    def finish(self, keep: float) -> bool:
        """The event has been handled: known for `keep` seconds.

        False: the lease had run out, and the event is another's now, who says what becomes of it; or it is known already.
        """
        if self._store.swap(self._key, self._holder, DONE, keep):
            return True
        return self._store.add(self._key, keep, DONE)  # forgotten, and nobody's: it is done all the same

    def release(self) -> bool:
        """The event has not been handled, and may be delivered again at once. False: it was not ours."""
        return self._store.swap(self._key, self._holder, None, 1)

    def __repr__(self) -> str:
        return f"<Claim {self._key[:24]}>"
