"""What a guarded Lambda handler answers: refusals, and results with what guards and hooks add, in every platform's form."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest

from authkit import Allow, Deny, Request, Response, chain, guard
from authkit.testing import lambda_event

from .lambda_guards import CONTEXT, KINDS, Kind, entered, known, stamp


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_has_the_form_of_its_platform(kind: Kind) -> None:
    answer = chain(stamp, known)(entered)(lambda_event(kind), CONTEXT)
    body = json.loads(answer["body"])
    assert (body["status"], body["code"]) == (401, "unauthorized")
    challenges = ['Bearer realm="api"', 'Other realm="api"']
    if kind == "edge":
        assert (answer["status"], answer["statusDescription"]) == ("401", "Unauthorized")
        assert [line["value"] for line in answer["headers"]["www-authenticate"]] == challenges
        assert answer["headers"]["x-stamp"] == [{"key": "x-stamp", "value": "401"}]
        return
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (401, False)
    if kind in ("alb", "alb_multi", "lattice", "lattice1"):
        assert answer["statusDescription"] == "401 Unauthorized"
    if kind == "alb_multi":
        assert "headers" not in answer
        assert answer["multiValueHeaders"]["www-authenticate"] == challenges
        assert answer["multiValueHeaders"]["content-type"] == ["application/problem+json"]
        return
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["headers"]["cache-control"] == "no-store"
    assert answer["headers"]["x-stamp"] == "401"
    if kind in ("v1", "websocket", "netlify"):
        assert answer["multiValueHeaders"] == {"www-authenticate": challenges}
        assert "www-authenticate" not in answer["headers"]
    else:
        assert answer["headers"]["www-authenticate"] == ", ".join(challenges)


def test_cookies_of_a_refusal_stay_apart() -> None:
    @guard
    def login(request: Request) -> Any:
        return Deny(303, "login", headers={"location": "/login"}, respond=b"\xff")

    @guard.after
    def cookies(request: Request, response: Response | None) -> None:
        assert response is not None
        response.headers.add("set-cookie", "a=1")
        response.headers.add("set-cookie", "b=2; Path=/")

    def answer(kind: Kind) -> Any:
        return chain(cookies, login)(entered)(lambda_event(kind), CONTEXT)

    assert answer("v2")["cookies"] == ["a=1", "b=2; Path=/"]
    assert "set-cookie" not in answer("v2")["headers"]
    assert answer("v1")["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2; Path=/"]
    assert answer("alb_multi")["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2; Path=/"]
    for kind in ("alb", "lattice", "lattice1"):  # one value a name: two spellings of it
        assert {name: value for name, value in answer(kind)["headers"].items() if name.lower() == "set-cookie"} == {
            "set-cookie": "a=1",
            "Set-cookie": "b=2; Path=/",
        }
    assert (answer("v2")["body"], answer("v2")["isBase64Encoded"]) == ("/w==", True)
    assert (answer("edge")["body"], answer("edge")["bodyEncoding"]) == ("/w==", "base64")
    assert len(answer("edge")["headers"]["set-cookie"]) == 2


def stamped(kind: Kind, result: Any) -> Any:
    """What comes out of a handler that returns `result`, with a hook that sets x-stamp."""
    before = copy.deepcopy(result)
    answer = chain(stamp)(lambda event, context: result)(lambda_event(kind), CONTEXT)
    assert result == before  # it may be a constant of the module
    return answer


def test_without_hooks_a_result_is_the_same_object() -> None:
    for result in ({"statusCode": 200}, "text", None, ["a"], {"a": 1}):
        handler = known(lambda event, context, result=result: result)
        assert handler(lambda_event("v2", headers={"x-key": "right"}), CONTEXT) is result


def test_headers_join_what_the_handler_returned() -> None:
    assert stamped("v1", {"statusCode": 201, "body": "b"}) == {"statusCode": 201, "body": "b", "headers": {"x-stamp": "201"}}
    result: dict[str, Any] = {"statusCode": 200, "headers": {"X-A": "1", "x-n": 5}, "multiValueHeaders": {"x-b": ["1", "2"]}}
    assert stamped("v1", result) == {
        "statusCode": 200,
        "headers": {"x-a": "1", "x-n": "5", "x-stamp": "200"},
        "multiValueHeaders": {"x-b": ["1", "2"]},
    }
    assert stamped("alb_multi", {**result, "headers": None})["multiValueHeaders"] == {"x-b": ["1", "2"], "x-stamp": ["200"]}
    assert stamped("v2", {"statusCode": "200", "cookies": ["a=1"], "headers": {"set-cookie": "b=2"}}) == {
        "statusCode": "200",
        "cookies": ["b=2", "a=1"],
        "headers": {"x-stamp": "200"},
    }
    edge = {"status": "200", "headers": {"x-a": [{"key": "X-A", "value": "1"}]}, "body": "b"}
    assert stamped("edge", edge)["headers"] == {
        "x-a": [{"key": "x-a", "value": "1"}],
        "x-stamp": [{"key": "x-stamp", "value": "200"}],
    }


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ("text", "text"),
        ({"a": 1}, '{"a": 1}'),
        ({"headers": {"x": "y"}, "body": "b"}, '{"headers": {"x": "y"}, "body": "b"}'),
        ([1, "ü"], '[1, "ü"]'),
        (None, "null"),
        ({"price": Decimal("1.5")}, '{"price": 1.5}'),
    ],
)
def test_a_v2_result_without_status_becomes_what_the_platform_makes_of_it(result: Any, body: str) -> None:
    assert stamped("v2", result) == {
        "statusCode": 200,
        "body": body,
        "isBase64Encoded": False,
        "headers": {"content-type": "application/json", "x-stamp": "200"},
    }


@pytest.mark.parametrize("result", ["text", None, {"a": 1}, [1], {"statusCode": None}, {"statusCode": "x", "headers": 5}])
def test_a_result_that_the_platform_will_refuse_is_left_to_it(result: Any) -> None:
    answer = stamped("v1", result)
    assert answer is result or answer["statusCode"] == result["statusCode"]


def test_a_handlers_exception_is_its_own_and_hooks_see_no_response() -> None:
    seen = []

    @guard.after
    def after(request: Request, response: Response | None) -> None:
        seen.append(response)

    def handler(event: Any, context: Any) -> Any:
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own"):
        chain(after)(handler)(lambda_event("v2"), CONTEXT)
    assert seen == [None]


@pytest.mark.parametrize("viewer", ["viewer-request", "origin-request"])
def test_a_request_that_goes_on_to_cloudfront_goes_on_without_the_dropped_header(viewer: str) -> None:
    event = lambda_event("edge", headers=[("X-Key", "right"), ("X-Other", "stays")])
    event["Records"][0]["cf"]["config"]["eventType"] = viewer
    before = copy.deepcopy(event)

    @chain(stamp, known)
    def handler(event: Any, context: Any) -> Any:
        return event["Records"][0]["cf"]["request"]

    forwarded = handler(event, CONTEXT)
    assert sorted(forwarded["headers"]) == ["host", "x-other"]
    assert (forwarded["uri"], forwarded["method"]) == ("/", "GET")
    assert event == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_dropped_header_is_nowhere_in_the_event(kind: Kind) -> None:
    @guard
    def drop(request: Request) -> Any:
        return Allow(drop_headers=["X-Secret", "cookie"])

    event = lambda_event(kind, headers=[("X-Secret", "canary"), ("Cookie", "a=canary"), ("x-other", "stays")])
    before = copy.deepcopy(event)
    seen = []
    drop(lambda event, context: seen.append(event))(event, CONTEXT)
    assert "canary" not in json.dumps(seen[0])
    assert "stays" in json.dumps(seen[0])
    assert event == before
