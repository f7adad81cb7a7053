"""The pieces of a delivery, read strictly. Nothing but `InvalidSignature` comes out, whatever was sent."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidSignature
from ..http import Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .scheme import Scheme

MAX_HEADER = 8192  # characters; Standard Webhooks with a dozen signatures takes about 1000
MAX_SIGNATURES = 32  # a rotation needs two or three
MAX_ID = 256  # characters
NO_BYTES = "the body is the bytes as they were received; one that was parsed or decoded cannot be verified"


def only(scheme: Scheme, headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    """The headers that matter; two spellings of one name are a repeated header."""
    if isinstance(headers, Headers):
        return headers
    wanted = scheme.wanted
    everything = "*" in wanted
    found: dict[str, list[str]] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        if isinstance(name, str):
            lowered = name.lower()
            if lowered in wanted or everything:
                found.setdefault(lowered, []).append(value)
    return Headers.of(found)


def items(scheme: Scheme, text: str) -> tuple[list[str], str | None]:
    """The signatures in a text, and the timestamp if it stands there; no signatures if the text contradicts itself."""
    prefix = scheme.prefix
    if scheme.separator is None:
        return ([text[_length(prefix, text) :]] if text.startswith(prefix) else []), None
    signatures, timestamp = [], None
    mark = scheme.timestamp_item
    length = len(prefix) if type(prefix) is str else None
    for item in text.split(scheme.separator):
        if item.startswith(prefix):
            signatures.append(item[_length(prefix, item) if length is None else length :])
        elif mark is not None and item.startswith(mark):
            if timestamp is not None:
                return [], None
            timestamp = item[len(mark) :]
    return signatures, timestamp


def _length(prefix: str | tuple[str, ...], text: str) -> int:
    return len(prefix) if isinstance(prefix, str) else max(len(one) for one in prefix if text.startswith(one))


def id_of(scheme: Scheme, lines: list[str]) -> str | None:
    """The delivery's id. One that is not signed may be anything: what is not plain text is left out."""
    if not scheme.signed_id:
        return lines[0] if len(lines) == 1 and _is_plain(lines[0]) else None
    if not lines or not lines[0]:
        raise InvalidSignature("id_missing")
    # With the text that ends it inside it, one signed content could be read as another id, time and body.
    if len(lines) != 1 or not _is_plain(lines[0]) or (scheme.after_id and scheme.after_id in lines[0]):
        raise InvalidSignature("id_malformed")
    return lines[0]


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_ID and text.isascii() and text.isprintable()


def seconds_of(text: object, unit: str) -> float | None:
    """The timestamp in seconds since the epoch, or None. int() alone would take "1_0", spaces and Arabic digits."""
    if not isinstance(text, str) or not text.isascii():
        return None
    if unit == "rfc3339":
        return _from_rfc3339(text)
    if not text.isdigit() or len(text) > 15:
        return None
    return int(text) if unit == "s" else int(text) / 1000


def _from_rfc3339(text: str) -> float | None:
    if len(text) > 40 or "T" not in text or not (text.endswith("Z") or text[-6:-5] in ("+", "-")):
        return None
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
