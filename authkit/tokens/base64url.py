"""base64url without padding (RFC 7515 section 2), in its one canonical spelling."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

_TO_URL = bytes.maketrans(b"+/", b"-_")
# '+', '/' and '=' belong to other spellings: turned into a character that the strict decoder refuses.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", None, b"==", b"=")
# The last character carries 4 or 2 unused bits. They must be zero (RFC 4648 section 3.5): else one value has many spellings.
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")


def encode(raw: bytes) -> bytes:
    """`raw` as unpadded base64url."""
    return b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL)


def decode(text: bytes) -> bytes:
    """What `text` says. Raises: `ValueError` for any spelling but the canonical one."""
    rest = len(text) & 3
    padding = _PADDING[rest]
    if padding is None or (rest and text[-1] not in _LAST[rest]):
        raise ValueError("not canonical base64url")
    return a2b_base64(text.translate(_FROM_URL) + padding, strict_mode=True)
