"""What the tests of `verify_webhook` share: signed deliveries, a handler that counts, and a store that fails on order."""

from __future__ import annotations

import threading

from authkit import Request, Response
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore
from authkit.webhooks import sign

SECRET = "what both of us know, and nobody else does"


def delivery(body=b'{"n": 1}', scheme="github", secret=SECRET, **said):
    return Request.build("POST", "/hook", sign(scheme, secret, body, **said), body)


class Handler:
    """Answers with the statuses it was told, one after the other; the last one from then on. An exception is raised."""

    def __init__(self, *statuses):
        self.statuses = list(statuses) or [200]
        self.events = []
        self.lock = threading.Lock()

    @property
    def entered(self):
        return len(self.events)

    def next(self, webhook):
        with self.lock:
            self.events.append(webhook)
            status = self.statuses[0] if len(self.statuses) == 1 else self.statuses.pop(0)
        if isinstance(status, BaseException):
            raise status
        return Response(status, body=b"handled")

    def sync(self, guard):
        @guard
        def handler(request: Request, webhook):
            return self.next(webhook)

        return handler

    def asynchronous(self, guard):
        @guard
        async def handler(request: Request, webhook):
            return self.next(webhook)

        return handler


class Failing(MemoryStore):
    """A store that answers, or does not. `blocks`: as one on a network."""

    blocks = True

    def __init__(self, **options):
        super().__init__(**options)
        self.down = False
        self.calls = []

    def _answer(self, call):
        self.calls.append(call)
        if self.down:
            raise StoreUnavailable("the store is down")

    def add(self, key, ttl, value=b""):
        self._answer("add")
        return super().add(key, ttl, value)

    def get(self, key):
        self._answer("get")
        return super().get(key)

    def swap(self, key, old, new, ttl):
        self._answer("swap")
        return super().swap(key, old, new, ttl)
