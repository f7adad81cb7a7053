"""A captured request as text: the bytes of HTTP/1.1 themselves, or what `curl -v` says."""

from __future__ import annotations

import re

from ..http import Headers
from ._capture import FORMS, Captured
from ._exits import Wrong

_LINE = re.compile(rb"([A-Z]{1,16}) (\S{1,8192})(?: HTTP/[0-9.]{1,3})?\s*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}):[ \t]*(.*?)[ \t]*")
MAX_LINES = 500


def of_text(raw: bytes) -> Captured:
    """A request line, header lines, an empty line, and the body to the end of the file. Raises: `Wrong`."""
    head, body = _parted(raw)
    lines = head.splitlines()
    first = _LINE.fullmatch(lines[0]) if lines else None
    if first is None or len(lines) > MAX_LINES:
        raise Wrong(f"the capture is {FORMS}")
    fields = [_FIELD.fullmatch(line) for line in lines[1:]]
    if not all(fields):
        raise Wrong("a header line of the capture has no name and colon")
    headers = Headers([(found[1].decode(), found[2].decode("latin-1")) for found in fields if found is not None])
    body, notes = _framed(headers, body)
    target = first[2].decode("latin-1")
    return Captured("HTTP request", first[1].decode(), _url(target, headers), headers, body, None, (), notes)


def of_curl(raw: bytes) -> Captured:
    """What `curl -v` says of a request: its lines begin with ">". It shows no body. Raises: `Wrong`."""
    lines = [line[2:] for line in raw.splitlines() if line.startswith(b"> ")]
    if not lines:
        raise Wrong(f"the capture is {FORMS}")
    found = of_text(b"\r\n".join(lines) + b"\r\n\r\n")
    secure = any(b"SSL connection" in line or b"TLS" in line for line in raw.splitlines() if line.startswith(b"*"))
    url = found.url.replace("https://", "http://", 1) if found.url is not None and not secure else found.url
    return found._replace(form="curl -v", url=url, notes=("curl -v shows no body: none was verified",))


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    """What stands before the first empty line, and after it. Lines of the head may end in LF: an editor made them so."""
    at = 0
    while (end := raw.find(b"\n", at)) >= 0:
        if raw[at:end] in (b"", b"\r"):
            return raw[:at], raw[end + 1 :]
        at = end + 1
    return raw, b""


def _framed(headers: Headers, body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The body as it was framed: what follows it in the file is the editor's."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        found = _unchunked(body)
        return (body, ()) if found is None else (found, ("the body was sent in chunks, and was put together",))
    stated = headers.get("content-length", "")
    if stated.isdecimal() and len(stated) < 12 and len(body) > int(stated) and not body[int(stated) :].strip():
        return body[: int(stated)], ("white space behind the body in the file was cut off, by its Content-Length",)
    return body, ()


def _unchunked(body: bytes) -> bytes | None:
    found, rest = b"", body
    while rest:
        size, mark, rest = rest.partition(b"\r\n")
        digits = size.partition(b";")[0].strip()
        if not mark or not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits):
            return None
        count = int(digits, 16)
        if count == 0:
            return found
        found, rest = found + rest[:count], rest[count:].removeprefix(b"\r\n")
    return None


def _url(target: str, headers: Headers) -> str | None:
    if "://" in target.partition("?")[0]:
        return target
    host = headers.get("host")
    return f"https://{host}{target}" if host else target
