"""The one guard that an adapter asks, and what its decision means to frameworks: somebody, nobody, or a refusal."""

from __future__ import annotations

from .. import _refusal
from .._guard import Guard
from ..decision import Challenge, Deny, Principal
from ..errors import ConfigurationError, Unavailable
from ..guards.bearer import require_auth
from ..http import Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..decision import Decision


class Refused(Exception):
    """The guard refused. `deny`: its decision. The message is the public code."""

    def __init__(self, deny: Deny) -> None:
        super().__init__(deny.code)
        self.deny = deny

    @property
    def response(self) -> Response:
        """The bytes with which the guard itself would have answered."""
        return _refusal.response(self.deny)


def guard_of(given: tuple[Any, ...], settings: dict[str, Any], *, body: bool, whole: bool = True) -> Guard:
    """The guard that was given, or `require_auth(*given, **settings)`.

    `body`: whether the framework lets us read bodies; `whole`: whether it hands over requests, and not a token alone.

    Raises: `ConfigurationError` for a guard that says nothing of who is calling, or cannot be asked here.
    """
    if len(given) == 1 and isinstance(given[0], Guard):
        guard = given[0]
        if settings:
            raise ConfigurationError("an adapter takes a guard, or verifiers and the settings of require_auth")
    else:
        guard = require_auth(*given, **settings) if given or settings else require_auth.bare_guard()
    if not guard.identifies:
        raise ConfigurationError("an adapter's guard says who is calling: require_auth, or a chain that has it")
    if guard.needs_handler:
        raise ConfigurationError("an adapter has no handler: this guard holds something until the response is finished")
    if not body and any(one.needs_body for one in guard.as_chain().flat()):
        raise ConfigurationError(
            "this framework hands over no body where it authenticates: put the guard on the handler or app"
        )
    if not whole and guard.reads_request:
        raise ConfigurationError("this framework hands over a token alone: a guard that looks at more belongs around the app")
    return guard


def principal_of(decision: Decision) -> Principal | None:
    """Who is calling; None: nothing was sent. Raises: `Refused` for everything else."""
    if isinstance(decision, Deny):
        if decision.no_credential and decision.status == 401:
            return None
        raise Refused(decision)
    return decision.principal


def bearer_request(token: str, *, path: str = "/") -> Request:
    """A request that bears this token and nothing else: its grammar is judged as that of any other."""
    return Request.build("POST", path, {"authorization": f"Bearer {token}"})


def undecided(deny: Deny) -> None:
    """Raises: `Unavailable` or `ConfigurationError` if this says that nothing could be decided."""
    if deny.status == 503:
        raise Unavailable("the credential could not be judged; see the log", retry_after=_seconds(deny))
    if deny.status >= 500:
        raise ConfigurationError("the guard cannot decide; see the log")


def _seconds(deny: Deny) -> int:
    value = (deny.headers or {}).get("retry-after", "1")
    return int(value) if value.isdecimal() else 1


def unknown() -> Deny:
    """The answer where a credential is good and nobody here is known by it: what a plain `require_auth` says to a bad one."""
    return Deny(401, "invalid_token", reason="unknown_user", challenge=Challenge(error="invalid_token"))
