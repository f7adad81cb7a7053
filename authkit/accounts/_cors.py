"""Which other origins' scripts may read what the endpoints answer (Fetch Standard, "CORS protocol")."""

from __future__ import annotations

from .._origin import is_origin
from ..decision import Deny
from ..errors import ConfigurationError
from ..http import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..http import Request

PREFLIGHT_SECONDS = 600  # how long a browser may remember a preflight
_REFUSED = Deny(403, "forbidden", reason="cors_origin", headers={"vary": "origin"})


class Cors:
    """An allow-list of exact origins. Empty: no origin but one's own, and nothing is said of it.

    `credentials`: whether scripts of these origins may have cookies sent along; then they are also trusted not to be forgers.
    Raises: `ConfigurationError` for what is no origin, `*` and `null` among them.
    """

    def __init__(self, origins: Iterable[str], *, credentials: bool) -> None:
        if isinstance(origins, str):
            raise ConfigurationError("cors is a list of origins, not one text")
        self.origins = frozenset(origins)
        if not all(is_origin(origin) for origin in self.origins):
            raise ConfigurationError("cors: an origin looks like 'https://app.example.com', and '*' is none")
        self._credentials = credentials

    def preflight(self, request: Request, methods: tuple[str, ...]) -> Response | Deny | None:
        """The answer to a preflight; None: the request is none, or nobody else may ask."""
        if not self.origins or request.method != "OPTIONS":
            return None
        origin, wanted = request.field("origin"), request.field("access-control-request-method")
        if len(origin) != 1 or len(wanted) != 1:
            return None
        if origin[0] not in self.origins:
            return _REFUSED
        response = Response(204, {"cache-control": "no-store"})
        response.headers["access-control-allow-methods"] = ", ".join(methods)
        response.headers["access-control-allow-headers"] = "authorization, content-type"
        response.headers["access-control-max-age"] = str(PREFLIGHT_SECONDS)
        return response

    def mark(self, request: Request, response: Response) -> None:
        """Say in `response` who may read it."""
        if not self.origins:
            return
        response.headers["vary"] = "origin"  # also where there is none: a cache keeps the two apart
        origin = request.field("origin")
        if len(origin) != 1 or origin[0] not in self.origins:
            return
        response.headers["access-control-allow-origin"] = origin[0]
        response.headers["access-control-expose-headers"] = "retry-after, www-authenticate"
        if self._credentials:
            response.headers["access-control-allow-credentials"] = "true"
