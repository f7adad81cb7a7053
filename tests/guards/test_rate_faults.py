"""A store that fails, hangs and comes back: what each `on_error` does, how long it takes, and what is said."""

from __future__ import annotations

import asyncio
import time

import pytest

from authkit import Request, Response, Unavailable, rate_limit
from authkit.stores import MemoryStore

from .rate_parts import PEER, Remote, ask, check, passed


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("rate_limit:")]


def test_a_store_that_fails_is_503_unless_told_otherwise(caplog):
    """RTL-07: never admitted by default, and said once a change of state."""
    store = Remote(up=False)
    guard = rate_limit("5/hour", store=store)
    for _ in range(3):
        with pytest.raises(Unavailable):
            check(guard)
    decision = ask(guard)
    assert (decision.status, decision.headers) == (503, {"retry-after": "1"})
    assert len(told(caplog)) == 1
    store.up = True
    assert passed(ask(guard) for _ in range(20)) == 5
    assert "answers again" in told(caplog)[1]


def test_a_local_limiter_may_stand_in():
    store = Remote(up=False)
    guard = rate_limit("5/hour", store=store, on_error="local")
    decisions = [ask(guard) for _ in range(20)]
    assert passed(decisions) == 5
    assert {"retry-after", "ratelimit", "ratelimit-policy"} <= decisions[-1].headers.keys()
    store.up = True
    assert passed(ask(guard) for _ in range(20)) == 5


def test_no_limit_at_all_takes_an_insecure_word(caplog):
    guard = rate_limit("5/hour", store=Remote(up=False), on_error="insecure_allow")
    assert passed(ask(guard) for _ in range(20)) == 20
    assert told(caplog) == ["rate_limit: the store failed (down); on_error=insecure_allow: nothing is limited meanwhile"]


@pytest.mark.parametrize("on_error", ["deny", "local", "insecure_allow"])
def test_a_store_that_flaps_is_told_once_a_change_and_no_request_fails(caplog, on_error):
    store = Remote()
    guard = rate_limit("1000/hour", store=store, on_error=on_error)
    statuses = set()

    @guard
    def handler(request: Request):
        return Response(200)

    for turn in range(100):
        store.up = turn // 10 % 2 == 0
        statuses.add(handler(Request.build(peer=PEER)).status)
    assert statuses == ({200, 503} if on_error == "deny" else {200})
    assert ["failed" in line for line in told(caplog)] == [True, False] * 4 + [True]


@pytest.mark.parametrize("on_error", ["deny", "local", "insecure_allow"])
def test_places_follow_the_same_policy(on_error):
    store = Remote(up=False)
    guard = rate_limit("2 concurrent", store=store, on_error=on_error)
    inside = []

    @guard
    def handler(request: Request):
        inside.append(None)
        answer = handler(Request.build(peer=PEER)).status if len(inside) < 4 else 200
        return Response(answer)

    found = handler(Request.build(peer=PEER)).status
    assert (found, len(inside)) == {"deny": (503, 0), "local": (429, 2), "insecure_allow": (200, 4)}[on_error]


def test_nothing_is_added_to_what_the_store_itself_takes():
    """RTL-07: at most 100 ms more than the port's own timeout, which is the store's to keep short."""
    guard = rate_limit("5/hour", store=Remote(up=False, latency=0.05), on_error="local")
    started = time.perf_counter()
    ask(guard)
    assert time.perf_counter() - started < 0.15


def test_a_store_that_hangs_holds_no_loop():
    guard = rate_limit("1000/hour", store=Remote(up=False, latency=0.2), on_error="local")

    @guard
    async def handler(request: Request):
        return Response(200)

    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        answers = await asyncio.gather(*(handler(Request.build(peer=PEER)) for _ in range(20)))
        ticking.cancel()
        assert {answer.status for answer in answers} == {200}
        assert ticks > 3

    asyncio.run(main())


def test_whoever_was_refused_costs_the_store_nothing():
    """The refusal memo."""
    store = Remote()
    guard = rate_limit("5/hour", store=store)
    for _ in range(6):
        ask(guard)
    store.asked = 0
    decisions = [ask(guard) for _ in range(1000)]
    assert passed(decisions) == 0
    assert store.asked == 0
    assert int(decisions[-1].headers["retry-after"]) > 700


def test_whoever_was_refused_asks_for_no_place_either():
    store = Remote()
    guard = rate_limit("5/hour", "50 concurrent", name="both", store=store)

    @guard
    def handler(request: Request):
        return Response(200)

    assert [handler(Request.build(peer=PEER)).status for _ in range(6)] == [200] * 5 + [429]
    store.asked = 0
    answers = [handler(Request.build(peer=PEER)) for _ in range(100)]
    assert {answer.status for answer in answers} == {429}
    assert int(answers[-1].headers["retry-after"]) > 700
    assert "r=0" in answers[-1].headers["ratelimit"]
    assert store.asked == 0


def test_refusals_go_on_while_the_store_is_down():
    store = Remote()
    guard = rate_limit("5/hour", store=store, on_error="insecure_allow")
    assert passed(ask(guard) for _ in range(6)) == 5
    store.up = False
    assert passed(ask(guard) for _ in range(20)) == 0


def test_a_lease_asks_the_store_for_one_request_in_many():
    store = Remote()
    guard = rate_limit("10000/hour", store=store, lease=50)
    assert passed(ask(guard) for _ in range(2000)) == 2000
    assert store.asked < 2000 / 10


def test_a_lease_never_admits_more_than_the_limit_on_one_node():
    guard = rate_limit("100/hour", store=Remote(), lease=20)
    assert passed(ask(guard) for _ in range(500)) == 100


def test_limits_of_one_name_share_what_the_store_counts():
    store = Remote()
    first, second = (rate_limit("10/hour", name="api", store=store) for _ in range(2))
    assert passed(ask(guard) for _ in range(20) for guard in (first, second)) == 10


def test_a_limit_without_a_name_on_a_shared_store_is_told_once(caplog):
    """Its name there is a number in the order of making, which another program, or another order, gives to another limit."""
    for store, name, expected in ((Remote(), None, 1), (Remote(), "api", 0), (MemoryStore(), None, 0)):
        caplog.clear()
        guard = rate_limit("5/hour", name=name, store=store)
        for _ in range(3):
            ask(guard)
        told = [record for record in caplog.records if "without a name=" in record.getMessage()]
        assert len(told) == expected
