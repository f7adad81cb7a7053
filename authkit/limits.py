"""What `rate_limit` may count by, beside addresses and principals: `by_header`, `by_path`."""

from __future__ import annotations

from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .http import Request

__all__ = ["by_header", "by_path"]

_MOST_DECODINGS = 4  # of a path that is encoded again and again; what is left then stays as it is


class by_header:
    """Count by the value of one header: `rate_limit("100/minute", key=by_header("x-api-key"))`.

    A request without it counts by its address. The value is kept as a digest only, in the store too. It is what the client
    says: whoever sends another value each time is a newcomer each time, so put the guard that checks the value before this
    limit, or a limit by address beside it. Raises: `ConfigurationError` for what is no header's name.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigurationError("by_header takes the name of a request header")
        self._name = name.lower()

    def __call__(self, request: Request) -> str | None:
        value = request.headers.get(self._name)
        if not value:
            return None
        from hashlib import blake2b

        return f"{self._name} {blake2b(value.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"

    def __repr__(self) -> str:
        return f"by_header({self._name!r})"


def by_path(request: Request) -> str:
    """Count by the route: `key=by_path` all callers of it together, `key=("ip", by_path)` each address by itself.

    The route's own id (`/users/{id}`), where the host knows it by now: on a view or an endpoint, and behind API Gateway.
    Elsewhere (a whole app behind one guard) the path, in the one form that all of its spellings share, so that `//login`,
    `/LOGIN/` and `/%6Cogin` are one; there every value of a path parameter is a route of its own.
    """
    route = request.route
    return f"route {route}" if route else f"path {_plain(request.path)}"


def _plain(path: str) -> str:
    """The one form of what different parsers might take for the same path. What is merged too much is counted together."""
    from urllib.parse import unquote

    for _ in range(_MOST_DECODINGS):
        if "%" not in path:
            break
        path = unquote(path)
    kept: list[str] = []
    for segment in path.replace("\\", "/").replace("\0", "").casefold().split("/"):
        name = segment.partition(";")[0].strip()
        if name == "..":
            del kept[-1:]
        elif name not in ("", "."):
            kept.append(name)
    return "/" + "/".join(kept)
