"""A function on AWS Lambda that calls another one's Function URL with AWS_IAM: `lambda_iam_orders` is the other.

No secret anywhere: it signs with its own role, whose policy allows `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` on
the other function. Settings: ORDERS_URL, the Function URL.
"""

from __future__ import annotations

import os
from typing import Any

import httpx

from authkit.signatures import SigV4Auth

client = httpx.Client(base_url=os.environ["ORDERS_URL"], auth=SigV4Auth(os.environ["AWS_REGION"]), timeout=10)


def caller(event: dict[str, Any], context: object) -> dict[str, Any]:
    answer = client.post("/orders", params={"item": event["item"]})
    answer.raise_for_status()
    return {"said": answer.text}
