"""The ordinary delivery, verified in one go: small, of a plain scheme, and written as its sender writes it every day.

What is out of the ordinary in any way, or wrong, is left to `quick.reader` and what follows there: that says why. So nothing
is accepted here that would be refused there, and the tests hold the two to it.
"""

from __future__ import annotations

from binascii import b2a_base64
from hmac import compare_digest
from operator import itemgetter

from ..http import Headers
from .delivery import MAX_ID
from .event import WebhookEvent
from .quick import written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .keys import Keys
    from .scheme import Scheme

    AtHand: TypeAlias = Callable[[int], bytes] | None
    Ordinary: TypeAlias = Callable[..., WebhookEvent | None]

MAX_ORDINARY = 16_384  # bytes of body: a larger one shall not be hashed twice because it is refused
_ENCODED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_")

_new = object.__new__
_set_parts = vars(WebhookEvent)["_parts"].__set__


def acceptor(scheme: Scheme, tolerance: float, clock: Callable[[], float]) -> Ordinary | None:
    """The function that gives the event of an ordinary delivery, or None: headers, body, now, URL, method, keys, and what
    gives the body where that is None: asked once the headers are right, for at most so many bytes.

    It raises nothing of the delivery's, but what that raises. None in its place for a scheme whose deliveries are never
    ordinary.
    """
    if not scheme.plain or (scheme.timed and scheme.unit != "s") or scheme.encoding not in ("hex", "base64"):
        return None
    if not _stands_apart(scheme):
        return None
    timed, signed_id, after_id, needs_url = scheme.timed, scheme.signed_id, scheme.after_id or "\0", scheme.needs is not None
    prefix, separator, mark = str(scheme.prefix), scheme.separator or "", scheme.timestamp_item
    in_hex, length = scheme.encoding == "hex", len(mark or "")
    has_id, has_timestamp = scheme.rows[0][1] is not None, scheme.rows[0][2] is not None
    first = scheme.places[0]  # of several spellings of these names it is the one that the sender documents
    as_written = tuple(first[0] if name is None else name for name in first)
    as_lowered = tuple(name.lower() for name in as_written)
    lengths, count = frozenset(map(len, as_written)), len(set(as_lowered))
    in_order, in_order_lowered = itemgetter(*as_written), itemgetter(*as_lowered)
    at = next(index for index, (field, _) in enumerate(scheme.segments) if field == "body")
    start, stop = scheme.segments[0][1], scheme.segments[at][1]
    # As most have it there is nothing else before the body. `start`, `middle` and `stop` stand around them.
    fields = tuple(field for field, _ in scheme.segments[:at])
    after_time, after_both = fields == ("timestamp",), fields == ("id", "timestamp")
    middle = scheme.segments[1][1] if after_both else ""
    before_of, after_of = written(scheme.segments[:at], stop), written(scheme.segments[at + 1 :], "")
    called, places, covers_body = scheme.name, scheme.event_places, scheme.covers_body

    def accept(
        headers: Any,
        body: bytes | None,
        now: float | None,
        url: str | None,
        method: str,
        keys: Keys,
        at_hand: AtHand = None,
    ) -> WebhookEvent | None:
        if needs_url and url is None:
            return None
        kind = type(headers)
        try:
            if kind is Headers:
                (signature,), (id,), (timestamp,) = in_order_lowered(headers._map)
            elif kind is dict:
                names, pick = (as_written, in_order) if as_written[0] in headers else (as_lowered, in_order_lowered)
                if len(headers) != count:  # there are others, and perhaps another spelling of one of these
                    for name in headers:
                        if len(name) in lengths and name not in names and name.lower() in as_lowered:
                            return None
                signature, id, timestamp = pick(headers)
            elif isinstance(headers, Headers):
                (signature,), (id,), (timestamp,) = map(headers.get_all, as_lowered)
            else:
                return None
        except (KeyError, ValueError, TypeError, AttributeError):  # missing, repeated, or no name at all
            return None

        if type(signature) is not str or not signature.isascii():
            return None
        seconds = None
        if timed:
            if not has_timestamp:
                item, _, signature = signature.partition(separator)
                if item[:length] != mark:
                    return None
                timestamp = item[length:]
            elif type(timestamp) is not str or not timestamp.isascii():
                return None
            if len(timestamp) > 15 or not timestamp.isdigit():
                return None
            seconds = int(timestamp)
            if not -tolerance <= int(clock() if now is None else now) - seconds <= tolerance:
                return None
        if separator and separator in signature:  # several: no key is tried twice on them
            return None
        if not has_id:
            id = None
        elif type(id) is not str or not 0 < len(id) <= MAX_ID or not (id.isascii() and id.isprintable()) or after_id in id:
            return None

        if body is None and at_hand is not None:
            body = at_hand(MAX_ORDINARY)
        if type(body) is not bytes or len(body) > MAX_ORDINARY:
            return None
        if after_time:
            before = f"{start}{timestamp}{stop}".encode()
        elif after_both:
            before = f"{start}{id}{middle}{timestamp}{stop}".encode()
        else:
            before = b"" if before_of is None else before_of((id, timestamp, method, url))
        after = b"" if after_of is None else after_of((id, timestamp, method, url))
        matched = None
        for key in keys:  # every one of them, so that time does not tell which matched; nothing is raised from here on
            over = key[0].over(before, body, after)
            text = over.hexdigest() if in_hex else b2a_base64(over.digest(), newline=False).decode()
            if compare_digest(prefix + text, signature) and matched is None:
                matched = key
        if matched is None:
            return None
        _, secret, version, index = matched
        slot: Any = secret._slot  # type: ignore[union-attr]  # `note_use`, without the call; no plain scheme fetches keys
        slot.usage.steps[version]()
        slot.usage.last[version] = slot.clock()
        event = _new(WebhookEvent)
        _set_parts(event, (called, body, id, seconds, index, signed_id, before, after, places, covers_body))
        return event

    return accept


def _stands_apart(scheme: Scheme) -> bool:
    """Whether one text is one signature: nothing in it can be read as two."""
    return scheme.separator is None or not set(scheme.separator) <= _ENCODED | set(str(scheme.prefix))
