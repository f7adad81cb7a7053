"""The functions that test_aws_runtime.py runs under AWS's own client: one handler, and a guard as an authorizer."""

from __future__ import annotations

from typing import Any

from authkit import Allow, Deny, Guard, Principal, Request, Response, chain, guard
from authkit.decision import Challenge

entries = 0


@guard(body=True)
def caller(request: Request) -> Any:
    """Bearer right, and a body that does not say "forged"."""
    sent = request.headers.get_all("authorization")
    if not sent:
        return Deny(401, "unauthorized", challenge=Challenge(realm="api"), no_credential=True)
    if len(sent) > 1:
        return Deny(400, "invalid_request")
    if sent[0] != "Bearer right":
        return Deny(401, "invalid_token")
    if b"forged" in request.body:
        return Deny(401, "invalid_signature")
    return Allow(Principal("user-1"), headers={"x-guard": "caller"}, drop_headers=["authorization"])


@guard.after
def stamp(request: Request, response: Response | None) -> None:
    if response is not None:
        response.headers["x-stamp"] = str(response.status)


@chain(stamp, caller)
def handler(event: dict[str, Any], context: Any, principal: Principal) -> Any:
    global entries
    entries += 1
    if "Records" in event:
        return event["Records"][0]["cf"]["request"]
    return {
        "statusCode": 200,
        "headers": {"x-entries": str(entries)},
        "body": principal.subject,
        "left": context.aws_request_id != "",
    }


class Bearer(Guard):
    """The same decision by the header alone, which is what a cached policy may rest on."""

    name = "bearer"
    reads_request = False

    async def check(self, request: Request) -> Any:
        sent = request.headers.get("authorization")
        return Allow(Principal("user-1")) if sent == "Bearer right" else Deny(401, "invalid_token")


authorizer = Bearer().authorizer()
