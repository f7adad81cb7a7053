"""`Sent`: a delivery as it came, of which body, URL and token are parsed once and only if a scheme looks into them."""

from __future__ import annotations

from ..errors import InvalidSignature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ..http import Headers
    from .places import Place

MAX_FIELDS = 1000  # of a form; Twilio's largest have some dozens


class Sent:
    """A delivery as it came. Nothing of it is trusted; what cannot be read is `InvalidSignature`."""

    __slots__ = ("headers", "body", "url", "method", "jose", "claims", "_json", "_form", "_query")
    headers: Headers
    body: bytes
    url: str | None
    method: str
    jose: Mapping[str, Any]  # the header of the JWS that is the signature, if it is one
    claims: Mapping[str, Any]  # its payload

    def __init__(self, headers: Headers, body: bytes, url: str | None, method: str) -> None:
        self.headers = headers
        self.body = body
        self.url = url
        self.method = method
        self.jose = {}
        self.claims = {}
        self._json: Any = _UNREAD
        self._form: list[tuple[str, str]] | None = None
        self._query: list[tuple[str, str]] | None = None

    def texts(self, place: Place, root: Sequence[str] = ()) -> list[str]:
        """Every text at a place: none if there is nothing, several for what was sent more than once.

        `root`: where paths of the body begin. Raises: `InvalidSignature` with `body_malformed`, or `signature_malformed` for a
        header that is no text.
        """
        return [text for value in self._values(place, root) if (text := _text(value)) is not None]

    def _values(self, place: Place, root: Sequence[str]) -> list[Any]:
        kind, name = place.kind, place.name
        if kind == "header":
            return list(self.headers.get_all(name))
        if kind == "body":
            return [] if (found := self.member((*root, *place.path))) is None else [found]
        if kind == "form":
            return [value for field, value in self.form() if field == name]
        if kind == "query":
            return [value for field, value in self.query() if field == name]
        members = self.claims if kind == "claim" else self.jose
        return [members[name]] if name in members else []

    def member(self, path: Sequence[str]) -> Any:
        """What stands at a path of the JSON body; None if nothing does."""
        found = self.json()
        for step in path:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and step.isdigit() and len(step) < 5 and int(step) < len(found):
                found = found[int(step)]
            else:
                return None
        return found

    def json(self) -> Any:
        """The body as JSON with one reading. Raises: `InvalidSignature` with `body_malformed`."""
        if self._json is _UNREAD:
            self._json = one_reading(self.body)
        return self._json

    def take(self, whole: Any) -> None:
        """The body as JSON, from somebody who has read it."""
        self._json = whole

    def form(self) -> list[tuple[str, str]]:
        """The fields of the body, in order. Raises: `InvalidSignature` with `body_malformed`."""
        if self._form is None:
            try:
                self._form = fields(self.body.decode())
            except ValueError:
                raise InvalidSignature("body_malformed") from None
        return self._form

    def query(self) -> list[tuple[str, str]]:
        """The parameters of the URL, in order. Raises: `InvalidSignature` with `url_malformed`."""
        if self._query is None:
            try:
                self._query = fields((self.url or "").partition("#")[0].partition("?")[2])
            except ValueError:
                raise InvalidSignature("url_malformed") from None
        return self._query

    def read_jws(self, token: str, *, detached: bool) -> tuple[bytes, bytes, str]:
        """What a JWS in compact form (RFC 7515 section 3.1) signs before the body and instead of it, and its signature.

        `detached`: the payload is the body as it came (RFC 7797 with `b64` false), so the token's middle is empty. Raises:
        `InvalidSignature` with `signature_malformed`.
        """
        from ..tokens import base64url
        from ..tokens.strict_json import parse_object

        parts = token.split(".")
        if len(parts) != 3 or not parts[0] or not parts[2] or bool(parts[1]) is detached:
            raise InvalidSignature("signature_malformed")
        try:
            self.jose = parse_object(base64url.decode(parts[0]))
            if not detached:
                self.claims = parse_object(base64url.decode(parts[1]))
        except ValueError:
            raise InvalidSignature("signature_malformed") from None
        # "b64" is the one extension that we know, and it must be listed as one (RFC 7797 section 6).
        plain = "crit" not in self.jose and "b64" not in self.jose
        unencoded = self.jose.get("b64") is False and self.jose.get("crit") == ["b64"]
        if not (unencoded if detached else plain) or not isinstance(self.jose.get("kid", ""), str):
            raise InvalidSignature("signature_malformed")
        return parts[0].encode() + b"." + parts[1].encode(), self.body if detached else b"", parts[2]


class _Unread:
    pass


_UNREAD = _Unread()


def _text(value: Any) -> str | None:
    """A value as its sender would write it; None for what is no single text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None


def fields(text: str) -> list[tuple[str, str]]:
    """The fields of a form or a query, in order. Raises: `ValueError` for what is no UTF-8 or has too many."""
    from urllib.parse import parse_qsl

    return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")


def one_reading(body: bytes) -> Any:
    """The body as JSON. Raises: `InvalidSignature` with `body_malformed`, also for a member that stands there twice: what was
    signed is one of the two, and a handler's own parser may take the other."""
    try:
        return (_decode or _decoder())(body.decode())
    except (ValueError, RecursionError):
        raise InvalidSignature("body_malformed") from None


_decode: Callable[[str], Any] | None = None  # made once: `json.loads` with hooks makes a decoder each time


def _decoder() -> Callable[[str], Any]:
    global _decode
    import json

    _decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode
    return _decode


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a duplicate member")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
