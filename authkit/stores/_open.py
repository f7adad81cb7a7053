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
    "a table is dynamodb://NAME?region=eu-west-1; its options are region, endpoint, shards and timeout, each once; an endpoint "
    "is an https:// URL without path, http:// for this machine only"
)
_TIMEOUT = "a store's timeout is a number of seconds, once: redis://host?timeout=0.5"
_REDIS = frozenset(f"{scheme}{kind}" for scheme in ("redis", "rediss") for kind in ("", "+cluster", "+sentinel")) | {"unix"}


def open_store(url: str) -> Store:
    """The store that `url` names. Does no I/O.

    `memory:` is this process's own, a new one at each call. `sqlite:///auth.db` is a file, of the working directory at this
    moment; `sqlite:////var/lib/app/auth.db` one by its whole path. `redis://`, `rediss://` (TLS), `redis+cluster://`,
    `redis+sentinel://` and `unix://` are what `RedisStore` takes. `dynamodb://table` takes `region`, `endpoint` and `shards` as
    its query. `timeout`, in seconds, is an option of every store on a network.
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
        return _redis(url)
    return _ANY


def _memory() -> Store:
    from .memory import MemoryStore

    return MemoryStore()


def _redis(url: str) -> Callable[[], Store] | str:
    where, _, query = url.partition("?")
    options = query.split("&")
    stated = [option for option in options if option.startswith("timeout=")]
    timeout = _seconds(stated[0].removeprefix("timeout=")) if stated else 0.1
    if timeout is None or len(stated) > 1:
        return _TIMEOUT
    others = "&".join(option for option in options if option not in stated)
    held = [where + ("?" + others if others else "")]

    def make() -> Store:
        from .redis_store import RedisStore

        return RedisStore(held.pop(), timeout=timeout)

    return make


def _seconds(text: str) -> float | None:
    """A plain number, like 2 or 0.5."""
    whole, _, rest = text.partition(".")
    return float(text) if len(text) <= 8 and text.isascii() and whole.isdigit() and (not rest or rest.isdigit()) else None


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
    found = table_in(rest, ("region", "endpoint", "shards", "timeout"))
    if found is None:
        return _DYNAMO
    name, options = found
    shards = options.pop("shards", "1")
    timeout = _seconds(options.pop("timeout", "1"))
    if timeout is None or not (shards.isascii() and shards.isdigit() and len(shards) <= 4):
        return _DYNAMO

    def make() -> Store:
        from .dynamo import DynamoStore

        region, endpoint = options.get("region"), options.get("endpoint")
        return DynamoStore(name, region=region, endpoint=endpoint, shards=int(shards), timeout=timeout)

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
