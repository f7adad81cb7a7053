"""Logins that fail, of users that exist and of names that nobody has: a clock must not tell them apart (PWD-01).

They take turns, in another order each round, so that what else the machine does meets all of them. What counts is how far the
medians are apart, in per cent.
"""

from __future__ import annotations

import statistics
import time

from authkit import InvalidCredentials, Tokens
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher, User
from authkit.stores import MemoryStore

from ._table import Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET

LOGINS = 500  # of each kind, of hashes cheap enough for that; the less they cost, the more a difference beside them shows
CHEAP = {"memory": 8_192, "passes": 1, "lanes": 1}
APART = 2.0  # per cent
ENOUGH = 100  # of each, for their medians to say anything: fewer are shown and judged by nobody
KINDS = ("known", "nobody has this name", "disabled", "without a password", "with a broken hash")
UNKNOWN = KINDS[1]


def tables(seconds: float) -> list[Table]:
    return [
        _table("8 MiB, 1 pass", PasswordHasher(**CHEAP), KINDS, seconds=600),
        _table("the default profile", PasswordHasher(), KINDS[:2], seconds=seconds),
    ]


def _table(what: str, hasher: PasswordHasher, names: tuple[str, ...], *, seconds: float) -> Table:
    users = MemoryUsers()
    good = hasher.hash("correct horse")
    for user in (
        User("known", password_hash=good),
        User("disabled", password_hash=good, disabled=True),
        User("without a password"),
        User("with a broken hash", password_hash=good[:-9]),
    ):
        users.add(user)
    tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=MemoryStore())
    accounts = Accounts(users, tokens, hasher, insecure_unlimited=True)
    took: dict[str, list[float]] = {name: [] for name in names}
    end = time.monotonic() + seconds
    for number in range(LOGINS):
        if number >= 20 and time.monotonic() > end:
            break
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            took[name].append(_refused(accounts, name))
    medians = {name: statistics.median(found) * 1000 for name, found in took.items()}
    rows = [Row(name, median) for name, median in medians.items()]
    targets = [
        Target(f"{name} and unknown apart, %", abs(median / medians[UNKNOWN] - 1) * 100, APART)
        for name, median in medians.items()
        if name != UNKNOWN and len(took[name]) >= ENOUGH
    ]
    return Table(f"Logins that fail, {what}, {len(took['known'])} of each, medians", rows, targets, "ms")


def _refused(accounts: Accounts, name: str) -> float:
    start = time.perf_counter()
    try:
        accounts.authenticate(name, "wrong horse")
    except InvalidCredentials:
        return time.perf_counter() - start
    raise AssertionError(name)
