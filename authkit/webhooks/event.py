"""`WebhookEvent`: a delivery whose signature holds."""

from __future__ import annotations

from ..decision import _Value
from ..errors import InvalidSignature
from ..http import Headers
from .delivery import MAX_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, TypeAlias

    from .places import Place

    # scheme, body, id, timestamp, version, whether the id is signed, what is signed before the body and after it, where the
    # body may name the event (nowhere: it was looked for), whether all of the body is signed
    Parts: TypeAlias = tuple[str, bytes, str | None, float | None, str | int, bool, bytes, bytes, tuple[Place, ...], bool]

_set = object.__setattr__


class WebhookEvent(_Value):
    """A delivery whose signature holds, and whose time is right where the scheme signs one.

    `body`: the bytes as received; all of it is verified only where `covers_body`, since some senders sign but a part. `id`:
    what the sender calls the delivery, None if it says nothing; only with `signed_id` is it the sender's own word. `timestamp`:
    seconds since the epoch, None if the scheme signs none. `version`: which secret matched: "current", "previous" or "pending";
    its index if a sequence of secrets was given.
    """

    __slots__ = ("_parts",)  # one slot: ten would take longer to fill than the headers take to read
    _parts: Parts

    def __init__(
        self,
        scheme: str,
        body: bytes,
        id: str | None = None,
        timestamp: float | None = None,
        version: str | int = "current",
        signed_id: bool = False,
        before: bytes = b"",
        after: bytes = b"",
        places: tuple[Place, ...] = (),
        covers_body: bool = True,
    ) -> None:
        _set(self, "_parts", (scheme, body, id, timestamp, version, signed_id, before, after, places, covers_body))

    @classmethod
    def of(cls, parts: Parts) -> WebhookEvent:
        """An event of what the constructor takes, in its order."""
        event = cls.__new__(cls)
        _set(event, "_parts", parts)
        return event

    @property
    def scheme(self) -> str:
        return self._parts[0]

    @property
    def body(self) -> bytes:
        return self._parts[1]

    @property
    def id(self) -> str | None:
        return self._told()[2]

    @property
    def timestamp(self) -> float | None:
        return self._parts[3]

    @property
    def version(self) -> str | int:
        return self._parts[4]

    @property
    def signed_id(self) -> bool:
        return self._told()[5]

    @property
    def covers_body(self) -> bool:
        return self._parts[9]

    @property
    def replay_key(self) -> str:
        """What a second delivery of the same event has too: the signed id, else the SHA-256 of what was signed."""
        parts = self._parts if self._parts[5] else self._told()
        if parts[5]:
            return f"{parts[0]}:id:{parts[2]}"
        import hashlib

        before, after, _, covers_body = self._parts[6:]
        digest = hashlib.sha256(before)
        if covers_body or not (before or after):  # else what was not signed could be changed, and it would be another event
            digest.update(self.body)
        digest.update(after)
        return f"{self.scheme}:sha256:{digest.hexdigest()}"

    def _fields(self) -> tuple[object, ...]:
        return (self._told(),)

    def _told(self) -> Parts:
        """The parts, with what the body calls the event. It is looked for once, and only if somebody asks."""
        parts = self._parts
        if parts[8]:
            named = None if parts[5] else _named(parts[1], parts[8])
            parts = (*parts[:2], named or parts[2], *parts[3:5], parts[5] or named is not None, *parts[6:8], (), parts[9])
            _set(self, "_parts", parts)
        return parts

    def json(self) -> Any:
        """The body as JSON in UTF-8. Raises: `ValueError` if it is none; NaN, Infinity and endless nesting are none."""
        import json

        try:
            return json.loads(self.body.decode(), parse_constant=_no_constant)
        except RecursionError:
            raise ValueError("the body is nested too deeply") from None

    def form(self) -> dict[str, list[str]]:
        """The body as a form: every value of each field. Raises: `ValueError` if it is no UTF-8 or has over 1000 fields."""
        from urllib.parse import parse_qs

        return parse_qs(self.body.decode(), keep_blank_values=True, max_num_fields=1000, errors="strict")

    def __repr__(self) -> str:  # the body may hold personal data
        return f"<WebhookEvent {self.scheme} {self.id!r} ({len(self.body)} bytes)>"


def _named(body: bytes, places: tuple[Place, ...]) -> str | None:
    from .sent import Sent

    sent = Sent(Headers(), body, None, "POST")
    if any(place.kind == "body" for place in places):
        sent.take(_loosely(body))
    for place in places:
        try:
            texts = sent.texts(place)
        except InvalidSignature:  # a body that is no form has no id
            continue
        if len(texts) == 1 and 0 < len(texts[0]) <= MAX_ID and texts[0].isprintable():
            return texts[0]
    return None


def _loosely(body: bytes) -> Any:
    """The body as its handler will read it; None if it is no JSON. Whoever signed it is trusted not to name an event twice."""
    import json

    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
