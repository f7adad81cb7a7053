"""What several test files build guards and handlers of."""

from __future__ import annotations

from authkit import (
    Allow,
    Deny,
    Guard,
    Principal,
    Request,
    Response,
    require_auth,
)
from authkit.testing import TokenMint

MINT = TokenMint()
AUTH = require_auth(MINT.tokens)


class Says(Guard):
    """Answers as it was told to, and remembers that it was asked."""

    def __init__(self, name, answer=None, log=None):
        self.name, self.answer, self.log = name, answer if answer is not None else Allow(), log if log is not None else []

    async def check(self, request):
        self.log.append(self.name)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Handler:
    """A plain function's stand-in that counts how often it was entered."""

    def __init__(self):
        self.entered = 0

        def handler(request: Request, principal: Principal | None = None):
            self.entered += 1
            self.request, self.principal = request, principal
            return Response(200, {"x-handler": "1"}, b"ok")

        self.fn = handler


def bearer(token, path="/"):
    return Request.build("GET", path, {"authorization": f"Bearer {token}"})


def deny(name="no"):
    return Deny(403, name)
