"""Flask-Login: its `request_loader`, by a guard.

```
manager.request_loader(request_loader(provider, load=lambda principal: User.find(principal.issuer, principal.subject)))
```
"""

from __future__ import annotations

import sys

import flask
from werkzeug.exceptions import HTTPException

from ..errors import ConfigurationError
from ..hosts import named
from ._asked import Refused, guard_of, principal_of, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..decision import Principal


_REFUSED = "authkit.refused"  # in the environ of a request that has been


class PrincipalUser:
    """`current_user` where no `load` is given. It cannot be logged in for a session: `get_id` is for that, and raises."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def get_id(self) -> str:
        raise TypeError("the user of a token has no session: give request_loader a load that finds users of yours")


def request_loader(
    *guard: Any, load: Callable[[Principal], Any] = PrincipalUser, **settings: Any
) -> Callable[[flask.Request], Any]:
    """What `LoginManager.request_loader` takes. `guard`: verifiers, with settings of `require_auth`; or one guard.

    `load(principal)` is the user, found by issuer and subject, or None. Nothing was sent: nobody. A bad credential, one that
    could not be judged (503), and one of somebody whom `load` does not know (401): the request ends with the guard's refusal,
    wherever `current_user` was asked for first; to what runs after that, and to the page of an HTTP error, it is nobody. Who
    asks for it first in `after_request` can refuse nobody any more: Flask answers 500. Whoever is logged in by a session comes
    first: Flask-Login then asks no loader. Raises: `ConfigurationError`.
    """
    if not callable(load):
        raise ConfigurationError("request_loader: load is a function that finds the user of a principal")
    asked = guard_of(guard, settings, body=True)

    def loader(request: flask.Request) -> Any:
        answered = isinstance(sys.exc_info()[1], HTTPException)  # this is the page of a 404, say, for which nobody is refused
        if _REFUSED in request.environ:
            return None
        seen = named("flask").read((), {})
        if seen is None:
            raise TypeError("no request of Flask is being handled")
        try:
            principal = principal_of(asked.decide(seen))
            if principal is None:
                return None
            user = load(principal)
            if user is None:
                raise Refused(unknown())
        except Refused as refused:
            if answered:
                return None
            request.environ[_REFUSED] = True
            flask.abort(named("flask").refuse(seen, refused.response))
        return user

    return loader
