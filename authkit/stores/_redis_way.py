"""How to reach Redis: what a URL, or a client of redis-py's, says of it. No I/O."""

from __future__ import annotations

import time

from .._needs import needs
from ..errors import ConfigurationError
from ._timely import Timely

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ._redis_node import Connection

    Address: TypeAlias = tuple[str, int]  # of a unix socket: its path, and 0

_TLS = frozenset({"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"})
_OPTIONS = _TLS | {"db", "client_name", "sentinel_username", "sentinel_password"}
# Of a client's settings, what says where it connects, and as whom. Timeouts, retries and decoding are ours.
_KEPT = frozenset({"db", "username", "password", "credential_provider", "client_name", "socket_type", "path"})
_FORM = (
    "a Redis store is redis://[user:password@]host[:port][/db], rediss:// for TLS, unix:///path, redis+cluster://host,host or "
    "redis+sentinel://host,host/service[/db]; its options are " + ", ".join(sorted(_OPTIONS))
)


class Way:
    """`kind`: "one", "cluster" or "sentinel"; `addresses`: of the server, of some nodes, of the sentinels; `service`: the
    sentinels' name for it. `dial` and `dial_sentinel` connect to an address; the credentials are in these two only.
    """

    __slots__ = ("kind", "addresses", "service", "dial", "dial_sentinel")

    def __init__(
        self,
        kind: str,
        addresses: list[Address],
        service: str,
        dial: Callable[[Address], Connection],
        dial_sentinel: Callable[[Address], Connection],
    ) -> None:
        self.kind = kind
        self.addresses = addresses
        self.service = service
        self.dial = dial
        self.dial_sentinel = dial_sentinel


def way_to(where: Any, timeout: float) -> Way | ConfigurationError:
    """The way to what `where` names: a URL, or a `redis.Redis` or `redis.RedisCluster`.

    An error is returned, and shows nothing of the URL: raised here, its traceback would hold the password.
    """
    try:
        redis = needs("redis", "authkit-middleware[redis]")
    except ConfigurationError as error:
        return ConfigurationError(str(error))
    found = None
    if isinstance(where, str):
        try:
            found = _of_url(where, timeout)
        except (ValueError, redis.RedisError):
            pass
    elif isinstance(where, redis.RedisCluster):
        pool = where.get_redis_connection(where.get_nodes()[0]).connection_pool
        nodes = [(node.host, int(node.port)) for node in where.get_nodes()]
        found = Way("cluster", nodes, "", *[_dialer(pool.connection_class, _kept(pool), timeout)] * 2)
    elif isinstance(where, redis.Redis):
        found = _of_pool(where.connection_pool, timeout)
    return ConfigurationError(_FORM) if found is None else found


def _of_url(url: str, timeout: float) -> Way | None:
    from urllib.parse import parse_qs, unquote, urlsplit

    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    if scheme not in ("redis", "rediss", "unix") or kind not in ("", "cluster", "sentinel") or parts.fragment:
        return None
    if not _OPTIONS.issuperset(query) or any(len(values) > 1 for values in query.values()):
        return None
    userinfo, at, hosts = parts.netloc.rpartition("@")
    path, service = parts.path, ""
    if kind == "sentinel":
        service, _, number = unquote(path.strip("/")).partition("/")
        path = f"/{number}"
        if not service:
            return None
    places = [urlsplit(f"//{host}") for host in hosts.split(",")]
    ports = 26379 if kind == "sentinel" else 6379
    addresses = [(place.hostname or "", place.port or ports) for place in places]
    if scheme == "unix":
        addresses = [(unquote(path), 0)]
    elif (number := path.strip("/")) and (kind == "cluster" or not number.isdecimal()):
        return None
    if not all(host for host, _ in addresses) or (not kind and len(addresses) > 1) or (kind and scheme == "unix"):
        return None
    pool_class = needs("redis").ConnectionPool
    pool = pool_class.from_url(f"{scheme}://{userinfo}{at}{'' if scheme == 'unix' else 'host'}{path}")
    kept = {**_kept(pool), **{name: values[0] for name, values in query.items() if not name.startswith("sentinel_")}}
    if "db" in query:
        kept["db"] = int(kept["db"])
    if scheme == "rediss":
        kept |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    elif any(name.startswith("ssl_") for name in kept):
        return None
    asking = {name: value for name, value in kept.items() if name.startswith("ssl_")}
    asking |= {name.removeprefix("sentinel_"): values[0] for name, values in query.items() if name.startswith("sentinel_")}
    dial, dial_sentinel = (_dialer(pool.connection_class, settings, timeout) for settings in (kept, asking))
    return Way(kind or "one", addresses, service, dial, dial_sentinel)


def _of_pool(pool: Any, timeout: float) -> Way:
    settings = pool.connection_kwargs
    managed = getattr(pool, "sentinel_manager", None)
    if managed is None:
        address = (
            (settings["path"], 0) if "path" in settings else (settings.get("host", "localhost"), settings.get("port", 6379))
        )
        dial = _dialer(pool.connection_class, _kept(pool), timeout)
        return Way("one", [address], "", dial, dial)
    connection = needs("redis.connection")
    pools = [sentinel.connection_pool for sentinel in managed.sentinels]
    addresses = [(each.connection_kwargs["host"], each.connection_kwargs["port"]) for each in pools]
    tls = issubclass(pool.connection_class, connection.SSLConnection)  # its own class asks redis-py's pool for the master
    dial = _dialer(connection.SSLConnection if tls else connection.Connection, _kept(pool), timeout)
    return Way("sentinel", addresses, pool.service_name, dial, _dialer(pools[0].connection_class, _kept(pools[0]), timeout))


def _kept(pool: Any) -> dict[str, Any]:
    """The settings of `pool` that are not its host's and not ours."""
    settings = pool.connection_kwargs.items()
    return {name: value for name, value in settings if name in _KEPT or (name.startswith("ssl_") and value is not None)}


def _dialer(kind: Any, kept: dict[str, Any], timeout: float) -> Callable[[Address], Connection]:
    """A function that connects to an address in at most about `timeout` seconds, if the server answers at once."""
    redis = needs("redis")
    settings = {
        **kept,
        "socket_connect_timeout": timeout * 0.4,
        "socket_timeout": timeout * 0.6,
        "socket_keepalive": True,
        "protocol": 2,
        # No greeting: two round trips for a name in a list.
        **({"driver_info": None} if hasattr(redis, "DriverInfo") else {"lib_name": None, "lib_version": None}),
    }
    if "path" in settings:
        del settings["socket_connect_timeout"], settings["socket_keepalive"]

    def connect(self: Any) -> Timely:  # as long for its greeting as for an answer
        return Timely(kind._connect(self), time.monotonic() + timeout)

    timely = type(kind.__name__, (kind,), {"_connect": connect})

    def dial(address: Address) -> Connection:
        host, port = address
        connection: Connection = timely(**settings) if "path" in settings else timely(host=host, port=port, **settings)
        connection.connect()
        return connection

    return dial
