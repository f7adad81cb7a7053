"""`rate_limit`: who is counted together, what the answers say, and what is refused when built."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from authkit import Allow, ConfigurationError, Deny, Request, chain, rate_limit
from authkit.address import ClientAddress, Networks, parse
from authkit.stores import MemoryStore

from .rate_parts import Clock, Known, ask, parsed, passed

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rate-limit" / "rate-limit.json").read_text())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock)


def test_the_refusal_says_when_to_come_back(store, clock):
    """RTL-14: R429 with integer Retry-After and well-formed fields."""
    guard = rate_limit("2/minute", store=store)
    assert passed(ask(guard) for _ in range(2)) == 2
    decision = ask(guard)
    assert isinstance(decision, Deny)
    assert (decision.status, decision.code, decision.reason) == (429, "rate_limited", "rate_limited")
    assert decision.headers["retry-after"] == "30"
    assert parsed(decision.headers["ratelimit"]) == {"default": {"r": 0, "t": 30}}
    assert parsed(decision.headers["ratelimit-policy"]) == {"default": {"q": 2, "w": 60}}
    clock.now += 29.5
    assert ask(guard).headers["retry-after"] == "1"
    clock.now += 0.5
    assert isinstance(ask(guard), Allow)


def test_retry_after_is_at_least_one_second_and_true(store, clock):
    guard = rate_limit("100/second", store=store)
    decisions = [ask(guard) for _ in range(101)]
    assert decisions[-1].headers["retry-after"] == "1"
    for _ in range(20):
        guard = rate_limit("7 per 3 minutes", store=store)
        decisions = [ask(guard) for _ in range(8)]
        clock.now += int(decisions[-1].headers["retry-after"])
        assert isinstance(ask(guard), Allow)
        clock.now += 0.137


def test_spoofed_headers_do_not_change_who_is_counted(store):
    """RTL-01: 1,000 requests with another X-Forwarded-For each: exactly N pass."""
    guard = rate_limit("10/hour", store=store)
    assert passed(ask(guard, x_forwarded_for=f"198.51.{n // 250}.{n % 250}") for n in range(1000)) == 10


def test_spoofed_entries_behind_a_proxy_do_not_either(store):
    guard = rate_limit("10/hour", store=store, client=ClientAddress(["10.0.0.0/8"]))
    chains = (f"198.51.{n // 250}.{n % 250}, 203.0.113.5" for n in range(1000))
    assert passed(ask(guard, "10.0.0.9", x_forwarded_for=chain_) for chain_ in chains) == 10
    assert isinstance(ask(guard, "10.0.0.9", x_forwarded_for="203.0.113.6"), Allow)


def test_a_suspected_proxy_is_reported_once_and_its_peer_counted(store, caplog):
    guard = rate_limit("10/hour", store=store)
    assert passed(ask(guard, "10.0.0.9", x_forwarded_for=f"203.0.113.{n}") for n in range(20)) == 10
    assert len([record for record in caplog.records if "proxy" in record.getMessage()]) == 1


def test_all_addresses_of_a_64_share_a_bucket(store):
    """RTL-02."""
    guard = rate_limit("10/hour", store=store)
    assert passed(ask(guard, f"2001:db8:0:1:{n:x}::1") for n in range(2000)) == 10
    assert isinstance(ask(guard, "2001:db8:0:2::1"), Allow)


@pytest.mark.parametrize("case", VECTORS["ip_keys"]["cases"], ids=lambda case: case["address"])
def test_addresses_that_share_a_bucket(store, case):
    """Their default is a /56, ours a /64: what shares ours shares theirs. IPv4 in either spelling is one."""
    guard = rate_limit("1/hour", store=store)
    assert isinstance(ask(guard, case["address"]), Allow)
    if "/" in case["expect"]:
        assert parse(case["address"]) in Networks([case["expect"]], "networks")
        assert isinstance(ask(guard, "2001:db8:ffff::1"), Allow)
    else:
        assert isinstance(ask(guard, case["expect"]), Deny)


def test_who_has_no_address_is_counted_too(store):
    guard = rate_limit("10/hour", store=store)
    assert passed(ask(guard, peer) for peer in [None, "unix:", "testclient", ""] * 10) == 10


def test_principals_are_counted_wherever_they_come_from(store):
    guard = chain(Known(), rate_limit("5/hour", key="principal", store=store))
    assert passed(ask(guard, f"203.0.113.{n}", x_who="alice") for n in range(20)) == 5
    assert passed(ask(guard, "203.0.113.1", x_who="bob") for n in range(20)) == 5
    assert passed(ask(guard, "203.0.113.1", x_who="alice", x_issuer="https://other.example") for n in range(20)) == 5


def test_an_anonymous_caller_is_counted_by_address(store):
    guard = chain(Known(), rate_limit("5/hour", key="principal", store=store))
    assert passed(ask(guard, "203.0.113.5") for _ in range(20)) == 5
    assert passed(ask(guard, "203.0.113.6") for _ in range(20)) == 5


def test_a_principal_key_before_any_login_is_a_configuration_error(store):
    limit = rate_limit("5/hour", key="principal", store=store)
    for guards in ([limit], [limit, Known()], [rate_limit("1/s"), limit]):
        guard = chain(*guards)
        with pytest.raises(ConfigurationError, match="principal"):
            guard.prepare()
        assert ask(guard, x_who="alice").status == 500
    chain(chain(Known()), limit).prepare()


def test_two_stages_count_apart(store):
    """By address before the login, by principal after it."""
    by_ip, by_principal = rate_limit("10/hour", store=store), rate_limit("3/hour", key="principal", store=store)
    guard = chain(by_ip, Known(), by_principal)
    assert passed(ask(guard, x_who=f"user{n % 2}") for n in range(30)) == 6


def test_a_global_key_counts_everybody_together(store):
    guard = rate_limit("5/hour", key="global", store=store)
    assert passed(ask(guard, f"203.0.113.{n}") for n in range(20)) == 5


def test_a_cost_of_its_own_for_each_request(store):
    guard = rate_limit("10/hour", cost=lambda request: int(request.headers["x-cost"]), store=store)
    assert isinstance(ask(guard, x_cost="8"), Allow)
    assert isinstance(ask(guard, x_cost="3"), Deny)
    assert isinstance(ask(guard, x_cost="0"), Allow)
    assert isinstance(ask(guard, x_cost="2"), Allow)
    with pytest.raises(TypeError):
        ask(guard, x_cost="-1")
    guard = rate_limit("10/hour", cost=3, store=store)
    assert passed(ask(guard) for _ in range(5)) == 3


def test_exempt_is_exactly_true(store):
    for answer, expected in ((True, 20), (1, 5), ("yes", 5), (False, 5), (None, 5)):
        guard = rate_limit("5/hour", exempt=lambda request, answer=answer: answer, store=store)
        assert passed(ask(guard) for _ in range(20)) == expected


def test_no_name_gives_a_limit_the_buckets_of_one_without_a_name(store):
    unnamed = rate_limit("1/hour", key="global", store=store)
    assert [isinstance(unnamed.decide(Request.build()), Allow) for _ in range(2)] == [True, False]
    for number in range(500):
        named = rate_limit("1/hour", key="global", name=f"rate_limit-{number}", store=store)
        assert isinstance(named.decide(Request.build()), Allow)


def test_limits_of_one_name_share_their_buckets_and_others_do_not(store):
    first, second = (rate_limit("5/hour", name="api", store=store) for _ in range(2))
    assert passed(ask(guard) for _ in range(10) for guard in (first, second)) == 5
    first, second = (rate_limit("5/hour", store=store) for _ in range(2))
    assert passed(ask(guard) for _ in range(10) for guard in (first, second)) == 10


def test_a_burst_of_its_own(store, clock):
    guard = rate_limit("10/second", burst=2, store=store)
    assert passed(ask(guard) for _ in range(20)) == 2
    clock.now += 0.1
    assert passed(ask(guard) for _ in range(20)) == 1


def test_without_a_store_the_process_counts():
    guard = rate_limit("5/hour")
    assert passed(ask(guard) for _ in range(20)) == 5


@pytest.mark.parametrize("limit", ["0/second", "-1/s", "nan", "10/fortnight", "", True, 10, None])
def test_a_bad_limit_is_refused_when_built(limit):
    """RTL-14."""
    with pytest.raises(ConfigurationError):
        rate_limit(limit)


@pytest.mark.parametrize(
    ("limits", "options"),
    [
        ((), {}),
        (("5/s",), {"key": "user"}),
        (("5/s",), {"key": None}),
        (("5/s",), {"burst": 0}),
        (("5/s",), {"burst": True}),
        (("5/s", "9/m"), {"burst": 5}),
        (("5/s",), {"cost": 0}),
        (("5/s",), {"cost": 6}),
        (("5/s",), {"cost": True}),
        (("5/s",), {"cost": None}),
        (("5/s",), {"name": 'a"b'}),
        (("5/s",), {"name": ""}),
        (("5/s",), {"name": "a\r\nx: y"}),
        (("5/s",), {"exempt": True}),
        (("5/s",), {"store": "memory:"}),
        (("5/s",), {"client": "peer"}),
        (("5/s",), {"on_error": "allow"}),
        (("5/s", "5/s"), {}),
        (("5/s",), {"algorithm": "leaky"}),
        (("5 concurrent",), {"algorithm": "leaky"}),
        (("5/s",), {"algorithm": "sliding-window", "burst": 9}),
        (("5/s",), {"lease": 6}),
        (("5/s",), {"lease": 0}),
        (("5/s",), {"deduct_when": True}),
        (("5/s",), {"ipv6_prefix": 0}),
        (("5/s",), {"ipv6_prefix": 129}),
        (("5/s",), {"ipv6_prefix": "64"}),
        (("5/s",), {"key": ()}),
        (("5/s",), {"key": ("ip", "ip")}),
        (("5/s",), {"key": ("ip", "user")}),
        (("0 concurrent",), {}),
        (("-1 concurrent",), {}),
        (("x concurrent",), {}),
        (("5 concurrent", "6 concurrent"), {}),
        (("5 concurrent",), {"cost": 2}),
        (("5 concurrent",), {"lease": 2}),
        (("5 concurrent",), {"burst": 2}),
        (("5 concurrent",), {"deduct_when": lambda request, response: True}),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_a_wrong_option_is_refused_when_built(limits, options):
    with pytest.raises(ConfigurationError):
        rate_limit(*limits, **options)


@pytest.mark.parametrize("algorithm", ["token-bucket", "sliding-window", "fixed-window"])
def test_every_algorithm_admits_what_the_limit_says_at_once(algorithm):
    guard = rate_limit("10/minute", "12/hour", algorithm=algorithm, store=MemoryStore(clock=Clock(), wall=Clock(3600.0 * 7)))
    decisions = [ask(guard) for _ in range(20)]
    assert passed(decisions) == 10
    assert int(decisions[-1].headers["retry-after"]) >= 1


def test_at_the_edge_of_a_window_each_admits_what_it_promises():
    """RTL-10: the last second of one minute and the first of the next."""
    found = {}
    for algorithm in ("token-bucket", "sliding-window", "fixed-window"):
        clock = Clock(3600.0 * 7 + 59.0)
        guard = rate_limit("60/minute", algorithm=algorithm, store=MemoryStore(clock=clock, wall=clock))
        before = passed(ask(guard) for _ in range(200))
        clock.now += 1.0
        found[algorithm] = before, passed(ask(guard) for _ in range(200))
    assert found == {"token-bucket": (60, 1), "sliding-window": (60, 0), "fixed-window": (60, 60)}


def test_a_refused_request_takes_nothing_of_any_limit(store, clock):
    guard = rate_limit("1/second", "3/hour", store=store)
    for _ in range(2):
        assert isinstance(ask(guard), Allow)
        assert passed(ask(guard) for _ in range(50)) == 0
        clock.now += 1.0
    assert isinstance(ask(guard), Allow)


@pytest.mark.parametrize("what", ["exempt", "deduct_when", "cost", "key"])
def test_what_is_asked_of_a_request_is_not_async(what):
    """Its answer would be a coroutine, which is neither True nor False nor a number."""

    async def answer(*_):
        return False

    class Answer:
        async def __call__(self, *_):
            return False

    for given in (answer, Answer(), partial(answer, 1)):
        with pytest.raises(ConfigurationError, match=f"{what} is not async"):
            rate_limit("5/hour", **{what: given})


def test_a_cost_above_the_limit_is_refused_whenever_it_comes():
    clock = Clock()
    guard = rate_limit("5/hour", cost=lambda request: 6, store=MemoryStore(clock=clock))
    for _ in range(3):
        assert ask(guard).status == 429
        clock.now += 100_000
