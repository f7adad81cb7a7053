"""Where a browser goes after a login: a path on this site, whatever the request says."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LENGTH = 2048  # characters
_DECODINGS = 3  # how often a path may be decoded behind us before it is looked at


def safe_path(text: object, default: str = "/", *, never: Collection[str] = ()) -> str:
    """`text`, if every browser and proxy reads it as a path on this site, perhaps with a query and a fragment; else `default`.

    Not such a path: anything that does not begin with exactly one slash; a backslash, a control character, a space, or what is
    not ASCII; a path that is one of these, or has an empty or a dot segment, however often it is decoded. `never`: paths that
    lead nowhere from here, our own endpoints say.
    """
    if (
        type(text) is not str
        or not 0 < len(text) <= MAX_LENGTH
        or not all("!" <= char <= "~" and char != "\\" for char in text)
    ):
        return default
    path = text.partition("#")[0].partition("?")[0]
    if path in never or not path.startswith("/"):
        return default
    from urllib.parse import unquote

    for _ in range(_DECODINGS):
        if "\\" in path or "//" in path or not path.isprintable() or any(step in (".", "..") for step in path.split("/")):
            return default
        read, path = path, unquote(path)
        if path == read:
            return text
    return default
