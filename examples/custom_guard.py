"""A guard of your own, with state built once per process, a header that the handler does not see, and a response hook.

The handler is a plain function: `Request` in, `Response` out, no host at all. The same guard fits any other host.
"""

from __future__ import annotations

from authkit import Allow, Deny, Principal, Request, Response, chain, guard


def partners() -> dict[str, str]:
    """Read from a database, say: called once per process, at the first request, and again in a forked child."""
    return {"demo": "acme"}


@guard(state=partners)
def partner_key(request: Request, known: dict[str, str]) -> Allow | Deny:
    name = known.get(request.headers.get("x-custom-auth") or "")
    if name is None:
        return Deny(401, "invalid_credentials", reason="unknown_partner")
    return Allow(Principal(name, method="partner_key"), drop_headers=["x-custom-auth"])


@guard.after
def stamp(request: Request, response: Response | None) -> None:
    if response is not None:  # None: the handler raised
        response.headers["x-served-by"] = "authkit"


@chain(partner_key, stamp)
def handler(request: Request) -> Response:
    assert "x-custom-auth" not in request.headers
    return Response(200, {"content-type": "text/plain"}, f"Hello, {request.principal.subject}.")
