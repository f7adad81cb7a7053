"""Policies about a verified principal, composed with `&`, `|` and `~`: scope, role, claim, owner, or any callable.

A node that could not be judged (a callable that raised, or returned anything but True or False) refuses the whole policy:
no negation around it turns that into an admission.
"""

from __future__ import annotations

from ._audit import once
from .errors import ConfigurationError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any, TypeAlias

    from .decision import Principal
    from .http import Request

    PolicyLike: TypeAlias = "Policy | Callable[[Principal, Request], bool]"


class Undecided(Exception):
    """A node could not be judged; its `args[0]` is the stable reason. Never leaves `require`."""


class Failed:
    """Why a policy does not hold: a reason for the audit event, and the scopes that would have helped.

    `unknown`: what it is about was not there to be looked at, so that its negation does not hold either.
    """

    __slots__ = ("reason", "scopes", "unknown")

    def __init__(self, reason: str, scopes: tuple[str, ...] = (), *, unknown: bool = False) -> None:
        self.reason = reason
        self.scopes = scopes
        self.unknown = unknown


class Policy:
    """One condition. `why_not` says None where it holds, else why it does not."""

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        raise NotImplementedError

    def __and__(self, other: PolicyLike) -> Policy:
        return _All((self, policy(other)))

    def __rand__(self, other: PolicyLike) -> Policy:
        return _All((policy(other), self))

    def __or__(self, other: PolicyLike) -> Policy:
        return _Any((self, policy(other)))

    def __ror__(self, other: PolicyLike) -> Policy:
        return _Any((policy(other), self))

    def __invert__(self) -> Policy:
        return _Not(self)

    def __bool__(self) -> bool:  # `scope("a") and role("b")` would silently drop the first
        raise TypeError("policies are composed with &, | and ~, not with and, or, not")


class _All(Policy):
    def __init__(self, nodes: tuple[Policy, ...]) -> None:
        self.nodes = nodes

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        for node in self.nodes:
            failed = node.why_not(principal, request)
            if failed is not None:
                return failed
        return None

    def __repr__(self) -> str:
        return "(" + " & ".join(map(repr, self.nodes)) + ")"


class _Any(Policy):
    def __init__(self, nodes: tuple[Policy, ...]) -> None:
        self.nodes = nodes

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        reasons: list[str] = []
        scopes: tuple[str, ...] = ()
        unknown = False
        for node in self.nodes:
            failed = node.why_not(principal, request)
            if failed is None:
                return None
            reasons.append(failed.reason)
            scopes = scopes or failed.scopes
            unknown = unknown or failed.unknown
        return Failed(" and ".join(reasons), scopes, unknown=unknown)

    def __repr__(self) -> str:
        return "(" + " | ".join(map(repr, self.nodes)) + ")"


class _Not(Policy):
    def __init__(self, node: Policy) -> None:
        self.node = node

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        failed = self.node.why_not(principal, request)
        if failed is None:
            return Failed(f"not {self.node!r} required")
        return failed if failed.unknown else None

    def __repr__(self) -> str:
        return f"~{self.node!r}"


class _Callable(Policy):
    def __init__(self, fn: Callable[[Principal, Request], bool]) -> None:
        self.fn = fn
        self.name = getattr(fn, "__name__", type(fn).__name__)

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        try:
            answer: object = self.fn(principal, request)
        except Unavailable:
            raise
        except Exception as error:
            once("the policy %s raised %s: refused", self.name, type(error).__name__)
            raise Undecided(f"{self.name} raised {type(error).__name__}") from None
        if answer is True:
            return None
        if answer is False:
            return Failed(f"{self.name} said no")
        close = getattr(answer, "close", None)
        if close is not None and hasattr(answer, "send"):
            close()  # a coroutine that nobody would await
        once("the policy %s returned %s, which is neither True nor False: refused", self.name, type(answer).__name__)
        raise Undecided(f"{self.name} returned {type(answer).__name__}")

    def __repr__(self) -> str:
        return self.name


def policy(node: PolicyLike) -> Policy:
    """`node` as a policy. Raises: `ConfigurationError` for what is neither a policy nor callable."""
    if isinstance(node, Policy):
        return node
    if not callable(node) or isinstance(node, type):
        raise ConfigurationError(f"a policy is made of scope, role, claim, owner or a callable, not of {type(node).__name__}")
    return _Callable(node)


def name_of(kind: str, name: object) -> str:
    """A scope or role name: printable ASCII without spaces or quotes (RFC 6749 section 3.3). Raises: `ConfigurationError`."""
    if not isinstance(name, str) or not name or any(not "!" <= c <= "~" or c in '"\\' for c in name):
        raise ConfigurationError(f"a {kind} is a non-empty string of printable ASCII without spaces and quotes, not {name!r}")
    return name


class _Scope(Policy):
    def __init__(self, name: str, roles: RoleMap | None = None) -> None:
        self.name = name_of("scope", name)
        self.roles = roles

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        if self.name in principal.scopes or (self.roles is not None and self.name in self.roles.scopes(principal)):
            return None
        return Failed(f"scope {self.name} missing", (self.name,))

    def __repr__(self) -> str:
        return f"scope({self.name!r})"


class _Role(Policy):
    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError("a role is a non-empty string")
        self.name = name

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        return None if self.name in principal.roles else Failed(f"role {self.name} missing")

    def __repr__(self) -> str:
        return f"role({self.name!r})"


class _Claim(Policy):
    def __init__(self, path: str | tuple[str, ...], values: tuple[Any, ...]) -> None:
        if isinstance(path, str):
            if "://" in path:
                raise ConfigurationError(
                    "a claim whose name is a URL is given as a tuple, ('https://...',): a string is split at dots"
                )
            path = tuple(path.split("."))
        if not isinstance(path, tuple) or not path or not all(isinstance(step, str) and step for step in path):
            raise ConfigurationError("claim: the path is 'a', 'a.b', or a tuple of names")
        if not all(isinstance(value, (str, int, float)) for value in values):
            raise ConfigurationError("claim: the values are strings, numbers or booleans")
        self.path = path
        self.values = values

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        found: Any = principal.claims
        for step in self.path:
            if not isinstance(found, dict) or step not in found:  # a path never walks into lists or strings
                return Failed(f"claim {'.'.join(self.path)} missing")
            found = found[step]
        if not self.values:
            return None if found is not None else Failed(f"claim {'.'.join(self.path)} is null")
        present = found if isinstance(found, list) else (found,)
        if any(type(item) is type(value) and item == value for item in present for value in self.values):
            return None
        return Failed(f"claim {'.'.join(self.path)} has another value")

    def __repr__(self) -> str:
        return f"claim({'.'.join(self.path)!r})"


class _Owner(Policy):
    def __init__(self, parameter: str) -> None:
        if not isinstance(parameter, str) or not parameter:
            raise ConfigurationError("owner: name the path parameter that holds the subject")
        self.parameter = parameter

    def why_not(self, principal: Principal, request: Request) -> Failed | None:
        value = request.params.get(self.parameter)
        if value is not None and str(value) == principal.subject:
            return None
        return Failed(f"not the owner by {self.parameter}", unknown=value is None)

    def __repr__(self) -> str:
        return f"owner({self.parameter!r})"


def scope(name: str) -> Policy:
    """The principal was granted this scope. Exact, case-sensitive, no wildcards."""
    return _Scope(name)


def role(name: str) -> Policy:
    """The principal has this role. Exact and case-sensitive."""
    return _Role(name)


def claim(path: str | tuple[str, ...], *values: str | int | float | bool) -> Policy:
    """A verified claim has one of `values` (an array: contains one of them); with no values, it is present and not null.

    `path`: "org", a nested "realm_access.roles", or a tuple for names that hold dots. A literal key "a.b" never satisfies the
    nested path, and a path never walks into arrays or strings. Types must agree: 1 is neither "1" nor true.
    """
    return _Claim(path, values)


def owner(parameter: str) -> Policy:
    """The subject equals that path parameter. Where the host gives no such parameter it denies, and so does its negation."""
    return _Owner(parameter)


class RoleMap:
    """Roles as bags of scopes: `RoleMap({"engineer": {"deploy", "logs:read"}})`."""

    def __init__(self, roles: Mapping[str, Collection[str]]) -> None:
        if not roles:
            raise ConfigurationError("a RoleMap needs at least one role")
        self._scopes: dict[str, frozenset[str]] = {}
        for name, scopes in roles.items():
            if isinstance(scopes, str) or not scopes:
                raise ConfigurationError(f"RoleMap: role {name!r} needs a collection of scopes")
            self._scopes[_Role(name).name] = frozenset(name_of("scope", item) for item in scopes)

    def scopes(self, principal: Principal) -> frozenset[str]:
        """The scopes granted to the principal, and those of its roles."""
        found: Iterable[frozenset[str]] = (self._scopes[name] for name in principal.roles if name in self._scopes)
        return principal.scopes.union(*found)

    def scope(self, name: str) -> Policy:
        """The principal has this scope, granted or through one of its roles."""
        return _Scope(name, self)
