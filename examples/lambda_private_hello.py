"""A private hello on AWS Lambda. Settings: AUTHKIT_JWT_SECRET (at least 32 bytes), AUTHKIT_ISSUER, AUTHKIT_AUDIENCE.

Deploy `handler` behind API Gateway (REST or HTTP), a Function URL or a load balancer: the same function serves them all.
"""

from __future__ import annotations

from typing import Any

from authkit import Principal, require_auth


@require_auth
def handler(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": f"Hello, {principal.subject}."}
