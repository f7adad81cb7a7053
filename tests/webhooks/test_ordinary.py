"""The ordinary delivery is verified in one go, and that way accepts nothing that the long way would not."""

from __future__ import annotations

import hmac
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import webhooks
from authkit.errors import InvalidSignature
from authkit.http import Headers
from authkit.secrets import Secret, SecretVersions
from authkit.testing import Clock, WebhookSender
from authkit.webhooks import Scheme, Verifier, sign
from authkit.webhooks.ordinary import MAX_ORDINARY, acceptor

NOW = 1_800_000_000
URL = "https://h.example/ä?x=%C3%A9"
SENDERS = {name: WebhookSender(name, clock=Clock(NOW)) for name, scheme in webhooks.schemes().items() if scheme.plain}
ACCEPTS = {name: accept for name in SENDERS if (accept := acceptor(webhooks.schemes()[name], 300.0, Clock(NOW))) is not None}
VERIFIERS = {name: SENDERS[name].verifier(tolerance=300.0) for name in ACCEPTS}
BODY = b'{"id":"evt_1"}'
SENT = {name: dict(SENDERS[name].deliver(BODY, id="m-1", url=URL).headers) for name in ACCEPTS}


def short(name: str, headers: Any, body: bytes = BODY, url: str | None = URL) -> Any:
    return ACCEPTS[name](headers, body, None, url, "POST", VERIFIERS[name]._held[1])


def long(name: str, lines: Any, now: float = NOW) -> Any:
    """The event, or why there is none; a list of lines is never read in one go."""
    try:
        return VERIFIERS[name].verify(list(lines), BODY, now, URL)
    except InvalidSignature as error:
        return error.reason


class Kept(Headers):
    """Headers as a host keeps them."""

    __slots__ = ()


def test_most_plain_schemes_have_ordinary_deliveries() -> None:
    assert {"stripe", "github", "slack", "standard-webhooks", "square", "shopify"} <= set(ACCEPTS)
    assert {"twitch", "cashfree"}.isdisjoint(ACCEPTS)  # their time is not told in seconds


@pytest.mark.parametrize("name", ACCEPTS)
def test_a_delivery_as_its_sender_writes_it_is_verified_in_one_go(name: str) -> None:
    sent = SENT[name]
    for headers in (
        sent,
        {header.lower(): value for header, value in sent.items()},
        Headers(sent),
        Kept(sent),
        {**sent, "Content-Type": "application/json", **{f"X-{'y' * length}": "" for length in range(40)}},
    ):
        event = short(name, headers)
        assert event is not None
        assert event._parts == long(name, sent.items())._parts
        assert event == long(name, sent.items())


@pytest.mark.parametrize("name", ACCEPTS)
def test_another_body_or_key_is_not(name: str) -> None:
    assert short(name, SENT[name], BODY + b" ") is None
    assert ACCEPTS[name](SENT[name], BODY, None, URL, "POST", ()) is None


@given(st.sampled_from(sorted(ACCEPTS)), st.data())
def test_what_is_accepted_so_is_accepted_the_long_way(name: str, data: st.DataObject) -> None:
    lines = list(SENT[name].items())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        header, value = lines[at]
        cut = data.draw(st.integers(0, len(value)))
        change = value[:cut] + data.draw(st.text(max_size=3)) + value[cut + data.draw(st.integers(0, 3)) :]
        twice = [f"{value}{mark}{value}" for mark in ", ;"]
        other = data.draw(st.sampled_from([change, "", value, value.upper(), f" {value}", *twice]))
        lines[at] = (data.draw(st.sampled_from([header, header.upper(), header.title()])), other)
        if data.draw(st.booleans()):
            lines.append((header.swapcase(), value))
    for headers, same in ((Headers(lines), lines), (Kept(lines), lines), (dict(lines), list(dict(lines).items()))):
        event = short(name, headers)
        if event is not None:
            assert event == long(name, same)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"stripe-signature": None},
        {"Stripe-Signature": ["t=1"]},
        {b"Stripe-Signature": b"t=1"},
        {1: "x", None: "y"},
        {"Stripe-Signature": "t=1", ("x",) * len("Stripe-Signature"): "y"},
        [("Stripe-Signature", "t=1")],
        None,
        {"Stripe-Signature": f"t={NOW},v1=é"},
        {"Stripe-Signature": f"t={NOW}"},
        {"Stripe-Signature": f"t=١{NOW},v1=00"},
    ],
)
def test_headers_of_any_kind_raise_nothing(headers: Any) -> None:
    assert short("stripe", headers) is None


def test_a_list_in_a_dict_is_no_header() -> None:
    """A platform that hands over lists of values: how many there are is for the long way to judge."""
    assert short("github", {header: [value] for header, value in SENT["github"].items()}) is None


@pytest.mark.parametrize("name", ["stripe", "github", "slack", "standard-webhooks"])
def test_two_spellings_of_one_name_are_left_to_the_long_way(name: str) -> None:
    (header, value), *rest = SENT[name].items()
    assert short(name, {header: value, header.swapcase(): value, **dict(rest)}) is None
    assert short(name, {header.lower(): value, header.upper(): "", **dict(rest)}) is None


@pytest.mark.parametrize(("now", "good"), [(300.9, True), (301, False), (-300, True), (-300.1, False)])
def test_the_time_is_held_to_both_sides_of_the_window(now: float, good: bool) -> None:
    event = ACCEPTS["stripe"](SENT["stripe"], BODY, NOW + now, None, "POST", VERIFIERS["stripe"]._held[1])
    assert (event is not None) is good
    assert isinstance(long("stripe", SENT["stripe"].items(), NOW + now), str) is not good


def test_a_large_body_is_hashed_once() -> None:
    for size in (MAX_ORDINARY, MAX_ORDINARY + 1):
        body = b"x" * size
        headers = sign("github", "a-secret-1", body, id="m")
        accept = acceptor(webhooks.schemes()["github"], 300.0, Clock(NOW))
        assert accept is not None
        verifier = Verifier("github", "a-secret-1")
        assert (accept(headers, body, None, None, "POST", verifier._held[1]) is not None) is (size == MAX_ORDINARY)
        assert verifier.verify(headers, body)


@pytest.mark.parametrize("body", [bytearray(b"x"), "x", None, memoryview(b"x")])
def test_a_body_that_is_no_bytes_is_left_to_the_long_way(body: Any) -> None:
    assert short("github", sign("github", SENDERS["github"].secret, b"x"), body) is None
    with pytest.raises(TypeError):
        VERIFIERS["github"].verify(SENT["github"], body)


def test_every_key_is_tried_whichever_matches() -> None:
    compared = []

    def count(frame: object, event: str, called: object) -> None:
        if event == "c_call" and called is hmac.compare_digest:
            compared.append(called)

    verifier = Verifier("github", ["a-1", "b-2", "c-3"])
    headers = sign("github", "a-1", BODY)
    sys.setprofile(count)
    try:
        assert verifier.verify(headers, BODY).version == 0
    finally:
        sys.setprofile(None)
    assert len(compared) == 3


@pytest.mark.parametrize(
    "declared",
    [
        {"separator": ",", "prefix": "v1,"},  # the prefix holds what stands between two
        {"separator": "a", "prefix": "v1="},  # a digit may stand between two
    ],
)
def test_a_scheme_in_which_one_text_can_be_read_in_two_ways_has_none(declared: dict[str, Any]) -> None:
    assert acceptor(Scheme("own", signature="X-Signature", **declared), 300.0, Clock(NOW)) is None


def test_keys_in_force_are_those_of_this_moment() -> None:
    clock = Clock(NOW)
    secret = Secret.of(SecretVersions("new-2", previous="old-1", previous_until=NOW + 50), clock=clock)
    verifier = Verifier("github", secret, clock=clock)
    old, new = sign("github", "old-1", BODY, id="m"), sign("github", "new-2", BODY, id="m")
    assert verifier.at_once(old, BODY).version == "previous"  # type: ignore[union-attr]
    clock.advance(51)
    assert verifier.at_once(old, BODY) is None
    assert verifier.at_once(new, BODY) is None  # which keys there are has to be found out first
    assert verifier.verify(new, BODY).version == "current"
    assert verifier.at_once(new, BODY).version == "current"  # type: ignore[union-attr]
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        verifier.verify(old, BODY)


def test_a_use_is_counted() -> None:
    secret = Secret.of("a-secret-1")
    verifier = Verifier("github", secret)
    for _ in range(3):
        assert verifier.at_once(sign("github", "a-secret-1", BODY, id="m"), BODY)
    assert verifier.at_once(sign("github", "b-secret-1", BODY, id="m"), BODY) is None
    assert secret.usage()["current"].count == 3
