"""`WebhookEvent`: a delivery whose signature holds."""

from __future__ import annotations

from ..decision import _Value
from ..errors import InvalidSignature
from ..http import Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from .places import Place

MAX_ID = 256  # characters

_set = object.__setattr__


class WebhookEvent(_Value):
    """A delivery whose signature holds, and whose time is right where the scheme signs one.

    `body`: the bytes as received; all of it is verified only where `covers_body`, since some senders sign but a part. `id`:
    what the sender calls the delivery, None if it says nothing; only with `signed_id` is it the sender's own word. `timestamp`:
    seconds since the epoch, None if the scheme signs none. `version`: which secret matched: "current", "previous" or "pending";
    its index if a sequence of secrets was given.
    """

    __slots__ = ("_parts",)  # one slot: ten would take longer to fill than the headers take to read
    _parts: tuple[str, bytes, str | None, float | None, str | int, bool, bytes, bytes, tuple[Place, ...], bool]

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
    def of(
        cls, parts: tuple[str, bytes, str | None, float | None, str | int, bool, bytes, bytes, tuple[Place, ...], bool]
    ) -> WebhookEvent:
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
        return self._parts[2] if self._parts[5] or not self._parts[8] else self._named() or self._parts[2]

    @property
    def timestamp(self) -> float | None:
        return self._parts[3]

    @property
    def version(self) -> str | int:
        return self._parts[4]

    @property
    def signed_id(self) -> bool:
        return self._parts[5] or (bool(self._parts[8]) and self._named() is not None)

    @property
    def covers_body(self) -> bool:
        return self._parts[9]

    @property
    def replay_key(self) -> str:
        """What a second delivery of the same event has too: the signed id, else the SHA-256 of what was signed."""
        if self.signed_id:
            return f"{self.scheme}:id:{self.id}"
        import hashlib

        before, after, _, covers_body = self._parts[6:]
        digest = hashlib.sha256(before)
        if covers_body or not (before or after):  # else what was not signed could be changed, and it would be another event
            digest.update(self.body)
        digest.update(after)
        return f"{self.scheme}:sha256:{digest.hexdigest()}"

    def _named(self) -> str | None:
        """What the body, which is verified, calls the event. It is looked for only when somebody asks."""
        from .sent import Sent

        sent = Sent(Headers(), self.body, None, "POST")
        for place in self._parts[8]:
            try:
                texts = sent.texts(place)
            except InvalidSignature:  # a body that is no JSON has no id
                continue
            if len(texts) == 1 and 0 < len(texts[0]) <= MAX_ID and texts[0].isprintable():
                return texts[0]
        return None

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


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
