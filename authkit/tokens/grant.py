"""`Grant`: what a login granted, for as long as its refresh tokens live."""

from __future__ import annotations

from ..decision import FrozenDict, _set, _Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Grant(_Value):
    """What a pair was issued with. `created`: epoch seconds; `family`: the `sid` of its access tokens.

    `client`: who may refresh it, or None. `stamp`: a text of whoever issued it (when a password was set, say), given back here.
    """

    __slots__ = ("family", "subject", "scopes", "roles", "claims", "client", "stamp", "created")
    family: str
    subject: str
    scopes: frozenset[str]
    roles: frozenset[str]
    claims: FrozenDict
    client: str | None
    stamp: str
    created: float

    def __init__(
        self,
        family: str,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: FrozenDict | None = None,
        client: str | None = None,
        stamp: str = "",
        created: float = 0.0,
    ) -> None:
        _set(self, "family", family)
        _set(self, "subject", subject)
        _set(self, "scopes", frozenset(scopes))
        _set(self, "roles", frozenset(roles))
        _set(self, "claims", FrozenDict() if claims is None else claims)
        _set(self, "client", client)
        _set(self, "stamp", stamp)
        _set(self, "created", created)

    def narrowed(self, *, scopes: Iterable[str] | None = None, roles: Iterable[str] | None = None) -> Grant:
        """The same with those of its scopes and roles alone that are named here, too. None: all of them."""
        if isinstance(scopes, str) or isinstance(roles, str):
            raise TypeError("scopes and roles are collections of names, not one string")
        return Grant(
            self.family,
            self.subject,
            scopes=self.scopes if scopes is None else self.scopes.intersection(scopes),
            roles=self.roles if roles is None else self.roles.intersection(roles),
            claims=self.claims,
            client=self.client,
            stamp=self.stamp,
            created=self.created,
        )

    def __repr__(self) -> str:  # claims and the stamp may be personal, and the family is in tokens: they stay out of logs
        return f"<Grant subject={self.subject!r}>"
