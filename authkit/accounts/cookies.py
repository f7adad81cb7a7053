"""`Cookies`: tokens in cookies that no script reads, instead of in bodies (RFC 6265bis)."""

from __future__ import annotations

from ..decision import _set, _Value
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

MOST_BYTES = 4096  # of name and value together; RFC 6265bis has browsers ignore longer ones
_PREFIX = "__Host-"  # its section 4.1.3.2: Secure, this host alone, every path; no other host can have set it


class CookieTooLarge(ConfigurationError):
    """A token is longer than a cookie may be: a user has too many roles, scopes or claims for cookies."""


class Cookies(_Value):
    """How the tokens travel where a browser keeps them: `Secure`, `HttpOnly`, for this host alone and every path of it.

    `access_name` is what `require_auth(tokens, cookie=...)` reads, `refresh_name` what `/refresh` and `/logout` read; both
    begin with `__Host-`. `same_site`: "Lax", or "Strict", with which a link from elsewhere arrives without a login.
    `Secure` has browsers keep them on https only, and on http://localhost.

    Raises: `ConfigurationError` for a name that is none, two names that are the same, or another `same_site`.
    """

    __slots__ = ("access_name", "refresh_name", "same_site")
    access_name: str
    refresh_name: str
    same_site: str

    def __init__(
        self,
        *,
        access_name: str = "__Host-access",
        refresh_name: str = "__Host-refresh",
        same_site: Literal["Lax", "Strict"] = "Lax",
    ) -> None:
        for what, name in (("access_name", access_name), ("refresh_name", refresh_name)):
            if not _is_name(name):
                raise ConfigurationError(f"Cookies: {what} is {_PREFIX} and 1 to 64 letters, digits, - and _")
        if access_name == refresh_name:
            raise ConfigurationError("Cookies: access_name and refresh_name are two names")
        if same_site not in ("Lax", "Strict"):
            raise ConfigurationError("Cookies: same_site is 'Lax' or 'Strict'")
        _set(self, "access_name", access_name)
        _set(self, "refresh_name", refresh_name)
        _set(self, "same_site", same_site)

    def line(self, name: str, value: str, max_age: int) -> str:
        """The `Set-Cookie` field that keeps `value` for `max_age` seconds; 0 forgets it. Raises: `CookieTooLarge`."""
        if len(name) + len(value) > MOST_BYTES:
            raise CookieTooLarge(f"the cookie {name} would be longer than {MOST_BYTES} bytes: fewer roles, scopes or claims")
        return f"{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite={self.same_site}"


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or not name.startswith(_PREFIX):
        return False
    rest = name[len(_PREFIX) :]
    return 0 < len(rest) <= 64 and rest.isascii() and rest.replace("-", "").replace("_", "").isalnum()
