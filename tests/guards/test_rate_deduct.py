"""`deduct_when`: what counts is judged on the response, and taken before the handler runs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from authkit import Allow, ConfigurationError, Deny, Guard, Request, Response, chain, rate_limit
from authkit.address import ClientAddress
from authkit.guards._rate_back import may_return
from authkit.guards._rate_fields import Fields
from authkit.guards._rate_guard import Limit, RateLimit
from authkit.stores import MemoryStore, Rate

from .rate_parts import PEER, Clock, Remote


@pytest.fixture
def store():
    return MemoryStore(clock=Clock())


def failed(request, response):
    """What a login limit counts."""
    return response is None or response.status == 401


def handler(request: Request):
    """A login: whoever says so is let in."""
    said = request.headers.get("x-say", "200")
    if said == "raise":
        raise RuntimeError("no database")
    return Response(int(said))


def tried(guarded, say):
    return guarded(Request.build(peer=PEER, headers={"x-say": say})).status


def test_only_what_it_names_counts(store):
    login = rate_limit("3/hour", deduct_when=failed, store=store)(handler)
    assert [tried(login, "200") for _ in range(20)] == [200] * 20
    assert [tried(login, "401") for _ in range(2)] == [401, 401]
    assert [tried(login, "200") for _ in range(20)] == [200] * 20
    assert [tried(login, "401") for _ in range(3)] == [401, 429, 429]
    assert tried(login, "200") == 429


@pytest.mark.parametrize("algorithm", ["token-bucket", "sliding-window", "fixed-window"])
def test_with_every_algorithm_and_cost(algorithm):
    store = MemoryStore(clock=Clock(), wall=Clock())
    options = {"cost": lambda request: 3, "deduct_when": failed, "algorithm": algorithm, "store": store}
    login = rate_limit("9/hour", "12/day", **options)(handler)
    assert [tried(login, "200") for _ in range(20)] == [200] * 20
    assert [tried(login, "401") for _ in range(4)] == [401, 401, 401, 429]


def test_a_handler_that_raises_is_told_as_none(store):
    login = rate_limit("2/hour", deduct_when=failed, store=store)(handler)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            tried(login, "raise")
    assert tried(login, "200") == 429


def test_a_refusal_further_in_is_a_response(store):
    """A limit before the login counts the logins that are refused."""

    class Login(Guard):
        async def check(self, request):
            return Allow() if request.headers.get("x-say") == "200" else Deny(401, "invalid_token")

    guarded = chain(rate_limit("3/hour", deduct_when=failed, store=store), Login())(handler)
    assert [tried(guarded, "200") for _ in range(20)] == [200] * 20
    assert [tried(guarded, "401") for _ in range(4)] == [401, 401, 401, 429]


def test_a_request_that_was_refused_gives_nothing_back(store):
    login = rate_limit("1/hour", deduct_when=lambda request, response: response.status != 429, store=store)(handler)
    assert [tried(login, "200") for _ in range(20)] == [200] + [429] * 19


def test_exactly_false_gives_back(store):
    for answer, expected in ((False, 20), (None, 3), (0, 3), ("", 3), (True, 3)):
        login = rate_limit("3/hour", deduct_when=lambda request, response, answer=answer: answer, store=store)(handler)
        assert [tried(login, "200") for _ in range(20)].count(200) == expected


def test_what_it_raises_counts_and_is_told(store, caplog):
    login = rate_limit("2/hour", deduct_when=lambda request, response: 1 / 0, store=store)(handler)
    assert [tried(login, "200") for _ in range(3)] == [200, 200, 429]
    assert "deduct_when raised ZeroDivisionError" in caplog.text


def test_many_at_once_are_never_more_than_the_limit():
    """RTL-05: what counts only later is taken before, so that nobody slips in between."""
    guard = rate_limit("20/hour", deduct_when=failed, store=MemoryStore(clock=Clock()))
    inside, most, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(8)

    @guard
    def slow(request: Request):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1
        return Response(401)

    statuses = []

    def run():
        gate.wait()
        for _ in range(50):
            statuses.append(slow(Request.build(peer=PEER)).status)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(401) == 20
    assert most <= 20


def test_two_such_limits_each_give_back_their_own(store):
    first = rate_limit("3/hour", deduct_when=failed, store=store)
    second = rate_limit("5/hour", deduct_when=lambda request, response: response.status == 403, store=store)
    login = chain(first, second)(handler)
    assert [tried(login, "200") for _ in range(20)] == [200] * 20
    assert [tried(login, "403") for _ in range(6)] == [403] * 5 + [429]


def test_where_the_store_is_far_away_the_loop_does_not_wait_for_it():
    store = Remote()
    threads = set()
    reach = store.reach
    store.reach = lambda: threads.add(threading.get_ident()) or reach()
    guard = rate_limit("3/hour", deduct_when=failed, store=store)

    @guard
    async def login(request: Request):
        return Response(200)

    async def main():
        for _ in range(20):
            assert (await login(Request.build(peer=PEER))).status == 200
            for _ in range(200):
                if store.asked % 2 == 0:
                    break
                await asyncio.sleep(0.005)
        assert threading.get_ident() not in threads

    asyncio.run(main())
    assert store.asked == 40


def test_a_store_that_fails_before_giving_back_has_counted_one_too_many(caplog):
    store = Remote()
    guard = rate_limit("3/hour", deduct_when=failed, store=store)

    @guard
    def login(request: Request):
        store.up = False
        return Response(200)

    assert tried(login, "200") == 200
    assert len([record for record in caplog.records if "the store failed" in record.getMessage()]) == 1
    store.up = True


def test_what_the_stand_in_took_goes_back_to_the_stand_in():
    store = Remote(up=False)
    login = rate_limit("3/hour", deduct_when=failed, store=store, on_error="local")(handler)
    assert [tried(login, "200") for _ in range(20)] == [200] * 20
    assert [tried(login, "401") for _ in range(4)] == [401, 401, 401, 429]


def test_it_needs_a_handler(store):
    """Where no response is seen, nothing could ever be given back, or everything would be: it is refused."""
    guard = rate_limit("3/hour", deduct_when=failed, store=store)
    with pytest.raises(ConfigurationError, match="response"):
        guard.decide(Request.build(peer=PEER))
    with pytest.raises(ConfigurationError, match="response"):
        chain(guard).shadow().authorizer(cached=False)
    with pytest.raises(ConfigurationError, match="response"):
        _ = chain(guard).dependency


ALGORITHMS = ("token-bucket", "sliding-window", "fixed-window")


def clocked(algorithm, clock):
    """A limit of five failures a minute of everybody, by a clock of ours."""
    rates = (Rate(5, 60),)
    store = MemoryStore(clock=clock, wall=clock)
    return RateLimit(
        Limit("login", rates, None, algorithm, store, ("global",), 64),
        key=lambda request: "everybody",
        client=ClientAddress(),
        cost=1,
        deduct_when=failed,
        exempt=None,
        lease=None,
        on_error="deny",
        fields=Fields("login", rates, None, False),
        clock=clock,
        wall=clock,
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("every", [60.5, 11.9, 4.0])
def test_slow_requests_store_up_no_permits(algorithm, every):
    """RTL-05: requests whose bodies come slowly and that will not count are answered at the moment of the attack."""
    clock = Clock(6_000_000.0)
    login = clocked(algorithm, clock)

    async def main():
        ending, open_ = asyncio.Event(), []

        @login
        async def handler(request: Request):
            if request.path == "/slow":
                await ending.wait()
                return Response(400)
            return Response(401)

        async def come(path):
            return (await handler(Request.build("POST", path, peer=PEER))).status

        for _ in range(12):
            open_ += [asyncio.create_task(come("/slow")) for _ in range(5)]
            await asyncio.sleep(0)
            clock.now += every
        guesses = 0
        while await come("/login") == 401:
            guesses += 1
        ending.set()
        await asyncio.gather(*open_)
        while await come("/login") == 401:
            guesses += 1
        return guesses

    assert asyncio.run(main()) <= 6  # five, and a part of one that had come back


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_answered_soon_is_given_back_whole(algorithm):
    clock = Clock(6_000_000.0)
    login = clocked(algorithm, clock)

    @login
    def slow(request: Request):
        clock.now += 2.0
        return Response(200)

    assert {slow(Request.build(peer=PEER)).status for _ in range(25)} == {200}


def test_what_has_come_back_by_itself_is_not_given_back():
    minute, hour = Rate(6, 60), Rate(60, 3600)
    for cost, passed, expected in ((1, 0.0, 1), (1, 9.9, 1), (1, 10.1, 0), (4, 10.1, 3), (4, 39.0, 1), (4, 40.0, 0), (0, 0, 0)):
        assert may_return((minute,), "token-bucket", cost, passed, 0.0, passed) == expected
        assert may_return((hour, minute), "token-bucket", cost, passed, 0.0, passed) == expected
    assert may_return((Rate(6, 60, 600),), "token-bucket", 600, 60.0, 0.0, 60.0) == 0
    for passed, expected in ((0.0, 3), (59.0, 3), (60.0, 0), (-1.0, 0)):
        assert may_return((hour, minute), "sliding-window", 3, passed, 0.0, passed) == expected
    assert may_return((minute, hour), "fixed-window", 3, 5.0, 50.0, 55.0) == 3
    assert may_return((minute, hour), "fixed-window", 3, 5.0, 55.0, 60.0) == 0
