"""Webhooks on FastAPI: Stripe, GitHub, Slack with its handshake, and a service of your own (examples/webhook_sender.py).

Run it: uvicorn examples.webhook_fastapi:app
Settings: STRIPE_WEBHOOK_SECRET, GITHUB_WEBHOOK_SECRET, SLACK_SIGNING_SECRET, ORDERS_WEBHOOK_SECRET (`whsec_` and base64), and
AUTHKIT_STORE, which the workers share (`sqlite:///webhooks.db`, `redis://...`).
"""

from __future__ import annotations

import os

from fastapi import FastAPI, Response

from authkit import verify_webhook
from authkit.secrets import Environment, Secrets
from authkit.stores import open_store
from authkit.webhooks import Replay, WebhookEvent

secrets = Secrets(Environment())
store = open_store(os.environ["AUTHKIT_STORE"])
app = FastAPI()
seen: list[str] = []  # stands for your own database


def once(name: str) -> Replay:
    """Events of one endpoint. Two that get the same events, and both want them, need two names."""
    return Replay(store, name=name)


@app.post("/stripe", status_code=204)
@verify_webhook("stripe", secret=secrets["STRIPE_WEBHOOK_SECRET"], replay=once("stripe"))
async def stripe(webhook: WebhookEvent) -> None:
    seen.append("stripe " + webhook.json()["type"])


@app.post("/github", status_code=204)
@verify_webhook("github", secret=secrets["GITHUB_WEBHOOK_SECRET"], replay=once("github"))
def github(webhook: WebhookEvent) -> None:  # a plain function runs in a thread, as everywhere in FastAPI
    seen.append("github " + webhook.json()["ref"])


@app.post("/slack")
@verify_webhook("slack", secret=secrets["SLACK_SIGNING_SECRET"], replay=once("slack"))
async def slack(webhook: WebhookEvent) -> Response:  # never entered with `url_verification`: that is answered
    seen.append("slack " + webhook.json()["event"]["type"])
    return Response(status_code=200)


@app.post("/orders", status_code=204)
@verify_webhook("standard-webhooks", secret=secrets["ORDERS_WEBHOOK_SECRET"], replay=once("orders"))
async def orders(webhook: WebhookEvent) -> None:
    seen.append("order " + webhook.json()["order"])
