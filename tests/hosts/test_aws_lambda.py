"""A guarded Lambda handler: every kind of event, whatever is wrong with it, and every way to call it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import Allow, Deny, Principal, Request, chain, current_principal, guard
from authkit.decision import ALLOW
from authkit.testing import lambda_event

from .lambda_guards import CONTEXT, KINDS, Kind, entered, known, stamp, status

WRONG: list[Any] = [
    None,
    5,
    1.5,
    True,
    "text",
    [],
    [1, 2],
    {},
    {"a": 1},
    {"a": {}},
    {"a": [None, 1]},
    {"a": [{}]},
    "\ud800",
    {"\ud800": "\ud800"},
]


@guard(body=True)
def body_is_signed(request: Request) -> Any:
    return ALLOW if request.body == b"signed" else Deny(401, "invalid_signature")


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_header_enters_and_no_other(kind: Kind) -> None:
    @known
    def handler(event: Any, context: Any, principal: Principal) -> Any:
        assert current_principal() is principal
        return {"statusCode": 200, "status": "200", "body": principal.subject}

    assert handler(lambda_event(kind, headers={"X-KEY": "right"}), CONTEXT)["body"] == "user-1"
    for headers in [{}, {"x-key": "wrong"}]:
        assert status(known(entered)(lambda_event(kind, headers=headers), CONTEXT)) == 401
    if kind != "alb":  # a load balancer without multi-value headers hands on the last one only
        twice = [("x-key", "right"), ("x-key", "right")]
        joined = kind in ("v2", "function_url", "lattice1", "netlify")
        assert status(known(entered)(lambda_event(kind, headers=twice), CONTEXT)) in ((400, 401) if joined else (400,))


def test_a_name_in_two_spellings_is_two_values() -> None:
    event = lambda_event("v2")
    event["headers"] = {"X-Key": "right", "x-key": "right"}
    assert status(known(entered)(event, CONTEXT)) == 400


@pytest.mark.parametrize("kind", KINDS)
def test_the_body_is_read_decoded_and_handed_on_as_it_came(kind: Kind) -> None:
    for body in (b"signed", b"\xff\xfe"):
        event = lambda_event(kind, "POST", body=body)
        before = copy.deepcopy(event)
        answer = body_is_signed(lambda event, context: {"statusCode": 200, "status": "200", "event": event})(event, CONTEXT)
        good = body == b"signed" and kind != "websocket"  # the event of $connect has no body
        assert status(answer) == (200 if good else 401)
        assert event == before
        if good:
            assert answer["event"] is event


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"body": "c2lnbmVk", "isBase64Encoded": True}, 200),
        ({"body": "signed", "isBase64Encoded": None}, 200),
        ({"body": "c2lnbmV", "isBase64Encoded": True}, 400),
        ({"body": "c2ln\nbmVk", "isBase64Encoded": True}, 400),
        ({"body": "c2lnbmVkü", "isBase64Encoded": True}, 400),
        ({"body": "signed", "isBase64Encoded": "false"}, 400),
        ({"body": "c2lnbmVk", "isBase64Encoded": 1}, 400),
        ({"body": {"signed": True}}, 400),
        ({"body": 3}, 400),
        ({"body": "\ud800"}, 400),
        ({"body": "x" * 1_048_577}, 413),
        ({"body": "eHh4" * 349_526, "isBase64Encoded": True}, 413),
        ({"body": "eHh4" * 349_525 + "eA==", "isBase64Encoded": True}, 401),
        ({"body": None}, 401),
    ],
)
def test_a_body_that_two_could_read_differently_is_refused(changed: dict[str, Any], expected: int) -> None:
    event = {**lambda_event("v2", "POST", body="signed"), **changed}
    handler = body_is_signed(lambda event, context: {"statusCode": 200})
    assert status(handler(event, CONTEXT)) == expected


def test_a_body_that_cloudfront_has_cut_is_refused() -> None:
    event = lambda_event("edge", "POST", body="signed")
    event["Records"][0]["cf"]["request"]["body"]["inputTruncated"] = True
    assert status(body_is_signed(entered)(event, CONTEXT)) == 413


# What is no HTTP event, and what is a broken one


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"Records": [{"EventSource": "aws:sns", "Sns": {}}]},
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {"Records": [{"cf": {"request": None}}]},
        {"Records": [{"cf": {"request": {"method": "GET", "uri": "/"}, "response": {"status": "200"}}}]},
        {"detail-type": "Scheduled Event", "source": "aws.events"},
        {"requestContext": {}},
        {"requestContext": None},
        {"requestContext": {"http": None}},
        {"httpMethod": "GET"},
        {"path": "/"},
        {"name": "invoked directly"},
    ],
)
def test_an_event_that_is_no_request_is_a_type_error_that_names_host(event: dict[str, Any]) -> None:
    for handler in (known(entered), known(entered, host="aws_lambda")):
        with pytest.raises(TypeError, match="host="):
            handler(event, CONTEXT)


@pytest.mark.parametrize("event", [None, 5, "text", [], ["GET", "/"], True])
def test_a_direct_invocation_with_any_other_json_is_a_type_error(event: Any) -> None:
    with pytest.raises(TypeError, match="host="):
        known(entered)(event, CONTEXT)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        found += _places(item, (*path, name))
    return found


def _changed(event: Any, path: tuple[Any, ...], value: Any, *, remove: bool) -> Any:
    changed = copy.deepcopy(event)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def _ends_well(event: Any, admitted: bool) -> None:
    """A refusal below 500, a TypeError of ours, or the handler, which ran only if the guards admitted."""
    decided, before = [], copy.deepcopy(event)

    @guard(body=True)
    def recorded(request: Request) -> Any:
        decided.append(request)
        return ALLOW

    def handler(event: Any, context: Any) -> Any:
        assert decided
        assert admitted
        return {"statusCode": 200, "status": "200"}

    try:
        answer = chain(known, recorded, stamp)(handler)(event, CONTEXT)
    except TypeError as error:
        ours = str(error)
    else:
        ours = "host="
        assert status(answer) in (200, 400, 401, 413)
    assert "host=" in ours or "authorizer" in ours
    assert event == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_is_missing_or_of_another_type_ends_in_a_decision(kind: Kind) -> None:
    event = lambda_event(
        kind, "POST", "/orders/1", [("x-key", "right"), ("cookie", "a=b; c=d")], "body", query="a=1&a=2", params={"id": "1"}
    )
    for path in _places(event):
        _ends_well(_changed(event, path, None, remove=True), admitted=True)
        for value in WRONG:
            _ends_well(_changed(event, path, value, remove=False), admitted=True)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["GET", "/", "right", "a=b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from(["x-key", "X-Key"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_no_generated_event_ends_in_a_foreign_exception(data: st.DataObject, kind: Any) -> None:
    event: Any = lambda_event(kind, "POST", "/orders/1", {"x-key": "wrong", "cookie": "a=b"}, "body", query="a=1")
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(event)))
        event = _changed(event, path, data.draw(JSON), remove=data.draw(st.booleans()))
        if not _places(event):
            break
    _ends_well(event, admitted="right" in json.dumps(event))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"headers": [1, 2]}, 400),
        ({"headers": {"a": {}}}, 401),  # nobody has asked for that header
        ({"headers": {"x-key": {}}}, 400),
        ({"headers": {"x-key": 5}}, 401),
        ({"headers": None}, 401),
        ({"cookies": "a=b"}, 401),
        ({"cookies": {"a": "b"}}, 400),
        ({"rawPath": 5}, 401),
    ],
)
def test_what_cannot_be_read_is_malformed_when_it_is_asked_for(changed: dict[str, Any], expected: int) -> None:
    assert status(known(entered)({**lambda_event("v2"), **changed}, CONTEXT)) == expected


def test_a_path_or_method_that_is_no_text_is_neither_exempt_nor_safe() -> None:
    seen = []

    @guard
    def look(request: Request) -> Any:
        seen.append((request.method, request.path))
        return ALLOW

    for event in [
        {**lambda_event("v1"), "path": 5, "httpMethod": None},
        {**lambda_event("netlify"), "path": None, "httpMethod": ["GET"]},
        {**lambda_event("alb"), "path": {}, "httpMethod": 1},
    ]:
        look.except_for("/")(lambda event, context: {"statusCode": 200})(event, CONTEXT)
    assert seen == [("", "")] * 3


def test_a_websocket_event_has_its_route_as_path() -> None:
    handler = known.except_for("/$disconnect")(lambda event, context: {"statusCode": 200})
    event = lambda_event("websocket")
    assert status(handler(event, CONTEXT)) == 401
    event["requestContext"]["routeKey"] = "$disconnect"
    assert status(handler(event, CONTEXT)) == 200


# How it is called


def test_a_method_and_names_and_a_context_that_is_callable_are_all_calls() -> None:
    class Handlers:
        @known
        def method(self, event: Any, context: Any) -> Any:
            return event

    @known
    def handler(event: Any, context: Any) -> Any:
        return event

    class Called:
        def __call__(self) -> None: ...

    event = lambda_event("v2", headers={"x-key": "right"})
    for seen in (
        Handlers().method(event, CONTEXT),
        handler(event, context=CONTEXT),
        handler(event=event, context=CONTEXT),
        handler(event, Called()),
    ):
        assert "x-key" not in seen["headers"]
    assert event["headers"]["x-key"] == "right"


@pytest.mark.parametrize("more", [{"context": None}, {"context": {}}, {"context": CONTEXT, "request": 1}])
def test_an_event_by_name_is_lambdas_only_beside_its_own_context(more: dict[str, Any]) -> None:
    """FastAPI fills parameters of these names from the client's body, which would then be the request that guards judge."""
    with pytest.raises(TypeError, match="no host recognises"):
        known(lambda event, context, **more: pytest.fail("entered"))(
            event=lambda_event("v2", headers={"x-key": "right"}), **more
        )


@pytest.mark.parametrize("records", ["x", [], [{}], {"cf": 1}, [{"cf": {"request": {}}}], [None], 7])
def test_dropped_headers_are_dropped_whatever_else_the_event_holds(records: Any) -> None:
    """Whoever may invoke the function directly writes members that belong to another kind of event."""
    event = {**lambda_event("v2", headers={"x-key": "right"}), "Records": records}
    assert known(lambda event, context: event["headers"])(event, CONTEXT).keys() == {"host"}


def test_two_guards_around_one_call_decide_once_and_write_one_audit_event() -> None:
    decided: list[Any] = []
    audited: list[Any] = []

    @guard
    def counted(request: Request) -> Any:
        decided.append(request)
        return Allow(drop_headers=["x-key"])

    inner = chain(counted)(lambda event, context: {"statusCode": 200, "seen": event["headers"]})
    outer = chain(counted, audit=audited.append)(lambda event, context: inner(event, context))
    assert "x-key" not in outer(lambda_event("v2", headers={"x-key": "1"}), CONTEXT)["seen"]
    assert len(decided) == len(audited) == 1
