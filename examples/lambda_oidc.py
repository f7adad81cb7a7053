"""An API behind an OpenID Provider, on AWS Lambda.

Settings: OIDC_ISSUER, as its tokens write it in `iss`, and OIDC_AUDIENCE, what the API is called there. Deploy `handler` behind
API Gateway (REST or HTTP), a Function URL or a load balancer. Its keys are fetched while the function starts, and kept from
then on; while the issuer is down, those that are known stay in use for a day.
"""

from __future__ import annotations

import os
from typing import Any

from authkit import Principal, Unavailable, chain, require_auth, require_roles
from authkit.oidc import OIDCProvider

provider = OIDCProvider(os.environ["OIDC_ISSUER"], audience=os.environ["OIDC_AUDIENCE"])
signed_in = require_auth(provider)

try:
    provider.prefetch()  # while Lambda gives a function all of a processor
except Unavailable:
    pass  # the first token asks again, and is answered with 503 if there is still nobody


@signed_in
def handler(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": f"Hello, {principal.subject}."}


@chain(signed_in, require_roles("auditor"))
def report(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    return {"statusCode": 200, "body": "1999,2000"}
