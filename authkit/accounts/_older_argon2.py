"""Django's argon2 hashes: a PHC string behind a prefix."""

from __future__ import annotations

from ._argon2 import PROFILES, is_readable, verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re


def behind_prefix(password: bytes, _: str | None, found: re.Match[str]) -> bool:
    phc = "$" + found["phc"]
    outcome = verify(password, phc) if is_readable(phc, PROFILES["rfc9106-low-memory"]) else None
    if outcome is None:
        raise ValueError
    return outcome
