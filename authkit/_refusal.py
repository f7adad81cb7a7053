"""From a `Deny` to the response that the client sees: `application/problem+json` (RFC 9457), the same bytes for every cause."""

from __future__ import annotations

from .decision import Deny
from .errors import ConfigurationError, RequestError, SecretNotFound, Unavailable
from .http import Response

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

_bodies: dict[tuple[int, str], bytes] = {}


def problem(status: int, code: str) -> bytes:
    """The body of a refusal: what it is, and nothing that an attacker could use."""
    body = _bodies.get((status, code))
    if body is None:
        import json

        fields = {"type": "about:blank", "title": TITLES.get(status, "Refused"), "status": status, "code": code}
        body = json.dumps(fields, separators=(",", ":")).encode()
        if len(_bodies) < 256:
            _bodies[status, code] = body
    return body


def response(deny: Deny) -> Response:
    """The neutral response for a refusal."""
    if deny.respond is not None:
        answer = Response(deny.status, (), deny.respond)
    else:
        answer = Response(deny.status, (("content-type", "application/problem+json"),), problem(deny.status, deny.code))
    answer.headers.add("cache-control", "no-store")
    for challenge in deny.challenge:
        answer.headers.add("www-authenticate", str(challenge))
    for name, value in (deny.headers or {}).items():
        if name == "set-cookie":  # there may be several
            answer.headers.add(name, value)
        else:
            answer.headers[name] = value
    return answer


def from_error(error: RequestError | Unavailable | ConfigurationError | SecretNotFound) -> Deny:
    """The refusal for what a guard raised. Everything that is not one of these goes up to the host."""
    if isinstance(error, Unavailable):
        return Deny(503, "temporarily_unavailable", reason="unavailable", headers={"retry-after": str(error.retry_after)})
    if isinstance(error, RequestError):
        return Deny(error.status, error.code, reason=error.reason)
    return Deny(500, "server_error", reason="configuration_error")
