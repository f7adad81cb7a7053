"""A guard over a whole ASGI app: websockets are refused before they are accepted, lifespan passes through.

Run it: uvicorn examples.asgi_middleware:app
"""

from __future__ import annotations

from typing import Any

from authkit import Tokens, chain, current_principal, require_auth
from authkit.secrets import Environment, Secrets

secrets = Secrets(Environment())
tokens = Tokens(secrets["JWT_SECRET"], issuer="https://login.example.com", audience="https://api.example.com")


async def inner(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    principal = current_principal()
    body = f"Hello, {principal.subject if principal else 'whoever you are'}.".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


app = chain(require_auth(tokens)).except_for("/health")(inner)
