"""May this principal do this? `require`, `require_scopes`, `require_roles`."""

from __future__ import annotations

from .._guard import Guard
from ..access import Failed, Policy, RoleMap, Undecided, name_of, policy, role
from ..decision import ALLOW, Challenge, Deny
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..decision import Decision, Principal
    from ..http import Request

# A chain without require_auth may stand behind one that has it; where nothing has identified the caller, this is the answer.
_NOBODY = Deny(401, "unauthorized", reason="no_principal", challenge=Challenge(realm="api"), no_credential=True)


class _NeedsPrincipal(Guard):
    """A guard that judges a principal. Without one it is 401, before anything is evaluated."""

    reads_request = False

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        if any(item.identifies for item in after) and not any(item.identifies for item in before):
            raise ConfigurationError(f"{self.name} stands above require_auth: there is no principal yet; put it below")

    async def check(self, request: Request) -> Decision:
        principal: Principal | None = request.state.principal
        decision = _NOBODY if principal is None else self.judge(principal, request)
        if decision is ALLOW:
            return decision
        if principal is not None and principal.method == "dpop" and isinstance(decision, Deny):
            from ._offered import in_scheme

            decision = in_scheme(decision, "DPoP")
        if request.state.resource is None:
            return decision
        from ._resource import told

        return told(decision, request.state.resource) if isinstance(decision, Deny) else decision

    def judge(self, principal: Principal, request: Request) -> Decision:
        raise NotImplementedError


class Require(_NeedsPrincipal):
    """One policy."""

    name = "require"
    reads_request = True

    def __init__(self, node: Policy) -> None:
        self._policy = node

    def judge(self, principal: Principal, request: Request) -> Decision:
        try:
            failed = self._policy.why_not(principal, request)
        except Undecided as undecided:
            failed = Failed(f"undecided: {undecided}")
        if failed is None:
            return ALLOW
        return _scopes_missing(failed.scopes, failed.reason) if failed.scopes else Deny(403, "forbidden", reason=failed.reason)


def _scopes_missing(scopes: Iterable[str], reason: str) -> Deny:
    challenge = Challenge(error="insufficient_scope", scope=" ".join(scopes))
    return Deny(403, "insufficient_scope", reason=reason, challenge=challenge)


class RequireScopes(_NeedsPrincipal):
    name = "require_scopes"

    def __init__(self, names: tuple[str, ...], any_of: tuple[str, ...], roles: RoleMap | None) -> None:
        self._all = frozenset(names)
        self._any = frozenset(any_of)
        self._roles = roles
        self._deny = _scopes_missing([*names, *any_of], "scope_missing")

    def judge(self, principal: Principal, request: Request) -> Decision:
        held = principal.scopes if self._roles is None else self._roles.scopes(principal)
        if self._all <= held and (not self._any or not self._any.isdisjoint(held)):
            return ALLOW
        return self._deny


class RequireRoles(_NeedsPrincipal):
    name = "require_roles"

    def __init__(self, any_of: tuple[str, ...], all_of: tuple[str, ...]) -> None:
        self._any = frozenset(any_of)
        self._all = frozenset(all_of)
        self._deny = Deny(403, "forbidden", reason="role_missing")

    def judge(self, principal: Principal, request: Request) -> Decision:
        held = principal.roles
        if self._all <= held and (not self._any or not self._any.isdisjoint(held)):
            return ALLOW
        return self._deny


def _names(kind: str, names: Any) -> tuple[str, ...]:
    if names is None:
        return ()
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise ConfigurationError(f"{kind}s are given as a list of names")
    found = tuple(names)
    if not found:
        raise ConfigurationError(f"an empty list of {kind}s would admit everybody")
    return tuple(name_of(kind, name) if kind == "scope" else _role_name(name) for name in found)


def _role_name(name: object) -> str:
    """A role name, checked as `access.role` does. Raises: `ConfigurationError`."""
    role(name)  # type: ignore[arg-type]
    assert isinstance(name, str)
    return name


def require(node: Policy | Callable[[Principal, Request], bool]) -> Guard:
    """The policy holds for the principal: `require(scope("a") & (role("admin") | ~role("guest")))`.

    A callable gets `(principal, request)` and must return exactly True; what raises, or returns no boolean, refuses.
    401 without a principal; 403 `insufficient_scope` or `forbidden` otherwise.
    """
    return Require(policy(node))


def require_scopes(*names: str, any_of: Iterable[str] | None = None, roles: RoleMap | None = None) -> Guard:
    """The principal was granted every scope in `names`, and one of `any_of` where given. `roles`: scopes come from roles too.

    403 `insufficient_scope` (RFC 6750 section 3.1) otherwise. Raises: `ConfigurationError` for no names, or a bare decorator.
    """
    if not names and any_of is None:
        raise ConfigurationError("require_scopes needs at least one scope")
    return RequireScopes(_names("scope", names) if names else (), _names("scope", any_of), roles)


def require_roles(*names: str, any_of: Iterable[str] | None = None, all_of: Iterable[str] | None = None) -> Guard:
    """The principal has the role; of several, one with `any_of=[...]`, every one with `all_of=[...]`.

    403 `forbidden` otherwise. Raises: `ConfigurationError` for no names, a bare decorator, or bare several names.
    """
    if len(names) > 1:
        raise ConfigurationError("require_roles with several names needs any_of=[...] or all_of=[...]: which is meant?")
    if not names and any_of is None and all_of is None:
        raise ConfigurationError("require_roles needs at least one role")
    return RequireRoles(_names("role", any_of), (*(_names("role", names) if names else ()), *_names("role", all_of)))
