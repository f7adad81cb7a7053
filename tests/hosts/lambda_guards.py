"""Guards and helpers that the Lambda tests share."""

from __future__ import annotations

from typing import Any, Literal, get_args

from authkit import Allow, Deny, Principal, Request, Response, guard
from authkit.decision import Challenge
from authkit.testing import LambdaContext

Kind = Literal["v1", "v2", "function_url", "alb", "alb_multi", "edge", "lattice", "lattice1", "websocket", "netlify"]
KINDS: tuple[Any, ...] = get_args(Kind)
CONTEXT = LambdaContext()


@guard
def known(request: Request) -> Any:
    """Reads all that a guard can read, and admits who sends the right header, once."""
    _ = request.query, request.cookies, request.params, request.route, request.raw_path, request.scheme, repr(request)
    sent = request.headers.get_all("x-key")
    if len(sent) > 1:
        return Deny(400, "invalid_request")
    if sent != ["right"]:
        return Deny(401, "unauthorized", challenge=[Challenge("Bearer", realm="api"), Challenge("Other", realm="api")])
    return Allow(Principal("user-1"), drop_headers=["X-Key"])


@guard.after
def stamp(request: Request, response: Response | None) -> None:
    if response is not None:
        response.headers["x-stamp"] = str(response.status)


def entered(event: Any, context: Any) -> Any:
    raise AssertionError("entered")


def status(answer: Any) -> int:
    return int(answer["statusCode"] if "statusCode" in answer else answer["status"])
