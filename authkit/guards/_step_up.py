"""Whether a login is recent and strong enough for what is asked (RFC 9470): what `require_auth(max_age=, amr=, acr=)` says."""

from __future__ import annotations

from ..decision import Challenge, Deny
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..decision import Principal

_LONGEST = 31_536_000_000  # seconds: a number, and not infinite
_SKEW = 30  # seconds by which the clocks of whoever logged the user in and ours may differ


class StepUp:
    """`max_age`: seconds since login. `amr`: methods, all of them. `acr`: classes of a login, of which one is enough."""

    __slots__ = ("_max_age", "_amr", "_acr", "_clock")

    def __init__(
        self,
        max_age: int | None,
        amr: str | Iterable[str] | None,
        acr: str | Iterable[str] | None,
        clock: Callable[[], float],
    ) -> None:
        if max_age is not None and not (type(max_age) in (int, float) and 0 <= max_age <= _LONGEST):
            raise ConfigurationError("require_auth: max_age is a number of seconds")
        self._max_age = max_age
        self._amr = frozenset(_names("amr", amr, "authentication method"))
        self._acr = _names("acr", acr, "class of a login")
        if any(not "!" <= c <= "~" or c in '"\\' for name in self._acr for c in name):
            raise ConfigurationError("require_auth: acr names are visible ASCII without space, quotation mark and backslash")
        self._clock = clock

    def refusal(self, principal: Principal) -> Deny | None:
        """None: it is enough."""
        claims = principal.claims
        parameters: dict[str, str] = {}
        if self._max_age is not None:
            at = claims.get("auth_time")
            if (
                isinstance(at, bool)
                or not isinstance(at, (int, float))
                or not -_SKEW <= self._clock() - at <= self._max_age + _SKEW
            ):
                parameters["max_age"] = str(int(self._max_age))
        if self._acr and claims.get("acr") not in self._acr:
            parameters["acr_values"] = " ".join(self._acr)  # in the order of preference
        if self._amr:
            methods = claims.get("amr")
            if not isinstance(methods, list) or not self._amr.issubset(item for item in methods if isinstance(item, str)):
                parameters["error_description"] = "another authentication method is required"
        if not parameters:
            return None
        scheme = "DPoP" if principal.method == "dpop" else "Bearer"
        challenge = Challenge(scheme, error="insufficient_user_authentication", **parameters)
        return Deny(401, "insufficient_user_authentication", reason="step_up_needed", challenge=challenge)


def _names(setting: str, given: str | Iterable[str] | None, what: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given or ())
    if given is not None and not (names and all(isinstance(name, str) and name for name in names)):
        raise ConfigurationError(f"require_auth: {setting} names at least one {what}")
    return names
