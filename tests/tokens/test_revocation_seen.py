"""How soon a revocation is seen, and what never happens: I/O on an event loop, or an answer that is too old."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit import Allow, Deny, InvalidToken, Unavailable, require_auth
from authkit._answers import Answers, answers_of
from authkit.http import Request
from authkit.secrets import Secret
from authkit.stores import SqliteStore, Store
from authkit.tokens import Tokens

from .craft import SECRET
from .worlds import SqliteWorld, World, verdict

if TYPE_CHECKING:
    from pathlib import Path


class Slow(Store):
    """A store that does I/O, as far as anybody can tell: it counts what it is asked, and in which threads."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.looks = 0
        self.threads: set[int] = set()
        self.during: Any = lambda: None

    def look(self, *keys: str) -> tuple[float, list[bytes | None]]:
        self.looks += 1
        self.threads.add(threading.get_ident())
        answer = self.inner.look(*keys)
        self.during()
        return answer

    def get(self, key: str) -> bytes | None:
        self.threads.add(threading.get_ident())
        return self.inner.get(key)

    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        self.threads.add(threading.get_ident())
        return self.inner.add(key, ttl, value)

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        self.threads.add(threading.get_ident())
        return self.inner.swap(key, old, new, ttl)


@pytest.fixture
def slow(memory: World) -> Slow:
    return Slow(memory.store)


def bearer(token: str) -> Request:
    return Request.build(headers={"authorization": f"Bearer {token}"})


def word(decision: Allow | Deny) -> str:
    return decision.reason or "" if isinstance(decision, Deny) else "in"


# A store in memory is asked each time


def test_in_memory_a_remembered_token_is_refused_at_once(memory: World) -> None:
    """REF-09, in the same process, whoever revoked it."""
    one, other = memory.tokens(), memory.tokens()
    for revoke in (one.revoke, other.revoke):
        text = one.issue("alice")
        assert verdict(one, text) == "alice"
        assert one.recall(text) is not None
        revoke(text)
        assert one.recall(text) is None
        assert verdict(one, text) == "token_revoked"
    text = one.issue("bob")
    assert one.verify(text) is one.recall(text)
    other.revoke_subject("bob")
    assert one.recall(text) is None


def test_in_memory_a_guard_asks_in_place(memory: World) -> None:
    tokens = memory.tokens()
    guard = require_auth(tokens)
    assert tokens.in_place
    pair = tokens.issue_pair("alice")
    for _ in range(2):
        assert isinstance(guard.decide(bearer(pair.access_token)), Allow)
    tokens.revoke(pair.refresh_token)
    assert word(guard.decide(bearer(pair.access_token))) == "token_revoked"


# A store that does I/O is asked twice a second at most for one token


def test_an_answer_counts_for_half_a_second(memory: World, slow: Slow) -> None:
    tokens = memory.tokens(slow)
    text = tokens.issue("alice")
    assert not tokens.in_place
    slow.looks = 0
    assert tokens.recall(text) is None
    for _ in range(5):
        assert verdict(tokens, text) == "alice"
        assert tokens.recall(text) is not None
    assert slow.looks == 1
    memory.clock.now += 0.49
    memory.monotonic.now += 0.49
    assert tokens.recall(text) is not None
    memory.monotonic.now += 0.01
    assert tokens.recall(text) is None
    assert verdict(tokens, text) == "alice"
    assert slow.looks == 2


@pytest.mark.parametrize(("wall", "monotonic"), [(0.5, 0.0), (0.0, 0.5), (-0.1, 0.1), (3600.0, 0.0), (-20.0, 0.2)])
def test_both_clocks_must_say_that_it_is_young(memory: World, slow: Slow, wall: float, monotonic: float) -> None:
    """AVL-08: a frozen function's monotonic clock stood still, and a wall clock may be set back."""
    tokens = memory.tokens(slow)
    text = tokens.issue("alice", ttl=86_400)
    tokens.verify(text)
    key = tokens._revocations.token_key(tokens.verify(text).claims["jti"])  # type: ignore[union-attr]
    assert memory.store.add(key, 86_400, b"-")  # as another process revokes it
    assert tokens.recall(text) is not None
    memory.clock.now += wall
    memory.monotonic.now += monotonic
    assert tokens.recall(text) is None
    assert verdict(tokens, text) == "token_revoked"


def test_elsewhere_a_revocation_is_seen_when_the_answer_has_aged(tmp_path: Path) -> None:
    world = SqliteWorld(tmp_path)
    here = world.tokens()
    there = world.tokens(world.open())
    for revoke in (there.revoke, lambda _: there.revoke_subject("alice"), lambda _: world.store.adopt()):
        world.clock.now += 100
        text = here.issue("alice")
        assert verdict(here, text) == verdict(there, text) == "alice"
        revoke(text)
        world.clock.now += 0.5
        world.monotonic.now += 0.5
        assert here.recall(text) is None
        assert verdict(here, text) in ("token_revoked", "store_reset")


def test_here_it_is_seen_at_once_by_all_that_share_the_store(memory: World, slow: Slow) -> None:
    """REF-09."""
    one, other = memory.tokens(slow), memory.tokens(slow)
    text, pair, more = one.issue("alice"), one.issue_pair("alice"), one.issue_pair("bob")
    for each in (text, pair.access_token, more.access_token):
        one.verify(each)
    other.revoke(text)
    assert one.recall(text) is None
    assert verdict(one, text) == "token_revoked"
    other.revoke(pair.refresh_token)
    assert one.recall(pair.access_token) is None
    assert verdict(one, pair.access_token) == "token_revoked"
    one.verify(more.access_token)
    other.revoke_subject("bob")
    assert one.recall(more.access_token) is None
    assert verdict(one, more.access_token) == "token_revoked"


def test_here_it_is_seen_at_once_whichever_object_stands_for_the_store(tmp_path: Path) -> None:
    """REF-09: a program that opens its store twice, for its accounts and for its guards, say."""
    world = SqliteWorld(tmp_path)
    one, other = world.tokens(), world.tokens(world.open())
    for revoke in (other.revoke, lambda _: other.revoke_subject("alice")):
        pair = one.issue_pair("alice")
        assert verdict(one, pair.access_token) == "alice"
        revoke(pair.refresh_token)
        assert one.recall(pair.access_token) is None
        assert verdict(one, pair.access_token) == "token_revoked"


def test_a_reuse_is_seen_at_once(memory: World, slow: Slow) -> None:
    tokens = memory.tokens(slow)
    pair = tokens.issue_pair("alice")
    following = tokens.refresh(tokens.refresh(pair.refresh_token).refresh_token)
    tokens.verify(following.access_token)
    with pytest.raises(InvalidToken, match="refresh_reused"):
        tokens.refresh(pair.refresh_token)
    assert tokens.recall(following.access_token) is None
    assert verdict(tokens, following.access_token) == "token_revoked"


def test_an_answer_that_was_on_its_way_when_something_was_revoked_is_not_kept(memory: World, slow: Slow) -> None:
    tokens = memory.tokens(slow)
    text = tokens.issue("alice")

    def meanwhile() -> None:
        slow.during = lambda: None
        tokens.revoke(text)

    slow.during = meanwhile
    assert verdict(tokens, text) == "alice"  # asked before it was revoked
    assert tokens.recall(text) is None
    assert verdict(tokens, text) == "token_revoked"


def test_a_revocation_whose_answer_was_lost_is_not_hidden_by_an_older_one(memory: World, slow: Slow) -> None:
    class Losing(Slow):
        def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
            super().add(key, ttl, value)
            raise Unavailable("lost")

    losing = Losing(memory.store)
    tokens, text = memory.tokens(losing), memory.tokens().issue("alice")
    tokens.verify(text)
    with pytest.raises(Unavailable):
        tokens.revoke(text)
    assert verdict(tokens, text) == "token_revoked"


def test_no_session_is_kept_with_an_answer(memory: World, slow: Slow) -> None:
    """A flood of sessions with many claims fills no memory, and what they say of somebody is not kept."""
    tokens = memory.tokens(slow)
    for n in range(20):
        assert verdict(tokens, tokens.issue_pair(f"user {n}", claims={"street": "x" * 2000}).access_token) == f"user {n}"
    kept = repr(answers_of(slow)._kept)
    assert len(answers_of(slow)._kept) == 20
    assert "street" not in kept
    assert len(kept) < 20 * 500


def test_the_answers_are_bounded_and_go_with_their_store(memory: World) -> None:
    answers = Answers()
    for n in range(10_000):
        answers.keep(0, (str(n),), 0.0, 0.0, (0.0, []))
        assert len(answers._kept) <= 4096
    assert answers.get(("9999",), 0.1, 0.1) == (0.0, [])
    store = Slow(memory.store)
    assert answers_of(store) is answers_of(store)
    assert answers_of(Slow(memory.store)) is not answers_of(store)
    before = answers_of(store)
    assert len([each for each in gc.get_objects() if each is before]) == 1
    import weakref

    gone = weakref.ref(before)
    del before, store
    gc.collect()
    assert gone() is None


def test_a_store_that_cannot_be_remembered_is_asked_all_the_same(memory: World) -> None:
    class Odd(Slow):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    tokens = memory.tokens(Odd(memory.store))
    text = tokens.issue("alice")
    assert verdict(tokens, text) == "alice"
    tokens.revoke(text)
    assert verdict(tokens, text) == "token_revoked"


# On an event loop


async def test_no_io_happens_on_an_event_loop(memory: World, slow: Slow) -> None:
    tokens = memory.tokens(slow)
    guard = require_auth(tokens)
    text, pair = await tokens.aissue("alice"), await tokens.aissue_pair("alice")
    for each in (text, pair.access_token):
        for _ in range(3):
            assert isinstance(await guard.adecide(bearer(each)), Allow)
        assert tokens.recall(each) is not None
    pair = await tokens.arefresh(pair.refresh_token)
    await tokens.arevoke(pair.refresh_token)
    await tokens.arevoke(text)
    await tokens.arevoke_subject("bob")
    assert word(await guard.adecide(bearer(text))) == "token_revoked"
    assert threading.get_ident() not in slow.threads
    assert slow.threads


async def test_a_thousand_requests_of_a_known_token_ask_once(memory: World, slow: Slow) -> None:
    tokens = memory.tokens(slow)
    guard = require_auth(tokens)
    text = await tokens.aissue("alice")
    slow.looks = 0
    for _ in range(1000):
        assert isinstance(await guard.adecide(bearer(text)), Allow)
    assert slow.looks == 1


def test_a_secret_and_a_store_go_together(memory: World, slow: Slow) -> None:
    for store in (memory.store, slow):
        tokens = Tokens(
            Secret.of(SECRET), issuer="i", audience="a", store=store, clock=memory.clock, monotonic=memory.monotonic
        )
        guard = require_auth(tokens)
        assert not tokens.in_place
        text = tokens.issue("alice")
        for _ in range(2):
            assert isinstance(guard.decide(bearer(text)), Allow)
            assert asyncio.run(tokens.averify(text)).subject == "alice"
        assert tokens.recall(text) is not None
        tokens.revoke(text)
        assert tokens.recall(text) is None
        assert word(guard.decide(bearer(text))) == "token_revoked"


def test_a_guard_in_front_of_a_store_that_is_down_answers_503(memory: World) -> None:
    """REF-11."""

    class Down(Slow):
        def look(self, *keys: str) -> Any:
            raise Unavailable("down")

    text = memory.tokens().issue("alice")
    for blocks in (True, False):
        store = Down(memory.store)
        store.blocks = blocks
        guard = require_auth(memory.tokens(store))
        response: Any = guard(lambda request: "in")(bearer(text))
        assert response.status == 503


# Between processes

_OTHER = """
import sys
from authkit.stores import SqliteStore
from authkit.tokens import Tokens
from authkit.errors import InvalidToken
tokens = Tokens(sys.argv[1], issuer="i", audience="a", store=SqliteStore(sys.argv[2]))
for line in sys.stdin:
    act, text = line.split()
    try:
        print(getattr(tokens, act)(text) and "good", flush=True)
    except InvalidToken as error:
        print(error.reason, flush=True)
"""


def test_a_revocation_in_one_process_is_seen_in_another_within_a_second(tmp_path: Path) -> None:
    """REF-09: the other one has the token warm."""
    path = tmp_path / "tokens.db"
    tokens = Tokens(SECRET, issuer="i", audience="a", store=SqliteStore(path))
    command = [sys.executable, "-c", _OTHER, SECRET, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def ask(act: str, text: str) -> str:
            other.stdin.write(f"{act} {text}\n")  # type: ignore[union-attr]
            other.stdin.flush()  # type: ignore[union-attr]
            return other.stdout.readline().strip()  # type: ignore[union-attr]

        for revoke in (tokens.revoke, lambda _: tokens.revoke_subject("alice")):
            text = tokens.issue("alice")
            assert ask("verify", text) == ask("recall", text) == "good"
            revoke(text)
            revoked = time.monotonic()
            while ask("verify", text) == "good":
                assert time.monotonic() - revoked < 1.0
            assert ask("verify", text) == "token_revoked"
        other.stdin.close()
        other.wait(10)
