"""What a delivery says, wherever its scheme has it. Nothing but `InvalidSignature` comes out, whatever was sent."""

from __future__ import annotations

from ..errors import InvalidSignature
from .content import contents
from .delivery import MAX_HEADER, MAX_SIGNATURES, id_of, items, only, seconds_of
from .sent import Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeAlias

    from .content import Content
    from .places import Place
    from .scheme import Scheme

    Row: TypeAlias = tuple[Place, Place | None, Place | None]  # of a signature, an id and a timestamp

MAX_EACH = 100  # elements of a delivery that signs each by itself
MAX_KEY = 2048  # characters of the name of a key


class Part:
    """What one signature is about: the signatures sent, any of which may be right, and what they may be of."""

    __slots__ = ("signatures", "contents")

    def __init__(self, signatures: list[str], contents: list[Content]) -> None:
        self.signatures = signatures
        self.contents = contents


class Told:
    """What a delivery says. `parts`: each has to be signed. `key`: the name of the key, for a scheme that fetches it."""

    __slots__ = ("parts", "body", "id", "seconds", "key", "claims")

    def __init__(
        self, parts: list[Part], body: bytes, id: str | None, seconds: float | None, key: str | None, claims: Mapping[str, Any]
    ) -> None:
        self.parts = parts
        self.body = body
        self.id = id
        self.seconds = seconds
        self.key = key
        self.claims = claims


def told(
    scheme: Scheme, headers: Any, body: bytes, url: str | None, method: str, options: Mapping[str, tuple[str, ...]]
) -> Told:
    """What the delivery says.

    Raises: `InvalidSignature` with a reason of `quick.reader`, or `body_malformed`, `url_malformed`, `body_hash_missing`,
    `body_hash_mismatch`, `unexpected_value`, `field_missing`, `field_malformed`, `key_missing`, `key_refused`;
    `ConfigurationError` where the scheme needs a URL and none was given.
    """
    if url is None and scheme.needs:
        raise scheme.no_url()
    if scheme.algorithm == "digest" and b"\0" in body:
        # Whoever saw a digest of secret and text can make that of the text, its padding and more. Padding has NULs; JSON none.
        raise InvalidSignature("body_malformed")
    sent = Sent(only(scheme, headers), body, url, method)
    found = [_part(scheme, sent, options, root) for root in _roots(scheme, sent)]
    _, id, seconds = found[0]
    return Told([part for part, _, _ in found], body, id, seconds, key_named(scheme, sent), sent.claims)


def _roots(scheme: Scheme, sent: Sent) -> list[tuple[str, ...]]:
    if not scheme.each:
        return [()]
    path = tuple(scheme.each.split("."))
    elements = sent.member(path)
    if not isinstance(elements, list) or not elements:
        raise InvalidSignature("signature_missing")
    if len(elements) > MAX_EACH:
        raise InvalidSignature("signature_malformed")
    return [(*path, str(index)) for index in range(len(elements))]


def _part(
    scheme: Scheme, sent: Sent, options: Mapping[str, tuple[str, ...]], root: Sequence[str]
) -> tuple[Part, str | None, float | None]:
    row, signatures, timestamp = said(scheme, sent, root)
    before, instead = b"", b""
    if scheme.algorithm.startswith("jws"):
        before, instead, signatures[0] = sent.read_jws(signatures[0], detached=scheme.algorithm == "jws-detached")
    id = id_of(scheme, sent.texts(row[1], root)) if row[1] is not None else None
    seconds = None
    if scheme.timed:
        timestamp, seconds = when(scheme, sent, row, timestamp, root)
    check_expected(scheme.expected, sent, options, root)
    hashed = _check_hash(scheme, sent, root)
    if scheme.algorithm.startswith("jws"):
        return Part(signatures[:1], [(before, instead, b"")]), id, seconds
    if scheme.algorithm == "token":
        return Part(signatures, [(b"", b"", b"")]), id, seconds
    return Part(signatures, contents(scheme, sent, id, timestamp, options, root, hashed=hashed)), id, seconds


def said(scheme: Scheme, sent: Sent, root: Sequence[str] = ()) -> tuple[Row, list[str], str | None]:
    """The places that belong together, the signatures that stand there, and the timestamp if it stands among them."""
    row, texts = _signature(scheme, sent, root)
    signatures, timestamp = [], None
    for text in texts:
        if not text or len(text) > MAX_HEADER or not text.isascii():
            raise InvalidSignature("signature_malformed")
        some, its_timestamp = items(scheme, text)
        signatures += some
        timestamp = timestamp or its_timestamp
    if not signatures or len(signatures) > MAX_SIGNATURES:
        raise InvalidSignature("signature_malformed")
    return row, signatures, timestamp


def when(scheme: Scheme, sent: Sent, row: Row, timestamp: str | None, root: Sequence[str] = ()) -> tuple[str, float]:
    """The time that is signed, as it was sent and in seconds since the epoch. `timestamp`: the one among the signatures."""
    timestamp = timestamp if row[2] is None else _one(sent, row[2], root, "timestamp_malformed")
    if not timestamp:
        raise InvalidSignature("timestamp_missing")
    seconds = seconds_of(timestamp, scheme.unit)
    if seconds is None:
        raise InvalidSignature("timestamp_malformed")
    return timestamp, seconds


def _signature(scheme: Scheme, sent: Sent, root: Sequence[str]) -> tuple[Row, list[str]]:
    """The places that belong together, and what stands where the signatures do: one text in each place."""
    also = [texts[0] for place in scheme.also_places if (texts := _single(sent, place, root))]
    for row in scheme.rows:
        texts = _single(sent, row[0], root)
        if texts:
            return row, texts + also
    if not also:
        raise InvalidSignature("signature_missing")
    return scheme.rows[0], also


def _single(sent: Sent, place: Place, root: Sequence[str]) -> list[str]:
    texts = sent.texts(place, root)
    if len(texts) > 1:
        raise InvalidSignature("signature_repeated")
    return texts if texts and texts[0] else []


def _one(sent: Sent, place: Place, root: Sequence[str], reason: str) -> str | None:
    texts = sent.texts(place, root)
    if len(texts) > 1:
        raise InvalidSignature(reason)
    return texts[0] if texts else None


def check_expected(
    expected: Sequence[tuple[Place, str]], sent: Sent, options: Mapping[str, tuple[str, ...]], root: Sequence[str] = ()
) -> None:
    """Whether it stands there what has to. Raises: `InvalidSignature` with `unexpected_value`."""
    for place, value in expected:
        allowed = options[value[1:-1]] if value.startswith("{") else (value,)
        if _one(sent, place, root, "unexpected_value") not in allowed:
            raise InvalidSignature("unexpected_value")


def _check_hash(scheme: Scheme, sent: Sent, root: Sequence[str]) -> bool:
    """Whether a hash of the body is part of what is signed; it is that of this body."""
    place = scheme.hash_place
    if place is None:
        return False
    text = _one(sent, place, root, "body_hash_mismatch")
    if text is None:
        if place.kind == "query":  # the URL has one where the body is no form, whose fields are signed themselves
            return False
        raise InvalidSignature("body_hash_missing")
    import hashlib
    from hmac import compare_digest

    from .mac import encoder

    expected = encoder(scheme.body_hash_encoding)(hashlib.sha256(sent.body).digest())
    if not text.isascii() or not compare_digest(expected, text.lower() if scheme.body_hash_encoding == "hex" else text):
        raise InvalidSignature("body_hash_mismatch")
    return True


def key_named(scheme: Scheme, sent: Sent) -> str | None:
    """The name of the key, if it is one that the scheme's keys may have. It is the sender's word: nothing else is fetched."""
    if not scheme.key_places:
        return None
    import re

    text = next((found for place in scheme.key_places if (found := _one(sent, place, (), "key_refused"))), None)
    if text is None:
        raise InvalidSignature("key_missing")
    if len(text) > MAX_KEY or not text.isascii() or re.fullmatch(scheme.key_url, text) is None:
        raise InvalidSignature("key_refused")
    return text
