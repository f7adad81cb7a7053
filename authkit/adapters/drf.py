"""Django REST framework: an authentication class.

```
class Tokens(GuardAuthentication):               # first in authentication_classes, or in DEFAULT_AUTHENTICATION_CLASSES
    guard = require_auth(provider)
```
"""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException

from .._refusal import TITLES
from ..errors import ConfigurationError
from ..hosts import named
from ._asked import Refused, guard_of, principal_of, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..decision import Deny, Principal

_CHALLENGE = 'Bearer realm="api"'
_KEPT = "_authkit_challenge"  # on Django's request: what the guard wants to see, once it was asked


class PrincipalUser:
    """`request.user` where no `users` are named: it is authenticated, may do nothing that models ask for, and is no row of a
    table. `pk` is a text that only this issuer and subject have: limits go by it, and no row has it, nor one without an owner.
    """

    is_authenticated = True
    is_active = True
    is_anonymous = is_staff = is_superuser = False

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    @property
    def pk(self) -> str:
        from .django import username_of

        return username_of(self.principal)

    id = pk

    @property
    def username(self) -> str:
        return self.principal.subject

    def get_username(self) -> str:
        return self.principal.subject

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return False

    def has_perms(self, perms: Iterable[str], obj: object = None) -> bool:
        return not list(perms)

    def has_module_perms(self, app: str) -> bool:
        return False

    def __str__(self) -> str:
        return self.principal.subject


class RefusedRequest(APIException):  # type: ignore[misc]
    """The guard refused: its status, code, challenge and Retry-After, in the framework's own form."""

    def __init__(self, deny: Deny) -> None:
        self.status_code = deny.status
        super().__init__(TITLES.get(deny.status, "Refused"), deny.code)
        self.deny = deny
        if deny.challenge:
            self.auth_header = _challenge(deny)
        after = (deny.headers or {}).get("retry-after", "")
        if after.isdecimal():
            self.wait = int(after)


class GuardAuthentication(BaseAuthentication):  # type: ignore[misc]
    """A class of your own with `guard`, a guard that identifies or a verifier; perhaps with `users`, a `TokenBackend`.

    `request.user` is the user, or a `PrincipalUser` without `users`; `request.auth` is the `Principal`. Nothing was sent: the
    next class is asked. Everything else is refused with the guard's status: 401 for a bad credential, and for somebody who is
    no user here, wherever this class stands; 503 if it could not be judged. Where nobody is known, the framework answers 401
    only if this class is the first. `permission_classes` decide who may: a guard that judges scopes belongs on the view.
    """

    guard: Any = None
    users: Any = None

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "guard" in vars(cls):
            cls.guard = guard_of((cls.guard,), {}, body=True)

    def __init__(self) -> None:
        if self.guard is None:
            raise ConfigurationError(f"{type(self).__name__}: guard = require_auth(...) says whose tokens are taken")

    def authenticate(self, request: Any) -> tuple[Any, Principal] | None:
        native = request._request
        asked = named("django").read((native,), {})
        if asked is None:
            raise TypeError("this is not a request of Django")
        try:
            decision = self.guard.decide(asked)
            setattr(native, _KEPT, _challenge(decision) if getattr(decision, "challenge", ()) else None)
            principal = principal_of(decision)
            if principal is None:
                return None
            user = PrincipalUser(principal) if self.users is None else self.users().user_of(principal)
            if user is None:
                raise Refused(unknown())
        except Refused as refused:
            _add_headers(request, refused)
            raise RefusedRequest(refused.deny) from None
        return user, principal

    def authenticate_header(self, request: Any) -> Any:
        """The challenge of the guard, or a plain one where it was not asked: the framework then answers 401 and not 403."""
        return getattr(request._request, _KEPT, None) or _CHALLENGE


def _add_headers(request: Any, refused: Refused) -> None:
    """What the refusal says beside its challenge, a nonce for the next proof say: the framework takes it from the view."""
    headers = getattr((request.parser_context or {}).get("view"), "headers", None)
    if headers is not None:
        own = {"content-type", "www-authenticate", "retry-after"}  # those it sets itself
        headers.update({name: value for name, value in refused.response.headers.items() if name not in own})


def _challenge(deny: Any) -> str:
    return ", ".join(str(one) for one in deny.challenge)
