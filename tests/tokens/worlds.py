"""A store that `Tokens` keep their sessions in, on a clock that a test sets, and what can happen to it."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authkit.errors import InvalidToken
from authkit.stores import DynamoStore, MemoryStore, RedisStore, SqliteStore
from authkit.tokens import Tokens

from .craft import AUDIENCE, ISSUER, SECRET, Clock

if TYPE_CHECKING:
    from authkit.stores import Store
    from tests.servers.redis import RedisServer

_numbers = itertools.count()


class World:
    """`store`: on `clock`. `open`: the same one again, as another process has it; `emptied`: all in it is gone."""

    kind = "memory"

    def __init__(self) -> None:
        self.clock = Clock(1_750_000_000.25)
        self.monotonic = Clock(5000.0)
        self.store: Store = self.open()

    def open(self) -> Store:
        self.store = MemoryStore(clock=self.clock, wall=self.clock)
        return self.store

    def emptied(self) -> Store:
        return self.open()

    def tokens(self, store: Store | None = None, **settings: Any) -> Tokens:
        settings = {"issuer": ISSUER, "audience": AUDIENCE, "clock": self.clock, "monotonic": self.monotonic, **settings}
        return Tokens(SECRET, store=self.store if store is None else store, **settings)

    def dump(self) -> bytes:
        """All that the store holds, as somebody finds it who copies its medium."""
        return repr((self.store._noted._young, self.store._noted._old)).encode()  # type: ignore[attr-defined]

    def close(self) -> None:
        self.store.close()


class SqliteWorld(World):
    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tokens.db"
        super().__init__()

    def open(self) -> Store:
        self.store = SqliteStore(self.path, clock=self.clock, timeout=20)
        return self.store

    def emptied(self) -> Store:
        for side in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{side}").unlink()
        return self.store

    def dump(self) -> bytes:
        return b"".join(Path(f"{self.path}{side}").read_bytes() for side in ("", "-wal"))


class RedisWorld(World):
    kind = "redis"

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        server.say("FLUSHALL")
        super().__init__()

    def open(self) -> Store:
        self.store = RedisStore(self.server.url, clock=self.clock, timeout=5)
        return self.store

    def emptied(self) -> Store:
        self.server.say("FLUSHALL")
        return self.store

    def dump(self) -> bytes:
        keys = self.server.say("KEYS", "*")
        return b"\n".join(key + b" " + self.server.say("GET", key) for key in keys)


class DynamoWorld(World):
    kind = "dynamo"

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.name = f"tokens-{next(_numbers)}"
        super().__init__()
        self.store.create_table()  # type: ignore[attr-defined]

    def open(self) -> Store:
        self.store = DynamoStore(self.name, endpoint=self.endpoint, clock=self.clock, timeout=30)
        return self.store

    def emptied(self) -> Store:
        client = self.store._table.client()  # type: ignore[attr-defined]
        client.delete_table(TableName=self.name)
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            while client.describe_table(TableName=self.name):
                pass
        self.store.create_table()  # type: ignore[attr-defined]
        return self.store

    def dump(self) -> bytes:
        return repr(self.store._table.client().scan(TableName=self.name)["Items"]).encode()  # type: ignore[attr-defined]


def verdict(tokens: Tokens, token: str) -> str:
    """Whom a token is for, or why it is refused."""
    try:
        return tokens.verify(token).subject
    except InvalidToken as error:
        return error.reason


def refused(tokens: Tokens, token: str, **options: Any) -> str:
    """Why a refresh token is refused."""
    try:
        tokens.refresh(token, **options)
    except InvalidToken as error:
        return error.reason
    return "refreshed"
