"""The keys of an issuer as text, so that another process need not wait for them: what `export` gives and `restore` takes."""

from __future__ import annotations

from ..tokens.strict_json import parse_object
from .keyset import MAX_KEYS, KeySet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..secrets.slot import Moment

FORMAT = 1
MAX_LENGTH = 1_048_576  # characters
AHEAD = 60.0  # seconds by which the clocks of two machines may differ


def written(name: str, keys: KeySet, at: float) -> str:
    """The text. `name`: whose keys they are; `at`: when they were fetched, in epoch seconds."""
    import json

    return json.dumps({"authkit": FORMAT, "of": name, "fetched_at": at, "keys": keys.members})


def read(text: str | bytes | None, name: str, now: Moment) -> tuple[KeySet, Moment] | None:
    """The keys, and when they were fetched; None if the text is none, or of somebody else, or of the future."""
    if not isinstance(text, (str, bytes)) or len(text) > MAX_LENGTH:
        return None
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    try:
        found = parse_object(raw)
    except ValueError:
        return None
    at, members = found.get("fetched_at"), found.get("keys")
    if found.get("authkit") != FORMAT or found.get("of") != name or not isinstance(members, list):
        return None
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not 0 <= at <= now[0] + AHEAD or len(members) > MAX_KEYS:
        return None
    try:
        keys = KeySet(members)
    except ValueError:
        return None
    age = max(0.0, now[0] - at)
    return keys, (now[0] - age, now[1] - age)
