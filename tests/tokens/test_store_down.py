"""REF-11: a store that does not answer, is lost, full or locked lets nobody pass, and no token is called bad for it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit import InvalidToken, Response, require_auth
from authkit.errors import StoreUnavailable
from authkit.stores import RedisStore, SqliteStore, Store
from authkit.tokens import Tokens
from tests.parts import bearer
from tests.servers.redis import redis_server
from tests.stores.redis_parts import answers_within

from .craft import SECRET
from .worlds import World, refused, verdict

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("blocks", [False, True])
def test_a_store_that_does_not_answer_lets_nobody_pass(memory: World, blocks: bool) -> None:
    """REF-11: 503 for whom, and never a pass or a 401."""

    class Down(Store):
        down = False

        def __init__(self) -> None:
            self.blocks = blocks

        def _asked(self) -> Store:
            if self.down:
                raise StoreUnavailable("down")
            return memory.store

        def look(self, *keys: str) -> Any:
            return self._asked().look(*keys)

        def get(self, key: str) -> Any:
            return self._asked().get(key)

        def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
            return self._asked().add(key, ttl, value)

        def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
            return self._asked().swap(key, old, new, ttl)

    store = Down()
    tokens = memory.tokens(store)
    text, pair = tokens.issue("alice"), tokens.issue_pair("alice")
    assert verdict(tokens, text) == "alice"
    store.down = True
    memory.monotonic.now += 0.5
    for call in (
        lambda: tokens.verify(text),
        lambda: tokens.verify(pair.access_token),
        lambda: tokens.refresh(pair.refresh_token),
        lambda: tokens.revoke(text),
        lambda: tokens.revoke(pair.access_token),
        lambda: tokens.revoke(pair.refresh_token),
        lambda: tokens.revoke_subject("alice"),
        lambda: tokens.issue("alice"),
        lambda: tokens.issue_pair("alice"),
    ):
        with pytest.raises(StoreUnavailable):
            call()
    with pytest.raises(InvalidToken, match="token_malformed"):
        tokens.verify("a.b.c")
    store.down = False
    assert verdict(tokens, text) == verdict(tokens, pair.access_token) == "alice"
    assert refused(tokens, pair.refresh_token) == "refreshed"


def test_a_redis_that_is_replaced_by_an_empty_one_lets_nobody_back_in() -> None:
    """AVL-03: and it is used again within two seconds."""
    with redis_server() as server:
        store = RedisStore(server.url, timeout=1)
        tokens = Tokens(SECRET, issuer="i", audience="a", store=store)
        text, pair = tokens.issue("alice"), tokens.issue_pair("alice")
        tokens.revoke(text)
        server.kill()
        with pytest.raises(StoreUnavailable):
            tokens.verify(pair.access_token)
        server.start()
        assert answers_within(lambda: verdict(tokens, text)) == "store_reset"
        assert verdict(tokens, pair.access_token) in ("store_reset", "token_revoked")
        assert verdict(tokens, tokens.issue("alice")) == "alice"
        store.close()


def test_a_redis_that_hangs_is_a_503_soon_and_back_at_once_when_it_answers() -> None:
    """AVL-03."""
    with redis_server() as server:
        store = RedisStore(server.url, timeout=0.2)
        tokens = Tokens(SECRET, issuer="i", audience="a", store=store)
        guard = require_auth(tokens)
        handler: Any = guard(lambda request: Response(200))
        good, revoked = tokens.issue("alice"), tokens.issue("alice")
        tokens.revoke(revoked)
        assert handler(bearer(good)).status == 200
        server.freeze()
        try:
            time.sleep(0.5)
            for _ in range(5):
                began = time.monotonic()
                assert handler(bearer(good)).status == handler(bearer(revoked)).status == 503
                assert time.monotonic() - began < 2
        finally:
            server.thaw()
        assert answers_within(lambda: verdict(tokens, good)) == "alice"
        assert verdict(tokens, revoked) == "token_revoked"
        store.close()


def test_a_full_file_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    tokens = Tokens(SECRET, issuer="i", audience="a", store=SqliteStore(tmp_path / "t.db", max_bytes=30 * 4096))
    pair = tokens.issue_pair("alice")
    with pytest.raises(StoreUnavailable, match="full"):
        for n in range(1000):
            tokens.issue_pair(f"user{n}", claims={"x": "y" * 2000})
    assert verdict(tokens, pair.access_token) == "alice"
    for _ in range(3):
        with contextlib.suppress(StoreUnavailable):
            pair = tokens.refresh(pair.refresh_token)
    assert verdict(tokens, pair.access_token) == "alice"


def test_a_file_that_others_hold_is_unavailable_for_writing_and_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    tokens = Tokens(SECRET, issuer="i", audience="a", store=SqliteStore(path, timeout=0.2))
    pair = tokens.issue_pair("alice")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for call in (lambda: tokens.refresh(pair.refresh_token), lambda: tokens.revoke(pair.refresh_token)):
            with pytest.raises(StoreUnavailable):
                call()
        assert verdict(tokens, pair.access_token) == "alice"
        other.execute("ROLLBACK")
    assert refused(tokens, pair.refresh_token) == "refreshed"  # what failed used nothing up


def test_a_directory_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """REF-04: rotation without a store that works."""
    tokens = Tokens(SECRET, issuer="i", audience="a", store=SqliteStore(tmp_path / "no" / "t.db"))
    for call in (lambda: tokens.issue_pair("alice"), lambda: tokens.issue("alice"), lambda: tokens.revoke_subject("alice")):
        with pytest.raises(StoreUnavailable):
            call()


class Contended(Store):
    """A store in which somebody else is always quicker: what is changed has changed meanwhile."""

    blocks = False

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.swaps = 0

    def look(self, *keys: str) -> tuple[float, list[bytes | None]]:
        return self.inner.look(*keys)

    def get(self, key: str) -> bytes | None:
        return self.inner.get(key)

    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        return self.inner.add(key, ttl, value)

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        self.swaps += 1
        return False


def test_who_is_never_quick_enough_gives_up_and_says_so(memory: World) -> None:
    contended = Contended(memory.store)
    tokens = memory.tokens(contended)
    pair = tokens.issue_pair("alice")
    for call in (
        lambda: tokens.refresh(pair.refresh_token),
        lambda: tokens.revoke(pair.refresh_token),
        lambda: tokens.revoke_subject("alice"),
    ):
        contended.swaps = 0
        with pytest.raises(StoreUnavailable):
            call()
        assert contended.swaps == 50
    assert verdict(tokens, pair.access_token) == "alice"
    assert refused(memory.tokens(), pair.refresh_token) == "refreshed"


def test_a_store_that_forgets_what_it_is_told_is_issued_from_by_nobody(memory: World) -> None:
    class Forgetful(Contended):
        def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
            return True

    tokens = memory.tokens(Forgetful(memory.store))
    for call in (lambda: tokens.issue("alice"), lambda: tokens.issue_pair("alice")):
        with pytest.raises(StoreUnavailable, match="forgets"):
            call()


@pytest.mark.parametrize("record", [b"", b"x", b"5", b"5 ", b" y", b"nan y", b"inf y", b"-5 y", b"1e9 \xff", b"{}"])
def test_a_revocation_that_nobody_wrote_is_unavailable(memory: World, record: bytes) -> None:
    tokens = memory.tokens()
    text, pair = tokens.issue("alice"), tokens.issue_pair("alice")
    tokens.revoke_subject("alice")
    notes: Any = memory.store
    (key,) = [key for key in {**notes._noted._young, **notes._noted._old} if ":s:" in key]
    assert memory.store.swap(key, memory.store.get(key), record, 1e6)
    for call in (
        lambda: tokens.verify(text),
        lambda: tokens.verify(pair.access_token),
        lambda: tokens.refresh(pair.refresh_token),
        lambda: tokens.issue("alice"),
        lambda: tokens.issue_pair("alice"),
        lambda: tokens.revoke_subject("alice"),
    ):
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            call()
