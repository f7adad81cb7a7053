"""`rate_limit`: who is counted together, what the answers say, and what is refused when built."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from authkit import Allow, ConfigurationError, Deny, Guard, Principal, Request, Unavailable, chain, rate_limit
from authkit._run import run
from authkit.address import ClientAddress, Networks, parse
from authkit.errors import StoreUnavailable
from authkit.stores import Limiter, MemoryStore, Store

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rate-limit" / "rate-limit.json").read_text())

# RFC 9651 section 3.1: a list of strings with integer parameters, which is all that the two fields hold.
ITEM = r'"[ !#-\[\]-~]*"(?:;[a-z]+=(?:0|[1-9][0-9]{0,14}))+'
FIELD = re.compile(rf"{ITEM}(?:, {ITEM})*")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock)


def ask(guard, peer="203.0.113.5", headers=(), **named):
    return guard.decide(Request.build(headers=[*headers, *((n.replace("_", "-"), v) for n, v in named.items())], peer=peer))


def check(guard, request=None):
    """The guard's own decision, headers included."""
    return run(guard.check(request or Request.build(peer="203.0.113.5")))


def passed(decisions):
    return sum(isinstance(decision, Allow) for decision in decisions)


def parsed(field):
    assert FIELD.fullmatch(field), field
    items = {}
    for item in field.split(", "):
        name, *parameters = item.split(";")
        items[name.strip('"')] = {key: int(value) for key, value in (pair.split("=") for pair in parameters)}
    return items


class Known(Guard):
    """Identifies by a header, for want of a login."""

    name = "known"
    identifies = True

    async def check(self, request):
        who = request.headers.get("x-who")
        return Allow(Principal(who, issuer=request.headers.get("x-issuer"))) if who else Allow()


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


def test_an_allowed_response_carries_the_fields_too(store):
    guard = rate_limit("5/minute", store=store)
    assert check(guard).headers == {"ratelimit": '"default";r=4;t=12', "ratelimit-policy": '"default";q=5;w=60'}

    @guard
    def handler(request: Request):
        from authkit import Response

        return Response(200)

    answer = handler(Request.build(peer="203.0.113.5"))
    assert answer.headers["ratelimit"] == '"default";r=3;t=12'


def test_several_limits_are_several_policies(store):
    guard = rate_limit("10/second", "1000/hour", store=store)
    fields = check(guard).headers
    assert parsed(fields["ratelimit-policy"]) == {"10-per-second": {"q": 10, "w": 1}, "1000-per-hour": {"q": 1000, "w": 3600}}
    assert {name: item["r"] for name, item in parsed(fields["ratelimit"]).items()} == {"10-per-second": 9, "1000-per-hour": 999}
    named = check(rate_limit("10/second", "5 per 2 hours", name="api", store=store)).headers
    assert list(parsed(named["ratelimit"])) == ["api:10-per-second", "api:5-per-2-hours"]


@pytest.mark.parametrize("case", VECTORS["headers"]["cases"], ids=lambda case: case["id"])
def test_response_headers(case):
    """Drafts 6 and 7 are not sent. Draft 8's `t` there is the end of a fixed window; a token bucket says when there is one
    more. `pk` is optional and would tell a client how it is counted."""
    limit = f"{case['limit']} per {case['window_s']} seconds"
    guard = rate_limit(limit, name=case.get("policy_name"), store=MemoryStore(clock=Clock()), legacy_headers=True)
    for _ in range(case["hits"]):
        decision = check(guard)
    assert getattr(decision, "status", None) == case.get("expect_status")
    headers, expect = decision.headers, case["expect"]
    if case["id"] in ("draft-6", "draft-7"):
        assert not {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} & headers.keys()
    elif case["id"] == "draft-8":
        theirs = {name: expect[name].replace("; ", ";") for name in expect}
        policy, limit_ = re.sub(r";pk=:[^:]*:", "", theirs["ratelimit-policy"]), parsed(theirs["ratelimit"])
        assert headers["ratelimit-policy"] == policy
        ours = parsed(headers["ratelimit"])["5-in-2hrs"]
        assert ours["r"] == limit_["5-in-2hrs"]["r"]
        assert ours["t"] == case["window_s"] // case["limit"]
    else:
        assert {name: headers[name] for name in expect} == expect


def test_legacy_fields_tell_of_the_tightest_limit_and_only_if_asked_for(store):
    assert not any(name.startswith("x-") for name in check(rate_limit("5/minute", store=store)).headers)
    before = time.time()
    fields = check(rate_limit("3/minute", "1000/hour", store=store, legacy_headers=True)).headers
    assert (fields["x-ratelimit-limit"], fields["x-ratelimit-remaining"]) == ("3", "2")
    assert before + 19 <= int(fields["x-ratelimit-reset"]) <= time.time() + 22


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


def test_a_callable_key(store):
    guard = rate_limit("5/hour", key=lambda request: request.headers.get("x-key", "none"), store=store)
    assert passed(ask(guard, x_key="a") for _ in range(20)) == 5
    assert passed(ask(guard, x_key="b" * 60_000) for _ in range(20)) == 5
    assert passed(ask(guard, x_key="b" * 60_001) for _ in range(20)) == 5
    assert all(len(key) < 80 for key in guard._limiter._young)  # nobody chooses how much memory a key takes


@pytest.mark.parametrize("key", [None, "", 5, b"k", True])
def test_a_key_that_is_no_text_admits_nobody(store, key):
    guard = rate_limit("5/hour", key=lambda request: key, store=store)
    with pytest.raises(TypeError):
        ask(guard)


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


class Broken(Store):
    """A store behind a network that is down, until it is not."""

    def __init__(self):
        self.up = False
        self.real = MemoryStore(clock=Clock())

    def limiter(self, name, rates):
        return BrokenLimiter(self, self.real.limiter(name, rates))


class BrokenLimiter(Limiter):
    def __init__(self, store, real):
        self.store, self.real = store, real

    def take(self, key, cost=1):
        if not self.store.up:
            raise StoreUnavailable("down")
        return self.real.take(key, cost)


def test_a_store_that_fails_is_503_unless_told_otherwise(caplog):
    """RTL-07: never admitted by default, and said once a change of state."""
    store = Broken()
    guard = rate_limit("5/hour", store=store)
    for _ in range(3):
        with pytest.raises(Unavailable):
            check(guard)
    assert ask(guard).status == 503
    assert len([record for record in caplog.records if "the store failed" in record.getMessage()]) == 1
    store.up = True
    assert passed(ask(guard) for _ in range(20)) == 5


def test_a_local_limiter_may_stand_in():
    store = Broken()
    guard = rate_limit("5/hour", store=store, on_error="local")
    assert passed(ask(guard) for _ in range(20)) == 5
    store.up = True
    assert passed(ask(guard) for _ in range(20)) == 5


def test_no_limit_at_all_takes_an_insecure_word():
    guard = rate_limit("5/hour", store=Broken(), on_error="insecure_allow")
    assert passed(ask(guard) for _ in range(20)) == 20


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
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_when_built(limits, options):
    with pytest.raises(ConfigurationError):
        rate_limit(*limits, **options)


@pytest.mark.parametrize(
    "options",
    [{"algorithm": "sliding-window"}, {"algorithm": "fixed-window"}, {"lease": 50}, {"deduct_when": lambda response: True}],
    ids=str,
)
def test_what_this_version_does_not_have_is_said(options):
    with pytest.raises(ConfigurationError, match="not available in this version"):
        rate_limit("5/s", **options)
