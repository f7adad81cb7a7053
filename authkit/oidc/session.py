"""`Session`: somebody who is logged in, as it is kept between two requests."""

from __future__ import annotations

from ..decision import FrozenDict, Principal, frozen
from ..secrets.versions import Masked
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_FORM = 1
# name, short name, type. Short, because a session travels with every request, or lies in a store a million times.
_TEXTS = (("id", "i"), ("subject", "s"), ("issuer", "is"))
_OPTIONAL = (
    ("sub", "sub"),
    ("sid", "sid"),
    ("nonce", "n"),
    ("refresh_token", "rt"),
    ("access_token", "at"),
    ("id_token", "idt"),
)
_TIMES = (("began", "b"), ("seen", "se"))
_MOMENTS = (("expires", "e"), ("due", "d"))


class Session(Masked):
    """Who logged in (`issuer`, `subject`), when (`began`), and when they were last here (`seen`); epoch seconds.

    `sub`: what ID tokens call them, where `subject` is from elsewhere. `sid`: the provider's own session. `claims`, `scopes`,
    `roles`: of the principal. `expires`: when the access token does, and `due`: when it is refreshed. `turn`: how often it
    was. `raw`: how it lies in a store.
    """

    __slots__ = (
        "id",
        "subject",
        "issuer",
        "began",
        "seen",
        "sub",
        "sid",
        "nonce",
        "claims",
        "scopes",
        "roles",
        "turn",
        "expires",
        "due",
        "refresh_token",
        "access_token",
        "id_token",
        "raw",
    )

    def __init__(
        self,
        id: str,
        subject: str,
        issuer: str,
        *,
        began: float,
        seen: float,
        sub: str | None = None,
        sid: str | None = None,
        nonce: str | None = None,
        claims: Mapping[str, Any] = FrozenDict(),
        scopes: tuple[str, ...] = (),
        roles: tuple[str, ...] = (),
        turn: int = 0,
        expires: float | None = None,
        due: float | None = None,
        refresh_token: str | None = None,
        access_token: str | None = None,
        id_token: str | None = None,
        raw: bytes | None = None,
    ) -> None:
        self.id = id
        self.subject = subject
        self.issuer = issuer
        self.began = began
        self.seen = seen
        self.sub = sub
        self.sid = sid
        self.nonce = nonce
        self.claims = claims
        self.scopes = scopes
        self.roles = roles
        self.turn = turn
        self.expires = expires
        self.due = due
        self.refresh_token = refresh_token
        self.access_token = access_token
        self.id_token = id_token
        self.raw = raw

    def but(self, **changes: Any) -> Session:
        """The same session with these changes."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Session(**{**fields, **changes})

    def principal(self) -> Principal:
        return Principal(
            self.subject,
            issuer=self.issuer,
            scopes=self.scopes,
            roles=self.roles,
            claims=frozen(dict(self.claims)),
            method="session",
        )

    def written(self) -> bytes:
        """As JSON. Raises: `ValueError` for claims that JSON cannot say."""
        from ..tokens.issue import encoded

        members: dict[str, Any] = {"v": _FORM, "t": self.turn}
        for name, short in (*_TEXTS, *_TIMES, *_OPTIONAL, *_MOMENTS):
            value = getattr(self, name)
            if value is not None:
                members[short] = value
        for value, short in ((dict(self.claims), "c"), (list(self.scopes), "sc"), (list(self.roles), "r")):
            if value:
                members[short] = value
        return encoded(members)


def read(data: bytes) -> Session | None:
    """The session that `written` gave; None if it is none that we understand: of a later release, say."""
    try:
        found = parse_object(data)
    except ValueError:
        return None
    texts: dict[str, Any] = {name: found.get(short) for name, short in _TEXTS}
    optional: dict[str, Any] = {name: found.get(short) for name, short in _OPTIONAL}
    times: dict[str, Any] = {name: found.get(short) for name, short in _TIMES}
    moments: dict[str, Any] = {name: found.get(short) for name, short in _MOMENTS}
    turn, claims = found.get("t"), found.get("c", FrozenDict())
    lists = {name: found.get(short, []) for name, short in (("scopes", "sc"), ("roles", "r"))}
    if (
        found.get("v") != _FORM
        or not all(type(text) is str and text for text in texts.values())
        or not all(text is None or type(text) is str for text in optional.values())
        or not all(type(time) in (int, float) for time in times.values())
        or not all(time is None or type(time) in (int, float) for time in moments.values())
        or type(turn) is not int
        or not isinstance(claims, dict)
        or not all(isinstance(names, list) and all(type(name) is str for name in names) for names in lists.values())
    ):
        return None
    named: dict[str, Any] = {name: tuple(names) for name, names in lists.items()}
    return Session(**texts, **times, **optional, **moments, **named, turn=turn, claims=claims)
