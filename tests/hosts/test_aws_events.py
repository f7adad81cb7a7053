"""Every sample event of the vectors is read as its expected request says."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from authkit import Request, guard
from authkit.decision import ALLOW
from authkit.errors import MalformedRequest
from authkit.hosts._lambda_event import LambdaRequest, read_event

SAMPLES = Path(__file__).parent.parent / "vectors" / "aws-events"
EXPECTED: dict[str, dict[str, Any]] = json.loads((SAMPLES / "expected.json").read_text())["events"]
KINDS = {
    "alb": "alb",
    "edge": "edge",
    "http-v2": "v2",
    "lattice-v1": "lattice1",
    "lattice-v2": "lattice",
    "rest-v1": "v1",
    "url": "v2",
}
HTTP = [name for name, expected in EXPECTED.items() if expected["kind"] in KINDS]
AUTHORIZER = [name for name, expected in EXPECTED.items() if expected["kind"].startswith("authorizer")]
OTHER = [name for name, expected in EXPECTED.items() if expected["kind"] == "other"]


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / name).read_text())
    return found


def body_of(request: Request) -> bytes:
    """The body, read as a guard reads it."""
    coroutine = request.load_body()
    try:
        coroutine.send(None)
    except StopIteration as done:
        return bytes(done.value)
    raise AssertionError("an event's body is there at once")


def test_every_sample_is_of_a_kind_that_is_tested() -> None:
    assert set(HTTP) | set(AUTHORIZER) | set(OTHER) == set(EXPECTED) == {file.name for file in SAMPLES.glob("*-*.json")}


@pytest.mark.parametrize("name", HTTP)
def test_the_request_is_the_one_expected(name: str) -> None:
    expected, event = EXPECTED[name], sample(name)
    request = read_event(event)
    assert isinstance(request, LambdaRequest)
    assert request.kind == KINDS[expected["kind"]]
    assert (request.method, request.path) == (expected["method"], expected["path"])
    assert {field: request.headers.get_all(field) for field in request.headers} == expected["headers"]
    assert [list(pair) for pair in request.query] == expected["query"]
    if request.kind in ("alb", "lattice", "lattice1"):  # these events have no address of their own
        assert expected.get("source_ip") is None
        assert request.peer == expected["headers"]["x-forwarded-for"][0]
    else:
        assert request.peer == expected["source_ip"]


@pytest.mark.parametrize("name", HTTP)
def test_the_body_is_the_one_expected(name: str) -> None:
    expected = EXPECTED[name]
    request = read_event(sample(name))
    assert request is not None
    if "body_error" in expected:
        with pytest.raises(MalformedRequest):
            body_of(request)
    elif "body_hex" in expected:
        assert body_of(request) == bytes.fromhex(expected["body_hex"])
    elif expected["kind"] == "edge":
        assert body_of(request) == b'{"name":"Sam"}'
    else:
        assert body_of(request) == (expected.get("body") or "").encode()


@pytest.mark.parametrize("name", HTTP)
def test_a_guard_leaves_the_event_as_it_was(name: str) -> None:
    event = sample(name)
    before, seen = copy.deepcopy(event), []

    @guard
    def look(request: Request) -> Any:
        seen.append((dict(request.headers.items()), request.query, request.cookies, request.params, request.route))
        return ALLOW

    @look
    def handler(event: Any, context: Any) -> Any:
        seen.append(event)
        return {"statusCode": 204}

    assert handler(event, None) == {"statusCode": 204}
    assert len(seen) == 2
    assert seen[1] is event
    assert event == before


@pytest.mark.parametrize("name", AUTHORIZER)
def test_an_authorizers_event_never_enters_a_handler(name: str) -> None:
    with pytest.raises(TypeError, match="authorizer"):
        _guarded()(sample(name), None)


@pytest.mark.parametrize("name", OTHER)
def test_an_event_that_is_not_http_never_enters_a_handler(name: str) -> None:
    with pytest.raises(TypeError, match="host="):
        _guarded()(sample(name), None)


def _guarded() -> Any:
    @guard
    def everybody(request: Request) -> Any:
        return ALLOW

    @everybody
    def handler(event: Any, context: Any) -> Any:
        raise AssertionError("entered")

    return handler
