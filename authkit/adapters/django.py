"""Django: an authentication backend that takes tokens, and a middleware that sets `request.user` by them.

```
class TokenUsers(TokenBackend):                  # AUTHENTICATION_BACKENDS = ["project.security.TokenUsers", ...]
    guard = require_auth(provider)

class ApiUsers(UserMiddleware):                  # MIDDLEWARE = [..., "project.security.ApiUsers"]
    backend = TokenUsers
```
"""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from ..decision import Deny
from ..errors import ConfigurationError
from ..hosts import named
from ..http import Headers
from ._asked import Refused, bearer_request, guard_of, principal_of, undecided, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._guard import Guard
    from ..decision import Decision, Principal
    from ..http import Request

_CREDENTIALS = ("authorization", "cookie")


class TokenBackend:
    """For AUTHENTICATION_BACKENDS, as a class of your own with `guard`: a guard that identifies, or a verifier.

    `django.contrib.auth.authenticate(request, token=...)` gives the user whom the token is for, or None. People are kept by
    issuer and subject, never by e-mail: by default as the user whose name is `username_of(principal)`, who has no usable
    password. `find_user` and `make_user` may be overridden. Nobody is created unless `create_users` is True; a user that is not
    active counts as none. If the token cannot be judged, `Unavailable` is raised, and no other backend is asked.
    """

    guard: Any = None
    create_users = False

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "guard" in vars(cls):
            cls.guard = guard_of((cls.guard,), {}, body=True)

    def __init__(self) -> None:
        if self.guard is None:
            raise ConfigurationError(f"{type(self).__name__}: guard = require_auth(...) says whose tokens are taken")

    def authenticate(self, request: Any, *, token: Any) -> Any:
        """The user of `token`, or None. Raises: `Unavailable`; `ConfigurationError` where only a request could show it."""
        return self._user(self._guard().decide(_bearing(request, token)))

    async def aauthenticate(self, request: Any, *, token: Any) -> Any:
        """`authenticate` on an event loop, which it does not block."""
        decision = await self._guard().adecide(_bearing(request, token))
        return await sync_to_async(self._user)(decision)

    def _guard(self) -> Guard:
        guard: Guard = self.guard
        return guard

    def _user(self, decision: Decision) -> Any:
        if isinstance(decision, Deny):
            undecided(decision)
            return None
        return None if decision.principal is None else self.user_of(decision.principal)

    def user_of(self, principal: Principal) -> Any:
        """The active user whom `principal` is, made if `create_users` says so; or None."""
        user = self.find_user(principal)
        if user is None and self.create_users is True:
            user = self.make_user(principal)
        return user if user is not None and getattr(user, "is_active", True) else None

    def find_user(self, principal: Principal) -> Any:
        """The user whom `principal` is, or None."""
        model: Any = get_user_model()
        user = model._default_manager.filter(**{model.USERNAME_FIELD: username_of(principal)}).first()
        # One who has a password has chosen that name to be taken for somebody else.
        return None if user is None or user.has_usable_password() else user

    def make_user(self, principal: Principal) -> Any:
        """A new user for `principal`, without a usable password; the one who is there if two requests come at once."""
        model: Any = get_user_model()
        named = {model.USERNAME_FIELD: username_of(principal)}
        model._default_manager.get_or_create(**named, defaults={"password": make_password(None)})
        return self.find_user(principal)

    def get_user(self, user_id: Any) -> Any:
        """Who is logged in by a session that this backend began."""
        model: Any = get_user_model()
        user = model._default_manager.filter(pk=user_id).first()
        return user if user is not None and getattr(user, "is_active", True) else None

    async def aget_user(self, user_id: Any) -> Any:
        """`get_user` on an event loop."""
        return await sync_to_async(self.get_user)(user_id)


class UserMiddleware:
    """For MIDDLEWARE, as a class of your own with `backend`, a `TokenBackend`; below `AuthenticationMiddleware`, if used.

    A good credential: `request.user` is the user whom it is for, whoever a session says it is, and `request.principal` the
    principal. None was sent: `request.user` stays, and `request.principal` is None. Everything else is refused as by the guard,
    and the view is not entered; so is a credential of somebody who is no user here (401). In sync and async stacks.

    Not done: CSRF protection is Django's own, and knows nothing of tokens: a view for them is `csrf_exempt`.
    """

    backend: Any = None
    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        if not isinstance(self.backend, type) or not issubclass(self.backend, TokenBackend):
            raise ConfigurationError(f"{type(self).__name__}: backend is a TokenBackend of yours")
        self._get_response = get_response
        self._users = self.backend()
        self._async = bool(iscoroutinefunction(get_response))
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if self._async:
            return self._answer(request)
        asked = _read(request)
        try:
            principal = principal_of(self._users.guard.decide(asked))
            self._know(request, principal, None if principal is None else self._users.user_of(principal))
        except Refused as refused:
            return named("django").refuse(asked, refused.response)
        return self._get_response(request)

    async def _answer(self, request: Any) -> Any:
        asked = _read(request)
        try:
            principal = principal_of(await self._users.guard.adecide(asked))
            user = None if principal is None else await sync_to_async(self._users.user_of)(principal)
            self._know(request, principal, user)
        except Refused as refused:
            return named("django").refuse(asked, refused.response)
        return await self._get_response(request)

    def _know(self, request: Any, principal: Principal | None, user: Any) -> None:
        request.principal = principal
        if principal is None:
            return
        if user is None:
            raise Refused(unknown())
        request.user = request._cached_user = request._acached_user = user

        async def auser() -> Any:
            return user

        request.auser = auser


def username_of(principal: Principal) -> str:
    """A user name for `principal`: the same for the same issuer and subject, and for nobody else; 51 characters, ASCII."""
    import json
    from base64 import urlsafe_b64encode
    from hashlib import sha256

    key = json.dumps([principal.issuer, principal.subject]).encode()
    return f"authkit_{urlsafe_b64encode(sha256(key).digest()).decode().rstrip('=')}"


def _read(request: Any) -> Request:
    """Django's request as guards see it. Raises: `TypeError` for what is none."""
    found = named("django").read((request,), {})
    if found is None:
        raise TypeError("this is not a request of Django")
    return found


def _bearing(request: Any, token: Any) -> Request:
    """The request that came, with this token as its only credential of those that everybody sends."""
    text = token if isinstance(token, str) else ""
    if request is None:
        return bearer_request(text)
    asked = _read(request)
    kept = [(name, value) for name, value in asked.headers.items() if name not in _CREDENTIALS]
    return asked.clone(Headers([*kept, ("authorization", f"Bearer {text}")]))
