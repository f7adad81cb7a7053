"""The short way to read a delivery says what the long way says, of whatever was sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import webhooks
from authkit.errors import InvalidSignature
from authkit.http import Headers
from authkit.testing import Clock, WebhookSender
from authkit.webhooks.quick import reader
from authkit.webhooks.reading import told

NOW = 1_800_000_000
PLAIN = [name for name, scheme in webhooks.schemes().items() if scheme.plain]
SENT = {name: WebhookSender(name, clock=Clock(NOW)).deliver(id="m-1").headers for name in PLAIN}
READERS = {name: reader(webhooks.schemes()[name], float("inf"), Clock(NOW)) for name in PLAIN}
URL = "https://h.example/ä?x=%C3%A9"


def short(name: str, headers: Any) -> Any:
    try:
        signatures, before, body, after, id, seconds = READERS[name](headers, b"body", None, URL, "PUT")
    except InvalidSignature as error:
        return error.reason
    return [one.lower() for one in signatures], (before, body, after), id, seconds


def long(name: str, headers: Any) -> Any:
    try:
        found = told(webhooks.schemes()[name], headers, b"body", URL, "PUT", {})
    except InvalidSignature as error:
        return error.reason
    (part,) = found.parts
    return [one.lower() for one in part.signatures], part.contents[0], found.id, found.seconds


def test_most_schemes_are_read_the_short_way() -> None:
    assert {"stripe", "github", "slack", "standard-webhooks", "twitch", "square", "shopify"} <= set(PLAIN)
    assert len(PLAIN) > len(webhooks.schemes()) / 2


@pytest.mark.parametrize("name", PLAIN)
def test_of_a_good_delivery_both_say_the_same(name: str) -> None:
    for headers in (SENT[name], Headers(SENT[name]), list(SENT[name].items())):
        found = short(name, headers)
        assert not isinstance(found, str)
        assert found == long(name, headers)


@given(st.sampled_from(PLAIN), st.data())
def test_of_a_bad_one_they_give_the_same_reason(name: str, data: st.DataObject) -> None:
    lines = list(SENT[name].items())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        header, value = lines[at]
        cut = data.draw(st.integers(0, len(value)))
        change = value[:cut] + data.draw(st.text(max_size=3)) + value[cut + data.draw(st.integers(0, 3)) :]
        lines[at] = (header, data.draw(st.sampled_from([change, "", value, "x" * 9000, ",".join([value] * 40)])))
        if data.draw(st.booleans()):
            lines.append((header.upper(), change))
    assert short(name, lines) == long(name, lines)


@given(
    st.sampled_from(PLAIN), st.dictionaries(st.sampled_from(sorted({key for sent in SENT.values() for key in sent})), st.text())
)
def test_of_anything_they_say_the_same(name: str, headers: dict[str, str]) -> None:
    assert short(name, headers) == long(name, headers)
