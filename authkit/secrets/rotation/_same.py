"""Whether two values are the same, told without showing either."""

from __future__ import annotations

from hmac import compare_digest

from ..versions import as_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..versions import Sealed


def same_value(one: Sealed, other: Sealed) -> bool:
    """Whether two values are the same bytes, in constant time. What has no bytes is the same as nothing."""
    return compare_digest(as_bytes(one()) or b"", as_bytes(other()) or b"\0")
