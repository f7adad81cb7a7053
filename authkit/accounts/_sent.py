"""Which token a request brings: exactly one, in the one place where it may stand, and not because another site had it sent."""

from __future__ import annotations

from .. import _credential
from ..decision import Challenge, Deny
from ._bodies import is_form, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http import Request
    from .cookies import Cookies

NO_CREDENTIAL = Deny(401, "unauthorized", reason="no_credential", challenge=Challenge(realm="api"))  # RFC 6750 section 3
CROSS_SITE = Deny(403, "csrf_failed", reason="csrf_failed")


class Sent:
    """What requests bring. `cookies`: None, and none is read. `trusted`: other origins that are not taken for forgers."""

    def __init__(self, cookies: Cookies | None, trusted: frozenset[str]) -> None:
        self._cookies = cookies
        self._trusted = trusted

    def forged(self, request: Request) -> Deny | None:
        """Why a request that gives a browser something to keep cannot be its user's own; None: it can.

        With cookies it has to show where it comes from, as every browser does: else a page elsewhere logs its reader in as
        somebody else. Without them, a form that says that it comes from elsewhere is refused: no page needs it, and a
        stranger's could have its readers fail at a login, from their own address.
        """
        told = "origin" in request.headers or "sec-fetch-site" in request.headers
        if self._cookies is not None or (told and is_form(request)):
            return CROSS_SITE if _credential.is_cross_site(request, self._trusted) else None
        return None

    def access(self, request: Request) -> str | Deny | None:
        """The access token of the bearer header or of the cookie."""
        return self._one(request, None if self._cookies is None else self._cookies.access_name)

    def refresh(self, request: Request) -> str | Deny | None:
        """The refresh token: of the cookie, if there are cookies; else of the body. Raises: `RequestError`."""
        if self._cookies is None:
            refused = self.forged(request)
            return texts(request, "refresh_token")[0] if refused is None else refused
        if "authorization" in request.headers and _credential.from_header(request) is not None:
            return _credential.TWO_CREDENTIALS
        _nothing_else(request)
        return self._cookie(request, self._cookies.refresh_name)

    def replaced(self, request: Request) -> str | Deny | None:
        """The refresh token of the session that this browser has, which ends where another begins; None: it has none."""
        return None if self._cookies is None else self._cookie(request, self._cookies.refresh_name)

    def either(self, request: Request) -> str | Deny | None:
        """What is to be revoked: a refresh token, or an access token in its places. Raises: `RequestError`."""
        if self._cookies is None:
            found = _credential.from_header(request)
            if found is None:
                return self.refresh(request) if sends_body(request) else None
            if isinstance(found, str):
                _nothing_else(request)
            return found
        _nothing_else(request)
        refresh = self._one(request, self._cookies.refresh_name)
        found = refresh if refresh is not None else self._one(request, self._cookies.access_name)
        # Where another site has it sent, SameSite keeps the cookies back, and the answer would forget them all the same.
        return self.forged(request) if found is None else found

    def _one(self, request: Request, name: str | None) -> str | Deny | None:
        """The token of the bearer header or of the cookie of that name."""
        found = _credential.from_header(request)
        kept = None if name is None or isinstance(found, Deny) else self._cookie(request, name)
        if found is None or kept is None:
            return found if kept is None else kept
        return _credential.TWO_CREDENTIALS

    def _cookie(self, request: Request, name: str) -> str | Deny | None:
        found = _credential.from_cookie(request, name)
        unsafe = request.method not in _credential.SAFE_METHODS
        if isinstance(found, str) and unsafe and _credential.is_cross_site(request, self._trusted):
            return CROSS_SITE
        return found


def sends_body(request: Request) -> bool:
    """Whether there is one, or ought to be by what the request says of it."""
    return bool(request.body) or "content-type" in request.headers


def _nothing_else(request: Request) -> None:
    """Where a header or a cookie is the credential, the body holds none: it is empty, or `{}`."""
    if request.body:
        texts(request)
