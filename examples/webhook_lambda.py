"""Webhooks of Stripe and GitHub on AWS Lambda, each event handled once.

Settings: STRIPE_WEBHOOK_SECRET (`whsec_...`, as Stripe shows it), GITHUB_WEBHOOK_SECRET, and AUTHKIT_STORE: a store that all
copies of the function share, `dynamodb://webhooks` say. Deploy `stripe` and `github` behind API Gateway, a Function URL or a
load balancer. Not as background functions: the sender would be told 202 before anything is verified.
"""

from __future__ import annotations

import os
from typing import Any

from authkit import verify_webhook
from authkit.secrets import Environment, Secrets
from authkit.stores import open_store
from authkit.webhooks import Replay, WebhookEvent

secrets = Secrets(Environment())
store = open_store(os.environ["AUTHKIT_STORE"])
paid: list[str] = []  # stands for your own database
pushed: list[str] = []


@verify_webhook("stripe", secret=secrets["STRIPE_WEBHOOK_SECRET"], replay=Replay(store, name="payments"))
def stripe(event: dict[str, Any], context: object, webhook: WebhookEvent) -> dict[str, Any]:
    said = webhook.json()
    if said["type"] == "checkout.session.completed":
        paid.append(said["data"]["object"]["id"])
    return {"statusCode": 204}


@verify_webhook("github", secret=secrets["GITHUB_WEBHOOK_SECRET"], replay=Replay(store, name="deployments"))
def github(event: dict[str, Any], context: object, webhook: WebhookEvent) -> dict[str, Any]:
    said = webhook.json()  # GitHub signs the body alone: `X-GitHub-Event` and the delivery's id may be anybody's
    if "pusher" not in said:
        return {"statusCode": 204}
    if said["ref"] == "refs/heads/broken":
        return {"statusCode": 503}  # not handled: the same delivery may come again
    pushed.append(said["after"])
    return {"statusCode": 202, "body": "building"}
