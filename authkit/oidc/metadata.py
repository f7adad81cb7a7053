"""`ProtectedResource`: what an API says of itself to clients that have no token yet (RFC 9728)."""

from __future__ import annotations

from .._compose import public
from .._fetch import checked_url
from ..endpoint import Endpoint
from ..errors import ConfigurationError
from ..http import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ..http import Request

WELL_KNOWN = "/.well-known/oauth-protected-resource"  # RFC 9728 section 3
PREFLIGHT_SECONDS = 86_400  # how long a browser may remember that everybody may read it
_PATH = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/")  # RFC 3986, no "%", no ";"


class ProtectedResource(Endpoint):
    """The metadata of the API at `resource`, as an endpoint for any host; serve it at `path`, which is open to everybody.

    `resource`: the API's own URL, which clients compare with the one that they called, and ask for a token for.
    `authorization_servers`: who issues its tokens: an `OIDCProvider`, an issuer's URL, or several of these. `scopes`: what the
    API knows. `initial_scopes`: what a client without a token is told to ask for, in the challenge (RFC 6750 section 3).
    `dpop`, `mtls`: whether tokens may be bound so: True, or the guard's own `DPoP` and `MutualTLS`; the former says too
    whether they must be. `name`, `documentation`, `policy`, `terms`: for people. `extra`: further members of the document.
    `max_age`: seconds for which it may be cached.

    `metadata_url`: where it is, by the configured `resource` and nothing that a request says; `require_auth(...,
    resource=this)` names it in its challenges. `path`: the path of that URL. `document`: what is served.
    Raises: `ConfigurationError`.
    """

    csrf_exempt = True  # it reads nothing and changes nothing

    def __init__(
        self,
        resource: str,
        authorization_servers: Any,
        *,
        scopes: Iterable[str] = (),
        initial_scopes: Iterable[str] = (),
        dpop: Any = False,
        mtls: Any = False,
        name: str | None = None,
        documentation: str | None = None,
        policy: str | None = None,
        terms: str | None = None,
        extra: Mapping[str, Any] | None = None,
        max_age: int = 3600,
    ) -> None:
        super().__init__(self._told, methods=("GET", "OPTIONS"), body_limit=0)
        self.__name__ = self.__qualname__ = "protected_resource"
        public(reason="metadata that are for everybody")(self)
        self.resource = resource
        origin, path = _split(resource)
        self.path = WELL_KNOWN + ("" if path == "/" else path)
        self.metadata_url = origin + self.path
        self.initial_scopes = _names("initial_scopes", initial_scopes)
        if type(max_age) is not int or not 0 <= max_age <= 31_536_000:
            raise ConfigurationError("ProtectedResource: max_age is a whole number of seconds, at most a year")
        document: dict[str, Any] = {"resource": resource, "authorization_servers": _servers(authorization_servers)}
        known = _names("scopes", scopes)
        if known:
            document["scopes_supported"] = list(known)
        document["bearer_methods_supported"] = ["header"]
        if dpop:
            from ._proof import ALGS

            document["dpop_signing_alg_values_supported"] = list(ALGS)
            if getattr(dpop, "required", False):
                document["dpop_bound_access_tokens_required"] = True
        if mtls:
            document["tls_client_certificate_bound_access_tokens"] = True
        document |= _for_people(name, documentation, policy, terms)
        self.document = _with(document, extra)
        self._headers = {
            "content-type": "application/json",
            "cache-control": f"public, max-age={max_age}",
            "access-control-allow-origin": "*",
        }
        self._body = _text(self.document)

    def _told(self, request: Request) -> Response:
        if request.method != "OPTIONS":
            return Response(200, self._headers, self._body)
        response = Response(204, {"access-control-allow-origin": "*", "access-control-allow-methods": "GET"})
        response.headers["access-control-allow-headers"] = "*"  # scripts of MCP clients send one that names their version
        response.headers["access-control-max-age"] = str(PREFLIGHT_SECONDS)
        return response

    def __repr__(self) -> str:
        return f"<ProtectedResource {self.resource!r}>"


def _split(resource: object) -> tuple[str, str]:
    """Origin and path. Raises: `ConfigurationError` for what is no resource identifier (RFC 9728 section 1.2)."""
    url = checked_url("ProtectedResource: resource", resource)
    if "?" in url:  # section 1.2 advises against it, and clients differ in what they make of it
        raise ConfigurationError("ProtectedResource: resource has no query")
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    path = slash + path
    if not _PATH.issuperset(path) or "//" in path or any(part in (".", "..") for part in path.split("/")):
        raise ConfigurationError("ProtectedResource: resource has a plain path, without //, dot segments, ; and percent signs")
    return f"{scheme}://{host}", path


def _servers(given: Any) -> list[str]:
    several = (given,) if isinstance(given, str) or not hasattr(given, "__iter__") else tuple(given)
    found: dict[str, None] = {}
    for one in several:
        issuers = (
            (one,) if isinstance(one, str) else sorted(getattr(one, "issuers", None) or ()) or (getattr(one, "issuer", None),)
        )
        for issuer in issuers:
            found[checked_url("ProtectedResource: authorization_servers", issuer)] = None
    if not found:
        raise ConfigurationError("ProtectedResource: authorization_servers: at least one provider, or its issuer's URL")
    return list(found)


def _names(setting: str, scopes: Iterable[str]) -> tuple[str, ...]:
    found = () if isinstance(scopes, str) else tuple(scopes)
    if isinstance(scopes, str) or not all(_is_scope(name) for name in found):
        raise ConfigurationError(f"ProtectedResource: {setting} is a list of scopes: text without spaces and quotes")
    return found


def _is_scope(name: object) -> bool:
    """scope-token of RFC 6749 section 3.3."""
    return isinstance(name, str) and name != "" and all("!" <= one <= "~" and one not in '"\\' for one in name)


def _for_people(name: str | None, documentation: str | None, policy: str | None, terms: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if name is not None:
        if not isinstance(name, str) or not name:
            raise ConfigurationError("ProtectedResource: name is text, and not empty")
        found["resource_name"] = name
    for setting, member, url in (
        ("documentation", "resource_documentation", documentation),
        ("policy", "resource_policy_uri", policy),
        ("terms", "resource_tos_uri", terms),
    ):
        if url is not None:
            found[member] = checked_url(f"ProtectedResource: {setting}", url)
    return found


def _with(document: dict[str, Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    more = dict(extra or {})
    if not all(isinstance(member, str) and member for member in more) or not document.keys().isdisjoint(more):
        raise ConfigurationError("ProtectedResource: extra has members that are not said otherwise, by their names")
    return document | more


def _text(document: dict[str, Any]) -> bytes:
    import json

    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        raise ConfigurationError("ProtectedResource: extra holds what JSON cannot say") from None
