"""One API key: `ApiKey`, what is kept of it, and `NewKey`, the one time it is shown."""

from __future__ import annotations

from ..decision import Principal, _set, _Value
from ..secrets.versions import Masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn


class ApiKey(_Value):
    """What is kept of a key. `id` stands in the key itself and is no secret; `digest` is the SHA-256 of the whole key.

    `name`: for people, to tell several keys of one `subject` apart. `created`, `expires`, `last_used`: epoch seconds; one that
    does not expire has `expires` None. `last_used` is coarse: it is written at most once an hour. A `disabled` key is refused.
    `prefix` and `ttl`: what it begins with, and the seconds that it was made for (None: no end), as its successor will be.

    Two are equal if every field is: `KeyTable.update` compares by that. No repr shows the digest, and none is pickled.
    """

    __slots__ = (
        "id",
        "name",
        "subject",
        "digest",
        "scopes",
        "roles",
        "created",
        "expires",
        "last_used",
        "disabled",
        "prefix",
        "ttl",
    )
    id: str
    name: str
    subject: str
    digest: str
    scopes: frozenset[str]
    roles: frozenset[str]
    created: float
    expires: float | None
    last_used: float | None
    disabled: bool
    prefix: str
    ttl: float | None

    def __init__(
        self,
        id: str,
        *,
        name: str,
        subject: str,
        digest: str,
        created: float,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        expires: float | None = None,
        last_used: float | None = None,
        disabled: bool = False,
        prefix: str = "ak",
        ttl: float | None = None,
    ) -> None:
        if isinstance(scopes, str) or isinstance(roles, str):
            raise TypeError("scopes and roles are collections of names, not one string")
        _set(self, "id", id)
        _set(self, "name", name)
        _set(self, "subject", subject)
        _set(self, "digest", digest)
        _set(self, "scopes", frozenset(scopes))
        _set(self, "roles", frozenset(roles))
        _set(self, "created", created)
        _set(self, "expires", expires)
        _set(self, "last_used", last_used)
        _set(self, "disabled", disabled)
        _set(self, "prefix", prefix)
        _set(self, "ttl", ttl)

    def changed(self, **fields: Any) -> ApiKey:
        """The same key with these fields instead: `key.changed(disabled=True)`. Raises: `TypeError` for another field."""
        return ApiKey(**{**dict(zip(self.__slots__, self._fields(), strict=True)), **fields})

    def principal(self) -> Principal:
        """Whoever sends the key."""
        claims = {"key_id": self.id, "name": self.name}
        return Principal(self.subject, scopes=self.scopes, roles=self.roles, claims=claims, method="api_key")

    def __repr__(self) -> str:
        return f"ApiKey({self.id!r}, name={self.name!r}, subject={self.subject!r}{', disabled' if self.disabled else ''})"

    def __copy__(self) -> ApiKey:
        return self

    def __deepcopy__(self, _: object) -> ApiKey:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("an ApiKey is not pickled, because it holds a hash: keep its id, and find it again")


class NewKey(Masked):
    """A key that was made just now: `reveal()` gives its text, which is kept nowhere. `record`: what is kept of it."""

    __slots__ = ("_key", "record")
    _key: Callable[[], str]
    record: ApiKey

    def __init__(self, key: Callable[[], str], record: ApiKey) -> None:
        self._key = key
        self.record = record

    def reveal(self) -> str:
        """The key. Show it once, to whoever asked for it."""
        return self._key()

    @property
    def id(self) -> str:
        """The key's id, which is no secret: what `revoke` takes, and what stands in the log."""
        return self.record.id

    def __repr__(self) -> str:
        return f"<NewKey {self.record.id}>"
