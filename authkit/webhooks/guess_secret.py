"""How a secret is mishandled between where it is shown and where it is used. Nothing here raises with a value in sight."""

from __future__ import annotations

from binascii import Error, a2b_base64, hexlify, unhexlify

from ..errors import ConfigurationError
from ..secrets.versions import as_bytes, sealed
from .guess import Guess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..secrets.versions import Sealed
    from .guess import Case

PREFIX = b"whsec_"
MAX_OTHERS = 50

SHOWN = "give the secret exactly as the sender shows it; here the scheme does with it what is needed"
NEW = "set the secret anew at the sender's, without that"
CLEAN = "set the secret again without it: authkit secrets set NAME --value-from FILE"


def guesses(case: Case) -> Iterator[Guess]:
    """The delivery with other secrets, and with the secret read in other ways."""
    for name, value in case.expired:
        yield Guess(
            case.but(values=((name, value),)),
            f"it was signed with the {name} value of the secret, which is no longer accepted",
            "have the sender use the current secret, or give the next rotation a longer --grace",
        )
    for name, values in case.others[:MAX_OTHERS]:
        yield Guess(
            case.but(values=values),
            f"it was signed with another secret: {name}",
            f"verify it with the secret {name}, or give the sender ours",
        )
    if case.scheme.algorithm not in ("hmac", "digest") or case.scheme.keyless:
        return
    try:
        verbatim = case.scheme.but(key="text", key_prefix="")
    except ConfigurationError:
        return
    for name, value in case.values:
        if value is None:
            continue
        which = "" if name == "current" else f" (its {name} value)"
        for cause, mend, read in _READINGS:
            found = _read(value, read)
            if found is not None:
                yield Guess(case.but(scheme=verbatim, values=((name, found),)), cause + which, mend)


def _read(value: Sealed, read: Callable[[bytes], bytes | None]) -> Sealed | None:
    """The bytes of the key that this reading makes; it raises nothing."""
    raw = as_bytes(value())
    if raw is None:
        return None
    try:
        found = read(raw)
    except (Error, ValueError):
        return None
    return sealed(found) if found and found.strip() else None


def _decoded(raw: bytes) -> bytes:
    return a2b_base64(raw + b"=" * (-len(raw) % 4), strict_mode=True)


def _from_url(raw: bytes) -> bytes:
    return _decoded(raw.replace(b"-", b"+").replace(b"_", b"/"))


def _bare(raw: bytes) -> bytes:
    return raw.strip().removeprefix(PREFIX)


def _unquoted(raw: bytes) -> bytes | None:
    text = raw.strip()
    return text[1:-1] if len(text) > 2 and text[:1] == text[-1:] and text[:1] in (b'"', b"'") else None


def _after_name(raw: bytes) -> bytes | None:
    name, found, rest = raw.partition(b"=")
    return rest.strip().strip(b"\"'") if found and name.replace(b"_", b"").isalnum() and name.isupper() else None


def _cleaned(raw: bytes) -> bytes | None:
    """What a scheme that decodes reads, without what does not belong to it; None if there is no such thing."""
    found = (_after_name(raw) or _unquoted(raw) or raw).strip()
    return _decoded(found.removeprefix(PREFIX)) if found != raw else None


def _stripped(raw: bytes) -> bytes | None:
    return raw.strip() if raw.strip() != raw else None


# what was done, what to do about it, and the bytes that the sender's key is
_READINGS: tuple[tuple[str, str, Callable[[bytes], bytes | None]], ...] = (
    ("our secret has white space or a newline around it that the sender's has not", CLEAN, _stripped),
    ("our secret has quotes around it that the sender's has not", CLEAN, _unquoted),
    ("our secret has its variable's name and = before it", CLEAN, _after_name),
    ("our secret has white space, quotes or a name around it that the sender's has not", CLEAN,
     _cleaned),
    ("the sender uses the secret as it is, without decoding it, or ours was decoded before it was stored",
     SHOWN + "; if it is shown so, declare the scheme with key=\"text\"", lambda raw: raw),
    ("whsec_ was cut off our secret: this sender uses it as a part of the key", SHOWN, lambda raw: PREFIX + raw),
    ("this sender leaves whsec_ out of the key, and the rest as it is", "declare the scheme with key_prefix=\"whsec_\"", _bare),
    ("the sender decodes the secret from base64 behind its whsec_, and this scheme does not",
     "declare the scheme with key=\"base64\" and key_prefix=\"whsec_\"", lambda raw: _decoded(_bare(raw))),
    ("our secret is in the alphabet of base64url, and the sender decodes it as such",
     "write it with + and /, or give what the sender shows", lambda raw: _from_url(_bare(raw))),
    ("the sender decodes the secret from hex, and this scheme does not", "declare the scheme with key=\"hex\"",
     lambda raw: unhexlify(_bare(raw))),
    ("our secret was decoded from base64 before it was stored, or once too often", SHOWN,
     lambda raw: _base64(raw)),
    ("our secret was decoded from hex before it was stored", SHOWN, hexlify),
    ("our secret is base64 of the secret: it was encoded once more", SHOWN, lambda raw: _decoded(_decoded(raw))),
    ("the sender's secret has a newline at its end, echo without -n say", NEW,
     lambda raw: raw + b"\n"),
    ("the sender's secret has CR and LF at its end", NEW, lambda raw: raw + b"\r\n"),
    ("the sender's secret has a space at its end", NEW, lambda raw: raw + b" "),
    ("the sender's secret has quotes around it", NEW, lambda raw: b'"' + raw + b'"'),
    ("the sender's secret has single quotes around it", NEW,
     lambda raw: b"'" + raw + b"'"),
    ("the secret is in small letters at the sender's", SHOWN, lambda raw: raw.lower()),
    ("the secret is in capital letters at the sender's", SHOWN, lambda raw: raw.upper()),
)  # fmt: skip


def _base64(raw: bytes) -> bytes:
    from binascii import b2a_base64

    return b2a_base64(raw, newline=False)
