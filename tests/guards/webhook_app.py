"""An ASGI app behind `verify_webhook`, for a uvicorn whose memory test_webhook_memory.py looks at."""

from __future__ import annotations

from authkit import verify_webhook

SECRET = "what both of us know, and nobody else does"


async def handler(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    answer = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


app = verify_webhook("slack", secret=SECRET)(handler)
