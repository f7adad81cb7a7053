"""`RedisStore`: state on Redis, for any number of machines. One round trip a decision, by the server's clock."""

from __future__ import annotations

from .._audit import once
from ..errors import ConfigurationError, StoreUnavailable
from ._redis_limiter import NOTES_SCRIPT, RedisGate, RedisLimiter, lifetime, written
from ._redis_node import Refused
from ._redis_route import route
from ._redis_script import packed
from ._redis_way import way_to
from ._store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from redis import Redis, RedisCluster

    from ._rate import Rate
    from ._redis_script import Script
    from ._store import Algorithm

_PREFIX = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")
_SERVERS = b"$0\r\n\r\n"  # an empty time: the server's own clock


class RedisStore(Store):
    """A store on a Redis server, version 5 or later; on a cluster; or on the master that sentinels name.

    `where`: `redis://`, `rediss://` (TLS, certificate and host name checked), `unix://`, `redis+cluster://host,host`,
    `redis+sentinel://host,host/service`; or a `redis.Redis` or `redis.RedisCluster`, of which addresses, credentials and TLS
    settings are taken: connections are the store's own, never shared with a forked child. `prefix`: of every key. `timeout`:
    seconds that a call may take, about, until it is `StoreUnavailable`; what fails three times in a row is left alone but for
    a probe every half second. Nothing is sent twice. `clock`: epoch seconds, for tests; by default the server's clock counts.

    Every key has a time to live. What a server forgets by itself is gone: it must not evict (`maxmemory-policy noeviction`),
    and a master that fails before its replica has heard of a write takes that write with it. A server that was killed and comes
    back with an older snapshot, epoch and all, brings back what was revoked since: either every write is logged (`appendonly
    yes`, with `appendfsync always` to the last one), or nothing is kept (`save ""`), and then everybody logs in anew.
    Raises: `ConfigurationError`. Does no I/O until it is used.
    """

    def __init__(
        self,
        where: str | Redis | RedisCluster,
        *,
        prefix: str = "authkit:",
        timeout: float = 0.1,
        clock: Callable[[], float] | None = None,
    ) -> None:
        in_range = type(timeout) in (int, float) and 0.001 <= timeout <= 60
        way = way_to(where, timeout if in_range else 0.1)
        del where  # from here on, no traceback shows it
        if isinstance(way, ConfigurationError):
            raise way
        if type(prefix) is not str or len(prefix) > 64 or not _PREFIX.issuperset(prefix):
            raise ConfigurationError("the prefix of a Redis store is at most 64 letters, digits and -_.:/")
        if not in_range:
            raise ConfigurationError("the timeout of a Redis store is 0.001 to 60 seconds")
        self._prefix = prefix.encode()
        self._route = route(way, timeout)
        self._clock = clock
        self._begun: set[int] = set()  # shards of which this process has asked the epoch

    def __repr__(self) -> str:
        return "<RedisStore>"

    def limiter(self, name: str, rates: tuple[Rate, ...], algorithm: Algorithm = "token-bucket") -> RedisLimiter:
        return RedisLimiter(self._run, self._now, self._prefix, name, rates, algorithm)

    def gate(self, name: str, limit: int) -> RedisGate:
        return RedisGate(self._run, self._now, self._prefix, name, limit)

    def get(self, key: str) -> bytes | None:
        note, _ = self._place(key)
        return self._value(self._route.ask(note, b"*2\r\n" + packed(b"GET", note)))

    def _value(self, reply: Any) -> bytes | None:
        """What a note says, as Redis tells it."""
        if reply is None:
            return None
        until, colon, value = reply.partition(b":") if isinstance(reply, bytes) else (b"", b"", b"")
        if not colon or not until.isdigit():
            raise StoreUnavailable(f"redis answered {reply.code if isinstance(reply, Refused) else 'something else'}")
        if self._clock is not None and int(until) <= round(self._clock() * 1e6):
            return None
        return bytes(value)

    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        return self._note(key, packed(b"add", lifetime(ttl), value), 4)

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        expected, wanted = (b"-" if each is None else b"+" + each for each in (old, new))
        return self._note(key, packed(b"swap", lifetime(ttl), expected, wanted), 5)

    def look(self, *keys: str) -> tuple[float, list[bytes | None]]:
        """In one round trip; on a cluster one for each shard that has any of the keys, and the newest of their epochs."""
        places = [self._place(key) for key in keys]
        found: dict[bytes, bytes | None] = {}
        epoch = 0.0
        for shard in sorted({shard for _, shard in places}) or range(self._route.shards):
            here = [place for place, its in places if its == shard]
            began = self._began(shard)
            reply = self._route.ask(began, b"*%d\r\n" % (len(here) + 2) + packed(b"MGET", began, *here))
            if isinstance(reply, Refused) or not isinstance(reply, list) or len(reply) != len(here) + 1:
                raise StoreUnavailable(f"redis answered {reply.code if isinstance(reply, Refused) else 'something else'}")
            found.update(zip(here, map(self._value, reply[1:]), strict=True))
            told = reply[0]
            known = isinstance(told, bytes) and told.isdigit()
            epoch = max(epoch, int(told) / 1e6 if known else self._epoch(shard, b"epoch"))
        return epoch, [found[place] for place, _ in places]

    def epoch(self) -> float:
        return max(self._epoch(shard, b"epoch") for shard in range(self._route.shards))

    def adopt(self) -> float:
        return max(self._epoch(shard, b"adopt") for shard in range(self._route.shards))

    def close(self) -> None:
        self._route.close()

    def _now(self) -> bytes:
        return _SERVERS if self._clock is None else packed(round(self._clock() * 1e6))

    def _place(self, key: str) -> tuple[bytes, int]:
        """Where the note of `key` is, and its shard, whose epoch is on the same slot and lost with it."""
        name, shards = written(key), self._route.shards
        if shards == 1:
            return b"%bn:%b" % (self._prefix, name), 0
        from zlib import crc32

        shard = crc32(name) % shards
        return b"%b{%d}n:%b" % (self._prefix, shard, name), shard

    def _began(self, shard: int) -> bytes:
        """Where the epoch of a shard is."""
        return self._prefix + (b"epoch" if self._route.shards == 1 else b"{%d}epoch" % shard)

    def _note(self, key: str, values: bytes, count: int) -> bool:
        place, shard = self._place(key)
        if shard not in self._begun:
            self._epoch(shard, b"epoch")  # an epoch that began with the first question would be later than this note
            self._look(place)
            self._begun.add(shard)
        reply = self._run(NOTES_SCRIPT, place, count, self._now() + values)
        if reply not in (0, 1):
            raise StoreUnavailable("redis answered a note with something else")
        return bool(reply)

    def _look(self, place: bytes) -> None:
        """Warn once of a server that drops notes before their time when its memory is full, or that starts with older ones."""
        lines = self._info(place, b"memory")
        if b"maxmemory:0" not in lines and any(
            line.startswith(b"maxmemory_policy:") and line != b"maxmemory_policy:noeviction" for line in lines
        ):
            once("a Redis store may forget what is noted before its time: set maxmemory-policy to noeviction")
        if b"aof_enabled:0" in self._info(place, b"persistence"):
            reply = self._route.ask(place, b"*3\r\n" + packed(b"CONFIG", b"GET", b"save"))
            if isinstance(reply, list) and len(reply) == 2 and reply[1]:
                once("a Redis store may start again with an older snapshot, and revive what was revoked: set appendonly to yes")

    def _info(self, place: bytes, section: bytes) -> list[bytes]:
        """What a server says of itself; nothing, where it does not tell everybody."""
        reply = self._route.ask(place, b"*2\r\n" + packed(b"INFO", section))
        return reply.split(b"\r\n") if isinstance(reply, bytes) else []

    def _epoch(self, shard: int, act: bytes) -> float:
        reply = self._run(NOTES_SCRIPT, self._began(shard), 3, self._now() + packed(act, 0))
        if not isinstance(reply, bytes) or not reply.isdigit():
            raise StoreUnavailable("redis answered an epoch with something else")
        return int(reply) / 1e6

    def _run(self, script: Script, key: bytes, count: int, values: bytes) -> Any:
        """What a script answers for a key and so many values."""
        rest = packed(1, key) + values
        reply = self._route.ask(key, script.named(2 + count, rest))
        if isinstance(reply, Refused) and reply.code == "NOSCRIPT":  # a new server, or SCRIPT FLUSH: nothing was run
            reply = self._route.ask(key, script.whole(2 + count, rest))
        if isinstance(reply, Refused):
            raise StoreUnavailable(f"redis answered {reply.code}")
        return reply
