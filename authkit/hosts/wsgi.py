"""WSGI apps (PEP 3333): `app = api(app)`, and what Flask and Django share with them, the environ.

Header names arrive as CGI variables, so `X_User` and `X-User` cannot be told apart here: gunicorn and waitress drop names
with underscores, other servers may not. A repeated field arrives as one value, joined with commas. A look-up of a name that
has an underscore finds nothing.
"""

from __future__ import annotations

from .._state import State
from ..errors import BodyTooLarge, BodyUnavailable, MalformedRequest
from ..http import Headers, Request, Response
from ._fields import changed_lines
from ._host import Host, replace_headers
from ._stream import Holding, InState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, overload

    from ._host import Args, Kwargs, Reply

KEY = "authkit.state"  # of the state, in the environ: one request through app, Flask and Django guards is one request

_CHUNK = 65_536  # bytes read at a time, so that a Content-Length alone allocates nothing
_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_keys: dict[str, str] = {}


def variable(name: str) -> str:
    """The CGI variable of a header name: `HTTP_X_API_KEY` of `X-API-Key`; empty, so never found, if it has an underscore."""
    key = _keys.get(name)
    if key is None:
        lower = name.lower()
        key = _UNPREFIXED.get(lower) or ("" if "_" in lower else "HTTP_" + lower.upper().replace("-", "_"))
        if len(_keys) < 1024:
            _keys[name] = key
    return key


def hide(environ: dict[str, Any], names: tuple[str, ...]) -> None:
    """Take these headers (lower case) out of an environ; here `x_user` and `x-user` are one."""
    for name in names:
        environ.pop(_UNPREFIXED.get(name) or "HTTP_" + name.upper().replace("-", "_"), None)


class EnvironHeaders(Headers):
    """The header fields in an environ, or in Django's META, looked up where they are."""

    __slots__ = ("_environ",)
    _environ: dict[str, Any]

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    def get_all(self, name: str) -> list[str]:
        value = self._environ.get(variable(name))
        # An absent body is CONTENT_LENGTH "" on some servers.
        return [] if value is None or (value == "" and name.lower() in _UNPREFIXED) else [value]

    if TYPE_CHECKING:

        @overload
        def get(self, name: str, default: str) -> str: ...
        @overload
        def get(self, name: str, default: None = None) -> str | None: ...

    def get(self, name: str, default: str | None = None) -> str | None:
        value: str | None = self._environ.get(_keys.get(name) or variable(name), default)
        return default if value == "" and name.lower() in _UNPREFIXED else value

    def names(self) -> Iterable[str]:
        names = [name for name in _UNPREFIXED if self._environ.get(_UNPREFIXED[name])]
        for key in self._environ:
            if key.startswith("HTTP_") and key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
                names.append(key[5:].lower().replace("_", "-"))
        return names


class WsgiRequest(Request):
    """An environ. `start_response` is the server's, None where a framework has answered it."""

    __slots__ = ("environ", "start_response")
    environ: dict[str, Any]
    start_response: Callable[..., Any] | None

    @property
    def raw_path(self) -> str | None:  # type: ignore[override]
        return raw_path(self.environ)

    @property
    def whole_path(self) -> str:
        return decoded(self.environ.get("SCRIPT_NAME", "")) + self.path

    def _read_headers(self) -> Headers:
        return EnvironHeaders(self.environ)

    async def _read_body(self, limit: int) -> bytes:
        return read_input(self.environ, limit)


def fill(request: WsgiRequest, environ: dict[str, Any]) -> None:
    """Set what every WSGI host reads from the environ in the same way."""
    path = environ.get("PATH_INFO", "")
    request.path = path if path.isascii() else decoded(path)
    request.method = environ["REQUEST_METHOD"]
    request.query_string = environ.get("QUERY_STRING", "")
    request.peer = environ.get("REMOTE_ADDR") or None  # empty on a unix socket
    request.peer_is_socket = True
    request.scheme = environ["wsgi.url_scheme"]
    request.websocket = False
    request.environ = environ
    request.start_response = None
    request.state = request._headers = request._query = request._body = None


def decoded(path: str) -> str:
    """What a server has put into the environ of a path: bytes in the form of a latin-1 text (PEP 3333)."""
    try:
        return path.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return path


def raw_path(environ: dict[str, Any]) -> str | None:
    """The path as sent, where the server tells (gunicorn, waitress, uWSGI, Werkzeug)."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not isinstance(target, str):
        return None
    target = target.partition("?")[0]
    if target[:1] != "/":  # absolute-form, RFC 9112 section 3.2.2
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target


def content_length(environ: dict[str, Any]) -> int | None:
    """The declared length in bytes. Raises: `MalformedRequest` if it is no number."""
    text = environ.get("CONTENT_LENGTH")
    if text is None or text == "":
        return None
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()):
        raise MalformedRequest("bad_content_length")
    if len(text) > 18:
        raise BodyTooLarge
    return int(text)


def read_input(environ: dict[str, Any], limit: int) -> bytes:
    """The body, at most `limit` bytes and never past its end; a new `wsgi.input` hands it on.

    Raises: `BodyTooLarge` before reading where Content-Length says so; `MalformedRequest` if the body is shorter than declared,
    or where it ends cannot be told; `BodyUnavailable` if somebody has read it already.
    """
    declared = content_length(environ)
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if declared is not None and declared > limit:
        raise BodyTooLarge
    if declared is None and not environ.get("wsgi.input_terminated"):
        if chunked:
            raise MalformedRequest("body_length_unknown")
        return b""
    stream = environ["wsgi.input"]
    wanted = limit + 1 if declared is None else declared
    parts: list[bytes] = []
    while wanted:
        part = stream.read(min(wanted, _CHUNK))
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    body = b"".join(parts)
    if declared is None:
        if len(body) > limit:
            environ["wsgi.input"] = _rejoined(body, stream)  # for whoever goes on all the same: a chain in shadow
            raise BodyTooLarge
        if not body:
            if chunked:  # nothing was sent, or somebody has taken it: an empty body must not be what is verified
                raise MalformedRequest("chunked_body_empty")
            return body
    elif len(body) != declared:
        if not body:
            raise BodyUnavailable("wsgi.input was read before the guard came to it: put the guard outside of what reads it")
        raise MalformedRequest("body_truncated")
    hand_on(environ, body)
    return body


def hand_on(environ: dict[str, Any], body: bytes) -> None:
    """Give the body to whoever reads next."""
    from io import BytesIO

    environ["wsgi.input"] = BytesIO(body)
    environ["wsgi.input_terminated"] = True
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # it has been undone, and would contradict the length


def _rejoined(start: bytes, rest: Any) -> Any:
    """A stream of `start` and then `rest`, which ends by itself."""
    from io import BufferedReader, RawIOBase

    class Rejoined(RawIOBase):
        at = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            part = start[self.at : self.at + len(buffer)] or rest.read(len(buffer))
            self.at += len(part)
            buffer[: len(part)] = part
            return len(part)

    return BufferedReader(Rejoined())


def find_state(environ: dict[str, Any]) -> State | None:
    """The state that an outer chain left in the environ; no client can put one there."""
    state = environ.get(KEY)
    return state if isinstance(state, State) else None


class _Start:
    """The server's `start_response`, with the chain's headers."""

    __slots__ = ("_start", "_reply", "called")

    def __init__(self, start: Callable[..., Any], reply: Reply) -> None:
        self._start = start
        self._reply = reply
        self.called = False

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.called = True
        if self._reply.wanted:
            response = Response(_code(status))
            replace_headers(response, iter(headers))
            self._reply.apply(response)
            headers = changed_lines(headers, response.headers)
        return self._start(status, headers) if exc_info is None else self._start(status, headers, exc_info)


def _code(status: str) -> int:
    code = status[:3]
    return int(code) if len(code) == 3 and code.isascii() and code.isdigit() else 500


class _Late(InState):
    """The body of an app that starts its response only while it is iterated: the audit event waits for that."""

    __slots__ = ("_started", "_reply", "_open")

    def __init__(self, source: Any, started: _Start, reply: Reply) -> None:
        super().__init__(source, reply.state)
        self._started = started
        self._reply = reply
        self._open = True
        reply.postpone()

    def __next__(self) -> Any:
        try:
            part = super().__next__()
        except StopIteration:
            self._finish()
            raise
        except Exception:
            if self._open:
                self._reply.failed()
            self._finish()
            raise
        if self._started.called:
            self._finish()
        return part

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._finish()

    def _finish(self) -> None:
        if self._open:
            self._open = False
            self._reply.finished()


class Wsgi(Host):
    name = "wsgi"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        if len(args) == 2:
            environ, start = args
        elif len(args) == 3:  # a method that was decorated directly
            _, environ, start = args
        else:
            return None
        if not isinstance(environ, dict) or "wsgi.version" not in environ or not callable(start):
            return None
        request = WsgiRequest.__new__(WsgiRequest)
        fill(request, environ)
        request.host = "wsgi"
        request.native = environ
        request.start_response = start
        return request

    def find_state(self, request: Request) -> State | None:
        return find_state(request.native)

    def keep_state(self, request: Request, state: State) -> None:
        request.native[KEY] = state

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        environ = request.native.copy()  # the guards, and whatever is around them, still see what was sent
        hide(environ, names)
        return (*args[:-2], environ, args[-1]), kwargs

    def enter(self, request: Request, handler: Callable[..., Any], args: Args, kwargs: Kwargs, reply: Reply) -> Any:
        start = _Start(args[-1], reply)
        result = handler(*args[:-1], start, **kwargs)
        if isinstance(result, (list, tuple)):
            return result
        if not start.called:
            result = _Late(result, start, reply)
        elif not reply.holding:
            wrapper = request.native.get("wsgi.file_wrapper")
            if hasattr(result, "read") or (isinstance(wrapper, type) and isinstance(result, wrapper)):
                return result  # a file: the server sends it its own way, and no code of the app's runs
            return InState(result, reply.state)
        return Holding(result, reply.state, reply.hold()) if reply.holding else result

    def refuse(self, request: Request, response: Response) -> Any:
        assert isinstance(request, WsgiRequest)
        assert request.start_response is not None
        headers = list(response.headers.items())
        headers.append(("content-length", str(len(response.body))))
        request.start_response(status_line(response.status), headers)
        return [] if request.method == "HEAD" else [response.body]


def status_line(status: int) -> str:
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Refused"


HOST = Wsgi()
