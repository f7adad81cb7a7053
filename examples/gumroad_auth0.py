"""Who buys at Gumroad gets an account at Auth0, with a role, and loses the role with the money: on AWS Lambda, each sale once.

Settings: SECRETS (a secret in AWS Secrets Manager, JSON: GUMROAD_TOKEN, AUTH0_CLIENT_SECRET), AUTHKIT_STORE (what all copies
of the function share, `dynamodb://purchases` say), AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_ROLE, and what the pings of the one
product say: GUMROAD_SELLER, GUMROAD_PRODUCT. Gumroad pings `https://.../?token=<GUMROAD_TOKEN>`, and waits for 5 seconds.
docs/gumroad-auth0.md is the recipe.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from authkit_providers.auth0 import AccountRefused, Management

from authkit import Unavailable, verify_webhook
from authkit.secrets import Secrets, SecretsManager
from authkit.stores import open_store
from authkit.webhooks import Replay, WebhookEvent

REMEMBERED = 90 * 86_400  # seconds

secrets = Secrets(SecretsManager(os.environ["SECRETS"], timeout=1.5))
store = open_store(os.environ["AUTHKIT_STORE"])
ours = {"seller_id": os.environ["GUMROAD_SELLER"], "product_id": os.environ["GUMROAD_PRODUCT"]}
role = os.environ["AUTH0_ROLE"]
people = Management(
    os.environ["AUTH0_DOMAIN"],
    os.environ["AUTH0_CLIENT_ID"],
    secrets["AUTH0_CLIENT_SECRET"],
    scopes=[*Management.SCOPES, "delete:role_members"],
    url=os.environ.get("AUTH0_URL"),  # a way there that is not its domain
    timeout=1.5,
    patience=3,
)


def give(event: dict[str, Any], context: object, webhook: WebhookEvent) -> dict[str, Any]:
    ping = read(webhook)
    paid_back = ping.get("refunded") == "true" or (ping.get("disputed") == "true" and ping.get("dispute_won") != "true")
    if not paid_back and ping.get("is_preorder_authorization") != "true":
        people.ensure(ping.get("email", ""), [role], name=ping.get("full_name"))
    return {"statusCode": 200}


def take(event: dict[str, Any], context: object, webhook: WebhookEvent) -> dict[str, Any]:
    standing, claim = known["sale"].begin(webhook.replay_key)
    if standing == "busy":
        raise Unavailable("it is being handled")
    if standing == "new":  # it has failed so far: when Gumroad pings it again, it is done
        claim.finish(REMEMBERED)
    if user := people.find_by_email(read(webhook).get("email", "")):
        people.remove_roles(user.id, [role])
    return {"statusCode": 200}


def once(kind: str, deed: Any) -> Any:
    return verify_webhook("gumroad", secret=secrets["GUMROAD_TOKEN"], replay=known[kind])(deed)


by_kind = {"sale": give, "dispute_won": give, "refund": take, "dispute": take}
known = {kind: Replay(store, name=kind, keep=REMEMBERED) for kind in by_kind}  # they all have the `sale_id` of the sale
deeds = {kind: once(kind, deed) for kind, deed in by_kind.items()}


@verify_webhook("gumroad", secret=secrets["GUMROAD_TOKEN"])
def handler(event: dict[str, Any], context: object, webhook: WebhookEvent) -> dict[str, Any]:
    ping = read(webhook)
    if ping.get("seller_id") != ours["seller_id"]:
        return {"statusCode": 403}
    kind = ping.get("resource_name", "sale")
    deed, in_part = deeds.get(kind), kind == "refund" and ping.get("refunded") != "true"
    if deed is None or in_part or ping.get("product_id") != ours["product_id"] or ping.get("test") == "true":
        return {"statusCode": 200}  # before anything is remembered: what is real, or the rest, has that `sale_id` too
    try:
        answer: dict[str, Any] = deed(event, context)
        return answer
    except AccountRefused as refused:  # somebody has to look at it; Gumroad pings again after 1, 3 and 10 minutes
        logging.getLogger("purchases").error("sale %r: %s", ping.get("sale_id"), refused.reason)
    except Unavailable as error:
        logging.getLogger("purchases").warning("sale %r: %s", ping.get("sale_id"), error)
    return {"statusCode": 503, "headers": {"retry-after": "60"}}


def read(webhook: WebhookEvent) -> dict[str, str]:
    """The fields that stand there once."""
    try:
        return {name: values[0] for name, values in webhook.form().items() if len(values) == 1}
    except ValueError:
        return {}
