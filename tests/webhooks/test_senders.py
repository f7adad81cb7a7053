"""What is particular to one sender: how it writes, what it signs, and what it leaves open."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import sys
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import Request, Response, chain, verify_webhook, webhooks
from authkit.errors import ConfigurationError, InvalidSignature, Unavailable
from authkit.testing import Clock, WebhookSender
from authkit.tokens import Key, base64url
from authkit.webhooks import Scheme, Verifier
from authkit.webhooks.why import why

NOW = 1_800_000_000


def refused(verifier: Verifier, headers: Any, body: bytes, **options: Any) -> str:
    with pytest.raises(InvalidSignature) as raised:
        verifier.verify(headers, body, **options)
    return raised.value.reason


# Published vectors that are in no file


def test_the_documents_vectors() -> None:
    """GitHub's and WhatsApp's of the documents, Coinify's, and HubSpot's second example for version 2."""
    secret, body = "It's a Secret to Everybody", b"Hello, World!"
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert webhooks.verify("github", secret, {"X-Hub-Signature-256": f"sha256={digest}"}, body)
    digest = "0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"
    assert webhooks.verify("meta", "secret", {"X-Hub-Signature-256": f"sha256={digest}"}, b"test")
    coinify = webhooks.sign("coinify", "my-shared-secret", b'{"examplePayload":true}')["X-Coinify-Webhook-Signature"]
    assert (coinify[:8], coinify[-4:]) == ("bcdbb89e", "66f4")
    hubspot = {"X-HubSpot-Signature-Version": "v2"}
    hubspot["X-HubSpot-Signature"] = "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"
    secret, url = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", "https://www.example.com/webhook_uri"
    assert webhooks.verify("hubspot-v2", secret, hubspot, b'{"example_field":"example_value"}', url=url)
    hubspot["X-HubSpot-Signature"] = "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
    assert webhooks.verify("hubspot-v2", secret, hubspot, b"", url=url, method="GET")


# The URL


@pytest.mark.parametrize("signed", ["https://h.example/a?b=1", "https://h.example:443/a?b=1"])
@pytest.mark.parametrize("given", ["https://h.example/a?b=1", "https://h.example:443/a?b=1", "https://h.example:8443/a?b=1"])
def test_twilio_signs_with_the_port_or_without(signed: str, given: str) -> None:
    text = signed + "A1B2"
    signature = base64.b64encode(hmac.digest(b"tok-1", text.encode(), "sha1")).decode()
    verifier = Verifier("twilio", "tok-1")
    if "443" in signed and "8443" in given:  # another port than the one that was signed
        assert refused(verifier, {"X-Twilio-Signature": signature}, b"B=2&A=1", url=given) == "signature_mismatch"
    else:
        assert verifier.verify({"X-Twilio-Signature": signature}, b"B=2&A=1", url=given)


def test_twilio_json_is_bound_by_its_hash_in_the_url() -> None:
    sent = webhooks.signed("twilio", "tok-1", b'{"a": 1}', url="https://h.example/a?b=1")
    assert sent.url == "https://h.example/a?b=1&bodySHA256=" + hashlib.sha256(b'{"a": 1}').hexdigest()
    verifier = Verifier("twilio", "tok-1")
    assert verifier.verify(sent.headers, sent.body, url=sent.url)
    assert refused(verifier, sent.headers, b'{"a": 2}', url=sent.url) == "body_hash_mismatch"
    assert refused(verifier, sent.headers, b"a=1", url=sent.url) == "body_hash_mismatch"
    assert refused(verifier, sent.headers, b'{"a": 1}', url="https://h.example/a?b=1") == "signature_mismatch"
    twice = f"{sent.url}&bodySHA256={'0' * 64}"
    assert refused(verifier, sent.headers, b'{"a": 1}', url=twice) == "body_hash_mismatch"


def test_a_signed_url_without_parameters_admits_no_body_of_another_kind() -> None:
    headers = webhooks.signed("twilio", "tok-1", b"", url="https://h.example/a").headers
    verifier = Verifier("twilio", "tok-1")
    assert verifier.verify(headers, b"", url="https://h.example/a")
    for body in (b'{"a":1}', b"[]", b"x", b"\xff", b"a=1"):
        assert refused(verifier, headers, body, url="https://h.example/a") in ("signature_mismatch", "body_malformed")


@pytest.mark.parametrize("padding", [b"\x80" + b"\0" * 7, b"\0"])
def test_a_digest_that_was_made_longer_is_refused(padding: bytes) -> None:
    """SHA-256 of secret and text is enough to make that of secret, text, padding and more (length extension)."""
    longer = b'{"a":1}' + padding + b'{"a":2}'
    digest = hashlib.sha256(b"s-1" + longer).hexdigest()
    headers = {"X-HubSpot-Signature": digest, "X-HubSpot-Signature-Version": "v1"}
    assert refused(Verifier("hubspot-v1", "s-1"), headers, longer) == "body_malformed"


@pytest.mark.parametrize("url", ["https://h.example/a?b=c%3Ad%2Fe", "https://h.example/a?b=c:d/e"])
def test_hubspot_decodes_some_of_the_url(url: str) -> None:
    text = f"POSThttps://h.example/a?b=c:d/e{{}}{NOW}000"
    headers = {
        "X-HubSpot-Signature-v3": base64.b64encode(hmac.digest(b"s-1", text.encode(), "sha256")).decode(),
        "X-HubSpot-Request-Timestamp": f"{NOW}000",
    }
    assert Verifier("hubspot-v3", "s-1", clock=Clock(NOW)).verify(headers, b"{}", url=url)


# Contentful: the delivery says which headers are signed


def _contentful(names: str, headers: dict[str, str], path: str = "/hooks?a=1") -> dict[str, str]:
    found = {"x-contentful-timestamp": f"{NOW}000", "x-contentful-signed-headers": names, **headers}
    listed = ";".join(f"{name}:{found[name]}" for name in names.split(",") if name in found)
    text = f"POST\n{path}\n{listed}\n{{}}"
    return {**found, "x-contentful-signature": hmac.new(b"s-1", text.encode(), "sha256").hexdigest()}


def test_contentful_signs_the_headers_that_it_lists() -> None:
    verifier = Verifier("contentful", "s-1", clock=Clock(NOW))
    names = "x-contentful-signed-headers,x-contentful-timestamp,x-topic"
    headers = _contentful(names, {"x-topic": "Entry.publish"})
    assert verifier.verify(headers, b"{}", url="/hooks?a=1")
    assert verifier.verify(headers, b"{}", url="https://any.example/hooks?a=1")
    for change in ({"x-topic": "other"}, {"x-contentful-signed-headers": names.replace(",x-topic", "")}):
        assert refused(verifier, {**headers, **change}, b"{}", url="/hooks?a=1") == "signature_mismatch"
    assert refused(verifier, headers, b"{}", url="/hooks?a=2") == "signature_mismatch"
    with pytest.raises(ConfigurationError, match="url="):
        verifier.verify(headers, b"{}")


@pytest.mark.parametrize(
    "names", ["x-contentful-signed-headers", "x-contentful-timestamp", "", "x-topic", ",".join("abc" * 60)]
)
def test_contentful_has_to_sign_its_time_and_its_list(names: str) -> None:
    headers = _contentful(names, {"x-topic": "Entry.publish"})
    assert refused(Verifier("contentful", "s-1", clock=Clock(NOW)), headers, b"{}", url="/hooks?a=1")


# Signatures in the body


def test_adyen_signs_each_item_and_all_of_them_have_to_be() -> None:
    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    item = {
        "pspReference": "7914073381342284",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    body = json.dumps(
        {"live": "false", "notificationItems": [{"NotificationRequestItem": dict(item)} for _ in range(2)]}
    ).encode()
    sent = webhooks.signed("adyen", key, body)
    found = json.loads(sent.body)["notificationItems"][1]["NotificationRequestItem"]["additionalData"]["hmacSignature"]
    # https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures: the example there
    assert found == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="
    verifier = Verifier("adyen", key)
    event = verifier.verify({}, sent.body)
    assert not event.covers_body
    for member, value in (
        ("pspReference", "1"),
        ("success", "false"),
        ("amount", {"value": 1, "currency": "EUR"}),
        ("success", None),
    ):
        whole = json.loads(sent.body)
        whole["notificationItems"][1]["NotificationRequestItem"][member] = value
        assert refused(verifier, {}, json.dumps(whole).encode()) in ("signature_mismatch", "field_missing")
    whole = json.loads(sent.body)
    whole["notificationItems"][1]["NotificationRequestItem"]["reason"] = "changed"
    assert verifier.verify({}, json.dumps(whole).encode()).replay_key == event.replay_key, (
        "what is not signed makes no other event"
    )
    lists: tuple[Any, ...] = ([], None, {}, [{}], "x", [5], [None] * 1000)
    for items in lists:
        assert refused(verifier, {}, json.dumps({"notificationItems": items}).encode())


def test_adyens_amount_cannot_be_read_out_of_a_reference_with_colons() -> None:
    """What is signed has colons between its members, and a shop's reference may have some in it."""

    def whole(reference: str, value: int, event: str, success: str, **more: Any) -> bytes:
        item = {
            "pspReference": "7914073381342284", "merchantAccountCode": "M", "merchantReference": reference,
            "amount": {"value": value, "currency": "EUR"}, "eventCode": event, "success": success, **more,
        }  # fmt: skip
        return json.dumps({"notificationItems": [{"NotificationRequestItem": item}]}).encode()

    verifier = Verifier("adyen", "00" * 32)
    sent = webhooks.signed("adyen", "00" * 32, whole("R:500:EUR:AUTHORISATION:true", 9, "CANCELLATION", "false"))
    assert verifier.verify({}, sent.body), "a reference may have colons"
    proof = json.loads(sent.body)["notificationItems"][0]["NotificationRequestItem"]["additionalData"]
    read_otherwise = whole("R", 500, "AUTHORISATION", "true:9:EUR:CANCELLATION:false", additionalData=proof)
    assert refused(verifier, {}, read_otherwise) == "field_malformed"


@pytest.mark.parametrize("body", [b"7", b"true", b"null", b"OTk0ZmE5Yjct", b"x" * 512])
def test_what_x_may_have_been_asked_for_is_no_delivery_without_a_guard_either(body: bytes) -> None:
    """Its question is answered with an HMAC under the key of the deliveries, whoever asks."""
    secret = "the consumer secret of X"
    headers = webhooks.sign("x", secret, body)
    for verify in (webhooks.verify, lambda *given: asyncio.run(webhooks.averify(*given))):
        with pytest.raises(InvalidSignature, match="signed_as_handshake"):
            verify("x", secret, headers, body)
    assert why("x", secret, headers, body) is not None
    whole = b'{"for_user_id": "7"}'
    assert webhooks.verify("x", secret, webhooks.sign("x", secret, whole), whole).body == whole


def test_a_large_body_is_not_looked_at_letter_by_letter_for_a_question_of_x() -> None:
    """A question is short. Whoever sends a mebibyte, signed by nobody, shall not cost thirty times the hash of it."""
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    verifier = Verifier("x", "the consumer secret of X")
    sys.setprofile(count)
    try:
        reason = refused(verifier, {"x-twitter-webhooks-signature": "sha256=AAAA"}, b"a" * 100_000)
    finally:
        sys.setprofile(None)
    assert reason == "signature_mismatch"
    assert steps < 1000


def test_an_event_of_a_subaccount_of_mailgun_is_read_with_its_own_key_or_its_parents() -> None:
    """`parent-signature` is made as the other one is, with the key of the account above."""
    stamp, token = str(NOW), "e0b5477167110d68991efc6b9f89f0a11066af27834600e123"
    keys = {"signature": "the key of the subaccount", "parent-signature": "the key of its parent"}
    made = {name: hmac.new(key.encode(), f"{stamp}{token}".encode(), "sha256").hexdigest() for name, key in keys.items()}
    body = json.dumps({"signature": {"timestamp": stamp, "token": token, **made}, "event-data": {}}).encode()
    events = [webhooks.verify("mailgun", key, {}, body, now=NOW) for key in keys.values()]
    assert {event.replay_key for event in events} == {events[0].replay_key}
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        webhooks.verify("mailgun", "the key of somebody else", {}, body, now=NOW)
    both = {"timestamp": stamp, "token": token, "signature": "0" * 64, "parent-signature": ["no text"]}
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        webhooks.verify("mailgun", keys["signature"], {}, json.dumps({"signature": both}).encode(), now=NOW)


def test_saleor_signs_with_a_secret_or_with_its_key_and_neither_is_taken_for_the_other() -> None:
    sent = {"Saleor-Signature": hmac.new(b"s3cret of the webhook", b"{}", "sha256").hexdigest()}
    assert webhooks.verify("saleor-secret", "s3cret of the webhook", sent, b"{}").covers_body
    sender = WebhookSender("saleor", clock=Clock(NOW))
    jws = sender.deliver(b"{}")
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        webhooks.verify("saleor-secret", "s3cret of the webhook", jws.headers, jws.body)
    with pytest.raises(InvalidSignature, match="signature_malformed"):
        sender.verifier().verify(sent, b"{}")


def test_adyens_password_and_signature_are_both_asked_for_by_two_guards() -> None:
    """`chain(verify_webhook("adyen-basic"), verify_webhook("adyen"))`: one says who sends, the other what."""
    sender = WebhookSender("adyen", clock=Clock(NOW))
    sent = sender.deliver()
    signature, password = verify_webhook("adyen", secret=sender.known), verify_webhook("adyen-basic", secret="user:pass word")
    handler = chain(password, signature)(lambda request, webhook: Response(200, body=webhook.scheme))
    basic = {"Authorization": "Basic " + base64.b64encode(b"user:pass word").decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(b"user:other").decode()}
    answers = [
        handler(Request.build("POST", "/", headers, body))
        for headers, body in (
            (basic, sent.body),
            (wrong, sent.body),
            ({}, sent.body),
            (basic, sent.body.replace(b'"success"', b'"failure"')),
        )
    ]
    assert [answer.status for answer in answers] == [200, 401, 401, 401]
    assert answers[0].body == b"adyen"


@pytest.mark.parametrize("scheme", ["mailgun", "mailgun-form"])
def test_mailgun_signs_a_token_that_names_the_delivery_and_nothing_else(scheme: str) -> None:
    sender = WebhookSender(scheme, clock=Clock(NOW))
    sent = sender.deliver(b'{"event-data": {"event": "opened"}}' if scheme == "mailgun" else b"event=opened")
    event = sender.verifier().verify({}, sent.body)
    assert not event.covers_body
    assert event.signed_id
    other = sent.body.replace(b"opened", b"failed")
    assert sender.verifier().verify({}, other).replay_key == event.replay_key, "a replay with another event is told"
    assert sender.deliver(b"{}" if scheme == "mailgun" else b"a=1").body != sent.body


def test_linear_and_its_kind_have_their_time_in_the_body() -> None:
    with pytest.raises(ValueError, match=r"webhooks\.signed"):
        webhooks.sign("linear", "s-1", b"{}")
    sent = webhooks.signed("linear", "s-1", b'{"a":1}', timestamp=NOW)
    assert json.loads(sent.body) == {"a": 1, "webhookTimestamp": NOW * 1000}
    as_it_is = webhooks.sign("linear", "s-1", sent.body)
    assert Verifier("linear", "s-1", clock=Clock(NOW)).verify(as_it_is, sent.body).timestamp == NOW
    for value in ("null", '""', "1.5", "true", "[]", '"x"', "-1", "1e3"):
        body = b'{"webhookTimestamp":%s}' % value.encode()
        headers = {"Linear-Signature": hmac.new(b"s-1", body, "sha256").hexdigest()}
        assert refused(Verifier("linear", "s-1", clock=Clock(NOW)), headers, body).startswith("timestamp_")


# Several signatures


def test_box_signs_under_two_keys_and_either_will_do() -> None:
    sent = webhooks.signed("box", ["one-1", "two-2"], b'{"id":"b-1"}', timestamp=NOW)
    for secret, version in (("one-1", "current"), ("two-2", "current"), (["x", "two-2"], 1)):
        event = Verifier("box", secret, clock=Clock(NOW)).verify(sent.headers, sent.body)
        assert (event.version, event.id) == (version, "b-1")
    alone = {name: value for name, value in sent.headers.items() if name != "BOX-SIGNATURE-PRIMARY"}
    assert Verifier("box", "two-2", clock=Clock(NOW)).verify(alone, sent.body)
    assert refused(Verifier("box", "one-1", clock=Clock(NOW)), alone, sent.body) == "signature_mismatch"
    for change in ({"BOX-SIGNATURE-VERSION": "2"}, {"BOX-SIGNATURE-ALGORITHM": "HmacSHA1"}, {"BOX-SIGNATURE-VERSION": ""}):
        assert refused(Verifier("box", "one-1", clock=Clock(NOW)), {**sent.headers, **change}, sent.body) == "unexpected_value"


def test_standard_webhooks_with_both_kinds_of_signature_is_read_by_either() -> None:
    asymmetric, shared = (
        WebhookSender("standard-webhooks-v1a", clock=Clock(NOW)),
        WebhookSender("standard-webhooks", clock=Clock(NOW)),
    )
    one, other = asymmetric.deliver(b"{}", id="m-1").headers, shared.deliver(b"{}", id="m-1").headers
    both = {**one, "webhook-signature": f"{other['webhook-signature']} {one['webhook-signature']}"}
    assert asymmetric.verifier().verify(both, b"{}").id == shared.verifier().verify(both, b"{}").id == "m-1"
    assert refused(asymmetric.verifier(), other, b"{}") == refused(shared.verifier(), one, b"{}") == "signature_malformed"


# JWS


def test_netlify_is_held_to_its_issuer_and_the_body_to_its_hash() -> None:
    def token(claims: dict[str, Any], header: dict[str, Any] | None = None, key: bytes = b"short") -> dict[str, str]:
        parts = [base64url.encode(json.dumps(part).encode()) for part in (header or {"alg": "HS256", "typ": "JWT"}, claims)]
        signature = base64url.encode(hmac.digest(key, b".".join(parts), "sha256"))
        return {"X-Webhook-Signature": b".".join([*parts, signature]).decode()}

    digest = hashlib.sha256(b"body").hexdigest()
    verifier = Verifier("netlify", "short", clock=Clock(NOW))
    assert verifier.verify(token({"iss": "netlify", "sha256": digest}), b"body").covers_body
    for claims, expected in (
        ({"iss": "netlify"}, "body_hash_missing"),
        ({"iss": "netlify", "sha256": "0" * 64}, "body_hash_mismatch"),
        ({"iss": "netlify", "sha256": ""}, "body_hash_mismatch"),
        ({"iss": "netlify", "sha256": "é"}, "body_hash_mismatch"),
        ({"iss": "netlify", "sha256": None}, "body_hash_missing"),
        ({"iss": "evil", "sha256": digest}, "unexpected_value"),
        ({"sha256": digest}, "unexpected_value"),
        ({"iss": "netlify", "sha256": digest, "exp": NOW - 301}, "timestamp_too_old"),
        ({"iss": "netlify", "sha256": digest, "exp": "soon"}, "timestamp_malformed"),
        ({"iss": "netlify", "sha256": digest, "nbf": NOW + 301}, "timestamp_in_future"),
        ({"iss": "netlify", "sha256": digest, "exp": -(10**400)}, "timestamp_too_old"),
        ({"iss": "netlify", "sha256": digest, "nbf": 10**400}, "timestamp_in_future"),
    ):
        assert refused(verifier, token(claims), b"body") == expected
    good = {"iss": "netlify", "sha256": digest}
    assert refused(verifier, token(good, key=b"other"), b"body") == "signature_mismatch"
    for header in (
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"typ": "JWT"},
        {"alg": "HS256", "b64": False, "crit": 5},
        {"alg": ["HS256"]},
        {"alg": "HS256", "crit": ["x"]},
    ):
        assert refused(verifier, token(good, header), b"body") in ("signature_mismatch", "signature_malformed")


def test_a_public_key_is_no_secret_for_hmac() -> None:
    """RFC 8725 section 2.1: who knows the public key could sign."""
    sender = WebhookSender("fusionauth-keys")
    assert isinstance(sender.known, str)
    with pytest.raises(ConfigurationError, match="a secret as text"):
        Verifier("fusionauth", sender.known)
    with pytest.raises(ConfigurationError, match="a secret as text"):
        Verifier("fusionauth", "\n" + sender.known)
    with pytest.raises(ConfigurationError):
        Scheme("mine", signature="X", signed="", algorithm="jws", jws=("HS256", "RS256"))


def test_a_key_set_is_taken_as_it_is_shown_and_kid_says_which() -> None:
    one, other = WebhookSender("saleor"), WebhookSender("saleor")
    jwks = {"keys": [Key(str(sender.secret)).public_jwk() for sender in (one, other)]}
    verifier = Verifier("saleor", json.dumps(jwks))
    for sender in (one, other):
        sent = sender.deliver(b'{"a": 1}')
        assert sent.headers["Saleor-Signature"].count("..") == 1
        assert verifier.verify(sent.headers, b'{"a": 1}')
        assert refused(verifier, sent.headers, b'{"a":1}') == "signature_mismatch"
    assert refused(verifier, WebhookSender("saleor").deliver(b"{}").headers, b"{}") == "signature_mismatch"


# Tokens


def test_gumroad_sends_a_token_in_the_url_and_a_sale_once(caplog: pytest.LogCaptureFixture) -> None:
    secret = "canary/+ 7f3a&x=1"
    body = b"sale_id=A-m3CDDC5dlrSdKZp0RFhA%3D%3D&product_name=Book&test=true"
    verifier = Verifier("gumroad", secret)
    caplog.set_level(logging.DEBUG)
    for url in (
        f"/hooks/gumroad?token={quote(secret, safe='')}",
        f"https://h.example/hooks?a=1&token={quote(secret, safe='')}",
    ):
        event = verifier.verify({}, body, url=url)
        assert (event.id, event.signed_id, event.replay_key) == (
            "A-m3CDDC5dlrSdKZp0RFhA==",
            True,
            "gumroad:id:A-m3CDDC5dlrSdKZp0RFhA==",
        )
        assert event.form()["product_name"] == ["Book"]
    encoded = quote(secret, safe="")
    for query, expected in (
        ("", "signature_missing"),
        ("?token=", "signature_missing"),
        ("?token=other", "signature_mismatch"),
        (f"?token={encoded[:-1]}", "signature_mismatch"),
        (f"?token={encoded}x", "signature_mismatch"),
        (f"?token={encoded}&token={encoded}", "signature_repeated"),
        (f"?token=x&token={encoded}", "signature_repeated"),
        (f"?TOKEN={encoded}", "signature_missing"),
        (f"#token={encoded}", "signature_missing"),
        ("?token=%ff", "url_malformed"),
        ("?token=%C3%A9", "signature_malformed"),
        ("?" + "&".join(f"a{n}=1" for n in range(2000)), "url_malformed"),
    ):
        assert refused(verifier, {}, body, url=f"/hooks{query}") == expected
    event = verifier.verify({}, body, url=f"/hooks?token={encoded}")
    for text in (caplog.text, repr(event), repr(verifier), repr(webhooks.signed("gumroad", secret, body, url="/hooks"))):
        assert "canary" not in text


def test_basic_credentials_are_user_and_password_as_the_secret() -> None:
    verifier = Verifier("postmark", "user:pa:ss")
    good = base64.b64encode(b"user:pa:ss").decode()
    assert verifier.verify({"Authorization": f"Basic {good}"}, b"{}")
    for value in (f"Bearer {good}", f"Basic {good}=", good, "Basic ", f"Basic  {good}", "Basic dXNlcjpwYQ=="):
        assert refused(verifier, {"Authorization": value}, b"{}") in ("signature_mismatch", "signature_malformed")


# A scheme of one's own, from another


def test_a_way_to_sign_is_taken_over_with_another_header() -> None:
    mine = webhooks.schemes()["sha256-hex"].but(name="mine", signature="X-Mine", verified=False)
    headers = webhooks.sign(mine, "s-1", b"x")
    assert headers == {"X-Mine": "sha256=" + hmac.new(b"s-1", b"x", "sha256").hexdigest()}
    assert webhooks.verify(mine, "s-1", headers, b"x").scheme == "mine"
    assert mine != webhooks.schemes()["sha256-hex"]
    with pytest.raises(ConfigurationError, match="hash"):
        mine.but(hash="md5")


def test_of_several_prefixes_any_may_stand_before_the_signature() -> None:
    scheme = Scheme("mine", signature="X-Mine", prefix=("sha256=", "v1:"))
    digest = hmac.new(b"s-1", b"x", "sha256").hexdigest()
    verifier = Verifier(scheme, "s-1")
    assert verifier.verify({"X-Mine": f"sha256={digest}"}, b"x")
    assert verifier.verify({"X-Mine": f"v1:{digest}"}, b"x")
    assert refused(verifier, {"X-Mine": digest}, b"x") == "signature_malformed"


_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["HS256", "ES256", "RS256", "none", "netlify", "b64", "\ud800", "é"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
_JWS = [name for name, scheme in webhooks.schemes().items() if scheme.algorithm.startswith("jws")]
_JWS_VERIFIERS = {
    name: WebhookSender(name, clock=Clock(NOW)).verifier(**({"fetch": lambda kid: None} if name == "plaid" else {}))
    for name in _JWS
}


@given(
    st.sampled_from(_JWS),
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "ts"]), _VALUE),
    st.none() | st.dictionaries(st.sampled_from(["iat", "sha256", "request_body_sha256", "iss", "exp", "nbf"]), _VALUE),
    st.binary(max_size=70),
)
def test_no_jws_is_accepted_whatever_it_says_and_nothing_else_is_raised(
    name: str, header: Any, claims: Any, signature: bytes
) -> None:
    parts = [json.dumps(header).encode(), b"" if claims is None else json.dumps(claims).encode(), signature]
    token = b".".join(base64url.encode(part) for part in parts).decode()
    with pytest.raises((InvalidSignature, Unavailable)):
        _JWS_VERIFIERS[name].verify({webhooks.schemes()[name].signature[0]: token}, b"")


def test_a_guard_writes_no_token_of_a_url_anywhere(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Whether it admits or refuses: the audit event has no query, and no exception carries the URL."""
    secret = "canary-7f3a9c51e0"
    caplog.set_level(logging.DEBUG)

    @verify_webhook("gumroad", secret=secret)
    def hook(request: Request, webhook: webhooks.WebhookEvent) -> Response:
        return Response(200, body=webhook.id or "")

    body = b"sale_id=s-1&email=a%40example.com"
    verdicts = []
    for url in (f"/hook?token={secret}", f"/hook?token={secret}x", f"/hook?token={secret}&token={secret}", "/hook?token=%ff"):
        verdicts.append(hook(Request.build("POST", url, {}, body)).status)  # type: ignore[call-arg]  # the guard fills it
    assert verdicts == [200, 401, 401, 401]
    assert len(caplog.records) >= 4
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err, *(repr(record.__dict__) for record in caplog.records)):
        assert "canary" not in text
        assert "example.com" not in text
