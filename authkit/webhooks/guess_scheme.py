"""Whether a delivery is another sender's, or what carries its signature was changed: renamed, quoted, or encoded otherwise."""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64, hexlify, unhexlify

from ..errors import ConfigurationError, InvalidSignature
from .builtin import schemes
from .guess import Guess, changed
from .sent import Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..http import Headers
    from .guess import Case
    from .scheme import Scheme

LENGTHS = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}  # bytes
_SIGNED = (
    "{body}",
    "{timestamp}.{body}",
    "{timestamp}:{body}",
    "{timestamp}{body}",
    "v0:{timestamp}:{body}",
    "{id}.{timestamp}.{body}",
)
_FIRST = ("standard-webhooks", "github", "stripe")  # others send what these do
RENAMED = "have the gateway or proxy hand the header on under its own name"


def present(scheme: Scheme, headers: Headers, body: bytes, url: str | None = None) -> int:
    """How many of a scheme's places have something in them; 0 if there is no signature."""
    sent = Sent(headers, body, url, "POST")

    def has(place: Any) -> bool:
        try:
            return place is not None and bool(sent.texts(place))
        except InvalidSignature:
            return False

    rows = [row for row in scheme.rows if has(row[0])]
    return max((1 + has(row[1]) + has(row[2]) for row in rows), default=int(any(has(place) for place in scheme.also_places)))


def recognised(headers: Headers, body: bytes, url: str | None = None) -> list[Scheme]:
    """The built-in schemes that this may be a delivery of, the likeliest first: those with most in their places."""
    found = [(present(scheme, headers, body, url), scheme) for scheme in schemes().values()]
    return [
        scheme
        for count, scheme in sorted(found, key=lambda one: (-one[0], one[1].name not in _FIRST, not one[1].verified))
        if count
    ]


def others(case: Case) -> Iterator[Guess]:
    """The delivery under each built-in scheme whose signature it carries."""
    for scheme in recognised(case.headers, case.body, case.url):
        if scheme != case.scheme and not scheme.keyless:
            yield Guess(
                case.but(scheme=scheme),
                f"it is signed as {scheme.name} signs, not as {case.scheme.name} does",
                f'verify it with the scheme "{scheme.name}"',
            )


def declared(case: Case) -> Iterator[Guess]:
    """The delivery under this scheme with another hash, encoding, key or content."""
    scheme = case.scheme
    if scheme.algorithm not in ("hmac", "digest"):
        return
    for change in (
        *({"hash": name} for name in LENGTHS),
        *({"hash": name, "encoding": way} for name in LENGTHS for way in ("hex", "base64", "base64url")),
        *({"signed": signed} for signed in _SIGNED),
        *({"algorithm": name} for name in ("hmac", "digest")),
    ):
        found = _but(scheme, change)
        if found is not None:
            words = " and ".join(f"{field} {value}" for field, value in change.items() if getattr(scheme, field) != value)
            if words:
                yield Guess(
                    case.but(scheme=found),
                    f"this sender's signature has {words}, and the scheme says otherwise",
                    "declare what it does: schemes()[...].but(...), or a webhooks.Scheme",
                )


def carried(case: Case) -> Iterator[Guess]:
    """The delivery with what carries the signature as it may have been."""
    yield from _renamed(case)
    for place, _, _ in case.scheme.places:
        lines = case.headers.get_all(place) if ":" not in place else []
        for line in lines[:1] if len(lines) == 1 else ():
            for text, cause, mend in _written(case.scheme, line):
                yield Guess(case.but(headers=changed(case.headers, place, text)), cause, mend)
        if len(lines) > 1:
            for line in lines[:8]:
                yield Guess(
                    case.but(headers=changed(case.headers, place, line)),
                    "the signature header was sent twice, and one of the two holds",
                    "have only the sender set it: a proxy adds one, or the delivery was signed twice",
                )


def _renamed(case: Case) -> Iterator[Guess]:
    """A gateway keeps a header under another name: X-Amzn-Remapped-..., underscores, a prefix of its own."""
    wanted = [name for row in case.scheme.places for name in row if name is not None and ":" not in name]
    found: dict[str, str] = {}
    headers = case.headers
    for name in wanted:
        if name in headers:
            continue
        plain = _plain(name)
        for other in headers.names():
            if _plain(other).endswith(plain) or (plain.startswith("x") and len(plain) > 8 and _plain(other) == plain[1:]):
                found[name] = other
                headers = changed(headers, name, headers.get_all(other)[0])
                break
    if found:
        names = ", ".join(f"{name} as {other}" for name, other in found.items())
        yield Guess(case.but(headers=headers), f"a gateway or proxy renamed headers: {names}", RENAMED)


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _written(scheme: Scheme, line: str) -> Iterator[tuple[str, str, str]]:
    sent = "have the sender write the signature as its scheme says"
    prefix = scheme.prefix if isinstance(scheme.prefix, str) else scheme.prefix[0]
    stripped = line.strip().strip("\"'").strip()
    if stripped != line:
        yield stripped, "the signature has white space or quotes around it", sent
    if scheme.separator is None:
        bare = stripped.rpartition("=")[2] if stripped.partition("=")[2].strip("=") else stripped
        if prefix and not stripped.startswith(prefix):
            yield prefix + stripped, f"the signature was sent without the {prefix} before it", sent
            name, found, rest = stripped.partition("=")
            if found and name.lower() + "=" == prefix.lower():
                yield prefix + rest, f"the {prefix} before the signature is in other letters", sent
        if not prefix and bare != stripped:
            yield bare, "something stands before the signature that this scheme has not", "declare the scheme with that prefix"
    else:
        spaced = scheme.separator.join(item.strip() for item in stripped.split(scheme.separator))
        if spaced != stripped:
            yield spaced, "there are spaces between the items of the signature header", sent
    for read, write, cause in (
        (_of_base64, _to_hex, "the signature is sent in base64, and this scheme reads hex"),
        (_of_hex, _to_base64, "the signature is sent in hex, and this scheme reads base64"),
        (_of_base64, _to_base64, "the signature is sent in base64url or without padding, and this scheme reads base64"),
    ):
        text = _rewritten(scheme, stripped, read, write)
        if text is not None and text != stripped:
            yield text, cause, 'declare the scheme with encoding="hex", "base64" or "base64url", as this sender does it'


def _rewritten(scheme: Scheme, line: str, read: Any, write: Any) -> str | None:
    """The header with each signature in it read one way and written another; None if none can be."""
    prefix = (scheme.prefix,) if isinstance(scheme.prefix, str) else scheme.prefix
    items, done = [line] if scheme.separator is None else line.split(scheme.separator), False
    for at, item in enumerate(items):
        start = next((one for one in prefix if item.startswith(one)), None)
        if start is None:
            continue
        try:
            items[at] = start + write(read(item[len(start) :]))
            done = True
        except (Error, ValueError):
            continue
    return (scheme.separator or "").join(items) if done else None


def _of_base64(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)


def _of_hex(text: str) -> bytes:
    return unhexlify(text)


def _to_hex(raw: bytes) -> str:
    return hexlify(raw).decode()


def _to_base64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()


def _but(scheme: Scheme, change: dict[str, str]) -> Scheme | None:
    try:
        return scheme.but(**change)
    except ConfigurationError:
        return None
