"""A service with a second factor, and somebody with an app."""

from __future__ import annotations

import json
from base64 import b32decode

from authkit.accounts import SecondFactor, totp
from authkit.stores import MemoryStore
from authkit.testing import Clock

from .parts import Service

NO_LIMIT = {"limits": "1000000/second"}  # where something else is tested
SECRET = "a secret to seal factors with, of 32 bytes and more"


class Second(Service):
    """`alice` may set up a factor; `key` is what her app has of it. `factor`: settings of `SecondFactor`."""

    key = b""

    def __init__(self, *, seal=SECRET, factor=None, **options):
        self.clock = Clock(1_800_000_000.0)  # the store asks it at once
        options.setdefault("store", MemoryStore(clock=lambda: self.clock(), wall=lambda: self.clock()))
        self.store = options["store"]
        self.told = []
        options.setdefault("on_event", lambda kind, user: self.told.append((kind, user.username)))
        super().__init__(second_factor=SecondFactor(seal, issuer="Example", **(factor or {})), **options)

    def post(self, path, body=None, token=None, **options):
        return self.send(path, body, {"authorization": f"Bearer {token}"} if token else {}, **options)

    def code(self, off=0):
        return totp.code_at(self.key, totp.step_at(self.clock()) + off)

    def wrong(self):
        """A code that is none of those that would be right."""
        right = {self.code(off) for off in (-1, 0, 1)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)

    def keep(self, answer):
        """Scan the picture."""
        assert answer.status == 200, answer.body
        secret = json.loads(answer.body)["secret"]
        self.key = b32decode(secret + "=" * (-len(secret) % 8))

    def begin(self, token):
        self.keep(self.post("/mfa/totp", token=token))

    def enrol(self, username="alice"):
        """Set up an app. Gives the recovery codes; the code that was just used is of the past."""
        token = self.pair(username=username)["access_token"]
        self.begin(token)
        answer = self.post("/mfa/totp/confirm", {"code": self.code()}, token)
        assert answer.status == 200, answer.body
        self.clock.advance(30)
        return json.loads(answer.body)["recovery_codes"]

    def ask(self, **options):
        """A login up to the second step: the mfa_token."""
        answer = self.login(**options)
        assert answer.status == 401, answer.body
        found = json.loads(answer.body)
        assert found["code"] == "mfa_required", found
        return found["mfa_token"]

    def answer(self, code, token=None, **options):
        return self.post("/mfa", {"mfa_token": token or self.ask(), "code": code}, **options)

    def strong(self):
        """The tokens of a login with both steps; the code is used."""
        answer = self.answer(self.code())
        assert answer.status == 200, answer.body
        self.clock.advance(30)
        return json.loads(answer.body)

    def claims(self, token):
        return dict(self.tokens.verify(token).claims)

    def row(self, username="alice"):
        return self.users.find(username)


def put(one, factors, username="alice"):
    """Write into the table behind the library's back."""
    row = one.row(username)
    assert one.users.update(row, row.changed(factors=factors))
