"""What the tests of the endpoints send, and what they are sent back."""

from __future__ import annotations

import json

from authkit import Request, Tokens
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher
from authkit.stores import MemoryStore
from authkit.testing import Clock

KEY = "a key for these tests only, and long enough for HS256"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
PASSWORD = "correct horse"
ORIGIN = "https://api.example"
SAME_SITE = {"host": "api.example", "origin": ORIGIN}


def tokens_of(clock=None, store=None, **options):
    store = MemoryStore() if store is None else store
    if clock is not None:
        options["clock"] = clock
    return Tokens(KEY, issuer=ORIGIN, audience=ORIGIN, store=store, **options)


def cheap():
    return PasswordHasher(memory=64, passes=1, lanes=1)


class Service:
    """Accounts with one user, alice, and everything that stands behind them."""

    def __init__(self, *, users=None, tokens=None, **options):
        self.clock = Clock(1_800_000_000.0)
        self.users = MemoryUsers() if users is None else users
        self.tokens = tokens_of(self.clock) if tokens is None else tokens
        self.accounts = Accounts(self.users, self.tokens, cheap(), clock=self.clock, **options)
        self.accounts.register("alice", PASSWORD, roles=["admin", "clerk"], scopes=["reports:read", "orders:read"])

    def send(self, path, body=None, headers=(), *, method="POST", peer="203.0.113.5"):
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = dict(headers)
        if body is not None:
            sent.setdefault("content-type", "application/json")
        return self.accounts.app(Request.build(method, path, sent, raw, peer))

    def login(self, username="alice", password=PASSWORD, headers=()):
        return self.send("/login", {"username": username, "password": password}, headers)

    def pair(self, **options):
        answer = self.login(**options)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def refresh(self, token):
        return self.send("/refresh", {"refresh_token": token})

    def verify(self, token):
        return self.send("/verify", headers={"authorization": f"Bearer {token}"})


def told(answer):
    return json.loads(answer.body)


def whole(answer):
    """All that a client sees of an answer."""
    return answer.status, answer.body, tuple(answer.headers.items())


def cookies_of(answer):
    """The cookies that an answer sets: name -> (value, attributes)."""
    found = {}
    for line in answer.headers.get_all("set-cookie"):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        found[name] = value, set(attributes)
    return found
