"""Bad tokens: what stands between and around the dots."""

from __future__ import annotations

from ..tokens import base64url
from ._catalogue import BAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._forged import Forger


def _framed(name: str, about: str, change: Callable[[str], str]) -> None:
    BAD.add(name, about, lambda mint: change(mint.good()))


def _trailing_bits(token: str) -> str:
    """The same bytes under another spelling: the last character carries bits that belong to nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, part in enumerate(parts := token.split(".")):
        if len(part) % 4:
            parts[place] = part[:-1] + letters[letters.index(part[-1]) ^ 1]
            return ".".join(parts)
    return token + "A"  # every segment is whole: one character more belongs to nothing either


def _standard_alphabet(mint: Forger) -> str:
    """Signed over that spelling: only the alphabet is wrong. A `?` at each of three places: one gives a slash."""
    claims = {**mint.claims(), "a": "????", "b": "????", "c": "????"}
    from ._forged import segment

    signed = f"{segment(mint.header())}.{segment(claims)}".replace("-", "+").replace("_", "/")
    return f"{signed}.{base64url.encode(mint.key.sign(signed.encode())).decode()}"


def _padded_inside(mint: Forger) -> str:
    """The padding stands at the end, where RFC 9110's token68 has a place for it."""
    token = mint.good()
    return token + "=" * (-len(token.rpartition(".")[2]) % 4 or 1)


BAD.add("padding", "base64 padding after the signature", _padded_inside)
_framed("trailing_bits", "another spelling of the same bytes", _trailing_bits)
BAD.add("standard_alphabet", "base64 with + and / instead of - and _", _standard_alphabet)
_framed("two_segments", "no third segment", lambda token: token.rpartition(".")[0])
_framed("four_segments", "a fourth segment", lambda token: token + ".e30")
_framed("empty_segment", "an empty fourth segment", lambda token: token + ".")
_framed("five_segments", "as many segments as an encrypted token", lambda token: token + "." + token.rpartition(".")[0])
BAD.add("no_header", "an empty header", lambda mint: mint.forge(b"", mint.claims()))
BAD.add("no_claims", "empty claims", lambda mint: mint.forge(mint.header(), b""))
_framed("one_word", "no token at all", lambda token: "token")
_framed("twice", "two tokens in one", lambda token: f"{token}.{token}")
BAD.claims("huge", "signed, and longer than 16 KiB", lambda claims, now: {**claims, "a": "a" * 16_384})
