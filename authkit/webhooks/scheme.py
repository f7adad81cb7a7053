"""`Scheme`: how one sender signs, declared and not coded. Signing, verifying and test fixtures are driven by it alike."""

from __future__ import annotations

from ..decision import _Value
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

HASHES = ("sha256", "sha1", "sha384", "sha512")
KEYS = ("text", "base64", "hex")
ENCODINGS = ("hex", "base64", "base64url")
UNITS = ("s", "ms", "rfc3339")
FIELDS = ("id", "timestamp", "method", "url", "body")
TOLERANCE = 300.0  # seconds both ways, where a scheme with a timestamp states none
MAX_BODY = 1_048_576  # bytes, where a scheme states none

_set = object.__setattr__


class Scheme(_Value):
    """How one sender signs its webhooks. It is judged when built: `ConfigurationError` names the field that is wrong.

    `signature`, `id`, `timestamp`: header names; several are fallbacks, and those at the same place belong together.
    `separator` and `prefix` say how the signature header is read: it is split at `separator` (None: it is one item), and an
    item that starts with `prefix` is a signature. `timestamp_item`: an item of that header that starts so is the timestamp.
    `signed`: what is signed, `{id}`, `{timestamp}`, `{method}`, `{url}` and `{body}` in text of its own; `{body}` once. A
    timestamp that is not signed is refused: its age would say nothing.
    `hash`: of the HMAC. `key`: how the secret as the provider shows it becomes the key: its "text", or what it says in
    "base64" or "hex", after `key_prefix` if it has that. `encoding` of the signature; hex in either case.
    `unit` of the timestamp: "s" or "ms" since the epoch, or "rfc3339". `tolerance`: seconds that it may differ from our clock,
    both ways. `max_body`: bytes. `verified`: the sender's own documents or code were read, not hearsay.

    What follows from these: `timed`: deliveries carry a signed time; `signed_id`: and a signed id. `places`: the signature, id
    and timestamp headers that belong together; `wanted`: all of them in lower case. `after_id`: the text that ends a signed
    id, "" if a field follows at once.
    """

    __slots__ = (
        "name", "signature", "separator", "prefix", "timestamp_item", "id", "timestamp", "signed", "hash", "key", "key_prefix",
        "encoding", "unit", "tolerance", "max_body", "verified", "timed", "signed_id", "places", "wanted", "after_id",
        "_before", "_after", "_used",
    )  # fmt: skip
    name: str
    signature: tuple[str, ...]
    separator: str | None
    prefix: str
    timestamp_item: str | None
    id: tuple[str, ...]
    timestamp: tuple[str, ...]
    signed: str
    hash: str
    key: str
    key_prefix: str
    encoding: str
    unit: str
    tolerance: float
    max_body: int
    verified: bool
    timed: bool
    signed_id: bool
    places: tuple[tuple[str, str | None, str | None], ...]
    wanted: frozenset[str]
    after_id: str
    _before: str
    _after: str
    _used: frozenset[str]

    def __init__(
        self,
        name: str,
        *,
        signature: str | Sequence[str],
        separator: str | None = None,
        prefix: str = "",
        timestamp_item: str | None = None,
        id: str | Sequence[str] = (),
        timestamp: str | Sequence[str] = (),
        signed: str = "{body}",
        hash: Literal["sha256", "sha1", "sha384", "sha512"] = "sha256",
        key: Literal["text", "base64", "hex"] = "text",
        key_prefix: str = "",
        encoding: Literal["hex", "base64", "base64url"] = "hex",
        unit: Literal["s", "ms", "rfc3339"] = "s",
        tolerance: float = TOLERANCE,
        max_body: int = MAX_BODY,
        verified: bool = False,
    ) -> None:
        _set(self, "name", name)
        before, after, fields = _compiled(name, signed)
        _set(self, "signature", _names(name, "signature", signature))
        _set(self, "separator", separator)
        _set(self, "prefix", prefix)
        _set(self, "timestamp_item", timestamp_item)
        _set(self, "id", _names(name, "id", id))
        _set(self, "timestamp", _names(name, "timestamp", timestamp))
        _set(self, "signed", signed)
        _set(self, "hash", _one_of(name, "hash", hash, HASHES))
        _set(self, "key", _one_of(name, "key", key, KEYS))
        _set(self, "key_prefix", key_prefix)
        _set(self, "encoding", _one_of(name, "encoding", encoding, ENCODINGS))
        _set(self, "unit", _one_of(name, "unit", unit, UNITS))
        _set(self, "tolerance", checked_tolerance(tolerance))
        _set(self, "max_body", max_body)
        _set(self, "verified", verified)
        _set(self, "timed", bool(self.timestamp) or timestamp_item is not None)
        _set(self, "signed_id", "id" in fields)
        _set(self, "wanted", frozenset(header.lower() for header in (*self.signature, *self.id, *self.timestamp)))
        _set(self, "after_id", signed.partition("{id}")[2].partition("{")[0])
        _set(self, "_before", before)
        _set(self, "_after", after)
        _set(self, "_used", fields)
        self._check(fields)
        _set(self, "places", tuple((n, _at(self.id, at), _at(self.timestamp, at)) for at, n in enumerate(self.signature)))

    def _check(self, fields: frozenset[str]) -> None:
        if not self.signature:
            raise ConfigurationError(f"scheme {self.name}: signature names no header")
        if self.timestamp and self.timestamp_item is not None:
            raise ConfigurationError(f"scheme {self.name}: timestamp is a header or an item of the signature header, not both")
        if self.timestamp_item is not None and (self.separator is None or not self.timestamp_item or not self.prefix):
            raise ConfigurationError(f"scheme {self.name}: timestamp_item needs a separator and a prefix")
        if self.separator == "":
            raise ConfigurationError(f"scheme {self.name}: separator is empty; None means that there is one signature")
        if self.timed != ("timestamp" in fields):
            raise ConfigurationError(f"scheme {self.name}: a timestamp is signed exactly if there is a place to read it from")
        if "id" in fields and not self.id:
            raise ConfigurationError(f"scheme {self.name}: {{id}} is signed and no header says it")
        for names in (self.id, self.timestamp):
            if len(names) > 1 and len(names) != len(self.signature):
                raise ConfigurationError(f"scheme {self.name}: fallback headers go together: as many of each as of signature")
        if not isinstance(self.max_body, int) or self.max_body < 1:
            raise ConfigurationError(f"scheme {self.name}: max_body is a number of bytes")

    def around(self, id: str | None, timestamp: str | None, method: str, url: str | None) -> tuple[bytes, bytes]:
        """What is signed before the body, and after it.

        Raises: `ConfigurationError` if the scheme signs the URL and none is given: the request's own word is never taken.
        """
        if url is None and "url" in self._used:
            raise ConfigurationError(f"webhook scheme {self.name} signs the URL: pass url=, as the sender knows it")
        values = {"id": id, "timestamp": timestamp, "method": method, "url": url}
        before = (self._before % values).encode("utf-8", "surrogatepass") if self._before else b""
        return before, (self._after % values).encode("utf-8", "surrogatepass") if self._after else b""

    def __repr__(self) -> str:
        return f"<Scheme {self.name}>"


def checked_tolerance(tolerance: float) -> float:
    """`tolerance`, if it is one. Raises: `ConfigurationError`: no value of it switches the check off."""
    if not isinstance(tolerance, (int, float)) or isinstance(tolerance, bool) or not 0 < tolerance < float("inf"):
        raise ConfigurationError("tolerance is a positive number of seconds; it cannot be switched off")
    return tolerance


def _at(names: tuple[str, ...], place: int) -> str | None:
    return names[place if len(names) > 1 else 0] if names else None


def _names(scheme: str, field: str, names: str | Sequence[str]) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigurationError(f"scheme {scheme}: {field} is no header name")
    return names


def _one_of(scheme: str, field: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigurationError(f"scheme {scheme}: {field} is one of {', '.join(known)}")
    return value


def _compiled(scheme: str, template: str) -> tuple[str, str, frozenset[str]]:
    """What stands before the body and after it, as %-templates, and the fields in them."""
    parts = template.replace("}", "{").split("{")  # text and field in turn
    texts, fields = parts[::2], parts[1::2]
    if template.count("{") != template.count("}") or fields.count("body") != 1 or not set(fields) <= set(FIELDS):
        known = ", ".join("{" + field + "}" for field in FIELDS)
        raise ConfigurationError(f"scheme {scheme}: signed is made of {known} and text, with {{body}} exactly once")
    made = "".join(
        text.replace("%", "%%") + (f"%({field})s" if field else "") for text, field in zip(texts, [*fields, ""], strict=True)
    )
    before, _, after = made.partition("%(body)s")
    return before, after, frozenset(fields)
