"""What responses say of a limit."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from authkit import Request, Response, chain, rate_limit
from authkit.guards._rate_fields import Fields
from authkit.stores import MemoryStore, Rate

from .rate_parts import PEER, Clock, Known, ask, check, parsed

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rate-limit" / "rate-limit.json").read_text())


@pytest.fixture
def store():
    return MemoryStore(clock=Clock())


def handled(guard, **headers):
    """The response of a handler behind `guard`."""

    @guard
    def handler(request: Request):
        return Response(200)

    return handler(Request.build(peer=PEER, headers={name.replace("_", "-"): value for name, value in headers.items()}))


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


def test_what_is_answered_again_is_what_would_be_answered_anew():
    fields, fresh = (Fields(None, (Rate(100, 60),), None, False) for _ in range(2))
    for left in range(100):
        for due in (0.0, 0.2, 0.6, 1.0, 1.0000001, 1.5, 59.0):
            assert dict(fields.allowed(((left, due),)).headers) == fresh.mapping(((left, due),), None)


def test_what_is_kept_of_answers_is_bounded():
    fields = Fields(None, (Rate(1_000_000, 60),), None, False)
    for left in range(20_000):
        fields.allowed(((left, 1.0),))
    assert len(fields._kept) <= 4096


def test_nobody_changes_an_answer_for_the_next_request(store):
    headers = check(rate_limit("5/minute", store=store)).headers
    with pytest.raises(TypeError):
        headers["ratelimit"] = "mine"


def test_two_limits_without_a_name_are_told_apart(store):
    """A response with two policies of one name tells a client nothing."""
    guard = chain(rate_limit("10/hour", store=store), Known(), rate_limit("5/hour", key="principal", store=store))
    for _ in range(2):
        answer = handled(guard, x_who="alice")
        assert parsed(answer.headers["ratelimit-policy"]) == {
            "default": {"q": 10, "w": 3600},
            "default-2": {"q": 5, "w": 3600},
        }
        assert parsed(answer.headers["ratelimit"]).keys() == {"default", "default-2"}


def test_the_same_for_limits_of_an_app_and_of_its_views(store):
    """Two chains in one request: neither knows of the other before that."""
    outer, inner = rate_limit("10/hour", store=store), rate_limit("5/second", "5/hour", name="a", store=store)
    twin = rate_limit("7/second", "5/hour", name="a", store=store)
    view = inner(chain(twin)(lambda request: Response(200)))

    @outer
    def app(request: Request):
        return view(request)

    policies = parsed(app(Request.build(peer=PEER)).headers["ratelimit-policy"])
    assert {name: policy["q"] for name, policy in policies.items()} == {
        "default": 10,
        "a:5-per-second": 5,
        "a:5-per-hour": 5,
        "a:7-per-second-2": 7,
        "a:5-per-hour-2": 5,
    }


def test_a_refusal_tells_of_every_limit_that_was_asked(store):
    guard = chain(rate_limit("10/hour", name="ip", store=store), rate_limit("1/hour", name="all", key="global", store=store))
    handled(guard)
    answer = handled(guard)
    assert (answer.status, answer.headers["retry-after"]) == (429, "3600")
    left = {name: item["r"] for name, item in parsed(answer.headers["ratelimit"]).items()}
    assert left == {"all": 0, "ip": 8}


def test_a_refusal_says_what_refused_where_there_is_one_value_only(store):
    guard = chain(
        rate_limit("10/hour", store=store, legacy_headers=True), rate_limit("1/hour", store=store, legacy_headers=True)
    )
    handled(guard)
    answer = handled(guard)
    assert (answer.status, answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == (429, "1", "0")


def test_the_same_guard_twice_in_one_request_is_told_once(store):
    limit = rate_limit("10/hour", store=store)
    inner = limit(lambda request: Response(200))

    @limit
    def app(request: Request):
        return inner(request)

    assert parsed(app(Request.build(peer=PEER)).headers["ratelimit"]) == {"default": {"r": 9, "t": 360}}


def test_a_limit_of_places_says_so(store):
    """draft-ietf-httpapi-ratelimit-headers section 3.1.2: the quota unit; no window, and nothing to wait for."""
    answer = handled(rate_limit("20 concurrent", store=store))
    assert parsed(answer.headers["ratelimit-policy"]) == {"default": {"q": 20, "qu": "concurrent-requests"}}
    assert parsed(answer.headers["ratelimit"]) == {"default": {"r": 19}}
    answer = handled(rate_limit("100/minute", "20 concurrent", name="api", store=store))
    assert parsed(answer.headers["ratelimit-policy"]) == {
        "api:100-per-minute": {"q": 100, "w": 60},
        "api:20-concurrent": {"q": 20, "qu": "concurrent-requests"},
    }
    assert parsed(answer.headers["ratelimit"]) == {"api:100-per-minute": {"r": 99, "t": 1}, "api:20-concurrent": {"r": 19}}


@pytest.mark.parametrize("algorithm", ["token-bucket", "sliding-window", "fixed-window"])
def test_who_waits_as_told_is_admitted(algorithm):
    """RTL-14: and a second less would not have done, where the limit is slow enough to tell."""
    clock = Clock(7 * 3600.0)
    guard = rate_limit("3/minute", algorithm=algorithm, store=MemoryStore(clock=clock, wall=clock))
    for _ in range(30):
        while (decision := ask(guard)).__class__.__name__ != "Deny":
            clock.now += 1.7
        wait = int(decision.headers["retry-after"])
        assert wait >= 1
        clock.now += wait - 1
        assert ask(guard).__class__.__name__ == "Deny"
        clock.now += 1
        assert ask(guard).__class__.__name__ != "Deny"
