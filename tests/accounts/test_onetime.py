"""One-time tokens: on every store, one caller gets what a token stands for, once, in its time, for its purpose."""

from __future__ import annotations

import itertools
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError
from authkit._run import arun, run
from authkit.accounts._onetime import LENGTH, OneTime
from authkit.errors import StoreUnavailable, Unavailable
from authkit.stores import DynamoStore, MemoryStore, SqliteStore
from authkit.stores.redis_store import RedisStore
from tests.servers.dynamo import dynalite, has_node
from tests.servers.redis import redis_server
from tests.stores.contract_processes import Elsewhere
from tests.stores.parts import Clock, in_threads

_numbers = itertools.count()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="module")
def server():
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def dynalite_endpoint():
    with dynalite() as endpoint:
        yield endpoint


class OneTimeContract:
    """On any store, given as `store`, on the `clock`."""

    rounds = 20

    @pytest.fixture
    def resets(self, store, clock):
        return OneTime(store, "reset", 900, clock=clock)

    def test_a_token_stands_for_its_data_and_reading_uses_nothing_up(self, resets):
        token = run(resets.issue({"user": "alice", "at": 1.5}))
        assert len(token) == LENGTH
        assert [run(resets.read(token)) for _ in range(3)] == [{"user": "alice", "at": 1.5}] * 3
        assert run(resets.redeem(token)) == {"user": "alice", "at": 1.5}

    def test_a_token_is_redeemed_once(self, resets):
        token = run(resets.issue({"user": "alice"}))
        assert [run(resets.redeem(token)) for _ in range(3)] == [{"user": "alice"}, None, None]
        assert run(resets.read(token)) is None

    def test_of_many_callers_at_once_one_redeems_it(self, resets):
        for _ in range(self.rounds):
            token = run(resets.issue({}))
            got = []
            in_threads(8, lambda _, token=token, got=got: got.append(run(resets.redeem(token))))
            assert sorted(got, key=str) == [None] * 7 + [{}]

    def test_a_token_ends_with_its_time_to_the_moment(self, resets, clock):
        token, other = run(resets.issue({})), run(resets.issue({}))
        clock.sleep(899.9)
        assert run(resets.redeem(token)) == {}
        clock.sleep(0.2)
        assert run(resets.read(other)) is None
        assert run(resets.redeem(other)) is None

    def test_purposes_never_meet(self, store, clock, resets):
        links = OneTime(store, "link", 900, clock=clock)
        token = run(resets.issue({"user": "alice"}, owner="alice"))
        assert run(links.read(token)) is run(links.redeem(token)) is None
        run(links.issue({}, owner="alice"))
        run(links.forget("alice"))
        assert run(resets.redeem(token)) == {"user": "alice"}

    def test_of_one_owner_only_the_newest_is_good(self, resets):
        first, second = run(resets.issue({"n": 1}, owner="alice")), run(resets.issue({"n": 2}, owner="alice"))
        bobs = run(resets.issue({"n": 3}, owner="bob"))
        assert run(resets.read(first)) is run(resets.redeem(first)) is None
        assert run(resets.redeem(second)) == {"n": 2}
        assert run(resets.redeem(first)) is None  # not even when the newest has gone
        assert run(resets.redeem(bobs)) == {"n": 3}

    def test_of_tokens_issued_at_once_to_one_owner_one_is_good(self, resets):
        tokens = []
        in_threads(6, lambda n: tokens.append(run(resets.issue({"n": n}, owner="alice"))))
        assert sum(run(resets.redeem(token)) is not None for token in tokens) == 1

    def test_what_is_forgotten_for_an_owner_is_good_no_more(self, resets):
        token, bobs = run(resets.issue({}, owner="alice")), run(resets.issue({}, owner="bob"))
        run(resets.forget("alice"))
        run(resets.forget("alice"))
        run(resets.forget("nobody"))
        assert run(resets.redeem(token)) is None
        assert run(resets.redeem(bobs)) == {}

    async def test_an_event_loop_gets_the_same(self, resets):
        token = await arun(resets.issue({"user": "alice"}))
        assert await arun(resets.read(token)) == {"user": "alice"}
        assert await arun(resets.redeem(token)) == {"user": "alice"}
        assert await arun(resets.redeem(token)) is None


class TestInMemory(OneTimeContract):
    @pytest.fixture
    def store(self, clock):
        return MemoryStore(clock=clock, wall=clock)


class TestOnSqlite(OneTimeContract):
    @pytest.fixture
    def store(self, clock, tmp_path):
        store = SqliteStore(tmp_path / "auth.db", clock=clock)
        yield store
        store.close()

    def test_of_four_processes_at_once_one_redeems_it(self, tmp_path):
        once = OneTime(SqliteStore(tmp_path / "auth.db"), "reset", 900)
        tokens = [run(once.issue({})) for _ in range(50)]
        processes = Elsewhere(f"__import__('authkit.stores', fromlist=['']).SqliteStore({str(tmp_path / 'auth.db')!r})")
        redeeming = (
            "[__import__('authkit._run', fromlist=['']).run(__import__('authkit.accounts._onetime', fromlist=[''])"
            f".OneTime(store, 'reset', 900).redeem(token)) is not None for token in {tokens}]"
        )
        answers = processes.ask(redeeming)
        processes.close()
        assert len(answers) == 4
        assert [sum(of_one) for of_one in zip(*answers, strict=True)] == [1] * 50

    def test_the_file_holds_no_token(self, resets, tmp_path):
        tokens = [run(resets.issue({"user": "alice"}, owner="alice")) for _ in range(20)]
        run(resets.redeem(tokens[-1]))
        held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"alice" in held  # the data lies there as it is
        assert not any(token.encode() in held for token in tokens)


class TestOnRedis(OneTimeContract):
    rounds = 3

    @pytest.fixture
    def store(self, server, clock):
        server.say("FLUSHALL")
        store = RedisStore(server.url, timeout=5, clock=clock)
        yield store
        store.close()


@pytest.mark.skipif(not has_node(), reason="dynalite needs node and npm")
class TestOnDynamo(OneTimeContract):
    rounds = 1

    @pytest.fixture
    def store(self, dynalite_endpoint, aws_env, clock):
        store = DynamoStore(f"once-{next(_numbers)}", endpoint=dynalite_endpoint, clock=clock, timeout=30)
        store.create_table()
        return store


class Deaf(MemoryStore):
    """A store that may not be asked."""

    def _refuse(self, *args):
        raise AssertionError("the store was asked")

    get = add = swap = _refuse


UNFORMED = [
    "",
    "a" * 42,
    "a" * 44,
    "A" * 42 + "B",
    "A" * 42 + "=",
    "A" * 42 + "\n",
    "A" * 42 + "+",
    "é" * 43,
    "\ud800" * 43,
    "\0" * 43,
]


@pytest.mark.parametrize("token", [*UNFORMED, None, 7, b"A" * 43, ["A" * 43], "A" * 10_000_000], ids=lambda t: repr(t)[:20])
def test_what_is_no_token_by_its_form_is_refused_without_asking_the_store(token):
    resets = OneTime(Deaf(), "reset", 900)
    assert run(resets.read(token)) is run(resets.redeem(token)) is None


@given(st.text(max_size=60) | st.binary(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_text_that_was_not_issued_is_a_token(token):
    resets = OneTime(MemoryStore(), "reset", 900)
    run(resets.issue({"user": "alice"}))
    assert run(resets.read(token)) is run(resets.redeem(token)) is None


def test_a_token_is_the_bytes_of_the_source_of_randomness_and_the_store_has_its_sha256():
    class Noting(MemoryStore):
        def add(self, key, ttl, value=b""):
            noted[key] = json.loads(value)
            return super().add(key, ttl, value)

    noted = {}
    resets = OneTime(Noting(), "reset", 900, clock=lambda: 1000.0, random=lambda size: bytes(range(size)))
    assert run(resets.issue({"user": "alice"})) == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    digest = "ea866a757e4c38babfa8127cbe9a409d3e1f93a00ff1488ff735fcf917afffd0"
    assert noted == {f"once:reset:token:{digest}": {"until": 1900.0, "owner": None, "data": {"user": "alice"}}}


def test_randomness_that_repeats_itself_issues_nothing_twice():
    resets = OneTime(MemoryStore(), "reset", 900, random=bytes)
    token = run(resets.issue({"user": "alice"}))
    with pytest.raises(Unavailable):
        run(resets.issue({"user": "mallory"}))
    assert run(resets.read(token)) == {"user": "alice"}


def test_randomness_that_is_too_short_is_an_error():
    with pytest.raises(ValueError, match="32 bytes"):
        run(OneTime(MemoryStore(), "reset", 900, random=lambda size: b"short").issue({}))


def test_a_full_store_issues_nothing():
    resets = OneTime(MemoryStore(max_keys=1), "reset", 900)
    run(resets.issue({}))
    with pytest.raises(StoreUnavailable):
        run(resets.issue({}))


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[]", b"\xff", b'{"until": 9e9}', b'{"until": "9e9", "owner": null, "data": {}}',
              b'{"until": 9e9, "owner": null, "data": []}', b'{"until": 9e9, "owner": 1, "data": {}}',
              b'{"until": NaN, "owner": null, "data": {}}']
)  # fmt: skip
def test_what_somebody_else_wrote_under_its_key_stands_for_nothing(value):
    class Answers(MemoryStore):
        def get(self, key):
            return value

    resets = OneTime(Answers(), "reset", 900)
    assert run(resets.read("A" * 43)) is run(resets.redeem("A" * 43)) is None


def test_it_is_asked_off_the_event_loop_where_the_store_blocks(tmp_path):
    import asyncio

    threads = set()

    class Seen(SqliteStore):
        def get(self, key):
            threads.add(threading.current_thread())
            return super().get(key)

    store = Seen(tmp_path / "auth.db")
    asyncio.run(_read(OneTime(store, "reset", 900)))
    store.close()
    assert threads
    assert threading.main_thread() not in threads


async def _read(resets):
    assert await arun(resets.read("A" * 43)) is None


@pytest.mark.parametrize("purpose", ["", "Reset", "a:b", "a b", "x" * 33, None, 1])
def test_a_purpose_is_a_short_plain_word(purpose):
    with pytest.raises(ConfigurationError, match="purpose"):
        OneTime(MemoryStore(), purpose, 900)


@pytest.mark.parametrize("ttl", [0, -1, 86_401, 900.0, "900", None, True, float("inf")])
def test_a_life_is_bounded(ttl):
    with pytest.raises(ConfigurationError, match="from 1 to 86400"):
        OneTime(MemoryStore(), "reset", ttl)


def test_it_wants_a_store():
    with pytest.raises(ConfigurationError, match="store is a Store"):
        OneTime(None, "reset", 900)


def test_its_repr_tells_what_it_is_for_and_no_token():
    assert repr(OneTime(MemoryStore(), "reset", 900)) == "<one-time tokens, reset, 900 s>"
