"""Sources that count how often they are asked, and clocks that stand where a test puts them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from authkit.errors import SecretNotFound
from authkit.secrets import Secrets, SecretSource, SecretVersions

if TYPE_CHECKING:
    from collections.abc import Sequence


class Source(SecretSource):
    """A real source over a dict, which counts, which can be down, and which can be made to wait."""

    def __init__(self, **values: str | SecretVersions) -> None:
        self.values = values
        self.asked: list[str] = []
        self.down: Exception | None = None
        self.gate: threading.Event | None = None

    def fetch(self, name: str) -> SecretVersions | str:
        self.asked.append(name)
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.down is not None:
            raise self.down
        if name not in self.values:
            raise SecretNotFound(name)
        return self.values[name]


class Document(Source):
    """A source whose one call brings every secret that it has, as a JSON document does. `calls`: the names and the flag."""

    def __init__(self, **values: str | SecretVersions) -> None:
        super().__init__(**values)
        self.calls: list[tuple[list[str], bool]] = []

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> dict[str, SecretVersions | str | bytes]:
        self.calls.append((list(names), current_only))
        wanted = self.fetch(names[0])
        found = {**{name: self.values[name] for name in names if name in self.values}, names[0]: wanted}
        return {
            name: SecretVersions(v.current) if current_only and isinstance(v, SecretVersions) else v
            for name, v in found.items()
        }


class Clocks:
    """A wall clock and a monotonic one. Either may stand still, and the wall clock may be set."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.ticks = 50.0

    def pass_(self, seconds: float, *, wall: bool = True, monotonic: bool = True) -> None:
        self.wall += seconds if wall else 0
        self.ticks += seconds if monotonic else 0

    def clock(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks


def even(count: int) -> bytes:
    """Randomness that is always in the middle: nothing is moved by jitter."""
    return b"\x7f" + b"\xff" * (count - 1)


def background() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "authkit-secrets"]


def settled() -> None:
    """Wait until nothing is fetched in the background any more."""
    for thread in background():
        thread.join(10)
    assert background() == []


def secrets_of(*sources: SecretSource, clocks: Clocks, **options: object) -> Secrets:
    """Secrets on clocks that a test moves, with no jitter."""
    return Secrets(*sources, clock=clocks.clock, monotonic=clocks.monotonic, random=even, **options)  # type: ignore[arg-type]
