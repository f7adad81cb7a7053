"""A captured event of AWS Lambda or Netlify, read as the guards read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ._capture import LONGEST, Captured, Unreadable, moment_of

if TYPE_CHECKING:
    from ..http import Headers, Request

_WHY = {
    "body_not_base64": (
        "the event says that its body is base64, and it is not",
        "pass the event on as the platform made it: something decoded its body and left isBase64Encoded true",
    ),
    "body_not_text": ("the event's body is no text", "pass the event on as the platform made it: something parsed its body"),
    "malformed_event": (
        "the event is not as the platform makes it: a member is of another kind (isBase64Encoded as text, say)",
        "pass the event on as the platform made it",
    ),
}


def of_event(event: dict[str, Any]) -> Captured | None:
    """The request in an event, or None if it is no HTTP event. Raises: `Unreadable` for one that every guard refuses."""
    from ..errors import RequestError
    from ..hosts.aws_lambda import HOST
    from ..http import Headers

    if "authorizationToken" in event or "methodArn" in event or "routeArn" in event:
        token = event.get("authorizationToken")
        lines = {"authorization": token} if isinstance(token, str) else event.get("headers") or {}
        from ._capture import headers_of

        return Captured("authorizer event", "GET", None, headers_of(lines), b"")
    try:
        request = HOST.read((event, None), {})
        if request is None:
            return None
        headers = Headers(list(request.headers.items()))
        query = request.query_string or urlencode(request.query)
        body, notes = _body(request, event, headers)
    except RequestError as error:
        says, mend = _WHY.get(
            error.reason, (f"the event cannot be read ({error.reason})", "pass it on as the platform made it")
        )
        raise Unreadable(error.reason, says, mend) from None
    about = event.get("requestContext")
    about = about if isinstance(about, dict) else {}
    stage = about.get("stage")
    path = about.get("path") if isinstance(about.get("path"), str) and stage else request.raw_path or request.path
    host = headers.get("host") or about.get("domainName")
    target = f"{path}?{query}" if query else str(path)
    return Captured(
        "Lambda event",
        request.method,
        f"{request.scheme}://{host}{target}" if isinstance(host, str) and host else target,
        headers,
        body,
        moment_of(about.get("timeEpoch") or about.get("requestTimeEpoch")),
        (stage,) if isinstance(stage, str) and stage.replace("_", "").replace("-", "").replace("$", "").isalnum() else (),
        notes,
    )


def _body(request: Request, event: dict[str, Any], headers: Headers) -> tuple[bytes, tuple[str, ...]]:
    """The body, and what is to say of it. A guard of bearer tokens does not read it, so there it may be unreadable."""
    from .._run import run
    from ..errors import RequestError

    try:
        body = run(request.load_body(LONGEST))
    except RequestError as error:
        if "authorization" not in headers:
            raise
        return b"", (f"its body cannot be read ({error.reason}), and a guard that reads it refuses the request for that",)
    if event.get("isBase64Encoded") is True and body:
        return body, ("the event has its body in base64 (isBase64Encoded): it was decoded once, as the guards do",)
    return body, ()
