"""What a sender of webhooks asks before it sends, built from the same entry that answers it."""

from __future__ import annotations

import json

from .._run import run
from ..webhooks import SignedDelivery
from ..webhooks.handshakes import handshake_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..http import Response
    from ..webhooks import Scheme
    from ..webhooks.handshakes import Handshake
    from ..webhooks.places import Place
    from ._webhooks import WebhookSender

_BESIDE = {"sns": {"Token": "t-1", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}}


def question(sender: WebhookSender, value: str, verify_token: str | None, url: str) -> SignedDelivery:
    """The request. Raises: `ValueError` if the scheme has no handshake."""
    handshake = _handshake(sender.scheme)
    placed: list[tuple[Place, str]] = [(place, wanted) for place, wanted in handshake.where if wanted is not None]
    placed += [(handshake.value, value)] if handshake.value is not None else []
    placed += [(handshake.token, verify_token)] if handshake.token is not None and verify_token is not None else []
    headers = {place.name: text for place, text in placed if place.kind == "header"}
    body = _body(sender, handshake, [(place, text) for place, text in placed if place.kind == "body"])
    url = _with_query(url, {place.name: text for place, text in placed if place.kind == "query"})
    if handshake.signed:
        return sender.deliver(body, url=url, headers=headers)
    if body and handshake.method == "POST":
        headers["content-type"] = "application/json"
    return SignedDelivery(handshake.method, url, headers, body if handshake.method == "POST" else b"")


def answer(sender: WebhookSender, value: str) -> Response | None:
    """What its endpoint has to answer; None where that is the application's to say."""
    handshake = _handshake(sender.scheme)
    if handshake.asks == "event":
        return None
    mac = run(sender.verifier().load())[0][0] if handshake.keyed else None
    return handshake.reply(value, mac)


def _handshake(scheme: Scheme) -> Handshake:
    found = handshake_of(scheme.handshake)
    if found is None:
        raise ValueError(f"the scheme {scheme.name} has no handshake")
    return found


def _body(sender: WebhookSender, handshake: Handshake, placed: list[tuple[Place, str]]) -> bytes:
    whole: dict[str, Any] = json.loads(sender.body()) if handshake.signed else {}
    whole.update(_BESIDE.get(handshake.name, {}))
    for place, text in placed:
        at = whole
        for step in place.path[:-1]:
            at = at.setdefault(step, {})
        at[place.path[-1]] = int(text) if text.isdigit() and len(text) < 3 else text
    return json.dumps(whole).encode()


def _with_query(url: str, more: dict[str, str]) -> str:
    from urllib.parse import urlencode

    return url if not more else f"{url}{'&' if '?' in url else '?'}{urlencode(more)}"
