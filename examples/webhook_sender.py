"""Sending webhooks, signed as standardwebhooks.com says: an id for each event, a new signature for each attempt, and patience.

Run it: python -m examples.webhook_sender https://receiver.example/orders
Setting: ORDERS_WEBHOOK_SECRET (`whsec_` and base64 of at least 24 random bytes).
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx

from authkit.secrets import Environment, Secret, Secrets
from authkit.webhooks import sign

ATTEMPTS = 8
FIRST, LONGEST = 5.0, 3600.0  # seconds between two attempts
GONE = 410  # the receiver wants no more of them: whoever runs the service has to hear of it


class Undelivered(Exception):
    """The receiver did not take the event. Keep it, and say so to whoever runs the receiver."""


def deliver(
    client: httpx.Client,
    url: str,
    secrets: list[Secret],
    event: dict[str, object],
    *,
    id: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> int:
    """Deliver one event; gives the number of attempts. Raises: `Undelivered`.

    `secrets`: those that the receiver may know, the newest first: each makes a signature of its own, so that a receiver moves
    from one to the next when it likes. `id`: of the event, and the same in every attempt, also after a crash of ours: keep it
    with the event. The receiver tells by it what it has handled.
    """
    body = json.dumps(event, separators=(",", ":")).encode()  # once: what was signed is what is sent
    id = id or f"msg_{uuid4().hex}"
    for attempt, wait in enumerate(waits(), 1):
        headers = sign("standard-webhooks", secrets, body, timestamp=clock(), id=id)
        try:
            # Redirects are not followed: the event is for this URL. Yours comes from customers: see docs/webhooks.md.
            answer = client.post(url, content=body, headers={"content-type": "application/json", **headers}, timeout=15)
        except httpx.TransportError:
            retry_after = None
        else:
            if answer.is_success:
                return attempt
            if answer.status_code == GONE:
                raise Undelivered("the receiver wants no more events")
            retry_after = answer.headers.get("retry-after")
        if attempt < ATTEMPTS:
            asked = float(retry_after) if retry_after is not None and retry_after.isdecimal() else 0.0
            sleep(min(max(wait, asked), LONGEST))
    raise Undelivered(f"{ATTEMPTS} attempts")


def waits() -> Iterator[float]:
    """Seconds between attempts: twice as long each time, and never the same for everybody."""
    for attempt in range(ATTEMPTS):
        yield min(FIRST * 2**attempt, LONGEST) * random.uniform(0.5, 1.0)


if __name__ == "__main__":
    with httpx.Client() as sender:
        deliver(sender, sys.argv[1], [Secrets(Environment())["ORDERS_WEBHOOK_SECRET"]], {"order": "o-1", "state": "paid"})
