"""What a guard says: `Allow` or `Deny`, and about whom: `Principal`."""

from __future__ import annotations

from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, NoReturn, TypeAlias

# These values are written out by hand, not as dataclasses: importing dataclasses (and inspect below it) would cost
# more than the whole cold-start budget that authkit allows itself on AWS Lambda.


class _Value:
    """A frozen value: fields are slots, set once by the constructor."""

    __slots__: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if type(self) is type(other) and isinstance(other, _Value) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._fields())


_set = object.__setattr__


def _restore(cls: type[_Value], fields: tuple[object, ...]) -> _Value:
    value = cls.__new__(cls)
    for name, field in zip(cls.__slots__, fields, strict=True):
        _set(value, name, field)
    return value


def _immutable(*_: object, **__: object) -> NoReturn:
    raise TypeError("claims are immutable")


_IMMUTABLE: Any = _immutable


class FrozenDict(dict[str, "Any"]):
    """A JSON object that nobody can change: principals are shared between requests by the verified-token cache."""

    __slots__ = ()

    __setitem__ = __delitem__ = _IMMUTABLE
    clear = pop = popitem = setdefault = update = __ior__ = _IMMUTABLE

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


class FrozenList(list["Any"]):
    """A JSON array that nobody can change."""

    __slots__ = ()

    __setitem__ = __delitem__ = _IMMUTABLE
    append = extend = insert = pop = remove = clear = sort = reverse = _IMMUTABLE
    __iadd__ = __imul__ = _IMMUTABLE

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(len(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, (list(self),)


def frozen(value: object) -> Any:
    """`value` with every dict and list in it replaced by its frozen form. Depth is the caller's to bound."""
    if isinstance(value, dict):
        return FrozenDict({key: frozen(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return FrozenList([frozen(item) for item in value])
    return value


_NO_CLAIMS = FrozenDict()


class Principal(_Value):
    """Who is calling, as far as the guards have established it.

    `subject` is unique within `issuer`: use the two together as the key of an account. `claims` are verified and immutable.
    `method` says how it was established: "bearer", "session", "api_key", ... Raises: `TypeError` for a subject that is no text
    or empty, and for one string where names are expected.
    """

    __slots__ = ("subject", "issuer", "scopes", "roles", "claims", "method")
    subject: str
    issuer: str | None
    scopes: frozenset[str]
    roles: frozenset[str]
    claims: Mapping[str, Any]
    method: str

    def __init__(
        self,
        subject: str,
        *,
        issuer: str | None = None,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] = _NO_CLAIMS,
        method: str = "bearer",
    ) -> None:
        if isinstance(scopes, str) or isinstance(roles, str):
            raise TypeError("scopes and roles are collections of names, not one string")
        if not isinstance(subject, str) or not subject:  # a claim that was not there, say: nobody is called that
            raise TypeError("a principal's subject is text, and not empty")
        _set(self, "subject", subject)
        _set(self, "issuer", issuer)
        _set(self, "scopes", frozenset(scopes))
        _set(self, "roles", frozenset(roles))
        _set(self, "claims", claims if type(claims) is FrozenDict else frozen(dict(claims)))
        _set(self, "method", method)

    def __repr__(self) -> str:  # claims may hold personal data: they stay out of logs
        return f"Principal({self.subject!r}, issuer={self.issuer!r}, method={self.method!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> NoReturn:
        # A guard above the route decorator leaves the route open, and FastAPI would read the principal from the request body.
        raise ConfigurationError("a Principal is never read from a request: put the guard below @app.get (the route decorator)")


def _quoted(text: str) -> str:
    """A quoted-string of RFC 9110 section 5.6.4, without anything that could end the header line."""
    kept = "".join(c for c in text if " " <= c <= "~")
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Challenge(_Value):
    """One `WWW-Authenticate` challenge (RFC 9110 section 11.6.1). Order of the parameters is kept."""

    __slots__ = ("scheme", "parameters")
    scheme: str
    parameters: tuple[tuple[str, str], ...]

    def __init__(self, scheme: str = "Bearer", **parameters: str) -> None:
        _set(self, "scheme", scheme)
        _set(self, "parameters", tuple(parameters.items()))

    def __str__(self) -> str:
        return self.scheme + " " + ", ".join(f"{name}={_quoted(value)}" for name, value in self.parameters)

    def __repr__(self) -> str:
        return f"Challenge({str(self)!r})"


class Allow(_Value):
    """The guard lets the request through.

    `principal`: who it is, if this guard established that. `headers`: added to the response, whatever it is.
    `drop_headers`: request headers that the handler must not see. `values`: handler parameters to fill in, by name.
    """

    __slots__ = ("principal", "headers", "drop_headers", "values")
    principal: Principal | None
    headers: Mapping[str, str] | None
    drop_headers: tuple[str, ...]
    values: Mapping[str, Any] | None

    def __init__(
        self,
        principal: Principal | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        drop_headers: Iterable[str] = (),
        values: Mapping[str, Any] | None = None,
    ) -> None:
        if principal is not None and not isinstance(principal, Principal):
            raise TypeError("Allow takes a Principal")
        _set_principal(self, principal)
        _set_headers(self, headers)
        _set_drop_headers(self, tuple(name.lower() for name in drop_headers) if drop_headers else ())
        _set_values(self, values)

    def _fields(self) -> tuple[object, ...]:
        return self.principal, self.headers, self.drop_headers, self.values

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if isinstance(other, Allow) else NotImplemented

    def __hash__(self) -> int:
        return hash((Allow, self._fields()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (Allow, self._fields())

    def __repr__(self) -> str:
        return f"Allow({self.principal!r})"


class Identified(Allow):
    """`Allow(principal)`, where the other fields are the class's: one is made for every request with a principal."""

    __slots__ = ()
    headers = None
    drop_headers = ()
    values = None


_set_principal, _set_headers, _set_drop_headers, _set_values = (vars(Allow)[name].__set__ for name in Allow.__slots__)
_new = object.__new__


def identified(principal: Principal) -> Allow:
    """`Allow(principal)`, of what is known to be a principal."""
    allow = _new(Identified)
    _set_principal(allow, principal)
    return allow


class Deny(_Value):
    """The guard refuses the request.

    `status` and `code` are public. `reason` is the stable audit code and stays in the log (default: `code`).
    `challenge`: what goes into `WWW-Authenticate`. `headers`: further response headers. `no_credential`: nothing was sent
    that could be judged, so that `any_of` may ask the next guard. `respond`: status, headers and body are the whole answer
    (a redirect, a handshake), not a problem document.
    """

    __slots__ = ("status", "code", "reason", "challenge", "headers", "no_credential", "respond")
    status: int
    code: str
    reason: str
    challenge: tuple[Challenge | str, ...]
    headers: Mapping[str, str] | None
    no_credential: bool
    respond: bytes | None

    def __init__(
        self,
        status: int,
        code: str,
        *,
        reason: str | None = None,
        challenge: Challenge | str | Iterable[Challenge | str] = (),
        headers: Mapping[str, str] | None = None,
        no_credential: bool = False,
        respond: bytes | None = None,
    ) -> None:
        if not 200 <= status <= 599:
            raise ValueError("a refusal needs an HTTP status from 200 to 599")
        _set(self, "status", status)
        _set(self, "code", code)
        _set(self, "reason", reason or code)
        _set(self, "challenge", (challenge,) if isinstance(challenge, (Challenge, str)) else tuple(challenge))
        _set(self, "headers", headers)
        _set(self, "no_credential", no_credential)
        _set(self, "respond", respond)

    def __repr__(self) -> str:
        return f"Deny({self.status}, {self.code!r}, reason={self.reason!r})"


if TYPE_CHECKING:
    Decision: TypeAlias = Allow | Deny

ALLOW = Allow()
