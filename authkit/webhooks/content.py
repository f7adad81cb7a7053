"""What a scheme signs: a template of text and fields, compiled once, and filled from a delivery.

Fields: `{id}`, `{timestamp}`, `{method}`, `{url}`, `{path}` (with its query), `{query}`, `{body}`, `{body_sha256}` in hex,
`{body_crc32}` in decimal, `{params}` (a form's fields, name and value, each once, sorted), `{option:name}`, `{lines:A,B?}`
(each member of the JSON body, name and value on a line each), `{signed_headers:X-List}` (`name:value;` of the headers that
the list names) and any place of `places`, a header as `{header:X-Name}`. A name that ends in "?" may be missing; where
several places are signed, only such a one may hold the text that stands between them.
"""

from __future__ import annotations

from itertools import product

from ..errors import ConfigurationError, InvalidSignature
from .places import KINDS, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from .scheme import Scheme
    from .sent import Sent

    Content: TypeAlias = tuple[bytes, bytes, bytes]  # before the body, the body, after it
    Segment: TypeAlias = tuple[str, str]  # a field (or "" for none) and the text that stands before it

SIMPLE = ("id", "timestamp", "method", "url", "body")
DERIVED = ("path", "query", "body_sha256", "body_crc32", "params")
PREFIXED = ("option", "lines", "signed_headers", "header", *KINDS)
MAX_LIST = 50  # headers that a delivery may say are signed


class Filling:
    """What a template is filled with. `root`: where paths of the body begin."""

    __slots__ = ("sent", "id", "timestamp", "url", "options", "hashed", "root", "timed_by")

    def __init__(
        self, sent: Sent, id: str | None, timestamp: str | None, url: str, options: Mapping[str, str], hashed: bool,
        root: Sequence[str], timed_by: str | None,
    ) -> None:  # fmt: skip
        self.sent = sent
        self.id = id
        self.timestamp = timestamp
        self.url = url
        self.options = options
        self.hashed = hashed  # a hash of the body stands elsewhere in what is signed
        self.root = root
        self.timed_by = timed_by  # the header that has the timestamp


def compiled(scheme: str, template: str) -> tuple[Segment, ...]:
    """The fields of a template, each with the text before it. Raises: `ConfigurationError` for one that nobody knows."""
    parts = template.replace("}", "{").split("{")  # text and field in turn
    texts, fields = parts[::2], parts[1::2]
    wrong = template.count("{") != template.count("}") or fields.count("body") > 1
    for field in fields:
        kind, colon, rest = field.partition(":")
        if not (kind in PREFIXED and rest if colon else field in SIMPLE or field in DERIVED):
            wrong = True
        elif colon and kind in ("header", *KINDS):
            place(scheme, "signed", _bare(field)[0])
    if wrong:
        known = ", ".join("{" + field + "}" for field in (*SIMPLE, *DERIVED))
        raise ConfigurationError(
            f"scheme {scheme}: signed is made of {known}, {', '.join(kind + ':' for kind in PREFIXED)} and text, {{body}} once"
        )
    return tuple(zip([*fields, ""], texts, strict=True))


def contents(
    scheme: Scheme,
    sent: Sent,
    id: str | None,
    timestamp: str | None,
    options: Mapping[str, tuple[str, ...]],
    root: Sequence[str] = (),
    *,
    hashed: bool = False,
) -> list[Content]:
    """What may have been signed: one content for each form of the URL and each value of an option that is signed.

    Raises: `InvalidSignature` with `field_missing` or `field_malformed`, or as `Sent` does.
    """
    urls = list(dict.fromkeys(FORMS[form](sent.url or "") for form in scheme.urls))
    names = [name for name in scheme.options if f"option:{name}" in scheme.fields]
    timed_by = next((row[2].name for row in scheme.rows if row[2] is not None and row[2].kind == "header"), None)
    found = []
    for url, *values in product(urls, *(options[name] for name in names)):
        filling = Filling(sent, id, timestamp, url, dict(zip(names, values, strict=True)), hashed, root, timed_by)
        found.append(_filled(scheme.segments, filling))
    return found


def _filled(segments: tuple[Segment, ...], filling: Filling) -> Content:
    before: list[str] = []
    after: list[str] = []
    body = b""
    into = before
    several = sum(_is_place(field) for field, _ in segments) > 1
    for at, (field, text) in enumerate(segments):
        into.append(text)
        if field == "body":
            body, into = filling.sent.body, after
        elif field:
            value = _value(field, filling)
            # With what parts the fields inside one, the same text could be read as others: an amount out of a reference.
            bounded = several and _is_place(field) and not field.endswith("?")
            if bounded and any(mark and mark in value for mark in (text, segments[at + 1][1])):
                raise InvalidSignature("field_malformed")
            into.append(value)
    return _bytes("".join(before)), body, _bytes("".join(after))


def _is_place(field: str) -> bool:
    return field.partition(":")[0] in ("header", *KINDS)


def _value(field: str, filling: Filling) -> str:
    kind, colon, rest = field.partition(":")
    if not colon:
        return _PLAIN[kind](filling)
    return _PREFIXED[kind](filling, rest) if kind in _PREFIXED else _of_place(filling, field)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass") if text else b""


def _bare(field: str) -> tuple[str, bool]:
    """A place as `place` reads it, and whether it may be missing."""
    bare, optional = field.removesuffix("?"), field.endswith("?")
    return bare.removeprefix("header:"), optional


def _of_place(filling: Filling, field: str) -> str:
    bare, optional = _bare(field)
    found = filling.sent.texts(place("", "signed", bare), filling.root)
    if len(found) == 1:
        return found[0]
    if found or not optional:
        raise InvalidSignature("field_malformed" if found else "field_missing")
    return ""


def _lines(filling: Filling, names: str) -> str:
    """Name and value of each member, as Amazon SNS signs them. Only the first may hold a line break: with one in another, the
    same text could be read as other members."""
    lines = []
    for index, name in enumerate(names.split(",")):
        value = _of_place(filling, f"body:{name}")
        if index and not value.isprintable():
            raise InvalidSignature("field_malformed")
        if value or not name.endswith("?"):
            lines.append(f"{name.removesuffix('?')}\n{value}\n")
    return "".join(lines)


def _signed_headers(filling: Filling, listing: str) -> str:
    """`name:value` of each header that the delivery says is signed. The list itself and the timestamp have to be in it."""
    names = [name.strip().lower() for name in _of_place(filling, f"header:{listing}").split(",")]
    if len(names) > MAX_LIST or len(set(names)) != len(names) or listing.lower() not in names:
        raise InvalidSignature("field_malformed")
    values = []
    for name in names:
        found = filling.sent.headers.get_all(name)
        if len(found) != 1 or not isinstance(found[0], str):
            raise InvalidSignature("field_malformed" if found else "field_missing")
        values.append(f"{name}:{found[0].strip()}")
    if filling.timed_by is not None and filling.timed_by not in names:
        raise InvalidSignature("timestamp_missing")
    return ";".join(values)


def _params(filling: Filling) -> str:
    return "" if filling.hashed else "".join(name + value for name, value in sorted(set(filling.sent.form())))


def _sha256(filling: Filling) -> str:
    import hashlib

    return hashlib.sha256(filling.sent.body).hexdigest()


def _crc32(filling: Filling) -> str:
    import zlib

    return str(zlib.crc32(filling.sent.body))


def _path(filling: Filling) -> str:
    rest = filling.url.partition("#")[0]
    if not rest.startswith("/"):
        rest = rest.partition("://")[2]
        rest = rest[rest.find("/") :] if "/" in rest else "/"
    return rest


_PLAIN: dict[str, Callable[[Filling], str]] = {
    "id": lambda filling: filling.id or "",
    "timestamp": lambda filling: filling.timestamp or "",
    "method": lambda filling: filling.sent.method,
    "url": lambda filling: filling.url,
    "path": _path,
    "query": lambda filling: filling.url.partition("#")[0].partition("?")[2],
    "body_sha256": _sha256,
    "body_crc32": _crc32,
    "params": _params,
}
_PREFIXED: dict[str, Callable[[Filling, str], str]] = {
    "option": lambda filling, name: filling.options[name],
    "lines": _lines,
    "signed_headers": _signed_headers,
}


# The forms in which senders sign a URL that is written in several ways.


def _without_port(url: str) -> str:
    scheme, host, _, rest = _split(url)
    return f"{scheme}://{host}{rest}" if scheme else url


def _with_port(url: str) -> str:
    scheme, host, port, rest = _split(url)
    return f"{scheme}://{host}:{port or (80 if scheme == 'http' else 443)}{rest}" if scheme else url


def _split(url: str) -> tuple[str, str, str, str]:
    """Scheme, host, port and the rest, none of them changed."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "", "", "", url
    end = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    authority, rest = rest[:end], rest[end:]
    host, colon, port = authority.rpartition(":")
    return (scheme, host, port, rest) if colon and port.isdigit() else (scheme, authority, "", rest)


# https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation: these are decoded
_DECODED = {
    "3A": ":",
    "2F": "/",
    "3F": "?",
    "40": "@",
    "21": "!",
    "24": "$",
    "27": "'",
    "28": "(",
    "29": ")",
    "2A": "*",
    "2C": ",",
    "3B": ";",
}


def _some_decoded(url: str) -> str:
    first, *rest = url.split("%")
    return first + "".join(
        _DECODED[part[:2].upper()] + part[2:] if part[:2].upper() in _DECODED else "%" + part for part in rest
    )


FORMS: dict[str, Callable[[str], str]] = {
    "as_given": lambda url: url,
    "without_port": _without_port,
    "with_port": _with_port,
    "some_decoded": _some_decoded,
}
