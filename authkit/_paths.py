"""Which paths `except_for` names. A path that two parsers could read differently is never exempt."""

from __future__ import annotations

from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .http import Request

_AMBIGUOUS = ("//", "\\", ";", "%", "\0")  # in the decoded path; "%": something is still encoded
_ENCODED = ("%2f", "%5c", "%00", "%25", "%2e", "%3b")  # in the path as sent


class Paths:
    """Exact paths, and `/x/*` for whole segments below `/x/`."""

    __slots__ = ("_exact", "_below")

    def __init__(self, paths: tuple[str, ...]) -> None:
        if not paths:
            raise ConfigurationError("except_for needs at least one path")
        self._exact: set[str] = set()
        below: list[str] = []
        for path in paths:
            if not isinstance(path, str) or not path.startswith("/"):
                raise ConfigurationError("except_for: a path starts with '/'")
            stem = path[:-1] if path.endswith("/*") else path
            if "*" in stem or stem == "/" != path or is_ambiguous(stem):
                raise ConfigurationError(f"except_for: {path!r} is neither an exact path nor whole segments as in '/public/*'")
            if stem is path:
                self._exact.add(path)
            else:
                below.append(stem)
        self._below = tuple(below)

    def __contains__(self, request: Request) -> bool:
        path = request.path
        if path in self._exact or (self._below and path.startswith(self._below) and path not in self._below):
            raw = request.raw_path
            return not is_ambiguous(path) and (raw is None or not _is_ambiguous_as_sent(raw.lower()))
        return False


def _is_ambiguous_as_sent(raw: str) -> bool:
    """A server may have merged slashes or resolved dots before the router came to see the path; what is around it may not."""
    return any(code in raw for code in _ENCODED) or is_ambiguous(raw.replace("%", ""))


def is_ambiguous(path: str) -> bool:
    """Whether two parsers could read this decoded path differently."""
    return any(mark in path for mark in _AMBIGUOUS) or any(segment in (".", "..") for segment in path.split("/"))
