"""WebhookEvent: what a handler gets, parsed only when it asks."""

from __future__ import annotations

import pickle

import pytest

from authkit.webhooks import WebhookEvent


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
