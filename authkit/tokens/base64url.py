"""base64url without padding (RFC 7515 section 2), in its one canonical spelling."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

_TO_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = ("", "", "==", "=")
# The last character carries 4 or 2 unused bits. They must be zero (RFC 4648 section 3.5): else one value has many spellings.
_LAST = ("", "", "AQgw", "AEIMQUYcgkosw048")


def encode(raw: bytes) -> bytes:
    """`raw` as unpadded base64url."""
    return b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL)


def decode(text: str) -> bytes:
    """What `text` says. Raises: `ValueError` for any spelling but the canonical one."""
    rest = len(text) & 3
    if rest and text[-1] not in _LAST[rest]:
        raise ValueError("not canonical base64url")
    if "+" in text or "/" in text or "=" in text:
        raise ValueError("base64, but not base64url")
    if "-" in text:  # seldom in text that is mostly ASCII: cheaper than translating every time
        text = text.replace("-", "+")
    if "_" in text:
        text = text.replace("_", "/")
    return a2b_base64(text + _PADDING[rest], strict_mode=True)
