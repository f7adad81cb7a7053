"""What it costs to verify a webhook: ours beside the senders' own packages, bodies of 1 KiB and 1 MiB; and the whole guard.

Everybody gets the same secret and body, signed as that sender signs, and checks signature and time. standardwebhooks and svix
parse the body too, and say so. Of the guard every call gets a delivery that nobody has seen, with a replay store in memory;
Stripe's id is in the body, which is parsed for it. The floor is `hmac.digest` over what was signed, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from authkit import Request, Response, Tokens, verify_webhook
from authkit.stores import MemoryStore
from authkit.webhooks import Verifier, sign

from ._table import Role, Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET, YARDSTICK, Batch, Call, added, calls, hand_written, nothing

FLOOR = "hmac.digest"
MACHINE = "HS256 in ten lines"
SIZES = {"1 KiB": 1024, "1 MiB": 1_048_576}
STANDARD = "whsec_" + base64.b64encode(SECRET.encode()).decode()


def tables(seconds: float) -> list[Table]:
    share = seconds / 4
    return [_verified(name, size, share) for name, size in SIZES.items()] + [_guarded(seconds - 2 * share)]


def _body(size: int, number: int = 0) -> bytes:
    head = json.dumps({"number": number, "data": ""})
    return (head[:-2] + "x" * (size - len(head)) + head[-2:]).encode()


def _verified(name: str, size: int, seconds: float) -> Table:
    body = _body(size)
    subjects = dict(_subjects(body))
    machine = hand_written(_token())
    pairs = {subject: (calls(call), calls(nothing)) for subject, call in {**subjects, MACHINE: machine}.items()}
    found = added(pairs, seconds=seconds, count=300 if size < 10_000 else 2)
    roles: dict[str, Role] = {FLOOR: "floor"}
    rows = [
        Row(subject, found.us(subject), roles.get(subject, "ours" if subject.startswith("authkit") else "peer"))
        for subject in subjects
    ]
    if size < 10_000:
        figure = found.ratio("authkit, stripe", MACHINE) * YARDSTICK
        targets = [Target(f"a webhook of {name}, µs where the floor of tokens takes {YARDSTICK}", figure, 3)]
    else:
        targets = [Target(f"a webhook of {name} / hmac.digest", found.ratio("authkit, stripe", FLOOR), 1.15)]
    return Table(f"webhooks: a body of {name} verified", rows, targets)


def _token() -> str:
    return str(Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE).issue("alice"))


def _subjects(body: bytes) -> Iterator[tuple[str, Call]]:
    """Ours first; then each peer that is installed."""
    now = int(time.time())
    for scheme, secret, name in (
        ("stripe", SECRET, "authkit, stripe"),
        ("slack", SECRET, "authkit, slack"),
        ("standard-webhooks", STANDARD, "authkit, standard-webhooks"),
    ):
        verifier = Verifier(scheme, secret, tolerance=3600)
        headers = sign(scheme, secret, body, timestamp=now, id="msg_1")
        verifier.verify(headers, body)
        yield name, lambda verifier=verifier, headers=headers: verifier.verify(headers, body)  # type: ignore[misc]
    yield from _peers(body, now)
    content, key = f"{now}.".encode() + body, SECRET.encode()
    yield FLOOR, lambda: hmac.digest(key, content, hashlib.sha256)


def _peers(body: bytes, now: int) -> Iterator[tuple[str, Call]]:
    try:
        import stripe

        header = sign("stripe", SECRET, body, timestamp=now)["Stripe-Signature"]
        yield "stripe", lambda: stripe.WebhookSignature.verify_header(body.decode(), header, SECRET, 3600)
    except ImportError:
        _missing("stripe")
    try:
        from slack_sdk.signature import SignatureVerifier

        verifier, slack = SignatureVerifier(SECRET), sign("slack", SECRET, body, timestamp=now)
        headers = slack["X-Slack-Request-Timestamp"], slack["X-Slack-Signature"]
        if not verifier.is_valid(body, *headers):
            raise SystemExit("slack_sdk refuses what it should accept")
        yield "slack_sdk", lambda: verifier.is_valid(body, *headers)
    except ImportError:
        _missing("slack_sdk")
    for name in ("standardwebhooks", "svix"):
        try:
            module: Any = __import__(f"{name}.webhooks", fromlist=["Webhook"])
        except ImportError:
            _missing(name)
            continue
        webhook, sent = module.Webhook(STANDARD), sign("standard-webhooks", STANDARD, body, timestamp=now, id="msg_1")
        yield f"{name} (and parses)", lambda webhook=webhook, sent=sent: webhook.verify(body, sent)  # type: ignore[misc]


def _missing(name: str) -> None:
    print(f"webhooks: {name} is not installed, and is left out", file=sys.stderr)


def _guarded(seconds: float) -> Table:
    numbers = count()

    def bare(request: Request) -> Any:
        return Response(200)

    def delivery(scheme: str, secret: str) -> Request:
        body = _body(1024, next(numbers))
        return Request.build("POST", "/hook", sign(scheme, secret, body), body)

    def new(handler: Any, scheme: str, secret: str) -> Batch:
        def batch(wanted: int) -> float:
            requests = [delivery(scheme, secret) for _ in range(wanted)]
            start = time.perf_counter()
            for request in requests:
                handler(request)
            return time.perf_counter() - start

        return batch

    pairs = {}
    for scheme, secret in (("standard-webhooks", STANDARD), ("stripe", SECRET)):
        store = MemoryStore(max_keys=2_000_000)
        plain = verify_webhook(scheme, secret=secret)(bare)
        once = verify_webhook(scheme, secret=secret, replay=store)(bare)
        base = new(bare, scheme, secret)
        pairs[f"{scheme}, with a replay store"] = (new(once, scheme, secret), base)
        pairs[f"{scheme}, without"] = (new(plain, scheme, secret), base)
    pairs[MACHINE] = (calls(hand_written(_token())), calls(nothing))
    found = added(pairs, seconds=seconds, count=100)
    rows = [Row(name, found.us(name), "floor" if name == MACHINE else "ours") for name in found]
    figure = found.ratio("standard-webhooks, with a replay store", MACHINE) * YARDSTICK
    what = f"the guard with a replay store, µs where the floor takes {YARDSTICK}"
    return Table("webhooks: what the guard adds to a call, body of 1 KiB", rows, [Target(what, figure, 12)])
