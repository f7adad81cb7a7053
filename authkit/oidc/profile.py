"""`TokenProfile`: how one provider's tokens of one kind are told from its others, and where in them things live."""

from __future__ import annotations

from ..decision import _set, _Value
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    Place: TypeAlias = tuple[str, ...]
    Rule: TypeAlias = Callable[[Mapping[str, Any]], bool]

# What stands in an ID token (OpenID Connect Core section 2, 3.1.3.6 and 3.3.2.11) or a logout token (Back-Channel Logout
# section 2.4) and in no access token of a provider that keeps them apart.
OTHER_KINDS = ("nonce", "at_hash", "c_hash", "s_hash", "events")

_NAMED_KINDS = ("id", "id_token", "refresh", "refresh_token", "offline", "logout")  # what a claim may call them


class TokenProfile(_Value):
    """The marks of one kind of token of one provider. Nothing in a token changes what is asked of it.

    `types`: the `typ` headers that it may have, compared without case and without "application/"; "" is none at all.
    `required`: what its claims must say, a place and a value, or several of which one must be there. `forbidden`: claims that
    only other kinds have, `TokenProfile.OTHER_KINDS` say. `audience`, `subject`: the place of each; of a list of places, the
    first that is there is the subject's. `scopes`, `roles`: places whose names are put together; one that is not there adds
    none. `role`: the place of one further role, as text. To have groups as roles, name their place in `roles`.

    `check`: a further rule of the provider's, asked with the claims of a token that holds otherwise: it returns True, or
    refuses. It does no I/O, and the claims alone decide: its answer is remembered. `groups`, `tenant`, `email`, `name`: where
    `Identity` finds each. `email_verified`: the place of the mark that the address was verified, true or the text "true"; None:
    no address of this provider is.

    A place is "a", a nested "a.b", or a tuple for names that hold dots: ("https://example.com/roles",). It never leads through
    arrays. Raises: `ConfigurationError`.
    """

    __slots__ = (
        "types",
        "required",
        "forbidden",
        "audience",
        "subject",
        "scopes",
        "roles",
        "role",
        "check",
        "groups",
        "tenant",
        "email",
        "email_verified",
        "name",
    )
    OTHER_KINDS = OTHER_KINDS
    types: tuple[str, ...]
    required: tuple[tuple[Place, tuple[Any, ...]], ...]
    forbidden: tuple[Place, ...]
    audience: Place
    subject: tuple[Place, ...]
    scopes: tuple[Place, ...]
    roles: tuple[Place, ...]
    role: Place | None
    check: Rule | None
    groups: tuple[Place, ...]
    tenant: Place | None
    email: Place | None
    email_verified: Place | None
    name: Place | None

    def __init__(
        self,
        *,
        types: Iterable[str] = ("at+jwt",),
        required: Mapping[str | Place, Any] | None = None,
        forbidden: Iterable[str | Place] = (),
        audience: str | Place = "aud",
        subject: str | Place | list[str | Place] = "sub",
        scopes: Iterable[str | Place] = ("scope", "scp"),
        roles: Iterable[str | Place] = ("roles",),
        role: str | Place | None = None,
        check: Rule | None = None,
        groups: Iterable[str | Place] = (),
        tenant: str | Place | None = None,
        email: str | Place | None = "email",
        email_verified: str | Place | None = "email_verified",
        name: str | Place | None = "name",
    ) -> None:
        if isinstance(types, str) or not (named := tuple(types)) or not all(isinstance(name, str) for name in named):
            raise ConfigurationError("a token profile's types are names like 'at+jwt', or '' for none, and at least one")
        _set(self, "types", tuple(map(short_type, named)))
        wanted = []
        for place, values in (required or {}).items():
            some = tuple(values) if isinstance(values, (list, tuple, set, frozenset)) else (values,)
            if not some or not all(isinstance(value, (str, int, bool)) for value in some):
                raise ConfigurationError("a token profile's required claims have values: text, whole numbers, true or false")
            wanted.append((_place("required", place), some))
        _set(self, "required", tuple(wanted))
        if check is not None and not callable(check):
            raise ConfigurationError("a token profile's check is a function of the claims that returns True")
        _set(self, "check", check)
        _set(self, "audience", _place("audience", audience))
        subjects = subject if isinstance(subject, list) and subject else [subject]
        _set(self, "subject", tuple(_place("subject", one) for one in subjects))
        marks = (("role", role), ("tenant", tenant), ("email", email), ("email_verified", email_verified), ("name", name))
        for setting, mark in marks:
            _set(self, setting, None if mark is None else _place(setting, mark))
        for setting, places in (("forbidden", forbidden), ("scopes", scopes), ("roles", roles), ("groups", groups)):
            if isinstance(places, str):
                raise ConfigurationError(f"a token profile's {setting} is a list of places, not one string")
            _set(self, setting, tuple(_place(setting, place) for place in places))

    def __repr__(self) -> str:
        return f"<TokenProfile {'/'.join(name or 'no typ' for name in self.types)}>"


def short_type(typ: str) -> str:
    """A media type as a header's `typ` may have it: RFC 7515 section 4.1.9."""
    return typ.lower().removeprefix("application/")


def _place(setting: str, value: object) -> Place:
    place = tuple(value.split(".")) if isinstance(value, str) and "://" not in value else value
    if not isinstance(place, tuple) or not place or not all(isinstance(step, str) and step for step in place):
        raise ConfigurationError(
            f"a token profile's {setting}: a place is 'a', 'a.b', or a tuple of names, which a URL has to be: ('https://...',)"
        )
    return place


def at(claims: Mapping[str, Any], place: Place) -> Any:
    """What stands there, or None."""
    found: Any = claims
    for step in place:
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return found


def names_no_other_kind(claims: Mapping[str, Any]) -> bool:
    """Whether a token is not of another kind by its own word: `token_use` of Cognito, `typ` of Keycloak."""
    said = (claims.get("token_use"), claims.get("typ"))
    return not any(type(kind) is str and kind.lower() in _NAMED_KINDS for kind in said)


ACCESS_TOKEN = TokenProfile()  # RFC 9068: a typ of its own, which no ID token has
PLAIN_ACCESS_TOKEN = TokenProfile(  # of providers that mark them by no typ
    types=("JWT", ""), forbidden=OTHER_KINDS, check=names_no_other_kind
)
