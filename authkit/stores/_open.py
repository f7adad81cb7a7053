"""`open_store`: from a URL to a store."""

from __future__ import annotations

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._store import Store

_SQLITE = "a store file is sqlite:///relative/path.db or sqlite:////absolute/path.db"
_DYNAMO = "a table is dynamodb://NAME?region=eu-west-1&endpoint=https://...; an endpoint of http:// is for this machine only"
_REDIS = ("redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel")


def open_store(url: str) -> Store:
    """The store that `url` names. Does no I/O.

    `memory:` is this process's own, a new one at each call. `sqlite:///auth.db` is a file, of the working directory at this
    moment; `sqlite:////var/lib/app/auth.db` one by its whole path. `redis://`, `rediss://` (TLS), `redis+cluster://` and
    `redis+sentinel://` are what `RedisStore` takes. `dynamodb://table` takes `region`, `endpoint` and `shards` as its query.
    Raises: `ConfigurationError` for every other scheme, and for an option that there is not. It never repeats the URL, which
    may hold a password.
    """
    scheme, colon, rest = url.partition(":") if isinstance(url, str) else ("", "", "")
    if colon and scheme == "memory":
        if rest:
            raise ConfigurationError("a memory store has no address: write memory:")
        from .memory import MemoryStore

        return MemoryStore()
    if colon and scheme == "sqlite":
        return _sqlite(rest)
    if colon and scheme == "dynamodb":
        return _dynamo(rest)
    held = [url]
    del url, rest  # a traceback may show what is here
    if colon and scheme in _REDIS:
        from .redis_store import RedisStore

        return RedisStore(held.pop())
    held.clear()
    raise ConfigurationError("a store is named by a URL: memory:, sqlite:///..., redis://..., rediss://... or dynamodb://...")


def _sqlite(rest: str) -> Store:
    from urllib.parse import unquote

    if not rest.startswith("///") or rest == "///" or "?" in rest or "#" in rest:
        raise ConfigurationError(_SQLITE)
    from .sqlite import SqliteStore

    return SqliteStore(unquote(rest[3:], errors="surrogateescape"))


def _dynamo(rest: str) -> Store:
    from urllib.parse import parse_qsl

    name, _, query = rest.removeprefix("//").partition("?")
    if not rest.startswith("//") or "#" in query:
        raise ConfigurationError(_DYNAMO)
    try:
        pairs = parse_qsl(query, strict_parsing=True, max_num_fields=3) if query else []
    except ValueError:
        raise ConfigurationError(_DYNAMO) from None
    options = dict(pairs)
    if len(options) != len(pairs) or not options.keys() <= {"region", "endpoint", "shards"}:
        raise ConfigurationError("the options of a table are region, endpoint and shards, each once")
    shards = options.get("shards", "1")
    if not (shards.isascii() and shards.isdigit() and len(shards) <= 4):
        raise ConfigurationError("shards is a whole number")
    from .dynamo import DynamoStore

    return DynamoStore(name, region=options.get("region"), endpoint=options.get("endpoint"), shards=int(shards))
