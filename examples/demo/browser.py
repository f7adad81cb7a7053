"""The page of the demo, and what stands in for the world around the service: GitHub, and a token from an hour ago.

Nothing of this is needed to guard a service. The page is plain HTML, CSS and JavaScript; nothing comes from elsewhere.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request, Response

from authkit import Tokens, public
from authkit.webhooks import sign

from . import service

if TYPE_CHECKING:
    from typing import Any

    from .decisions import Decisions

PAGE = Path(__file__).parent / "page"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


def routes(decisions: Decisions) -> APIRouter:
    """What the page needs beside the service itself."""
    router = APIRouter(include_in_schema=False)
    files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in KINDS}

    @router.get("/")
    @router.get("/page/{name}")
    @public(reason="the page itself holds no secret")
    async def page(name: str = "index.html") -> Response:
        if name not in files:
            raise HTTPException(404)
        return Response(files[name], media_type=KINDS[Path(name).suffix], headers=HEADERS)

    @router.get("/demo/decisions/{request}")
    @public(reason="who knows the random name of a request made it")
    async def decision(request: str) -> dict[str, Any]:
        try:
            return decisions.of(request)
        except KeyError:
            raise HTTPException(404) from None

    @router.post("/demo/expired")
    @public(reason="a token that has expired is worth nothing")
    async def expired() -> dict[str, str]:
        past = Tokens(
            service.secrets["DEMO_JWT_SECRET"],
            issuer=service.ISSUER,
            audience=service.AUDIENCE,
            clock=lambda: time.time() - 3600,
        )
        return {"access_token": await past.aissue("alice", roles=["admin"])}

    @router.post("/demo/github")
    @public(reason="in the demo, everybody may play GitHub")
    async def github(request: Request) -> dict[str, str]:
        """The headers with which GitHub would send this body."""
        return dict(sign("github", service.secrets["DEMO_WEBHOOK_SECRET"], await request.body()))

    return router
