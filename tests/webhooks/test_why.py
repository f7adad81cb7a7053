"""Why a delivery was refused: each mistake that people make is told from the others, and nothing of a secret is said.

The deliveries are published ones where a sender publishes one: Standard Webhooks' and GitHub's own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import re
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from authkit import webhooks
from authkit.errors import ConfigurationError
from authkit.secrets import SecretVersions
from authkit.webhooks import Scheme, schemes
from authkit.webhooks.guess import MAX_TRIES
from authkit.webhooks.why import REASONS, Why, why

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SENT = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = b'{"test": 2432232314}'
NOW = 1614265330
GITHUB = "It's a Secret to Everybody"
HELLO = b"Hello, World!"
HELLO_SENT = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
SQUARE = "Ibxx_5AKakO-3qeNVR61Dw"
EVENT = {"action": "opened", "sender": {"name": "Zoë & <Ada>", "url": "https://x.example/a/b"}, "n": [1, 2.5, None]}
NOTHING: Any = object()


def asked(
    scheme: Any = "standard-webhooks",
    secret: Any = SECRET,
    headers: Any = NOTHING,
    body: bytes = BODY,
    now: float = NOW,
    **more: Any,
) -> Why:
    """What is said of a delivery that is refused; it holds no secret and no signature."""
    found = why(scheme, secret, SENT if headers is NOTHING else headers, body, now=now, **more)
    assert found is not None
    said = repr([getattr(found, name) for name in Why.__slots__])
    values = [one for one in (secret if isinstance(secret, tuple) else (secret,)) if isinstance(one, str)]
    for hidden in (*values, SECRET, SECRET[6:], "g0hM9SsE+OTPJTGt", "757107ea0eb2", SQUARE, GITHUB):
        assert hidden.strip() not in said
    assert found.reason in REASONS
    return found


def github(body: bytes, secret: str = GITHUB) -> dict[str, str]:
    return webhooks.sign("github", secret, body)


def test_every_reason_that_a_delivery_is_refused_for_is_explained() -> None:
    source = "".join(path.read_text() for path in Path(webhooks.__file__).parent.glob("*.py"))
    raised = set(re.findall(r'InvalidSignature\(\s*(?:"(\w+)")', source))
    raised |= set(re.findall(r'raise InvalidSignature\("(\w+)" if \w+ else "(\w+)"\)', source)[0])
    raised |= {reason for pair in re.findall(r'\("(?:exp|nbf)", "(\w+)"\)', source) for reason in [pair]}
    assert {"signature_mismatch", "timestamp_too_old", "field_missing"} <= raised
    assert raised <= set(REASONS)


VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "webhooks" / "webhooks.json").read_text())["cases"]


@pytest.mark.parametrize(
    "case", [case for case in VECTORS if case["expect"] in ("accept", "reject")], ids=lambda case: case["id"]
)
def test_why_agrees_with_every_published_delivery(case: dict[str, Any]) -> None:
    secret = next(case[name] for name in ("secrets", "secret", "public_key") if name in case)
    sent = case["request"]
    found = why(
        case["scheme"], secret, sent["headers"], sent["body"].encode(), url=sent.get("url"), method=sent["method"],
        now=case.get("now", NOW), tolerance=case.get("tolerance_s"),
    )  # fmt: skip
    if case["id"] == "stripe-no-tolerance":  # ours cannot be switched off
        assert found is not None
        assert found.reason == "timestamp_too_old"
    else:
        assert (found is None) is (case["expect"] == "accept")


@pytest.mark.parametrize("name", schemes())
def test_every_scheme_says_why_it_refuses_what_is_none_of_its(name: str) -> None:
    scheme = schemes()[name]
    options: dict[str, Any] = dict.fromkeys(scheme.options, "v")
    if scheme.keyless:
        options["fetch"] = lambda name: None
    found = why(name, None if scheme.keyless else SECRET, {"X-Other": "1"}, BODY, url="https://a.example/b?c=d", **options)
    assert found is not None
    assert found.reason in REASONS
    assert found.proven is False


def test_what_is_accepted_has_no_why() -> None:
    assert why("standard-webhooks", SECRET, SENT, BODY, now=NOW) is None
    assert why("github", GITHUB, HELLO_SENT, HELLO) is None


WRITTEN = {
    "compact": lambda: json.dumps(EVENT, separators=(",", ":"), ensure_ascii=False).encode(),
    "spaced": lambda: json.dumps(EVENT, ensure_ascii=False).encode(),
    "escaped": lambda: json.dumps(EVENT, separators=(",", ":")).encode(),
    "sorted": lambda: json.dumps(EVENT, sort_keys=True).encode(),
    "indented": lambda: json.dumps(EVENT, indent=2).encode(),
    "with a newline": lambda: json.dumps(EVENT).encode() + b"\n",
    "by PHP": lambda: json.dumps(EVENT, separators=(",", ":")).replace("/", "\\/").encode(),
    "by Go": lambda: (
        json.dumps(EVENT, separators=(",", ":"), ensure_ascii=False)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .encode()
    ),
    "reordered": lambda: json.dumps(dict(reversed(EVENT.items())), separators=(",", ":")).encode(),
}


@pytest.mark.parametrize("signed", WRITTEN)
@pytest.mark.parametrize("received", ["compact", "spaced", "indented"])
def test_json_that_was_written_again_is_told(signed: str, received: str) -> None:
    if signed == received:
        assert why("github", GITHUB, github(WRITTEN[signed]()), WRITTEN[received]()) is None
        return
    found = asked("github", GITHUB, github(WRITTEN[signed]()), WRITTEN[received]())
    assert (found.check, found.proven) == ("signature", True)
    assert "the JSON was parsed and written again" in found.cause
    assert "verify_webhook" in found.mend


def form() -> bytes:
    return urlencode({"payload": json.dumps(EVENT), "b": "1 2", "a": "é"}).encode()


@pytest.mark.parametrize(
    ("signed", "received", "cause"),
    [
        (b'{"a":1}', base64.b64encode(b'{"a":1}'), "still base64"),
        (base64.b64encode(b'{"a":1}'), b'{"a":1}', "once too often"),
        (b'{"a":1}\n', b'{"a":1}', "a newline at the end of the body was cut off"),
        (b'{"a":1}', b'{"a":1}\n', "a newline was added at the end"),
        (b'{"a":1}\r\n', b'{"a":1}', "CR and LF at the end of the body was cut off"),
        (b"a\r\nb\r\n", b"a\nb\n", "from CR LF to LF"),
        (b"a\nb\n", b"a\r\nb\r\n", "from LF to CR LF"),
        (b"\xef\xbb\xbf{}", b"{}", "byte order mark before the body was cut off"),
        ("caf\xe9".encode("latin-1"), "café".encode(), "decoded as latin-1"),
        ("café".encode(), "café".encode().decode("latin-1").encode(), "decoded as latin-1 and encoded again as utf-8"),
        ("café".encode("utf-16"), "café".encode(), "decoded as utf-16"),
        (b'{"a":1}', b'"{\\"a\\":1}"', "JSON text once more"),
        (b'{"a":1}', str(b'{"a":1}').encode(), "str() of the bytes"),
        (b'{"a":1}', b'{"body": "{\\"a\\":1}", "isBase64Encoded": false}', "the whole event"),
        (b"\xff\x00", b'{"body": "/wA=", "isBase64Encoded": true}', "which is base64"),
        (b'{"a":1}', gzip.compress(b'{"a":1}'), "gzip"),
        (form(), form().replace(b"+", b"%20"), "the form was parsed and written again"),
        (form(), b"&".join(reversed(form().split(b"&"))), "body was written anew"),
        (b"a=1&b=2", b"b=2&a=1", "the form was parsed and written again"),
        (b"a=1&b=x+y", b'{"a": "1", "b": "x y"}', "the form was made JSON"),
        (b"payload=%7B%22a%22%3A1%7D", b'{"a":1}', "instead of the form"),
        (b'{"a": 1, "b": true}', b"{'a': 1, 'b': True}", "written again"),
    ],
)
def test_a_body_that_was_changed_on_its_way_is_told(signed: bytes, received: bytes, cause: str) -> None:
    found = asked("github", GITHUB, github(signed), received)
    assert cause in found.cause
    assert found.proven is ("anew" not in cause)


def test_a_body_that_lost_something_is_told_by_its_looks() -> None:
    lost = b"\xff\xfe".decode("utf-8", "replace").encode()
    assert "U+FFFD" in asked("github", GITHUB, github(b"\xff\xfe"), lost).cause
    assert "empty" in asked("github", GITHUB, HELLO_SENT, b"").cause
    cut = asked("github", GITHUB, {**HELLO_SENT, "Content-Length": "13"}, b"Hello")
    assert ("5 bytes, and 13 were sent" in cut.cause, cut.proven) == (True, False)


def of(secret: str | bytes, body: bytes = BODY, id: str = "m") -> dict[str, str]:
    """A delivery signed with those very bytes as the key."""
    raw = secret.encode() if isinstance(secret, str) else secret
    tag = hmac.digest(raw, f"{id}.{NOW}.".encode() + body, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(NOW),
        "webhook-signature": "v1," + base64.b64encode(tag).decode(),
    }


RAW = base64.b64decode(SECRET[6:])


@pytest.mark.parametrize(
    ("key", "secret", "cause"),
    [
        (SECRET, SECRET, "as it is, without decoding"),
        (SECRET[6:], SECRET, "leaves whsec_ out of the key"),
        (RAW, f'"{SECRET}"', "quotes"),
        (RAW, f"{SECRET}\n", "white space"),
        (RAW, f"WEBHOOK_SECRET={SECRET}", "a name around it"),
        (RAW, RAW, "decoded before it was stored"),
        (RAW, base64.b64encode(SECRET[6:].encode()).decode(), "encoded once more"),
        (b"\xfb\xef\xbe\xff" * 6, "whsec_" + base64.urlsafe_b64encode(b"\xfb\xef\xbe\xff" * 6).decode(), "base64url"),
        (b"\x01\x02" * 12, (b"\x01\x02" * 12).hex(), "hex"),
    ],
)
def test_a_secret_that_was_mishandled_is_told_where_the_scheme_decodes_it(key: Any, secret: Any, cause: str) -> None:
    found = asked(secret=secret, headers=of(key))
    assert cause in found.cause
    assert found.proven
    assert found.check in ("signature", "secret")


@pytest.mark.parametrize(
    ("theirs", "ours", "cause"),
    [
        ("s3cr3t-of-ours", "s3cr3t-of-ours\n", "white space or a newline"),
        ("s3cr3t-of-ours\n", "s3cr3t-of-ours", "the sender's secret has a newline"),
        ("s3cr3t-of-ours", '"s3cr3t-of-ours"', "quotes around it"),
        ("s3cr3t-of-ours", "HOOK=s3cr3t-of-ours", "variable's name"),
        ("whsec_" + "a1" * 12, "a1" * 12, "whsec_ was cut off"),
        ("s3cr3t-of-OURS", "S3CR3T-of-OURS".swapcase().lower(), "anew"),
        ("s3cr3t-of-ours", "s3cr3t-of-theirs", "a secret that is not here"),
    ],
)
def test_a_secret_that_was_mishandled_is_told_where_it_is_text(theirs: str, ours: str, cause: str) -> None:
    assert cause in asked("stripe", ours, webhooks.sign("stripe", theirs, BODY, timestamp=NOW)).cause


def test_a_secret_of_which_the_scheme_makes_no_key_is_told() -> None:
    found = asked(secret="not base64!", headers=SENT)
    assert (found.reason, found.check, found.proven) == ("secret_unfit", "secret", False)
    with pytest.raises(ConfigurationError):
        why("github", "", HELLO_SENT, HELLO)


def test_a_previous_value_whose_time_is_over_is_told() -> None:
    versions = SecretVersions("whsec_" + base64.b64encode(b"n" * 24).decode(), SECRET, previous_until=NOW - 60)
    found = asked(secret=versions)
    assert ("previous value" in found.cause, found.proven) == (True, True)


def test_the_secret_of_another_name_is_told() -> None:
    found = asked(
        "github", "ours-and-not-theirs", HELLO_SENT, HELLO, others={"A": SecretVersions("x"), "B": SecretVersions(GITHUB)}
    )
    assert (found.cause, found.proven) == ("it was signed with another secret: B", True)


def test_milliseconds_for_seconds_are_told_and_the_reverse() -> None:
    text = f"m.{NOW}000.".encode() + BODY
    headers = {
        **of(RAW),
        "webhook-timestamp": f"{NOW}000",
        "webhook-signature": "v1," + base64.b64encode(hmac.digest(RAW, text, "sha256")).decode(),
    }
    found = asked(headers=headers)
    assert (found.reason, found.check) == ("timestamp_in_future", "time")
    assert found.cause == "the sender writes milliseconds where the scheme has seconds"
    assert "its signature holds" in found.says
    own = schemes()["standard-webhooks"].but(name="own", unit="ms")
    assert asked(own).cause == "the sender writes seconds where the scheme has milliseconds"


@pytest.mark.parametrize(
    ("late", "cause"),
    [
        (-400, "this machine's clock is behind"),
        (400, "took long to come, or this machine's clock is ahead"),
        (3_610, "1 whole hours"),
        (-7_190, "2 whole hours"),
        (40_000, "waited in a queue"),
    ],
)
def test_a_time_that_is_off_is_told_and_by_how_much(late: int, cause: str) -> None:
    found = asked(now=NOW + late)
    assert cause in found.cause
    assert f"{abs(late)} s" in found.says
    assert found.reason == ("timestamp_too_old" if late > 0 else "timestamp_in_future")


def test_a_clock_is_compared_with_the_senders_date_and_with_when_it_came() -> None:
    found = asked(headers={**SENT, "Date": formatdate(NOW + 1, usegmt=True)}, now=NOW + 1_000)
    assert "the sender's clock, by its Date header, is 999 s" in found.cause
    assert "when it was received" in asked(now=NOW + 9_000, received=NOW + 2.0).cause
    other = asked(now=NOW + 9_000, body=BODY + b"\n")
    assert "does not hold either" in other.says
    assert "newline was added" in other.cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("2021-02-25T15:02:10Z", "a date and time, not a number"),
        ("1614265330.5", "with a fraction"),
        (" 1614265330", "spaces or quotes"),
        ("soon", "it is no number"),
    ],
)
def test_a_time_that_cannot_be_read_is_told(text: str, cause: str) -> None:
    found = asked(headers={**SENT, "webhook-timestamp": text})
    assert (found.reason, found.check) == ("timestamp_malformed", "time")
    assert cause in found.cause


TOLD = "https://shop.example/prod/hooks/square"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://shop.example/prod/hooks/square", "with https, not http"),
        ("https://shop.example/hooks/square", "with the stage prod before the path"),
        ("https://shop.example/prod/hooks/square/", "without the slash at the end"),
        ("https://shop.example:443/prod/hooks/square", "without the port"),
        ("https://10.0.0.7/prod/hooks/square", "with the host of the x-forwarded-host header"),
        ("https://shop.example/v1/prod/hooks/square", "without the stage v1"),
        ("https://shop.example/prod/hooks/square?x=1", "without the query"),
        (
            "http://10.0.0.7:8080/hooks/square",
            "with https, not http, with the host of the x-forwarded-host header, with the stage prod",
        ),
    ],
)
def test_a_url_that_is_not_the_signed_one_is_told(url: str, words: str) -> None:
    headers = {**webhooks.sign("square", SQUARE, BODY, url=TOLD), "X-Forwarded-Host": "shop.example"}
    found = asked("square", SQUARE, headers, url=url, stages=("prod",))
    assert words in found.cause
    assert "url=" in found.mend
    assert "hooks" not in found.cause  # of a URL only the kind of difference is told


def test_the_order_of_a_query_is_told_without_its_values() -> None:
    url = "https://shop.example/h?a=1&token=t0k3n"
    found = asked(
        "square", SQUARE, webhooks.sign("square", SQUARE, BODY, url=url), url="https://shop.example/h?token=t0k3n&a=1"
    )
    assert "with the query sorted" in found.cause
    assert "t0k3n" not in repr(found.cause)


def test_a_delivery_of_another_sender_is_told() -> None:
    found = asked("github", SECRET, SENT, BODY)
    assert (found.reason, found.cause) == ("signature_missing", "it is signed as standard-webhooks signs, not as github does")
    assert found.proven
    unknown = asked("github", "ours-and-not-theirs", SENT, BODY)
    assert "standard-webhooks" in unknown.cause
    assert not unknown.proven


def test_an_older_header_alone_is_told() -> None:
    tag = hmac.new(GITHUB.encode(), HELLO, hashlib.sha1).hexdigest()
    found = asked("github", GITHUB, {"X-Hub-Signature": f"sha1={tag}"}, HELLO)
    assert (found.reason, found.proven) == ("signature_missing", True)
    assert "SHA-1" in found.cause or "intercom" in found.cause


@pytest.mark.parametrize(
    "name", ["X-Amzn-Remapped-X-Hub-Signature-256", "X_Hub_Signature_256", "Hub-Signature-256", "HTTP_X_HUB_SIGNATURE_256"]
)
def test_a_header_that_a_gateway_renamed_is_told(name: str) -> None:
    found = asked("github", GITHUB, {name: HELLO_SENT["X-Hub-Signature-256"]}, HELLO)
    assert ("renamed" in found.cause, name.lower() in found.cause, found.proven) == (True, True, True)


TAG = HELLO_SENT["X-Hub-Signature-256"][7:]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (f'"sha256={TAG}"', "quotes around it"),
        (TAG, "without the sha256= before it"),
        (f"SHA256={TAG}", "in other letters"),
        ("sha256=" + base64.b64encode(bytes.fromhex(TAG)).decode(), "in base64, and this scheme reads hex"),
        (f"sha256={TAG[:40]}", "40 characters, of 64"),
        ("sha256=" + hmac.new(GITHUB.encode(), HELLO, "sha1").hexdigest(), "hash sha1"),
        ("sha256=" + hmac.new(GITHUB.encode(), HELLO, "sha512").hexdigest(), "hash sha512"),
    ],
)
def test_a_signature_that_is_written_otherwise_is_told(text: str, cause: str) -> None:
    found = asked("github", GITHUB, {"X-Hub-Signature-256": text}, HELLO)
    assert cause in found.cause
    assert text not in found.cause


def test_hex_where_base64_is_read_is_told() -> None:
    tag = base64.b64decode(SENT["webhook-signature"][3:]).hex()
    assert "in hex, and this scheme reads base64" in asked(headers={**SENT, "webhook-signature": "v1," + tag}).cause


def test_a_signature_header_that_came_twice_is_told() -> None:
    right, wrong = HELLO_SENT["X-Hub-Signature-256"], "sha256=" + "0" * 64
    found = asked("github", GITHUB, [("X-Hub-Signature-256", wrong), ("x-hub-signature-256", right)], HELLO)
    assert (found.reason, found.proven) == ("signature_repeated", True)
    assert "twice" in found.cause


def test_several_signatures_of_which_none_holds_are_one_cause() -> None:
    headers = {**SENT, "webhook-signature": " ".join(["v1," + base64.b64encode(bytes(32)).decode()] * 5)}
    found = asked(headers=headers)
    assert (found.reason, found.proven) == ("signature_mismatch", False)


def test_a_scheme_that_says_otherwise_than_the_sender_does_is_told() -> None:
    own = Scheme("own", signature="X-Sig", timestamp="X-Time", signed="{timestamp}.{body}")
    theirs = own.but(signed="{timestamp}:{body}")
    found = asked(own, GITHUB, webhooks.sign(theirs, GITHUB, BODY, timestamp=NOW))
    assert ("signed {timestamp}:{body}" in found.cause, found.proven) == (True, True)


def test_the_work_is_bounded_whatever_came() -> None:
    many = json.dumps({f"k{n}": "é/<" * 20 for n in range(800)}).encode()
    started = time.perf_counter()
    for body in (many, b"\x00" * 1_048_576, b"[" * 100_000, b"a=1&" * 900):
        found = asked("square", SQUARE, {"x-square-hmacsha256-signature": "A" * 44}, body, url="https://a.example/b?c=d&e=f")
        assert all(count <= MAX_TRIES for count in found.tried.values())
    assert time.perf_counter() - started < 20


HOSTILE = [
    b"",
    b"\xff" * 40,
    b"{" * 5_000,
    b'{"body": {"body": 1}}',
    b"\x1f\x8b\x08\x00bad",
    b"b'\\x",
    b"=&=&=",
    b'"\\ud800"',
    b"((((" * 2_000,
    b"[" + b"1if 1else " * 1_500 + b"'",
    b"{'\\q'}",
]


WORDS = ("", "\x00", "é" * 50, "=", "v1,", "t=1,v1=", "v1,t=" * 500, "sha256=" + "z" * 64, "A" * 9_000)


@pytest.mark.parametrize("scheme", ["github", "stripe", "standard-webhooks", "square", "mailgun", "twilio"])
def test_nothing_that_is_sent_raises(scheme: str) -> None:
    secret = SECRET if scheme == "standard-webhooks" else GITHUB
    names = [place for place, _, _ in schemes()[scheme].places if ":" not in place]
    for at, body in enumerate(HOSTILE):
        for text in (WORDS[at % len(WORDS)], WORDS[(at * 2 + 3) % len(WORDS)]):
            found = asked(scheme, secret, dict.fromkeys(names, text), body, url="http://[::1]:x/%zz?&&=%ff")
            assert found.cause


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"\\udfff": ["\\ud800"]}', b"a=%ed%a0%80"])
@pytest.mark.parametrize("url", ["https://h.example/\ud800?a=\udfff", "https://h.example/a"])
def test_half_a_character_is_no_reason_to_fail(body: bytes, url: str) -> None:
    found = why("hubspot-v3", "s-1", webhooks.sign("hubspot-v3", "s-2", b"{}", url=url), body, url=url)
    assert found is not None
    assert found.reason == "signature_mismatch"
