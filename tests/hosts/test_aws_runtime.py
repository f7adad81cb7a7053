"""Guarded handlers under AWS's own client: events arrive as JSON, and answers leave as JSON, as on Lambda itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from authkit.testing import lambda_event
from tests.servers.runtime_api import RuntimeApi, lambda_function

Kind = Literal["v1", "v2", "function_url", "alb", "alb_multi", "lattice", "lattice1", "websocket", "netlify"]
KINDS: tuple[Any, ...] = get_args(Kind)
HERE = Path(__file__).parent
RIGHT = {"Authorization": "Bearer right"}


@pytest.fixture(scope="module")
def function() -> Iterator[RuntimeApi]:
    with lambda_function("lambda_app.handler", HERE) as function:
        yield function


def headers_of(answer: Any) -> dict[str, str]:
    found = {name: values[0] for name, values in (answer.get("multiValueHeaders") or {}).items()}
    return found | (answer.get("headers") or {})


def entries(function: RuntimeApi) -> int:
    """How often the handler was entered, this time included."""
    return int(function.invoke(lambda_event("v2", headers=RIGHT)).value["headers"]["x-entries"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_credential_enters(function: RuntimeApi, kind: Kind) -> None:
    answer = function.invoke(lambda_event(kind, "POST", "/orders", RIGHT, b"\xff\xfe")).value
    assert (answer["statusCode"], answer["body"], answer["left"]) == (200, "user-1", True)
    sent = headers_of(answer)
    assert (sent["x-stamp"], sent["x-guard"]) == ("200", "caller")
    assert int(sent["x-entries"]) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, None, "unauthorized"),
        ({"authorization": "Bearer wrong"}, None, "invalid_token"),
        (RIGHT, "forged", "invalid_signature"),
        (RIGHT, b"forged\xff", "invalid_signature"),
    ],
)
def test_every_other_is_refused_and_does_not_enter(
    function: RuntimeApi, kind: Kind, headers: Any, body: Any, code: str
) -> None:
    if kind == "websocket" and body is not None:
        return  # the event of $connect has no body
    before = entries(function)
    answer = function.invoke(lambda_event(kind, "POST", "/orders", headers, body))
    assert not answer.failed
    assert answer.value["statusCode"] == 401
    assert f'"code":"{code}"' in answer.value["body"]
    sent = headers_of(answer.value)
    assert (sent["content-type"], sent["cache-control"], sent["x-stamp"]) == ("application/problem+json", "no-store", "401")
    assert entries(function) == before + 1


@pytest.mark.parametrize("viewer", ["viewer-request", "origin-request"])
def test_cloudfront_gets_the_request_without_the_credential_or_a_response(function: RuntimeApi, viewer: str) -> None:
    event = lambda_event("edge", "POST", "/orders", RIGHT, "body")
    event["Records"][0]["cf"]["config"]["eventType"] = viewer
    forwarded = function.invoke(event).value
    assert (forwarded["uri"], sorted(forwarded["headers"])) == ("/orders", ["host"])
    refused = function.invoke(lambda_event("edge", "POST", "/orders", RIGHT, "forged")).value
    assert (refused["status"], refused["headers"]["x-stamp"][0]["value"]) == ("401", "401")


@pytest.mark.parametrize("spelling", ["Authorization", "AUTHORIZATION", "aUTHORIZATION"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_spelling_of_a_header_does_not_matter(function: RuntimeApi, kind: Kind, spelling: str) -> None:
    event = lambda_event(kind)
    for member in ("headers", "multiValueHeaders"):
        if event.get(member) is not None:
            event[member] = {spelling: "Bearer right" if member == "headers" else ["Bearer right"]}
    assert function.invoke(event).value["statusCode"] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_null_headers_are_no_headers(function: RuntimeApi, kind: Kind) -> None:
    event = lambda_event(kind)
    for member in (
        "headers",
        "multiValueHeaders",
        "cookies",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "body",
    ):
        if member in event:
            event[member] = None
    assert function.invoke(event).value["statusCode"] == 401


def test_a_body_that_says_base64_and_is_not_is_a_400(function: RuntimeApi) -> None:
    event = lambda_event("v2", "POST", headers=RIGHT, body="body")
    for body, flag in (("not base64!", True), (b64encode(b"forged").decode(), "true")):
        assert function.invoke({**event, "body": body, "isBase64Encoded": flag}).value["statusCode"] == 400


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        5,
        "text",
        None,
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "Bearer right"}}]},
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {"headers": RIGHT},
        {
            "type": "TOKEN",
            "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:api/prod/GET/",
            "authorizationToken": "Bearer right",
        },
    ],
)
def test_an_event_that_is_no_request_fails_without_entering(function: RuntimeApi, event: Any) -> None:
    before = entries(function)
    answer = function.invoke(event)
    assert answer.failed
    assert answer.value["errorType"] == "TypeError"
    assert "host=" in answer.value["errorMessage"] or ".authorizer()" in answer.value["errorMessage"]
    assert entries(function) == before + 1


def test_an_authorizer_allows_refuses_and_says_unauthorized() -> None:
    arn = "arn:aws:execute-api:eu-west-1:123456789012:api1234567/prod/GET/orders"
    with lambda_function("lambda_app.authorizer", HERE) as function:
        allowed = function.invoke({"type": "TOKEN", "authorizationToken": "Bearer right", "methodArn": arn}).value
        assert allowed["policyDocument"]["Statement"] == [
            {
                "Action": "execute-api:Invoke",
                "Effect": "Allow",
                "Resource": "arn:aws:execute-api:eu-west-1:123456789012:api1234567/prod/*",
            }
        ]
        refused = function.invoke({"type": "TOKEN", "authorizationToken": "Bearer wrong", "methodArn": arn})
        assert refused.failed
        assert refused.value["errorMessage"] == "Unauthorized"
        v2 = {**lambda_event("v2", headers=RIGHT), "type": "REQUEST", "routeArn": arn}
        assert function.invoke(v2).value == {
            "isAuthorized": True,
            "context": {"subject": "user-1", "scopes": "", "roles": ""},
        }
