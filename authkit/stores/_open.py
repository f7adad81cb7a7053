"""`open_store`: from a URL to a store."""

from __future__ import annotations

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._store import Store

_ANY = "a store is named by a URL: memory:, sqlite:///..., redis://..., rediss://..., unix://... or dynamodb://..."
_MEMORY = "a memory store has no address: write memory:"
_SQLITE = "a store file is sqlite:///relative/path.db or sqlite:////absolute/path.db"
_DYNAMO = (
    "a table is dynamodb://NAME?region=eu-west-1; its options are region, endpoint and shards, each once; an endpoint is an "
    "https:// URL without path, http:// for this machine only"
)
_REDIS = frozenset(f"{scheme}{kind}" for scheme in ("redis", "rediss") for kind in ("", "+cluster", "+sentinel")) | {"unix"}


def open_store(url: str) -> Store:
    """The store that `url` names. Does no I/O.

    `memory:` is this process's own, a new one at each call. `sqlite:///auth.db` is a file, of the working directory at this
    moment; `sqlite:////var/lib/app/auth.db` one by its whole path. `redis://`, `rediss://` (TLS), `redis+cluster://`,
    `redis+sentinel://` and `unix://` are what `RedisStore` takes. `dynamodb://table` takes `region`, `endpoint` and `shards` as
    its query.
    Raises: `ConfigurationError` for every other scheme, and for an option that there is not. It never repeats the URL, which
    may hold a password, nor does its traceback.
    """
    make = _maker(url)
    del url
    if isinstance(make, str):
        raise ConfigurationError(make)
    return make()


def _maker(url: str) -> Callable[[], Store] | str:
    """What makes the store, or what is wrong. It raises nothing, because its locals hold the URL."""
    scheme, colon, rest = url.partition(":") if isinstance(url, str) else ("", "", "")
    if not colon:
        return _ANY
    if scheme == "memory":
        return _MEMORY if rest else _memory
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme == "dynamodb":
        return _dynamo(rest)
    if scheme in _REDIS:
        held = [url]
        return lambda: _redis(held)
    return _ANY


def _memory() -> Store:
    from .memory import MemoryStore

    return MemoryStore()


def _redis(held: list[str]) -> Store:
    from .redis_store import RedisStore

    return RedisStore(held.pop())


def _sqlite(rest: str) -> Callable[[], Store] | str:
    path = path_in(rest)
    if path is None:
        return _SQLITE

    def make() -> Store:
        from .sqlite import SqliteStore

        return SqliteStore(path)

    return make


def path_in(rest: str) -> str | None:
    """The path in what follows `sqlite:` in a URL."""
    from urllib.parse import unquote

    path = unquote(rest[3:], errors="surrogateescape")
    if not rest.startswith("///") or not path or path == ":memory:" or "\0" in path or "?" in rest or "#" in rest:
        return None
    return path


def _dynamo(rest: str) -> Callable[[], Store] | str:
    found = table_in(rest, ("region", "endpoint", "shards"))
    if found is None:
        return _DYNAMO
    name, options = found
    shards = options.pop("shards", "1")
    if not (shards.isascii() and shards.isdigit() and len(shards) <= 4):
        return _DYNAMO

    def make() -> Store:
        from .dynamo import DynamoStore

        return DynamoStore(name, region=options.get("region"), endpoint=options.get("endpoint"), shards=int(shards))

    return make


def table_in(rest: str, allowed: tuple[str, ...]) -> tuple[str, dict[str, str]] | None:
    """The name of a table and its options, each there at most once, in what follows `dynamodb:` in a URL."""
    from urllib.parse import parse_qsl

    name, _, query = rest.removeprefix("//").partition("?")
    if not rest.startswith("//") or "@" in rest or "#" in rest:
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=len(allowed)) if query else []
    except ValueError:
        return None
    options = dict(pairs)
    return (name, options) if len(options) == len(pairs) and options.keys() <= {*allowed} else None
