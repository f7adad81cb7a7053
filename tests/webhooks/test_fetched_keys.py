"""Keys that a delivery names: nothing but what the scheme pins is contacted, and not often (WHK-15)."""

from __future__ import annotations

import asyncio
import datetime
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from authkit import webhooks
from authkit.errors import ConfigurationError, InvalidSignature, Unavailable
from authkit.testing import Clock, WebhookSender
from authkit.tokens import Key
from authkit.webhooks import Verifier
from authkit.webhooks.fetched import KEEP, MAX_BYTES, PER_MINUTE, get

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
CERT = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-ac565b8b1a6c5d002d285f9598aa1d9b.pem"
PRIVATE = rsa.generate_private_key(65537, 2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def certificate(begins: float = NOW - 86_400, ends: float = NOW + 86_400, key: Any = PRIVATE) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(5)
    made = made.not_valid_before(datetime.datetime.fromtimestamp(begins, datetime.UTC))
    made = made.not_valid_after(datetime.datetime.fromtimestamp(ends, datetime.UTC))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Web:
    """What stands behind the URLs, and which of them were asked for."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = certificate() if answer is None else answer
        self.asked: list[str] = []

    def __call__(self, url: str) -> Any:
        self.asked.append(url)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(url) if callable(self.answer) else self.answer


def notification(**changes: Any) -> bytes:
    members = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "My First Message",
        "Message": "Hello world!\nTwo lines",
        "SigningCertURL": CERT,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }
    kept = {name: value for name, value in {**members, **changes}.items() if value is not None}
    return json.dumps(kept).encode()


def sns(body: bytes | None = None, scheme: str = "aws-sns", **changes: Any) -> webhooks.SignedDelivery:
    whole = notification(**changes) if body is None else body
    return webhooks.signed(scheme, PEM, whole, timestamp=NOW, topic_arn=changes.get("TopicArn", TOPIC))


def receiver(web: Web, scheme: str = "aws-sns", clock: Any = None, topic: Any = TOPIC) -> Verifier:
    return Verifier(scheme, fetch=web, clock=clock or Clock(NOW), topic_arn=topic)


def reason(verifier: Verifier, body: bytes) -> str:
    with pytest.raises(InvalidSignature) as raised:
        verifier.verify({}, body)
    return raised.value.reason


def changed(body: bytes, **members: Any) -> bytes:
    return json.dumps({**json.loads(body), **members}).encode()


@pytest.mark.parametrize("scheme", ["aws-sns", "aws-sns-v1"])
def test_a_notification_is_verified_and_its_certificate_fetched_once(scheme: str) -> None:
    web = Web()
    verifier = receiver(web, scheme)
    for number in range(3):
        event = verifier.verify({}, sns(scheme=scheme, MessageId=f"m-{number}").body)
        assert (event.id, event.signed_id, event.replay_key) == (f"m-{number}", True, f"{scheme}:id:m-{number}")
        assert event.timestamp == NOW
    assert web.asked == [CERT]


def test_what_is_signed_is_what_amazon_says_that_it_signs() -> None:
    sent = json.loads(sns().body)
    text = "".join(f"{name}\n{sent[name]}\n" for name in ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"))
    from base64 import b64decode

    from cryptography.hazmat.primitives.asymmetric import padding

    PRIVATE.public_key().verify(b64decode(sent["Signature"]), text.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_a_confirmation_is_signed_with_its_token_and_url() -> None:
    members: dict[str, Any] = {
        "Type": "SubscriptionConfirmation",
        "Subject": None,
        "Token": "t" * 60,
        "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Token=t",
    }
    sent = sns(**members)
    assert receiver(Web()).verify({}, sent.body).json()["Token"] == "t" * 60
    for name in ("Token", "SubscribeURL", "Message", "MessageId", "Timestamp", "TopicArn", "Type"):
        assert reason(receiver(Web()), changed(sent.body, **{name: "x"})) != "verified"


def test_the_shape_of_lambda_is_read_too() -> None:
    body = changed(
        notification(SigningCertURL=None, UnsubscribeURL=None), SigningCertUrl=CERT, UnsubscribeUrl="x", Subject=None
    )
    assert receiver(Web()).verify({}, sns(body).body).id


@pytest.mark.parametrize("member", ["Message", "MessageId", "Subject", "Timestamp", "Type", "Signature"])
def test_no_signed_member_can_be_changed(member: str) -> None:
    body = sns().body
    assert reason(receiver(Web()), changed(body, **{member: "2027-01-15T08:00:01.000Z" if member == "Timestamp" else "other"}))
    without = {name: value for name, value in json.loads(body).items() if name != member}
    assert reason(receiver(Web()), json.dumps(without).encode())


def test_a_member_that_stands_there_twice_is_refused() -> None:
    body = sns().body
    twice = body[:-1] + b',"Message":"other"}'
    assert reason(receiver(Web()), twice) == "body_malformed"


def test_one_text_cannot_be_read_as_other_members() -> None:
    """What is signed are lines: a line break in any member but the message would move the borders."""
    body = sns(Subject=None).body
    whole = json.loads(body)
    moved = {**whole, "Message": "Hello world!", "MessageId": "x\n" + whole["MessageId"]}
    assert reason(receiver(Web()), json.dumps(moved).encode()) == "field_malformed"


def test_a_topic_that_is_not_ours_is_refused_before_anything_is_fetched() -> None:
    """Everybody may have a topic, and Amazon signs what they say."""
    web = Web()
    assert reason(receiver(web), sns(TopicArn=TOPIC + "-theirs").body) == "unexpected_value"
    assert web.asked == []
    assert receiver(web, topic=["arn:aws:sns:eu-west-1:1:a", TOPIC]).verify({}, sns().body)


def test_the_version_is_ours_and_not_the_senders_choice() -> None:
    body = sns(scheme="aws-sns-v1").body
    assert reason(receiver(Web()), body) == "unexpected_value"
    assert reason(receiver(Web()), changed(body, SignatureVersion="2")) == "signature_mismatch"


LOOK_ALIKES = [
    "http://sns.eu-west-1.amazonaws.com/a.pem",
    "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
    "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
    "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
    "https://evil.example#sns.eu-west-1.amazonaws.com/a.pem",
    "https://evil.example?sns.eu-west-1.amazonaws.com/a.pem",
    "https://user@sns.eu-west-1.amazonaws.com/a.pem",
    "https://user:pw@sns.eu-west-1.amazonaws.com/a.pem",
    "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
    "https://sns.eu-west-1.amazonaws.com:443/a.pem",
    "https://sns.eu-west-1.amazonaws.com/a.pem?x=1",
    "https://sns.eu-west-1.amazonaws.com/a.pem#x",
    "https://sns.eu-west-1.amazonaws.com/a.pem/../b",
    "https://sns.eu-west-1.amazonaws.com/../a.pem",
    "https://sns.eu-west-1.amazonaws.com/%2e%2e/a.pem",
    "https://sns.eu-west-1.amazonaws.com/a.crt",
    "https://sns.eu-west-1.amazonaws.com/.pem",
    "https://s3.eu-west-1.amazonaws.com/a.pem",
    "https://sns-evil.s3.amazonaws.com/a.pem",
    "https://sns.s3.eu-west-1.amazonaws.com/a.pem",
    "https://sns.s3-us-west-2.amazonaws.com/a.pem",
    "https://sns.s3-accelerate.amazonaws.com/a.pem",
    "https://sns.s3-website-us-east-1.amazonaws.com/a.pem",
    "https://sns.elb.amazonaws.com/a.pem",
    "https://snsxeu-west-1.amazonaws.com/a.pem",
    "https://sns.amazonaws.com/a.pem",
    "https://sns.eu-west-1.amazonaws.org/a.pem",
    "https://sns.eu-west-1.amazonaws.com.cn.evil.example/a.pem",
    "https://sns.eu-west-1.amazonaws.com\\@evil.example/a.pem",
    "https://sns.eu-west-1.amazonaws.com/a.pem\n",
    " https://sns.eu-west-1.amazonaws.com/a.pem",
    "https://sns.\u212aeu.amazonaws.com/a.pem",
    "https://SNS.eu-west-1.amazonaws.com/a.pem",
    "//sns.eu-west-1.amazonaws.com/a.pem",
    "file:///etc/passwd",
    "https://169.254.169.254/latest/a.pem",
    "https://[::1]/a.pem",
    "https://sns.eu-west-1.amazonaws.com/" + "a" * 3000 + ".pem",
    "",
]  # fmt: skip


@pytest.mark.parametrize("url", LOOK_ALIKES)
def test_no_url_but_amazons_own_is_contacted(url: str) -> None:
    web = Web()
    assert reason(receiver(web), changed(sns().body, SigningCertURL=url)) in ("key_refused", "key_missing")
    assert web.asked == []


@pytest.mark.parametrize(
    "url",
    [
        CERT,
        "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
        "https://sns.us-gov-west-1.amazonaws.com/A-b_9.pem",
        "https://sns.ap-southeast-10.amazonaws.com/a.pem",
    ],
)
def test_amazons_own_urls_are(url: str) -> None:
    web = Web()
    assert receiver(web).verify({}, changed(sns().body, SigningCertURL=url))
    assert web.asked == [url]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "key_unknown"),
        (b"no certificate", "key_unknown"),
        (certificate(ends=NOW - 1), "key_unknown"),
        (certificate(begins=NOW + 1), "key_unknown"),
        (certificate(key=ec.generate_private_key(ec.SECP256R1())), "key_unknown"),
        (certificate(key=rsa.generate_private_key(65537, 1024)), "key_unknown"),
        (certificate(key=rsa.generate_private_key(65537, 2048)), "signature_mismatch"),
        (PEM.encode(), "key_unknown"),
        (lambda url: None, "key_unknown"),
    ],
    ids=range(9),
)
def test_a_certificate_that_is_none_is_a_refusal(answer: Any, expected: str) -> None:
    assert reason(receiver(Web(answer)), sns().body) == expected


@pytest.mark.parametrize("error", [OSError("no route"), ValueError("odd"), RuntimeError(), Unavailable()])
async def test_a_certificate_that_cannot_be_had_is_no_verdict(error: Exception) -> None:
    web = Web(error)
    verifier = receiver(web)
    with pytest.raises(Unavailable):
        verifier.verify({}, sns().body)
    with pytest.raises(Unavailable):
        await verifier.averify({}, sns().body)
    web.answer = certificate()
    assert (await verifier.averify({}, sns().body)).id, "as soon as it can be had again"


async def test_fetching_does_not_block_the_loop() -> None:
    gate, threads = threading.Event(), []

    def fetch(url: str) -> bytes:
        threads.append(threading.get_ident())
        assert gate.wait(10)
        return certificate()

    verifier = Verifier("aws-sns", fetch=fetch, clock=Clock(NOW), topic_arn=TOPIC)
    waiting = asyncio.create_task(verifier.averify({}, sns().body))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    gate.set()
    assert (await waiting).id
    assert threads[0] != threading.get_ident()
    assert (await verifier.averify({}, sns().body)).id
    assert len(threads) == 1


async def test_many_deliveries_at_once_fetch_the_certificate_once() -> None:
    gate, asked = threading.Event(), []

    def fetch(url: str) -> bytes:
        asked.append(url)
        assert gate.wait(10)
        return certificate()

    verifier = Verifier("aws-sns", fetch=fetch, clock=Clock(NOW), topic_arn=TOPIC)
    bodies = [sns(MessageId=f"m-{number}").body for number in range(20)]
    waiting = [asyncio.create_task(verifier.averify({}, body)) for body in bodies]
    for _ in range(20):
        await asyncio.sleep(0.001)
    gate.set()
    assert {(await one).id for one in waiting} == {f"m-{number}" for number in range(20)}
    assert asked == [CERT]


def test_a_flood_of_names_asks_little_and_never_keeps_out_a_name_that_had_a_key() -> None:
    clock, good = Clock(NOW), certificate(ends=NOW + 10 * KEEP)
    web = Web(lambda url: good if url == CERT else None)
    verifier = receiver(web, clock=clock)
    body = sns().body
    assert verifier.verify({}, body)
    flood = [changed(body, SigningCertURL=f"https://sns.eu-west-1.amazonaws.com/{number}.pem") for number in range(500)]
    verdicts = []
    for other in flood:
        try:
            verifier.verify({}, other)
        except InvalidSignature as error:
            verdicts.append(error.reason)
        except Unavailable:
            verdicts.append("unavailable")
    assert len(web.asked) == PER_MINUTE
    assert verdicts == ["key_unknown"] * (PER_MINUTE - 1) + ["unavailable"] * (501 - PER_MINUTE)
    assert verifier.verify({}, body)
    clock.advance(KEEP)
    later = webhooks.signed("aws-sns", PEM, notification(), timestamp=NOW + KEEP, topic_arn=TOPIC).body
    for other in flood[100:200]:
        with pytest.raises((InvalidSignature, Unavailable)):
            verifier.verify({}, changed(other, Timestamp=json.loads(later)["Timestamp"]))
    assert verifier.verify({}, later)


def test_paypal_is_held_to_its_own_host_its_algorithm_and_our_webhook_id() -> None:
    url = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
    headers = {"PAYPAL-CERT-URL": url}
    sent = webhooks.signed("paypal", PEM, b'{"id":"WH-1"}', timestamp=NOW, id="t-1", headers=headers, webhook_id="9XL")
    web = Web()
    verifier = Verifier("paypal", fetch=web, clock=Clock(NOW), webhook_id="9XL")
    event = verifier.verify(sent.headers, sent.body)
    assert (event.id, event.replay_key, event.covers_body) == ("t-1", "paypal:id:t-1", False)
    assert web.asked == [url]
    from base64 import b64decode
    from zlib import crc32

    from cryptography.hazmat.primitives.asymmetric import padding

    text = f"t-1|{sent.headers['PAYPAL-TRANSMISSION-TIME']}|9XL|{crc32(sent.body)}".encode()
    signature = b64decode(sent.headers["PAYPAL-TRANSMISSION-SIG"])
    PRIVATE.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    for change in (
        {"PAYPAL-AUTH-ALGO": "SHA1withRSA"},
        {"PAYPAL-CERT-URL": url.replace("paypal.com", "paypal.com.evil.example")},
        {"PAYPAL-CERT-URL": url.replace("paypal.com", "sandbox.paypal.com")},
        {"PAYPAL-CERT-URL": url.replace("https://", "https://evil.example/https://")},
        {"PAYPAL-CERT-URL": url + "/../../x"},
        {"PAYPAL-TRANSMISSION-ID": "t-2"},
        {"PAYPAL-TRANSMISSION-ID": "t|1"},
    ):
        with pytest.raises(InvalidSignature):
            verifier.verify({**sent.headers, **change}, sent.body)
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        verifier.verify(sent.headers, sent.body + b" ")
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        Verifier("paypal", fetch=web, clock=Clock(NOW), webhook_id="other").verify(sent.headers, sent.body)
    assert Verifier("paypal", fetch=web, clock=Clock(NOW), webhook_id=["other", "9XL"]).verify(sent.headers, sent.body)
    assert set(web.asked) == {url}


def test_plaid_wants_a_way_to_its_keys_and_takes_one_algorithm_alone() -> None:
    with pytest.raises(ConfigurationError, match="fetch="):
        Verifier("plaid")
    sender = WebhookSender("plaid", clock=Clock(NOW))
    sent = sender.deliver(b"{}")
    assert sender.verifier().verify(sent.headers, b"{}").covers_body
    with pytest.raises(InvalidSignature, match="body_hash_mismatch"):
        sender.verifier().verify(sent.headers, b"{ }")
    from authkit.tokens import base64url

    token = sent.headers["Plaid-Verification"]
    header, payload, signature = token.split(".")
    kid = json.loads(base64url.decode(header))["kid"]
    for other in (
        {"alg": "none", "kid": kid},
        {"alg": "HS256", "kid": kid},
        {"alg": "ES384", "kid": kid},
        {"alg": "ES256"},
        {"alg": "ES256", "kid": "../other"},
        {"alg": "ES256", "kid": 5},
        {"alg": "ES256", "kid": kid, "crit": ["exp"]},
        {"alg": "ES256", "kid": kid, "b64": False, "crit": ["b64"]},
    ):
        forged = base64url.encode(json.dumps(other).encode()).decode()
        for end in (signature, ""):
            with pytest.raises(InvalidSignature):
                sender.verifier().verify({"Plaid-Verification": f"{forged}.{payload}.{end}"}, b"{}")


def test_a_key_that_plaid_has_withdrawn_is_none() -> None:
    """Plaid shows withdrawn keys too, with when they ended."""
    sender = WebhookSender("plaid", clock=Clock(NOW))
    sent, shown = sender.deliver(b"{}"), sender.fetch
    assert shown is not None
    assert sender.verifier(fetch=lambda kid: {**shown(kid), "expired_at": None}).verify(sent.headers, b"{}")
    with pytest.raises(InvalidSignature, match="key_unknown"):
        sender.verifier(fetch=lambda kid: {**shown(kid), "expired_at": int(NOW) - 1}).verify(sent.headers, b"{}")


def test_a_key_of_another_kind_is_none() -> None:
    sender = WebhookSender("plaid", clock=Clock(NOW))
    sent = sender.deliver(b"{}")
    other = Key(PEM).public_jwk()
    with pytest.raises(InvalidSignature, match="key_unknown"):
        sender.verifier(fetch=lambda kid: other).verify(sent.headers, b"{}")


# The default way to a certificate, against a real server


class _Answers(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        status, _, length = self.path[1:].partition("-")
        self.send_response(int(status))
        if status == "302":
            self.send_header("Location", "/200-5")
        self.end_headers()
        for _ in range(100 if length == "drip" else 0):
            try:
                self.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.1)
        self.wfile.write(b"x" * int(length if length.isdigit() else 0))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    made = HTTPServer(("127.0.0.1", 0), _Answers)
    made.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join(10)
    made.server_close()


def test_a_redirect_is_not_followed_and_too_much_is_not_read(server: HTTPServer) -> None:
    base = f"http://127.0.0.1:{server.server_port}"
    assert get(f"{base}/200-5") == b"xxxxx"
    for missing in ("403-0", "404-9", "410-0"):
        assert get(f"{base}/{missing}") is None
    for odd in ("302-0", "500-0", "503-0", "204-0", f"200-{MAX_BYTES + 1}", f"200-{50 * MAX_BYTES}"):
        with pytest.raises(Unavailable):
            get(f"{base}/{odd}")
    assert server.asked.count("/200-5") == 1  # type: ignore[attr-defined]


def test_a_server_that_gives_a_byte_at_a_time_is_given_up(server: HTTPServer) -> None:
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        get(f"http://127.0.0.1:{server.server_port}/200-drip", seconds=0.3)
    assert time.monotonic() - begun < 5


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        get("http://127.0.0.1:9/a.pem")
