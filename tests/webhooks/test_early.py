"""What headers alone show is refused without the body, for the reason that it has with it; and nothing good is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import webhooks
from authkit.errors import InvalidSignature
from authkit.testing import Clock, WebhookSender
from authkit.webhooks import Scheme, Verifier
from authkit.webhooks.early import early

NOW = 1_800_000_000
NAMES = list(webhooks.schemes())
SENDERS = {name: WebhookSender(name, clock=Clock(NOW)) for name in NAMES}
VERIFIERS = {name: SENDERS[name].verifier() for name in NAMES}
EARLY = {name: early(VERIFIERS[name]) for name in NAMES}


def said(name: str, headers: Any, url: str | None, method: str = "POST") -> str | None:
    """Why it is refused without its body; None if it is not."""
    look = EARLY[name]
    if look is None:
        return None
    try:
        look(headers, url or "", method)
    except InvalidSignature as error:
        return error.reason
    return None


@pytest.mark.parametrize("name", NAMES)
def test_a_good_delivery_is_not_refused_without_its_body(name: str) -> None:
    sent = SENDERS[name].deliver()
    assert said(name, sent.headers, sent.url, sent.method) is None


def test_schemes_that_have_everything_in_the_body_are_not_looked_at() -> None:
    bodily = {name for name, look in EARLY.items() if look is None}
    assert bodily == {name for name in NAMES if webhooks.schemes()[name].rows[0][0].kind in ("body", "form")}
    assert {"adyen", "mailgun", "aws-sns"} <= bodily


HEADED = [name for name in NAMES if webhooks.schemes()[name].rows[0][0].kind == "header"]


@pytest.mark.parametrize("name", HEADED)
def test_no_signature_two_of_them_and_one_that_is_no_text(name: str) -> None:
    sent = SENDERS[name].deliver()
    header = webhooks.schemes()[name].signature[0]
    value = sent.headers[header]
    others = [(key, one) for key, one in sent.headers.items() if key != header]
    assert said(name, others, sent.url) == "signature_missing"
    assert said(name, [*others, (header, value), (header, value)], sent.url) == "signature_repeated"
    assert said(name, [*others, (header, value + "é")], sent.url) == "signature_malformed"
    assert said(name, [*others, (header, value + "a" * 9000)], sent.url) == "signature_malformed"


@pytest.mark.parametrize("name", [name for name in HEADED if webhooks.schemes()[name].timed])
def test_a_time_outside_of_the_window(name: str) -> None:
    scheme = webhooks.schemes()[name]
    for age, reason in ((scheme.tolerance + 1, "timestamp_too_old"), (-scheme.tolerance - 1, "timestamp_in_future")):
        sent = SENDERS[name].deliver(timestamp=NOW - age)
        elsewhere = [row[2].kind for row in scheme.rows if row[2] is not None and row[2].kind in ("body", "form")]
        assert said(name, sent.headers, sent.url) == (None if elsewhere else reason)


_TEXT = st.text(max_size=60) | st.text('tv1=,. 0123456789abcdef+/{}":%', max_size=120)
_WANTED = sorted({header for scheme in webhooks.schemes().values() for header in scheme.wanted})


@given(
    st.sampled_from(NAMES),
    st.data(),
    st.lists(st.tuples(st.sampled_from(_WANTED), _TEXT), max_size=3),
    st.integers(-1000, 1000),
)
def test_what_is_refused_without_the_body_is_refused_with_it_for_that_reason(
    name: str, data: st.DataObject, more: list[tuple[str, str]], age: int
) -> None:
    sent = SENDERS[name].deliver(timestamp=NOW - age)
    headers = [*sent.headers.items(), *more]
    if headers:
        headers.pop(data.draw(st.integers(0, len(headers) - 1)))
    reason = said(name, headers, sent.url)
    if reason is not None:
        with pytest.raises(InvalidSignature) as refused:
            VERIFIERS[name].verify(headers, sent.body, now=NOW, url=sent.url)
        # the other way round, where both are wrong: a hash of the body in the headers is looked at before the name of the key
        assert refused.value.reason == reason or refused.value.reason.startswith(("body_", "field_", "id_", "unexpected"))


def test_a_place_in_a_url_that_only_the_application_knows_is_left_for_later() -> None:
    scheme = Scheme("own", signature="query:sig")
    verifier = Verifier(scheme, "what both of us know")
    look = early(verifier)
    assert look is not None
    with pytest.raises(InvalidSignature, match="signature_missing"):
        look({}, "/hook", "POST")
    assert early(verifier, reads_url=False) is None
