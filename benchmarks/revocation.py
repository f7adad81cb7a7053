"""What it costs to ask whether a token was revoked, at the verification of a token seen before.

A store in memory is asked each time. One that does I/O is asked once in half a second for one token, and says so: both are
measured, the answer at hand and the question. A store younger than five minutes is asked for three keys, not two.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from authkit import Tokens
from authkit.stores import MemoryStore, SqliteStore, Store

from ._table import Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET, YARDSTICK, added, calls, hand_written, nothing

TEN_LINES = "HS256 in ten lines"
IN_MEMORY, IN_FILE = "MemoryStore, asked each time", "SqliteStore, asked each time"
MICROSECONDS = {IN_MEMORY: 8.0, IN_FILE: 60.0}  # budgets, where the ten lines take YARDSTICK


def tables(seconds: float) -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        file = SqliteStore(Path(folder, "tokens.db"))
        try:
            return [_verified(file, seconds * 0.7), _sessions(file, seconds * 0.3)]
        finally:
            file.close()


def _verified(file: Store, seconds: float) -> Table:
    aged = itertools.count().__next__  # a clock by which every answer is too old
    old = {"clock": lambda: time.time() + 1000}  # five minutes after the store was made
    subjects: dict[str, Callable[[], Any]] = {
        IN_MEMORY: _seen(MemoryStore(), **old),
        "MemoryStore, in its first five minutes": _seen(MemoryStore()),
        "SqliteStore, answer at hand (half a second)": _seen(file, **old),
        IN_FILE: _seen(file, monotonic=aged, **old),
        "SqliteStore, asked, in its first five minutes": _seen(file, monotonic=aged),
        "without a store": _seen(None),
    }
    floor = hand_written(Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE).issue("alice"))
    base = calls(nothing)
    found = added(
        {name: (calls(call), base) for name, call in {**subjects, TEN_LINES: floor}.items()}, seconds=seconds, count=100
    )
    rows = [Row(name, found.us(name)) for name in subjects] + [Row(TEN_LINES, found.us(TEN_LINES), "floor")]
    targets = [
        Target(f"{name}, µs where {TEN_LINES} takes {YARDSTICK}", found.ratio(name, TEN_LINES) * YARDSTICK, most)
        for name, most in MICROSECONDS.items()
    ]
    return Table("verify, token seen before, with a revocation check", rows, targets)


def _sessions(file: Store, seconds: float) -> Table:
    subjects: dict[str, Callable[[], Any]] = {}
    for name, store in (("MemoryStore", MemoryStore(max_keys=10_000_000)), ("SqliteStore", file)):
        tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=store, clock=lambda: time.time() + 1000)
        subjects[f"issue_pair, {name}"] = lambda tokens=tokens: tokens.issue_pair("alice")  # type: ignore[misc]
        subjects[f"refresh, {name}"] = _refreshed(tokens)
    base = calls(nothing)
    found = added({name: (calls(call), base) for name, call in subjects.items()}, seconds=seconds, count=5)
    return Table("sessions (a change in a file waits for the disk)", [Row(name, found.us(name)) for name in subjects])


def _seen(store: Store | None, **settings: Any) -> Callable[[], Any]:
    tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=store, **settings)
    token = tokens.issue("alice", scopes=["orders:read", "orders:write"], roles=["admin"], ttl=86_400)
    tokens.verify(token)
    return lambda: tokens.verify(token)


def _refreshed(tokens: Tokens) -> Callable[[], Any]:
    held = [tokens.issue_pair("alice").refresh_token]

    def refresh() -> None:
        held[0] = tokens.refresh(held[0]).refresh_token

    return refresh
