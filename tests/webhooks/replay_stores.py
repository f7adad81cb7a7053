"""The stores on which replay is tested, each with a clock that passes when told to, and a recipe for other processes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from authkit.stores import DynamoStore, MemoryStore, RedisStore, SqliteStore, Store
from tests.servers.redis import redis_server

_numbers = itertools.count()


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@contextmanager
def memory(folder: Path, endpoint: str, clock: Callable[[], float]) -> Iterator[Store]:
    yield MemoryStore(clock=clock)


@contextmanager
def sqlite(folder: Path, endpoint: str, clock: Callable[[], float]) -> Iterator[Store]:
    store = SqliteStore(folder / "replay.db", clock=clock)
    yield store
    store.close()


@contextmanager
def redis(folder: Path, endpoint: str, clock: Callable[[], float]) -> Iterator[Store]:
    with redis_server() as server:
        store = RedisStore(server.url, timeout=5, clock=clock)
        yield store
        store.close()


@contextmanager
def dynamo(folder: Path, endpoint: str, clock: Callable[[], float]) -> Iterator[Store]:
    name = f"replay-{next(_numbers)}"
    DynamoStore(name, endpoint=endpoint, timeout=30).create_table()
    yield DynamoStore(name, endpoint=endpoint, timeout=30, clock=clock)


STORES = {"memory": memory, "sqlite": sqlite, "redis": redis, "dynamo": dynamo}


def eventually(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
