"""WebhookEvent: what a handler gets, parsed only when it asks."""

from __future__ import annotations

import pickle

import pytest

from authkit.webhooks import WebhookEvent
from authkit.webhooks.places import Place


def _event(body: bytes) -> WebhookEvent:
    return WebhookEvent("github", body)


def test_json_is_utf8_json() -> None:
    assert _event('{"a": ["é", 1]}'.encode()).json() == {"a": ["é", 1]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"NaN",
        b'{"a": Infinity}',
        b"-Infinity",
        b"\xff",
        '{"a":1}'.encode("utf-16"),
        b"[" * 100_000,
        b"9" * 5000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_is_a_value_error_and_nothing_else(body: bytes) -> None:
    with pytest.raises(ValueError):
        _event(body).json()


def test_a_form_keeps_every_value() -> None:
    assert _event(b"payload=%7B%22a%22%3A1%7D&x=1&x=&x=%C3%A9").form() == {"payload": ['{"a":1}'], "x": ["1", "", "é"]}
    assert _event(b"").form() == {}


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join(b"a=1" for _ in range(1001))])
def test_what_is_no_form_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        _event(body).form()


def test_an_event_is_a_frozen_value_that_may_be_queued() -> None:
    event = _event(b"x")
    assert pickle.loads(pickle.dumps(event)) == event
    with pytest.raises(AttributeError):
        event.body = b"y"  # type: ignore[misc]


def _named(body: bytes, signed: bool = False) -> WebhookEvent:
    return WebhookEvent(
        "stripe", body, places=(Place("body", "a.id"), Place("form", "id")), id="h" if signed else None, signed_id=signed
    )


@pytest.mark.parametrize(
    ("body", "id"),
    [
        (b'{"a":{"id":"evt_1"}}', "evt_1"),
        (b'{"a":{"id":5}}', "5"),
        (b'{"a":{"id":""}}', None),
        (b'{"a":{"id":null}}', None),
        (b'{"a":{"id":["x"]}}', None),
        (b'{"a":{"id":"two\\nlines"}}', None),
        (b'{"a":{"id":"%s"}}' % (b"x" * 257), None),
        (b'{"a":1}', None),
        (b"id=s-1", "s-1"),
        (b"id=s-1&id=s-2", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b"9" * 5000, None),
        (b"", None),
    ],
    ids=range(14),
)
def test_what_the_body_calls_the_event_is_its_id(body: bytes, id: str | None) -> None:
    event = _named(body)
    assert (event.id, event.signed_id) == (id, id is not None)
    assert event.replay_key.startswith("stripe:id:" if id else "stripe:sha256:")
    assert event.id == id, "however often one asks"


def test_an_event_is_the_same_whether_its_id_was_looked_for_or_not() -> None:
    asked, other = _named(b'{"a":{"id":"evt_1"}}'), _named(b'{"a":{"id":"evt_1"}}')
    assert asked.id == "evt_1"
    assert asked == other
    assert hash(asked) == hash(other)
    assert pickle.loads(pickle.dumps(_named(b'{"a":{"id":"evt_1"}}'))) == asked


def test_an_id_that_is_signed_by_itself_goes_before_one_in_the_body() -> None:
    assert _named(b'{"a":{"id":"evt_1"}}', signed=True).id == "h"
