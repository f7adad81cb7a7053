"""The cookies of a login: what they are called, how they are set, and a value that is longer than one of them may be."""

from __future__ import annotations

from .. import _credential
from ..decision import Deny
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http import Request

CHUNK = 3800  # characters of a value: with its name less than the 4096 bytes that RFC 6265bis has browsers keep
MOST_CHUNKS = 2  # beside a few attempts: gunicorn refuses a field of more than 8190 bytes, API Gateway 10,240 in all


class WebCookies:
    """Cookies of one name and its chunks: `Secure`, `HttpOnly`, for this host alone and every path of it.

    `secure=False`, for plain http to a loopback address only: without `__Host-` and `Secure`. `tag`: of a login; a cookie with
    another belongs to another login, and is not looked at.
    """

    __slots__ = ("name", "_tag", "_rules", "_secure")

    def __init__(self, name: str, tag: str, *, secure: bool) -> None:
        rest = name.replace("-", "").replace("_", "") if isinstance(name, str) else ""
        if not rest.isascii() or not rest.isalnum() or len(name) > 40:
            raise ConfigurationError("cookie is a name of 1 to 40 letters, digits, - and _, without __Host-")
        self.name = f"__Host-{name}" if secure else name
        self._tag = tag
        self._secure = secure
        self._rules = "; Path=/" + ("; Secure" if secure else "") + "; HttpOnly"

    def line(self, name: str, value: str, max_age: int, same_site: str = "Lax") -> str:
        """The `Set-Cookie` field that keeps `value` for `max_age` seconds; 0 forgets it."""
        return f"{name}={value}; Max-Age={max_age}{self._rules}; SameSite={same_site}"

    def sent(self, request: Request) -> str | Deny | None:
        """The value that came, put together; None if none of this login did; "" if parts of it are missing."""
        first = _credential.from_cookie(request, self.name)
        if first is None or isinstance(first, Deny):
            return first
        tag, dot, rest = first.partition(".")
        if not dot or tag != self._tag:
            return None
        count, dot, text = rest.partition(".")
        if count == "1":
            return text
        if not dot or len(count) != 1 or count not in "23456789"[: MOST_CHUNKS - 1]:
            return ""
        for number in range(1, int(count)):
            part = _credential.from_cookie(request, f"{self.name}.{number}")
            if part is None or isinstance(part, Deny):
                return part or ""
            text += part
        return text

    def lines(self, value: str, max_age: int, request: Request | None = None) -> list[str]:
        """The fields that keep `value`, and forget chunks in `request` that it has no use for.

        Raises: `ConfigurationError` if it is too long.
        """
        parts = [value[at : at + CHUNK] for at in range(0, len(value), CHUNK)] or [""]
        if len(parts) > MOST_CHUNKS:
            raise ConfigurationError(
                "a session is longer than its cookies may be: keep fewer claims, or give the login a store"
            )
        parts[0] = f"{self._tag}.{len(parts)}.{parts[0]}"
        return [
            *(self.line(self._numbered(number), part, max_age) for number, part in enumerate(parts)),
            *self.forgotten(request, len(parts)),
        ]

    def forgotten(self, request: Request | None, since: int = 0) -> list[str]:
        """The fields that forget what came, or the first chunk if nothing is known of that."""
        sent = "; ".join(request.field("cookie")) if request is not None else ""
        numbers = [number for number in range(since, MOST_CHUNKS) if number == 0 or f"{self.name}.{number}=" in sent]
        return [self.line(self._numbered(number), "", 0) for number in numbers]

    def _numbered(self, number: int) -> str:
        return f"{self.name}.{number}" if number else self.name
