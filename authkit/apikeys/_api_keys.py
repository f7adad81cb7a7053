"""`ApiKeys`: the API keys of a service, made, listed, rotated, revoked and verified."""

from __future__ import annotations

import os
import time
from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

from .._answers import answers_of
from .._kept import is_text
from .._run import arun, blocking, run
from ..errors import AuthkitError, ConfigurationError, InvalidToken, Unavailable
from .form import Form, digest_of
from .key import ApiKey, NewKey
from .verifier import KeyVerifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import list as List
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..decision import Principal
    from ..secrets import Secret
    from ._static import StaticKeys
    from .tables import KeyTable

USED = 3600  # seconds: when a key was used is written no more often
_QUIET = 60.0  # seconds for which nothing is noted after the table refused to
_DRAWN = 5  # ids tried; one in 3e21 is taken
_ATTEMPTS = 50  # of a change that others make at the same time
_PAGE = 500  # keys listed at once
_NOBODY = "0" * 64  # what a key of an unknown id is compared with
_OVER = "a key that is revoked or has expired is not rotated: make a new one"
MAX_TTL = 10 * 366 * 86_400  # seconds


class UnknownKey(AuthkitError, LookupError):
    """There is no API key of that id."""


class ApiKeys(KeyVerifier):
    """API keys `<prefix>_<id><secret><checksum>`, kept in `table` as hashes alone. A subject may have any number of them.

    What a table that blocks says of a key is kept for half a second, and dropped when one is changed here: a key that is
    revoked anywhere is refused everywhere within one. `track_use`: note when a key was used, at most once an hour; what fails
    there refuses nobody.

    Not checked: whether the subject may still log in. Whoever disables a user calls `revoke_subject` too.
    Raises: `ConfigurationError`. Methods raise `Unavailable` where the table cannot be reached.
    """

    def __init__(
        self,
        table: KeyTable,
        *,
        prefix: str = "ak",
        track_use: bool = True,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if isinstance(table, (type, str, bytes)) or not callable(getattr(table, "find", None)):  # text has a find too
            raise ConfigurationError("ApiKeys takes a table of keys: MemoryKeys(), SqliteKeys(...), open_keys(...)")
        self._table, self._form, self._track = table, Form(prefix), track_use
        self._clock, self._monotonic, self._random = clock, monotonic, random
        self._answers = answers_of(table)
        self._quiet_until = float("-inf")

    @staticmethod
    def of(
        keys: Mapping[str, Secret | Iterable[Secret]],
        *,
        scopes: Iterable[str] | Mapping[str, Iterable[str]] = (),
        roles: Iterable[str] | Mapping[str, Iterable[str]] = (),
    ) -> StaticKeys:
        """Keys that are configured: `ApiKeys.of({"service-a": secrets["API_KEY_A"]}, scopes=["orders:read"])`.

        By subject, one secret or several. The current, the previous and the pending version of each is accepted. `scopes` and
        `roles`: of all subjects, or by subject. Raises: `ConfigurationError`.
        """
        from ._static import StaticKeys

        return StaticKeys(keys, scopes=scopes, roles=roles)

    @property
    def in_place(self) -> bool:
        """Whether `verify` never does I/O: the table is in memory."""
        return getattr(self._table, "in_place", False) is True

    @property
    def prefix(self) -> str:
        return self._form.prefix

    def new(
        self,
        subject: str,
        *,
        name: str = "",
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        ttl: float | None = None,
    ) -> NewKey:
        """A new key of `subject`. `reveal()` of it is the one time that the key can be read.

        `name`: to tell several apart. `ttl`: seconds for which it is valid; None: until it is revoked.
        Raises: `ValueError` for what no table can keep.
        """
        return run(self._new(subject, name, scopes, roles, ttl))

    async def anew(self, subject: str, **options: Any) -> NewKey:
        """`new` on an event loop, which it does not block."""
        return await arun(self._new(subject, **{"name": "", "scopes": (), "roles": (), "ttl": None, **options}))

    def rotate(self, id: str, *, grace: float = 86_400, ttl: float | None = None) -> NewKey:
        """A new key beside that one, for the same subject, name, scopes and roles, with its prefix; the old one is valid for
        `grace` seconds more, or as long as it was if that is shorter. `ttl`: as `new`; None: what the old one was made for.

        Raises: `UnknownKey`; `ValueError` for a key that is revoked or has expired.
        """
        return run(self._rotated(id, grace, ttl))

    async def arotate(self, id: str, *, grace: float = 86_400, ttl: float | None = None) -> NewKey:
        """`rotate` on an event loop, which it does not block."""
        return await arun(self._rotated(id, grace, ttl))

    def revoke(self, id: str) -> ApiKey:
        """Refuse this key from now on, for good. It stays in the list. Raises: `UnknownKey`."""
        return run(self._revoked(id))

    async def arevoke(self, id: str) -> ApiKey:
        """`revoke` on an event loop, which it does not block."""
        return await arun(self._revoked(id))

    def revoke_subject(self, subject: str) -> int:
        """Refuse all keys that `subject` has now; how many that were. One that is made meanwhile may be missed."""
        return run(self._all_revoked(subject))

    async def arevoke_subject(self, subject: str) -> int:
        """`revoke_subject` on an event loop, which it does not block."""
        return await arun(self._all_revoked(subject))

    def delete(self, id: str) -> bool:
        """Forget this key; False if there is none. It is refused as unknown then, and nobody sees that it was there."""
        return run(self._deleted(id))

    async def adelete(self, id: str) -> bool:
        """`delete` on an event loop, which it does not block."""
        return await arun(self._deleted(id))

    def list(self, subject: str | None = None) -> List[ApiKey]:
        """What is kept of the keys of `subject`, or of all, by id. No key can be read from it."""
        return run(self._listed(subject))

    async def alist(self, subject: str | None = None) -> List[ApiKey]:
        """`list` on an event loop, which it does not block."""
        return await arun(self._listed(subject))

    def __repr__(self) -> str:
        return f"<ApiKeys {self._form.prefix}_...>"

    async def _do(self, fn: Callable[..., Any], *args: Any) -> Any:
        return fn(*args) if self.in_place else await blocking(fn, *args)

    async def _verified(self, key: str) -> Principal:
        ident = self._form.id_of(key)
        digest, now, monotonic = digest_of(key), self._clock(), self._monotonic()
        answers, keys = self._answers, (digest,)
        turn = answers.turn
        known: tuple[ApiKey, Principal] | None = answers.get(keys, now, monotonic)
        if self.in_place:
            if known is None or self._table.find(ident) is not known[0]:  # what it says costs next to nothing
                known = self._looked_up(ident, digest, now)
                answers.keep(turn, keys, now, monotonic, known)
        elif known is None:
            known = await blocking(self._looked_up, ident, digest, now)
            answers.keep(turn, keys, now, monotonic, known)
        record, principal = known
        refused = _refused(record, now)
        if refused:
            raise InvalidToken(refused, subject=record.subject)
        return principal

    def _looked_up(self, ident: str, digest: str, now: float) -> tuple[ApiKey, Principal]:
        """The key of that id, if it is this one. May block. Raises: `InvalidToken`."""
        record: ApiKey | None = self._table.find(ident)
        kept = _NOBODY if record is None else record.digest
        same = compare_digest(kept.encode("utf-8", "replace"), digest.encode())
        if record is None or not same:
            raise InvalidToken("api_key_unknown")
        return self._noted(record, now), record.principal()

    def _noted(self, record: ApiKey, now: float) -> ApiKey:
        """The key, with the time of its use if that is due."""
        recent = record.last_used is not None and abs(now - record.last_used) < USED
        if not self._track or recent or _refused(record, now) or self._monotonic() < self._quiet_until:
            return record
        used = record.changed(last_used=float(int(now)))
        try:
            return used if self._table.update(record, used) else record
        except Unavailable:  # who may read, but not write, is let in all the same
            self._quiet_until = self._monotonic() + _QUIET
            return record

    async def _new(
        self,
        subject: str,
        name: str,
        scopes: Iterable[str],
        roles: Iterable[str],
        ttl: float | None,
        form: Form | None = None,
    ) -> NewKey:
        if not is_text(subject) or not subject:
            raise ValueError("the subject of an API key is text, and not empty")
        if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl <= MAX_TTL):
            raise ValueError("the ttl of an API key is a number of seconds, at most ten years")
        now = self._clock()
        expires = None if ttl is None else now + ttl
        form = form or self._form
        for _ in range(_DRAWN):
            ident, key = form.make(self._random)
            digest = digest_of(key())
            record = ApiKey(
                ident, name=name, subject=subject, digest=digest, scopes=scopes, roles=roles, created=now, expires=expires,
                prefix=form.prefix, ttl=ttl,
            )  # fmt: skip
            if await self._do(self._table.add, record):
                return NewKey(key, record)
        raise Unavailable("no id for an API key is free: the random numbers repeat themselves")

    async def _rotated(self, id: str, grace: float, ttl: float | None) -> NewKey:
        if isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace <= MAX_TTL:
            raise ValueError("the grace of an API key is a number of seconds")
        old, now = await self._found(id), self._clock()
        if _refused(old, now):
            raise ValueError(_OVER)
        ttl = old.ttl if ttl is None else ttl  # its end may be the grace of a rotation before
        # First the new one: nobody is to be left without.
        made = await self._new(old.subject, old.name, old.scopes, old.roles, ttl, Form(old.prefix))
        end = now + grace
        try:
            await self._changed(id, lambda key: _ending(key, end))
        except BaseException:
            await self._do(self._table.remove, made.id)  # nobody has seen it
            raise
        return made

    async def _revoked(self, id: str) -> ApiKey:
        return await self._changed(id, lambda key: key.changed(disabled=True))

    async def _changed(self, id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """The key after `change`, whoever else changes it at the same time."""
        try:
            for _ in range(_ATTEMPTS):
                old = await self._found(id)
                new = change(old)
                if new == old or await self._do(self._table.update, old, new):
                    return new
        finally:
            self._answers.drop()  # also where it is not known whether it was changed
        raise Unavailable("too many change one API key at once")

    async def _all_revoked(self, subject: str) -> int:
        revoked = 0
        for key in await self._listed(subject):
            if not key.disabled:
                try:
                    await self._revoked(key.id)
                    revoked += 1
                except UnknownKey:  # deleted meanwhile
                    pass
        return revoked

    async def _deleted(self, id: str) -> bool:
        try:
            return await self._do(self._table.remove, id)  # type: ignore[no-any-return]
        finally:
            self._answers.drop()

    async def _listed(self, subject: str | None) -> List[ApiKey]:
        found: List[ApiKey] = []
        while True:
            page = await self._do(self._table.list, subject, found[-1].id if found else "", _PAGE)
            found += page
            if len(page) < _PAGE:
                return found

    async def _found(self, id: str) -> ApiKey:
        record: ApiKey | None = await self._do(self._table.find, id)
        if record is None:
            raise UnknownKey("there is no API key of that id")
        return record


def _refused(record: ApiKey, now: float) -> str | None:
    """Why this key is refused, whoever has it."""
    if record.disabled:
        return "api_key_disabled"
    return "api_key_expired" if record.expires is not None and now >= record.expires else None


def _ending(key: ApiKey, end: float) -> ApiKey:
    """The key, valid until `end` at most. Raises: `ValueError` for one that was revoked meanwhile."""
    if key.disabled:
        raise ValueError(_OVER)
    return key if key.expires is not None and key.expires <= end else key.changed(expires=end)
