"""A private API on AWS Lambda: a Function URL with AWS_IAM, for other functions to call. `lambda_iam_caller` is one of them.

Settings: CALLERS, the ARNs of the roles that may call it, parted by commas.
"""

from __future__ import annotations

import os
from typing import Any

from authkit import Principal, require_auth
from authkit.oidc import ApiGateway

arns = os.environ["CALLERS"].split(",")
callers = ApiGateway.iam(accounts=sorted({arn.split(":")[4] for arn in arns}), arns=arns)


@require_auth(callers)
def orders(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    role = principal.subject.rpartition("/")[2]
    return {"statusCode": 200, "body": f"{event['queryStringParameters']['item']} for {role}"}
