"""A private API on AWS Lambda: a Function URL with AWS_IAM, a function that calls it, and a function at CloudFront's edge.

No secret anywhere: each function signs with its own role. Settings of `caller`: ORDERS_URL, the Function URL. Settings of
`orders`: CALLERS, the ARNs of the roles that may call it, parted by commas; their policies allow `lambda:InvokeFunctionUrl` and
`lambda:InvokeFunction` on it. `edge` is deployed by itself, as CloudFront's origin-request function with "Include body", and
has no settings: its region stands in the code.
"""

from __future__ import annotations

import os
from typing import Any

import httpx

from authkit import Principal, require_auth
from authkit.oidc import ApiGateway
from authkit.signatures import SigV4Auth, sign_origin

client = httpx.Client(base_url=os.environ["ORDERS_URL"], auth=SigV4Auth(os.environ["AWS_REGION"]), timeout=10)
arns = os.environ["CALLERS"].split(",")
callers = ApiGateway.iam(accounts=sorted({arn.split(":")[4] for arn in arns}), arns=arns)

edge = sign_origin("eu-west-1")


def caller(event: dict[str, Any], context: object) -> dict[str, Any]:
    answer = client.post("/orders", params={"item": event["item"]})
    answer.raise_for_status()
    return {"said": answer.text}


@require_auth(callers)
def orders(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    role = principal.subject.rpartition("/")[2]
    return {"statusCode": 200, "body": f"{event['queryStringParameters']['item']} for {role}"}
