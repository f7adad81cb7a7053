"""What the script counts: exact at the limits of `Rate`, by the server's clock, in keys that end by themselves."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.stores import Rate
from authkit.stores._redis_limiter import RedisGate, RedisLimiter, written
from authkit.stores.redis_store import RedisStore
from tests.servers.redis import redis_server

from .parts import ALGORITHMS, Clock, admitted, rates


@pytest.fixture(scope="module")
def running():
    with redis_server() as server:
        yield server


@pytest.fixture
def server(running):
    running.say("FLUSHALL")
    return running


class Exact:
    """A token bucket in fractions: what the script must say to the last digit."""

    def __init__(self, rate):
        self.rate, self.used, self.at = rate, Fraction(0), 0

    def take(self, now, cost):
        speed = Fraction(self.rate.count, self.rate.period * 1_000_000)
        self.used = max(Fraction(0), self.used - (now - self.at) * speed)
        self.at = now
        if self.used + cost > self.rate.burst:
            return False
        self.used += cost
        return True


def test_no_two_names_and_keys_are_spelled_alike():
    """Whatever is in them: a name that reads like a name, its rates and the beginning of a key is another name."""
    pieces = ("", "a", ":", "=", "#", ":1/60/1:", ":1:", "=a", "{", "#" + "0" * 64)
    texts = sorted({"".join(three) for three in product(pieces, repeat=3)})
    (rate,) = rates("1/minute")
    for named in (
        [RedisLimiter(None, None, b"", text, (rate,), "token-bucket") for text in texts],
        [RedisGate(None, None, b"", text, 1) for text in texts],
    ):
        assert len({one._prefix + written(key) for one in named for key in texts}) == len(texts) ** 2


def test_a_usual_name_can_be_read_in_the_server(server):
    store = RedisStore(server.url, timeout=5)
    store.limiter("login:here", rates("5/minute")).take("203.0.113.7")
    assert server.say("KEYS", "*") == [b"authkit:lt:=login:here:5/60/5:=203.0.113.7"]


numbers = st.one_of(st.integers(1, 100), st.integers(1, 10**9), st.sampled_from([7, 999_983, 10**9 - 1, 10**9]))


@given(
    count=numbers,
    period=numbers,
    burst=numbers,
    steps=st.lists(st.tuples(st.integers(0, 10**13), st.floats(0, 1.2)), min_size=1, max_size=12),
)
def test_a_bucket_is_exact_for_any_rate(running, count, period, burst, steps):
    """Where it fills within 200 years. Beyond, never more than that."""
    rate = Rate(min(count, period * 1_000_000), period, burst)
    exact = Fraction(rate.burst * rate.period, rate.count) < 7 * 10**9
    clock = Clock(1_790_000_000.0)
    store = RedisStore(running.url, timeout=5, clock=clock)
    limiter, model = store.limiter(f"{time.monotonic_ns()}", (rate,)), Exact(rate)
    now = 1_790_000_000_000_000
    for later, share in steps:
        now += later
        clock.now = now / 1_000_000
        now = round(clock.now * 1e6)
        cost = round(share * rate.burst)
        wait, ((left, following),) = limiter.take("k", cost)
        if exact:
            assert (wait == 0) == model.take(now, cost)
            assert left == int(rate.burst - model.used)
            assert following >= 0
        elif not wait:
            assert model.take(now, cost)
    store.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_largest_rates_are_counted_to_the_last_permit(server, algorithm):
    store = RedisStore(server.url, timeout=5)
    for rate in (Rate(10**9, 10**9), Rate(10**9, 1000), Rate(1, 10**9), Rate(999_999_999, 999_999_937)):
        limiter = store.limiter("a", (rate,), algorithm)
        assert limiter.take("k", rate.count)[0] == 0
        wait, ((left, _),) = limiter.take("k", rate.count)
        assert wait > 0
        assert left < rate.count * 0.01 + 1
        limiter.give_back("k", rate.count)
        limiter.reset("k")
        if rate.count > 1:
            assert limiter.take("k", rate.count - 1)[0] == 0
            assert limiter.take("k", 10**30)[0] > 0


def test_a_bucket_that_takes_ages_to_fill_still_empties(server):
    limiter = RedisStore(server.url, timeout=5).limiter("a", (Rate(1, 10**9, 10**9),))
    assert limiter.take("k", 10**9 - 2)[0] == 0
    assert admitted(limiter, times=9) == 2
    wait, ((left, following),) = limiter.take("k")
    assert left == 0
    assert wait == following == pytest.approx(1e9, rel=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_time_is_the_servers(server, algorithm):
    """Whatever the clocks of those who ask say; and in real time."""
    limiter = RedisStore(server.url, timeout=5).limiter("a", rates("5 per 1 second"), algorithm)
    seconds, micros = server.say("TIME")
    time.sleep(1 - (int(micros) / 1e6 if algorithm == "fixed-window" else 0))
    assert int(seconds) == pytest.approx(time.time(), abs=5)
    assert limiter.take("k", 5)[0] == 0
    wait, _ = limiter.take("k", 5)
    assert 0 < wait <= 1
    time.sleep(wait + 0.001)
    assert limiter.take("k", 5)[0] == 0


def test_every_key_ends_by_itself(server):
    store = RedisStore(server.url, timeout=5)
    for algorithm in ALGORITHMS:
        limiter = store.limiter("a", rates("10/second", "5/minute"), algorithm)
        limiter.take("k", 3)
        limiter.give_back("k")
        limiter.take("looked at", 0)
        limiter.take("given back")
        limiter.give_back("given back")
    store.gate("g", 2).enter("k", "h", 60)
    store.gate("g", 2).enter("k", "i", 30)
    store.add("noted", 60)
    store.swap("swapped", None, b"1", 60)
    store.epoch()
    keys = server.say("KEYS", "*")
    assert len(keys) == 3 + 1 + 2 + 1
    assert all(key.startswith(b"authkit:") for key in keys)
    lives = {bytes(key): server.say("PTTL", key) for key in keys}
    ten_years = lives.pop(b"authkit:epoch")
    assert ten_years > 3600_000 * 24 * 365 * 9
    assert all(0 < life <= 61_000 for life in lives.values()), lives


def test_a_key_ends_when_its_time_is_over(server):
    store = RedisStore(server.url, timeout=5)
    store.limiter("a", rates("10 per 1 second")).take("k", 5)
    store.gate("g", 1).enter("k", "h", 0.2)
    assert store.add("noted", 0.2, b"1")
    assert store.get("noted") == b"1"
    time.sleep(0.25)
    assert store.get("noted") is None
    assert store.gate("g", 1).enter("k", "i", 0.2) == (True, 1)
    assert store.add("noted", 0.2)
    time.sleep(0.6)
    assert server.say("KEYS", "*") == [b"authkit:epoch"]


_SENT = ("evalsha", "eval", "script", "hello", "ping", "select", "client", "info")


def test_one_decision_is_one_round_trip(server):
    store = RedisStore(server.url, timeout=5)
    calls = [lambda limiter=store.limiter("a", rates("9/hour", "9/day"), each): limiter.take("k") for each in ALGORITHMS]
    calls += [
        lambda: store.gate("g", 1).enter("k", "h", 60),
        lambda: store.get("k"),
        lambda: store.swap("k", None, None, 60),
        store.epoch,
    ]
    for call in calls:  # the scripts are known, and the connection is made
        call()
    for call in calls:
        server.say("CONFIG", "RESETSTAT")
        call()
        stats = server.say("INFO", "commandstats")
        sent = [
            name for name in stats if name.removeprefix("cmdstat_") in ("evalsha", "eval", "script", "hello", "ping", "select")
        ]
        assert sent in (["cmdstat_evalsha"], [])
        assert sum(stats[name]["calls"] for name in sent) + ("cmdstat_get" in stats and not sent) == 1


def test_long_and_strange_keys_stay_short_in_redis(server):
    store = RedisStore(server.url, timeout=5)
    for key in ("k" * 100_000, "{x}", "\ud800", "\0\r\n"):
        store.add(key, 60)
        store.limiter("n" * 100_000, rates("5/hour")).take(key)
    assert max(map(len, server.say("KEYS", "*"))) < 250


def test_stores_of_other_prefixes_do_not_meet(server):
    one, other = (RedisStore(server.url, prefix=prefix, timeout=5) for prefix in ("a:", "b:"))
    assert one.add("k", 60)
    assert other.add("k", 60)
    assert one.epoch() < other.adopt()
    assert one.epoch() < other.epoch()
