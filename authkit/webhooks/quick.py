"""What a delivery says where its scheme is `plain`: an HMAC over the body and what stands in headers. Most are, and the short
way takes a third of what `reading.told` takes; both say the same, and the tests hold them to it."""

from __future__ import annotations

from operator import itemgetter

from ..errors import InvalidSignature
from ..http import Headers
from .delivery import MAX_HEADER, MAX_SIGNATURES, NO_BYTES, id_of, only, seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .scheme import Scheme

    # signatures, what is signed before the body, the body, what is signed after it, id, seconds
    Quick: TypeAlias = tuple[list[str], bytes, bytes, bytes, str | None, float | None]
    Written: TypeAlias = Callable[[tuple[str | None, str | None, str, str | None]], bytes]

_FIELDS = ("id", "timestamp", "method", "url")


def reader(
    scheme: Scheme, tolerance: float, clock: Callable[[], float]
) -> Callable[[Any, bytes, float | None, str | None, str], Quick]:
    """The function that reads deliveries of one plain scheme: headers, body, now, URL and method.

    It raises `InvalidSignature` with reason `signature_missing`, `signature_repeated`, `signature_malformed`,
    `timestamp_missing`, `timestamp_malformed`, `timestamp_too_old`, `timestamp_in_future`, `id_missing` or `id_malformed`;
    `ConfigurationError` if the scheme signs the URL and none is given: the request's own word is never taken.
    """
    rows = [(row[0].name, row[1].name if row[1] else None, row[2].name if row[2] else None) for row in scheme.rows]
    at = next(index for index, (field, _) in enumerate(scheme.segments) if field == "body")
    before_of, after_of = written(scheme.segments[:at], scheme.segments[at][1]), written(scheme.segments[at + 1 :], "")
    separator, prefix, mark, lowers = scheme.separator, str(scheme.prefix), scheme.timestamp_item, scheme.encoding == "hex"
    length = len(prefix)
    timed, unit, needs = scheme.timed, scheme.unit, scheme.needs
    whole_seconds = unit == "s"

    def read(headers: Any, body: bytes, now: float | None, url: str | None, method: str) -> Quick:
        if not isinstance(body, bytes):
            raise TypeError(NO_BYTES)
        get_all = headers.get_all if isinstance(headers, Headers) else only(scheme, headers).get_all
        for name, id_name, timestamp_name in rows:  # noqa: B007  # the last two are read below
            lines = get_all(name)
            if lines:
                break
        else:
            raise InvalidSignature("signature_missing")
        if len(lines) != 1:
            raise InvalidSignature("signature_repeated")
        text: object = lines[0]  # a mapping that is not ours may hold anything
        if not text:
            raise InvalidSignature("signature_missing")
        if not isinstance(text, str) or len(text) > MAX_HEADER or not text.isascii():
            raise InvalidSignature("signature_malformed")
        timestamp = None
        if separator is None:
            signatures = [text[length:]] if text.startswith(prefix) else []
        else:
            signatures = []
            for item in text.split(separator):
                if item.startswith(prefix):
                    signatures.append(item[length:])
                elif mark is not None and item.startswith(mark):
                    if timestamp is not None:
                        raise InvalidSignature("signature_malformed")
                    timestamp = item[len(mark) :]
        if not 0 < len(signatures) <= MAX_SIGNATURES:
            raise InvalidSignature("signature_malformed")
        if lowers and not text.islower():  # most senders write hex so
            signatures = [signature.lower() for signature in signatures]
        id = id_of(scheme, get_all(id_name)) if id_name is not None else None
        seconds: float | None = None
        if timed:
            if timestamp_name is not None:
                lines = get_all(timestamp_name)
                if len(lines) > 1:
                    raise InvalidSignature("timestamp_malformed")
                timestamp = lines[0] if lines else None
            if not timestamp:
                raise InvalidSignature("timestamp_missing")
            if whole_seconds and type(timestamp) is str and timestamp.isdigit() and timestamp.isascii() and len(timestamp) < 16:
                seconds = int(timestamp)  # what `seconds_of` says, without the call
            else:
                seconds = seconds_of(timestamp, unit)
                if seconds is None:
                    raise InvalidSignature("timestamp_malformed")
            if now is None:
                now = clock()
            # whole seconds where the sender has no finer ones: 300 s old is 300 s old for all of that second
            age = (int(now) if whole_seconds else now) - seconds
            if age > tolerance:
                raise InvalidSignature("timestamp_too_old")
            if age < -tolerance:
                raise InvalidSignature("timestamp_in_future")
        if needs is not None and url is None:
            raise scheme.no_url()
        values = (id, timestamp, method, url)
        before = before_of(values) if before_of is not None else b""
        return signatures, before, body, after_of(values) if after_of is not None else b"", id, seconds

    return read


def written(segments: Any, last: str) -> Written | None:
    """The function that writes these fields and the text before each, and `last`; None if there is nothing to write."""
    fields = [_FIELDS.index(field) for field, _ in segments if field]
    pattern = "".join(text.replace("%", "%%") + ("%s" if field else "") for field, text in segments) + last.replace("%", "%%")
    if not fields:
        fixed = (pattern % ()).encode()
        return (lambda values: fixed) if fixed else None
    pick = itemgetter(*fields)
    if fields == [1]:
        start, end = segments[0][1], "".join(text for _, text in segments[1:]) + last
        return lambda values: f"{start}{values[1]}{end}".encode()
    if set(fields) <= {0, 1}:  # an id and a time are ASCII, or they were refused
        return lambda values: (pattern % pick(values)).encode()
    return lambda values: (pattern % pick(values)).encode("utf-8", "surrogatepass")
