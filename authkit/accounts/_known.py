"""From which networks an account has logged in: one short note an account, of the last few."""

from __future__ import annotations

from ..stores import MemoryStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..stores import Store

REMEMBERED = 30  # days for which a network is known after the last login from there
KEPT = 16  # networks of one account: whoever owns an account and many addresses fills no store
_RENEWED = 1  # days: a stamp older than this is written anew
_LASTING = REMEMBERED + _RENEWED  # days for which a stamp counts
_DAY = 86_400  # seconds
_TRIES = 8  # lost races; then this login is not noted, and the next one from there is
_SIZE = 12  # bytes of a network's digest


class Known:
    """A note is `day:digest day:digest ...`, the newest last; days since 1970, and no address can be read from it.

    In memory these notes are kept apart: they are many and may be missed, and what else is noted must not wait for their room.
    `name`: of the limits. `clock`: epoch seconds.
    """

    __slots__ = ("_store", "_name", "_clock")

    def __init__(self, store: Store, name: str, clock: Callable[[], float]) -> None:
        self._store = store.apart() if isinstance(store, MemoryStore) else store
        self._name = name
        self._clock = clock

    def has(self, account: str, network: str) -> bool:
        """Whether the account (the digest of its name) has logged in from there lately. Raises: `StoreUnavailable`."""
        mine = _digest(account, network)
        return any(digest == mine for _, digest in _read(self._store.get(self._place(account)), self._today()))

    def note(self, account: str, network: str) -> None:
        """It has just logged in from there. Raises: `StoreUnavailable`."""
        place, mine, today = self._place(account), _digest(account, network), self._today()
        for _ in range(_TRIES):
            found = self._store.get(place)
            entries = _read(found, today)
            if any(digest == mine and today - day <= _RENEWED for day, digest in entries):
                return
            others = [entry for entry in entries if entry[1] != mine]
            kept = [*others[1 - KEPT :], (today, mine)]
            if self._store.swap(place, found, b" ".join(b"%d:%b" % entry for entry in kept), (_LASTING + 1) * _DAY):
                return

    def _place(self, account: str) -> str:
        return f"{self._name}:known:{account}"

    def _today(self) -> int:
        return int(self._clock() // _DAY)


def _read(note: bytes | None, today: int) -> list[tuple[int, bytes]]:
    """The entries that still count. One from tomorrow may be from a machine whose clock is ahead; further on, it was wrong."""
    entries = []
    for entry in (note or b"").split(b" "):
        day, _, digest = entry.partition(b":")
        if day.isdigit() and len(day) <= 9 and -1 <= today - int(day) <= _LASTING:
            entries.append((int(day), digest))
    return entries


def _digest(account: str, network: str) -> bytes:
    """The network as this account notes it: two accounts that share one have nothing in common that could be seen."""
    from hashlib import blake2b

    return blake2b(network.encode("utf-8", "surrogatepass"), key=account.encode(), digest_size=_SIZE).hexdigest().encode()
