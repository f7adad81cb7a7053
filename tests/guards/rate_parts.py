"""What the tests of `rate_limit` share: a clock, a way to ask, a reader of the fields, and a store that fails."""

from __future__ import annotations

import re
import time

from authkit import Allow, Guard, Principal, Request
from authkit._run import run
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore, Store
from authkit.stores._store import Gate, Limiter

PEER = "203.0.113.5"

# RFC 9651 section 3.1: a list of strings with integer or string parameters, which is all that the two fields hold.
VALUE = r'(?:0|[1-9][0-9]{0,14}|"[ !#-\[\]-~]*")'
ITEM = rf'"[ !#-\[\]-~]*"(?:;[a-z]+={VALUE})+'
FIELD = re.compile(rf"{ITEM}(?:, {ITEM})*")


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


def ask(guard, peer=PEER, headers=(), **named):
    return guard.decide(Request.build(headers=[*headers, *((n.replace("_", "-"), v) for n, v in named.items())], peer=peer))


def check(guard, request=None):
    """The guard's own decision, headers included."""
    return run(guard.check(request or Request.build(peer=PEER)))


def passed(decisions):
    return sum(isinstance(decision, Allow) for decision in decisions)


def parsed(field):
    """The items of a field by their names, no name twice."""
    assert FIELD.fullmatch(field), field
    items = {}
    for item in field.split(", "):
        name, *parameters = item.split(";")
        name = name.strip('"')
        assert name not in items
        pairs = (pair.split("=") for pair in parameters)
        items[name] = {key: value.strip('"') if value.startswith('"') else int(value) for key, value in pairs}
    return items


class Known(Guard):
    """Identifies by a header, for want of a login."""

    name = "known"
    identifies = True

    async def check(self, request):
        who = request.headers.get("x-who")
        return Allow(Principal(who, issuer=request.headers.get("x-issuer"))) if who else Allow()


class Remote(Store):
    """A store behind a network that may be down: `asked` counts the round trips, each of which takes `latency` seconds."""

    def __init__(self, *, up=True, latency=0.0, clock=None):
        self.up = up
        self.latency = latency
        self.asked = 0
        self.real = MemoryStore(clock=clock or Clock())

    def limiter(self, name, rates, algorithm="token-bucket"):
        return RemoteLimiter(self, self.real.limiter(name, rates, algorithm))

    def gate(self, name, limit):
        return RemoteGate(self, self.real.gate(name, limit))

    def reach(self):
        self.asked += 1
        if self.latency:
            time.sleep(self.latency)
        if not self.up:
            raise StoreUnavailable("down")


class RemoteLimiter(Limiter):
    def __init__(self, store, real):
        self.store, self.real = store, real

    def take(self, key, cost=1):
        self.store.reach()
        return self.real.take(key, cost)

    def give_back(self, key, cost=1):
        self.store.reach()
        self.real.give_back(key, cost)


class RemoteGate(Gate):
    def __init__(self, store, real):
        self.store, self.real = store, real

    def enter(self, key, holder, ttl):
        self.store.reach()
        return self.real.enter(key, holder, ttl)

    def renew(self, key, holder, ttl):
        self.store.reach()
        return self.real.renew(key, holder, ttl)

    def leave(self, key, holder):
        self.store.reach()
        self.real.leave(key, holder)

    def held(self, key):
        self.store.reach()
        return self.real.held(key)
