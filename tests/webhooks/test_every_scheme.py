"""Every scheme signs what it verifies, and verifies nothing else: whatever one changes in a delivery, it is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import webhooks
from authkit.errors import ConfigurationError, InvalidSignature, Unavailable
from authkit.http import Headers
from authkit.secrets import Secret, SecretVersions
from authkit.testing import Clock, WebhookSender
from authkit.webhooks import SignedDelivery, Verifier, WebhookEvent
from authkit.webhooks.handshakes import handshakes

NOW = 1_800_000_000
NAMES = list(webhooks.schemes())
SENDERS: dict[str, WebhookSender] = {}
VERIFIERS: dict[str, Verifier] = {}


def sender(name: str) -> WebhookSender:
    if name not in SENDERS:
        SENDERS[name] = WebhookSender(name, clock=Clock(NOW))
    return SENDERS[name]


def verifier(name: str) -> Verifier:
    if name not in VERIFIERS:
        VERIFIERS[name] = sender(name).verifier()
    return VERIFIERS[name]


def verdict(
    name: str,
    sent: SignedDelivery,
    *,
    headers: Any = None,
    body: bytes | None = None,
    url: str | None = None,
    now: float = NOW,
    method: str = "POST",
) -> str:
    try:
        verifier(name).verify(
            sent.headers if headers is None else headers,
            sent.body if body is None else body,
            now=now,
            url=sent.url if url is None else url,
            method=method,
        )
    except InvalidSignature as error:
        return error.reason
    except Unavailable:  # of keys that deliveries name, only so many are looked up
        return "unavailable"
    return "verified"


def in_headers(name: str) -> bool:
    return webhooks.schemes()[name].rows[0][0].kind == "header"


def signature_of(name: str, sent: SignedDelivery) -> str:
    """The signature itself, without what stands around it."""
    scheme = webhooks.schemes()[name]
    place = scheme.rows[0][0]
    prefix = scheme.prefix
    assert isinstance(prefix, str)
    if place.kind == "header":
        text = sent.headers[scheme.signature[0]]
        items = [text] if scheme.separator is None else text.split(scheme.separator)
        return next(item for item in items if item.startswith(prefix))[len(prefix) :]
    if place.kind == "query":
        assert sent.url is not None
        return sent.url.rpartition("=")[2]
    if place.kind == "form":
        return sent.body.decode().rpartition("signature=")[2]
    found: Any = json.loads(sent.body)
    for step in (*((scheme.each, 0) if scheme.each else ()), *place.path):
        found = found[step]
    assert isinstance(found, str)
    return found


def with_signature(name: str, sent: SignedDelivery, old: str, new: str) -> SignedDelivery:
    scheme = webhooks.schemes()[name]
    kind = scheme.rows[0][0].kind
    headers, body, url = dict(sent.headers), sent.body, sent.url
    if kind == "header":
        headers[scheme.signature[0]] = headers[scheme.signature[0]].replace(old, new)
    elif kind == "query":
        assert url is not None
        url = url.replace(old, new)
    else:
        body = body.replace(json.dumps(old)[1:-1].encode(), json.dumps(new)[1:-1].encode())
    return SignedDelivery(sent.method, url, headers, body)


@pytest.mark.parametrize("name", NAMES)
def test_it_signs_what_it_verifies(name: str) -> None:
    sent = sender(name).deliver()
    event = verifier(name).verify(sent.headers, sent.body, url=sent.url, method=sent.method)
    assert isinstance(event, WebhookEvent)
    assert (event.scheme, event.body) == (name, sent.body)
    assert event.timestamp == (NOW if webhooks.schemes()[name].timed else None)
    assert event.replay_key.startswith(f"{name}:")
    assert verdict(name, sent, headers=Headers(sent.headers)) == "verified"
    assert verdict(name, sent, headers={key.upper(): value for key, value in sent.headers.items()}) == "verified"


@pytest.mark.parametrize("name", NAMES)
def test_another_secret_is_refused(name: str) -> None:
    sent = sender(name).deliver()
    other = WebhookSender(name, clock=Clock(NOW))
    with pytest.raises(InvalidSignature, match=r"signature_mismatch|key_unknown"):
        other.verifier().verify(sent.headers, sent.body, url=sent.url, method=sent.method)


@pytest.mark.parametrize("name", NAMES)
def test_the_body_cannot_be_changed_where_it_is_covered(name: str) -> None:
    sent = sender(name).deliver()
    changes = [sent.body[:at] + bytes([sent.body[at] ^ 1]) + sent.body[at + 1 :] for at in range(len(sent.body))]
    changes += [b"", sent.body + b" ", sent.body + b"\n", b" " + sent.body, sent.body[:-1], b"\xff" + sent.body]
    scheme = webhooks.schemes()[name]
    if scheme.covers_body:
        assert all(verdict(name, sent, body=body) != "verified" for body in changes)
    else:  # some of it is, or nothing: what is, is in the tests of those schemes
        assert scheme.algorithm == "token" or name in (
            "adyen", "aws-sns", "aws-sns-v1", "jwt", "mailgun", "mailgun-form", "mandrill", "paypal", "paypal-sandbox",
            "twilio",
        )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_prefix_of_a_signature_is_refused_and_so_is_one_changed_character(name: str) -> None:
    sent = sender(name).deliver()
    signature = signature_of(name, sent)
    assert len(signature) >= 20
    step = 1 if len(signature) <= 100 else 11  # of those that are slow to verify, some
    for end in [*range(0, len(signature), step), len(signature) - 1]:
        assert verdict(name, with_signature(name, sent, signature, signature[:end])) != "verified", end
    for at in [*range(0, len(signature), step), len(signature) - 1]:
        for other in ("0", "A", "-", "=", " "):
            changed = signature[:at] + other + signature[at + 1 :]
            if changed.lower() != signature.lower():
                assert verdict(name, with_signature(name, sent, signature, changed)) != "verified", (at, other)
    for more in ("0", "=", "AAAA", "a" * 100):
        assert verdict(name, with_signature(name, sent, signature, signature + more)) != "verified"


@pytest.mark.parametrize("name", [name for name in NAMES if in_headers(name)])
def test_the_header_stands_there_once_and_is_not_empty(name: str) -> None:
    sent = sender(name).deliver()
    header = webhooks.schemes()[name].signature[0]
    value = sent.headers[header]
    others = [(key, one) for key, one in sent.headers.items() if key != header]
    assert verdict(name, sent, headers=others) == "signature_missing"
    assert verdict(name, sent, headers={**sent.headers, header: ""}) == "signature_missing"
    for pair in ([value, value], [value, "x"], ["x", value], ["", value]):
        assert verdict(name, sent, headers=[*others, *((header, one) for one in pair)]) == "signature_repeated"


@pytest.mark.parametrize("name", NAMES)
def test_no_byte_beyond_ascii_in_any_header_raises_anything_but_a_refusal(name: str) -> None:
    sent = sender(name).deliver()
    ours = [key for key in sent.headers if key.lower() in webhooks.schemes()[name].wanted]
    unsigned = {one.lower() for one in webhooks.schemes()[name].id} if not webhooks.schemes()[name].signed_id else set()
    for key in ours:
        for code in (0x80, 0xA0, 0xE9, 0xFF, 0x0660, 0xD800, 0xDFFF, 0x10FFFF):
            for value in (chr(code), chr(code) + sent.headers[key], sent.headers[key] + chr(code)):
                got = verdict(name, sent, headers={**sent.headers, key: value})
                assert got != "verified" or key.lower() in unsigned, (key, code)


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if scheme.timed])
def test_too_old_and_too_new_are_refused_at_the_schemes_own_limit(name: str) -> None:
    scheme = webhooks.schemes()[name]
    sent = sender(name).deliver()
    for age in (-scheme.tolerance, -1, 0, 1, scheme.tolerance):
        assert verdict(name, sent, now=NOW + age) == "verified"
    assert verdict(name, sent, now=NOW + scheme.tolerance + 1) == "timestamp_too_old"
    assert verdict(name, sent, now=NOW - scheme.tolerance - 1) == "timestamp_in_future"


@pytest.mark.parametrize(
    "name", [name for name, scheme in webhooks.schemes().items() if scheme.timestamp and ":" not in scheme.timestamp[0]]
)
def test_the_time_in_a_header_cannot_be_changed(name: str) -> None:
    scheme = webhooks.schemes()[name]
    sent, later = sender(name).deliver(), sender(name).deliver(timestamp=NOW + 1)
    header = scheme.timestamp[0]
    assert verdict(name, sent, headers={**sent.headers, header: later.headers[header]}) == "signature_mismatch"
    for text in ("", "0", "-1", " 1", "1_0", "٣", "nan", "1e9", "9" * 40, "9999-99-99T99:99:99Z", f"{sent.headers[header]} "):
        assert verdict(name, sent, headers={**sent.headers, header: text}) != "verified"
    without = {key: value for key, value in sent.headers.items() if key != header}
    assert verdict(name, sent, headers=without) == "timestamp_missing"


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if scheme.signed_id])
def test_a_signed_id_cannot_be_changed(name: str) -> None:
    sent = sender(name).deliver(id="m-1")
    header = webhooks.schemes()[name].id[0]
    for other in ("m-2", "m-", "M-1", "m-1 ", "", "m-1\0"):
        assert verdict(name, sent, headers={**sent.headers, header: other}) != "verified"


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if scheme.needs == "url"])
def test_another_url_is_refused_and_none_is_a_mistake(name: str) -> None:
    sent = sender(name).deliver()
    assert sent.url is not None
    for other in (sent.url + "&b=2", sent.url[:-1], sent.url.replace("hooks", "hook"), sent.url.replace("https", "http"), ""):
        assert verdict(name, sent, url=other) == "signature_mismatch"
    with pytest.raises(ConfigurationError, match="url="):
        verifier(name).verify(sent.headers, sent.body)


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if "method" in scheme.fields])
def test_another_method_is_refused(name: str) -> None:
    sent = sender(name).deliver()
    assert verdict(name, sent, method="PUT") == "signature_mismatch"


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if not scheme.keyless])
@pytest.mark.parametrize("secret", [None, "", " ", b"", [], ["good", ""], 0, False])
def test_no_secret_is_a_mistake_and_never_means_unverified(name: str, secret: Any) -> None:
    with pytest.raises(ConfigurationError, match="secret is missing"):
        Verifier(name, secret, **sender(name).options)


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if not scheme.keyless])
def test_current_and_previous_are_accepted_and_it_is_told_which(name: str) -> None:
    new, old = sender(name), WebhookSender(name, clock=Clock(NOW))
    assert new.known is not None
    secret = Secret.of(SecretVersions(new.known, previous=old.known))
    both = Verifier(name, secret, clock=Clock(NOW))
    for one, version in ((new, "current"), (old, "previous")):
        sent = one.deliver()
        assert both.verify(sent.headers, sent.body, url=sent.url).version == version
    assert (secret.usage()["current"].count, secret.usage()["previous"].count) == (1, 1)


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if scheme.keyless])
def test_a_scheme_whose_keys_are_fetched_takes_no_secret(name: str) -> None:
    wrong: tuple[Any, ...] = ("s3cret", "", b"", 0, False, [], {})
    for secret in wrong:
        with pytest.raises(ConfigurationError, match="takes no secret"):
            Verifier(name, secret, fetch=lambda name: None, **sender(name).options)


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if scheme.options])
def test_an_option_is_needed_and_an_unknown_one_is_refused(name: str) -> None:
    values: tuple[Any, ...] = (None, "", " ", [], [""], 5, ["a", None])
    for value in values:
        with pytest.raises(ConfigurationError, match=webhooks.schemes()[name].options[0]):
            sender(name).verifier(**{webhooks.schemes()[name].options[0]: value})
    with pytest.raises(ConfigurationError, match="no option colour"):
        sender(name).verifier(colour="red")


def test_every_handshake_that_a_scheme_names_is_there() -> None:
    named = {scheme.handshake for scheme in webhooks.schemes().values()} - {None}
    assert named == set(handshakes())


def test_a_hash_is_never_the_senders_choice() -> None:
    """Schemes that differ in hash alone refuse each other's deliveries."""
    for one, other in (("sha1-hex", "sha256-hex"), ("aws-sns", "aws-sns-v1"), ("hubspot-v1", "hubspot-v2")):
        sent = WebhookSender(one, clock=Clock(NOW)).deliver()
        assert verdict(other, sent) in ("signature_malformed", "unexpected_value")


_TEXT = st.text(max_size=60) | st.text('tv1=,. 0123456789abcdef+/{}":%', max_size=120)
_WANTED = sorted({header for scheme in webhooks.schemes().values() for header in scheme.wanted})
_FIELDS = st.dictionaries(
    st.sampled_from(["Signature", "signature", "timestamp", "token", "Type", "Message", "notificationItems", "id"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | _TEXT, lambda inner: st.lists(inner, max_size=3)),
)


@given(
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.sampled_from(_WANTED), _TEXT), max_size=8),
    st.binary(max_size=200) | _FIELDS.map(lambda whole: json.dumps(whole).encode()),
    _TEXT,
)
def test_whatever_is_sent_is_refused_and_nothing_else(name: str, headers: list[tuple[str, str]], body: bytes, url: str) -> None:
    with pytest.raises((InvalidSignature, Unavailable) if webhooks.schemes()[name].keyless else InvalidSignature):
        verifier(name).verify(headers, body, url=url)


@given(st.sampled_from(NAMES), st.data())
def test_a_delivery_with_something_else_in_one_place_is_refused_or_means_the_same(name: str, data: st.DataObject) -> None:
    sent = sender(name).deliver(id="m-1")
    places = [key for key in sent.headers if key.lower() in webhooks.schemes()[name].wanted]
    if not places:
        return
    key = data.draw(st.sampled_from(sorted(places)))
    at = data.draw(st.integers(0, len(sent.headers[key])))
    value = sent.headers[key][:at] + data.draw(st.text(max_size=3)) + sent.headers[key][at + data.draw(st.integers(0, 3)) :]
    assert verdict(name, sent, headers={**sent.headers, key: value})


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_shown_has_the_secret_in_it(name: str) -> None:
    made, sent = sender(name), sender(name).deliver()
    shown = f"{verifier(name)!r} {sent!r} {made.scheme!r}"
    for secret in {made.secret, made.known} - {None}:
        assert secret is not None
        assert secret not in shown
        assert base64.b64encode(secret.encode()).decode() not in shown


@pytest.mark.parametrize("name", [name for name, scheme in webhooks.schemes().items() if scheme.algorithm == "token"])
def test_of_a_sender_who_signs_nothing_the_body_tells_events_apart(name: str) -> None:
    """With one key for all of them the first event would be the last that is handled."""
    keys = []
    for number in (1, 2, 1):
        body = f"n={number}" if name == "gumroad" else json.dumps({"value": [{}], "n": number})
        sent = sender(name).deliver(body.encode())
        keys.append(verifier(name).verify(sent.headers, sent.body, url=sent.url, now=NOW).replay_key)
    assert keys[0] == keys[2] != keys[1]
