"""The calls of ASGI and WSGI servers, for tests without a server."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import quote, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeAlias

    Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]

PEER = "203.0.113.7"  # of the range that RFC 5737 keeps for documentation
HOST = "app.example"


def pairs(headers: Headers) -> list[tuple[str, str]]:
    """The header lines in order; a mapping cannot repeat a name, pairs can."""
    lines: Any = headers
    return list(lines.items() if hasattr(lines, "items") else lines)


def as_bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


def split(path: str, query: str) -> tuple[str, str]:
    """Path and query string; the query may also stand in `path`, as in a URL."""
    path, _, own = path.partition("?")
    if own and query:
        raise TypeError("the query is given twice: in the path and as query=")
    return path, own or query


def asgi_scope(
    kind: str = "http",
    method: str = "GET",
    path: str = "/",
    headers: Headers = (),
    *,
    query: str = "",
    peer: str | None = PEER,
    scheme: str | None = None,
    root_path: str = "",
    **more: Any,
) -> dict[str, Any]:
    """The scope of a connection (asgiref specification, version 3.0). `kind`: "http", "websocket" or "lifespan".

    `path` is as a client sends it, still percent-encoded. `more` replaces or adds members (`extensions`, ...).
    """
    if kind == "lifespan":
        return {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}, **more}
    if kind not in ("http", "websocket"):
        raise ValueError("kind is http, websocket or lifespan")
    path, query = split(path, query)
    lines = pairs(headers)
    if not any(name.lower() == "host" for name, _ in lines):
        lines.insert(0, ("host", HOST))
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": scheme or ("https" if kind == "http" else "wss"),
        "path": unquote(path, "utf-8"),
        "raw_path": path.encode("latin-1"),
        "root_path": root_path,
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines],
        "client": None if peer is None else (peer, 49_152),
        "server": (HOST, 443),
        "extensions": {},
    }
    if kind == "http":
        scope["method"] = method
    else:
        offered = [value for name, value in lines if name.lower() == "sec-websocket-protocol"]
        scope["subprotocols"] = [entry.strip() for line in offered for entry in line.split(",")]
    return {**scope, **more}


def wsgi_environ(
    method: str = "GET",
    path: str = "/",
    headers: Headers = (),
    body: bytes | str = b"",
    *,
    query: str = "",
    peer: str | None = PEER,
    scheme: str = "https",
    script_name: str = "",
    **more: Any,
) -> dict[str, Any]:
    """The environ of a request (PEP 3333). `path` is as a client sends it, percent-encoded. `more` replaces or adds members."""
    path, query = split(path, query)
    sent = as_bytes(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": script_name,
        "PATH_INFO": unquote(path, "latin-1"),
        "RAW_URI": script_name + quote(path, safe="/%:@!$&'()*+,;=~\\") + (f"?{query}" if query else ""),
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "443" if scheme == "https" else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": HOST,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": BytesIO(sent),
        "wsgi.errors": _Discard(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if peer is not None:
        environ["REMOTE_ADDR"] = peer
    if sent:
        environ["CONTENT_LENGTH"] = str(len(sent))
    fields: dict[str, list[str]] = {}
    for name, value in pairs(headers):
        fields.setdefault(name.upper().replace("-", "_"), []).append(value)
    for name, values in fields.items():  # servers join what is repeated (RFC 3875 section 4.1.18)
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        environ[key] = ("; " if name == "COOKIE" else ",").join(values)
    return {**environ, **more}


class _Discard:
    """`wsgi.errors`, read by nobody."""

    def write(self, text: str) -> int:
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        pass

    def flush(self) -> None:
        pass
