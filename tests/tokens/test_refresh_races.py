"""REF-02: however many refresh one token at once, it has one successor."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from authkit import InvalidToken
from authkit.stores import MemoryStore, RedisStore, SqliteStore, Store
from authkit.tokens import Tokens
from tests.stores.contract_processes import PROCESSES, Elsewhere
from tests.stores.parts import in_threads

from .craft import AUDIENCE, ISSUER, SECRET
from .worlds import refused, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARALLEL = 50
ROUNDS = 10  # a soak plays 1000


@pytest.fixture(params=["memory", "sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An expression that opens the store, here or in another process."""
    if request.param == "memory":
        return "MemoryStore()"
    if request.param == "sqlite":
        return f"SqliteStore({str(tmp_path / 'tokens.db')!r}, timeout=30)"
    server = request.getfixturevalue("token_redis")
    server.say("FLUSHALL")
    return f"RedisStore({server.url!r}, timeout=10)"


@pytest.fixture
def tokens(place: str) -> Iterator[Tokens]:
    named = {"MemoryStore": MemoryStore, "SqliteStore": SqliteStore, "RedisStore": RedisStore}
    store: Store = eval(place, named)
    yield made(store)
    store.close()


def made(store: Store) -> Tokens:
    return Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=store, refresh_overlap=60)


def one_successor(tokens: Tokens, first: Any, found: list[str]) -> None:
    """All got the same, it is good, and the first is not any more."""
    (successor,) = set(found)
    assert len(found) >= PARALLEL
    following = tokens.refresh(successor)
    assert verdict(tokens, following.access_token) == "alice"
    assert refused(tokens, first.refresh_token) == "refresh_reused"
    assert verdict(tokens, following.access_token) == "token_revoked"


def in_parallel_threads(tokens: Tokens, rounds: int) -> None:
    for _ in range(rounds):
        first, found = tokens.issue_pair("alice"), []

        def work(_: int, first: Any = first, found: list[str] = found) -> None:
            found.append(tokens.refresh(first.refresh_token).refresh_token)

        in_threads(PARALLEL, work)
        one_successor(tokens, first, found)


def in_parallel_tasks(tokens: Tokens, rounds: int) -> None:
    async def all_at_once(token: str) -> list[str]:
        pairs = await asyncio.gather(*(tokens.arefresh(token) for _ in range(PARALLEL)))
        return [pair.refresh_token for pair in pairs]

    for _ in range(rounds):
        first = tokens.issue_pair("alice")
        one_successor(tokens, first, asyncio.run(all_at_once(first.refresh_token)))


_TOKENS = (
    f"__import__('authkit.tokens', fromlist=['']).Tokens({SECRET!r}, issuer={ISSUER!r}, audience={AUDIENCE!r}, store=store,"
    " refresh_overlap=60)"
)


def in_parallel_processes(place: str, tokens: Tokens, rounds: int) -> None:
    if place.startswith("Redis"):
        place = "__import__('authkit.stores', fromlist=['']).RedisStore" + place.removeprefix("RedisStore")
    elif place.startswith("Sqlite"):
        place = "__import__('authkit.stores', fromlist=['']).SqliteStore" + place.removeprefix("SqliteStore")
    elsewhere = Elsewhere(place)
    each = -(-PARALLEL // PROCESSES)
    try:
        for _ in range(rounds):
            first = tokens.issue_pair("alice")
            together = f"together(lambda: tokens.refresh({first.refresh_token!r}).refresh_token, {each}, 1)"
            found: Counter[str] = elsewhere.count(f"(lambda tokens: {together})({_TOKENS})")
            one_successor(tokens, first, list(found.elements()))
    finally:
        elsewhere.close()


def test_fifty_threads_get_one_successor(tokens: Tokens) -> None:
    in_parallel_threads(tokens, ROUNDS)


def test_fifty_tasks_get_one_successor(tokens: Tokens) -> None:
    in_parallel_tasks(tokens, ROUNDS)


@pytest.mark.parametrize("place", ["sqlite", "redis"], indirect=True)
def test_four_processes_get_one_successor(place: str, tokens: Tokens) -> None:
    in_parallel_processes(place, tokens, 3)


@pytest.mark.soak
def test_fifty_threads_get_one_successor_a_thousand_times(tokens: Tokens) -> None:
    in_parallel_threads(tokens, 1000)


@pytest.mark.soak
def test_fifty_tasks_get_one_successor_a_thousand_times(tokens: Tokens) -> None:
    in_parallel_tasks(tokens, 1000)


@pytest.mark.soak
@pytest.mark.parametrize("place", ["sqlite", "redis"], indirect=True)
def test_four_processes_get_one_successor_a_thousand_times(place: str, tokens: Tokens) -> None:
    in_parallel_processes(place, tokens, 1000)


@pytest.mark.parametrize("whole", [False, True])
def test_threads_that_revoke_and_refresh_at_once_leave_nothing_that_counts(tokens: Tokens, whole: bool) -> None:
    def played() -> None:
        first, pairs, reasons = tokens.issue_pair("alice"), [], set()

        def work(n: int) -> None:
            if n == 5:
                tokens.revoke_subject("alice") if whole else tokens.revoke(first.refresh_token)
                return
            try:
                pairs.append(tokens.refresh(first.refresh_token))
            except InvalidToken as error:
                reasons.add(error.reason)

        in_threads(10, work)
        assert reasons <= {"refresh_unknown", "token_revoked"}
        for pair in pairs:
            assert refused(tokens, pair.refresh_token) in ("refresh_unknown", "token_revoked")
            assert verdict(tokens, pair.access_token) == "token_revoked"

    for _ in range(5):
        played()


def test_what_is_issued_while_a_subject_is_revoked_counts_if_it_began_after_it(tokens: Tokens) -> None:
    """Before the revocation began: refused. Begun after it was answered: good. Between them: either, and then for good."""
    for _ in range(5):
        began, issued, turns = [], [], [0, 0]

        def work(n: int, began: list[int] = began, issued: list[Any] = issued, turns: list[int] = turns) -> None:
            if n == 0:
                turns[0] = len(issued)
                tokens.revoke_subject("alice")
                turns[1] = len(began)
                return
            for _ in range(5):
                place = len(began)
                began.append(n)
                issued.append((place, tokens.issue_pair("alice"), tokens.issue("alice")))

        for _ in range(3):
            work(1)
        in_threads(6, work)
        for order, (place, pair, text) in enumerate(issued):
            said = {verdict(tokens, pair.access_token), verdict(tokens, text)}
            if order < turns[0]:
                assert said == {"token_revoked"}
                assert refused(tokens, pair.refresh_token) == "token_revoked"
            elif place >= turns[1] + 6:  # its place was taken after the answer, whatever else ran meanwhile
                assert said == {"alice"}
            else:
                assert said <= {"token_revoked", "alice"}
                assert refused(tokens, pair.refresh_token) == (
                    "refreshed" if verdict(tokens, pair.access_token) == "alice" else "token_revoked"
                )
