"""A captured request: what stands in a file, told by its form. Nothing of it is ever printed."""

from __future__ import annotations

import json
import sys
from binascii import Error, a2b_base64
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigurationError
from ._exits import NotFound, Wrong

if TYPE_CHECKING:
    from ..http import Headers

LONGEST = 16 * 1_048_576  # bytes of a capture: an event with a body of 6 MiB in base64, or a HAR file
FORMS = "the text of an HTTP request, JSON with method, url, headers and body, a Lambda event, a HAR entry, or curl -v"


class Captured(NamedTuple):
    """`form`: what it was read as. `url`: as the capture has it, None if it does not say. `received`: epoch seconds, or None.
    `stages`: stages of a gateway that it passed. `notes`: what was done to read it."""

    form: str
    method: str
    url: str | None
    headers: Headers
    body: bytes
    received: float | None = None
    stages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Captured {self.form}>"


class Unreadable(Exception):
    """An event that contradicts itself: every guard refuses it. `says` holds nothing of it."""

    def __init__(self, reason: str, says: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.says = says
        self.mend = mend


def captured(path: str | None) -> Captured:
    """The capture in that file, or on stdin for "-" and None. Raises: `Wrong`, `NotFound`, `Unreadable`."""
    return parsed(read(path))


def parsed(raw: bytes) -> Captured:
    """The request that a capture is of. Raises: `Wrong` for what is none, `Unreadable` for an event that no guard reads."""
    if not raw.strip():
        raise Wrong("the capture is empty")
    if raw.lstrip()[:1] in (b"{", b"["):
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            raise Wrong("the capture begins as JSON does, and is none") from None
        return _of_document(document)
    from ._capture_text import of_curl, of_text

    return of_curl(raw) if raw.startswith((b"*", b"> ", b"< ")) else of_text(raw)


def _of_document(document: Any) -> Captured:
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        raise Wrong(f"the capture is {FORMS}")
    log = document.get("log")
    if isinstance(log, dict):
        entries = log.get("entries")
        if not isinstance(entries, list) or len(entries) != 1:
            raise Wrong("the HAR file has several requests: give the one entry that is meant")
        document = entries[0] if isinstance(entries[0], dict) else {}
    if isinstance(document.get("request"), dict) and "headers" in document["request"]:
        return _of_har(document)
    from ._capture_event import of_event

    return of_event(document) or _of_plain(document)


def _of_plain(document: dict[str, Any]) -> Captured:
    """JSON with method, url, headers and body or body_base64."""
    if "headers" not in document:
        raise Wrong(f"the capture is {FORMS}")
    body, encoded = document.get("body"), document.get("body_base64")
    notes: tuple[str, ...] = ()
    if encoded is not None:
        if not isinstance(encoded, str):
            raise Wrong("body_base64 is text")
        try:
            raw = a2b_base64(encoded.encode(), strict_mode=True)
        except (Error, ValueError):
            raise Wrong("body_base64 is no base64") from None
    elif isinstance(body, (dict, list)):
        raw = json.dumps(body, separators=(",", ":")).encode()
        notes = ("the capture has the body parsed, not as it came: it was written again, and its signature can hardly hold",)
    else:
        raw = utf8(body)
    return Captured(
        "json", str(document.get("method") or "POST").upper(), text_or_none(document.get("url")),
        headers_of(document["headers"]), raw, moment_of(document.get("received")), (), notes,
    )  # fmt: skip


def _of_har(entry: dict[str, Any]) -> Captured:
    """One entry of a HAR file (HTTP Archive 1.2)."""
    request = entry["request"]
    data = request.get("postData") if isinstance(request.get("postData"), dict) else {}
    text = data.get("text")
    if data.get("encoding") == "base64" and isinstance(text, str):
        try:
            body = a2b_base64(text.encode(), strict_mode=True)
        except (Error, ValueError):
            raise Wrong("the body in the HAR entry is no base64") from None
    else:
        body = utf8(text)
    return Captured(
        "har", str(request.get("method") or "POST").upper(), text_or_none(request.get("url")), headers_of(request["headers"]),
        body, moment_of(entry.get("startedDateTime")),
    )  # fmt: skip


def headers_of(found: Any) -> Headers:
    """Headers as a map of texts or lists, as pairs, or as a list of `{"name", "value"}`. Raises: `Wrong`."""
    from ..http import Headers

    pairs: list[tuple[str, str]] = []
    items = found.items() if isinstance(found, dict) else found if isinstance(found, list) else ()
    for item in items:
        pair = (item.get("name"), item.get("value")) if isinstance(item, dict) else item
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise Wrong("the headers of the capture are a map, or a list of names and values")
        values = pair[1] if isinstance(pair[1], list) else [pair[1]]
        pairs += [(pair[0], str(value)) for value in values if isinstance(value, (str, int, float))]
    return Headers([(name.strip(), value) for name, value in pairs if not name.startswith(":")])  # HTTP/2's own are none


def utf8(text: Any) -> bytes:
    """The bytes of a text of the capture. Raises: `Wrong`."""
    if text is None:
        return b""
    if not isinstance(text, str):
        raise Wrong("the body of the capture is text, or body_base64")
    return text.encode("utf-8", "surrogatepass")


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def moment_of(value: Any) -> float | None:
    """Epoch seconds, from a number (of milliseconds too) or RFC 3339; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1000 if value > 2**36 else float(value)
    if not isinstance(value, str) or len(value) > 40:
        return None
    from datetime import datetime

    try:
        found = datetime.fromisoformat(value)
        return found.timestamp() if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def read(path: str | None) -> bytes:
    """What is in that file, or on stdin. Raises: `Wrong`, `NotFound`."""
    if path is None or path == "-":
        if sys.stdin.isatty():
            raise Wrong("name the file of the capture, or pipe it in")
        raw = sys.stdin.buffer.read(LONGEST + 1)
    else:
        try:
            with open(path, "rb") as file:
                raw = file.read(LONGEST + 1)
        except FileNotFoundError:
            raise NotFound("there is no file of that name") from None
        except (OSError, ValueError) as error:  # the name is not repeated: it may be a value, typed in the wrong place
            raise ConfigurationError(f"the file cannot be read ({type(error).__name__})") from None
    if len(raw) > LONGEST:
        raise Wrong(f"the capture is longer than {LONGEST} bytes")
    return raw
