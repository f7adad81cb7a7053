"""Sessions: pairs are issued, and a refresh token is exchanged for the next pair, by exactly one change of one record."""

from __future__ import annotations

from hashlib import sha256

from ..errors import InvalidToken, StoreUnavailable
from . import base64url, family
from .family import CURRENT, EARLIER, FOREIGN, LAST, Family
from .grant import Grant
from .pair import TokenPair
from .revocation import ATTEMPTS, SKEW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    from .family import Presented
    from .remembered import Verified
    from .revocation import Revocations

    Sign: TypeAlias = Callable[..., str]  # subject, scopes, roles, claims, iat, exp, further registered claims
    Held: TypeAlias = Callable[[Grant], Awaitable[Grant | None]]

_HELD_TIME = 5.0  # seconds: who waits for the store has read the clock before another, who was quicker
MAX_TEXT = 256  # characters of a client's name, or of a stamp


class Sessions:
    """The families of one `Tokens`. Times are in seconds."""

    def __init__(
        self,
        revocations: Revocations,
        audience: str,
        *,
        access_ttl: int,
        refresh_ttl: int,
        overlap: int,
        session_ttl: int | None,
        leeway: float,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._revocations = revocations
        self._store = revocations.store
        self._audience = audience
        self._access_ttl, self._refresh_ttl, self._session_ttl = access_ttl, refresh_ttl, session_ttl
        self._overlap = overlap
        self._leeway = leeway
        self._clock = clock
        self._random = random

    async def begin(
        self,
        sign: Sign,
        subject: str,
        scopes: Iterable[str],
        roles: Iterable[str],
        claims: Mapping[str, Any] | None,
        client: str | None,
        stamp: str,
    ) -> TokenPair:
        """The first pair of a new family. Raises: `ValueError` for what no token can say; `StoreUnavailable`."""
        if client is not None and not _is_short(client):
            raise ValueError(f"client is a text of at most {MAX_TEXT} characters, or None")
        if not _is_short(stamp):
            raise ValueError(f"stamp is a text of at most {MAX_TEXT} characters")
        if type(subject) is not str or not subject:
            raise ValueError("subject is text, and not empty")
        scopes, roles = _names(scopes, "scopes"), _names(roles, "roles")
        now = self._clock()  # before the store is asked: what is revoked after that finds this issued before
        owner = self._revocations.owner(subject)
        name = base64url.encode(self._random(family.ID_BYTES - len(owner)) + owner).decode()
        key = self._revocations.family_key(name)
        gen = (await self._revocations.ask(self._revocations.standing, now, owner, key))[0]
        secret = self._random(32)
        end = None if self._session_ttl is None else now + self._session_ttl
        exp = self._expiry(now, end)
        access = sign(subject, scopes, roles, claims or {}, int(now), exp, _registered(name, gen))
        from ..decision import frozen

        grant = Grant(
            name,
            subject,
            scopes=scopes,
            roles=roles,
            claims=frozen(dict(claims or {})),
            client=client,
            stamp=stamp,
            created=now,
        )
        made = Family(
            grant,
            audience=self._audience,
            iat=int(now),
            gen=gen,
            idle=self._idle(now, end),
            end=end,
            index=0,
            hashed=sha256(secret).digest(),
            rotated=now,
            seed=self._random(32),
        )
        record = made.written()
        family.read(name, record)
        if not await self._revocations.ask(self._store.add, key, self._kept(made, now), record):
            raise StoreUnavailable("a new session has the name of another: the random source repeats itself")
        return TokenPair(access, family.spelled(name, 0, secret), exp - int(now))

    async def exchange(
        self, sign: Sign, token: str, scopes: Iterable[str] | None, client: str | None, held: Held | None
    ) -> TokenPair:
        """The next pair for a refresh token. Raises: `InvalidToken`; `StoreUnavailable`, and then nothing was told apart."""
        wanted = None if scopes is None else frozenset(_names(scopes, "scopes"))
        presented = family.parsed(token)
        if presented is None:
            raise InvalidToken("refresh_malformed")
        name = presented[0]
        asked: Grant | None = None
        for _ in range(ATTEMPTS):
            now = self._clock()
            found, record, gen, standing, successor = await self._revocations.ask(self._judged, presented, now)
            grant = found.grant
            if client != grant.client:
                raise InvalidToken("refresh_client", subject=grant.subject)
            if isinstance(standing, str):
                raise InvalidToken(standing, subject=grant.subject)
            if standing == EARLIER:
                await self._revocations.ask(self._revocations.revoke_family, name)
                _warn_of_reuse(name)
                raise InvalidToken("refresh_reused", subject=grant.subject)
            if wanted is not None and not wanted <= grant.scopes:
                raise InvalidToken("refresh_scope", subject=grant.subject)
            if asked is None:  # once: what was granted is the same however often it was exchanged meanwhile
                asked = grant if held is None else await held(grant)
                if asked is None:
                    await self._revocations.ask(self._revocations.revoke_family, name)
                    raise InvalidToken("refresh_user", subject=grant.subject)
                if not isinstance(asked, Grant):
                    raise TypeError("held returns a Grant, or None")
            now_held = grant.narrowed(scopes=asked.scopes, roles=asked.roles)
            given = now_held.scopes if wanted is None else wanted & now_held.scopes
            exp = self._expiry(now, found.end)
            registered = _registered(name, gen)
            access = sign(grant.subject, sorted(given), sorted(now_held.roles), grant.claims, int(now), exp, registered)
            pair = TokenPair(access, family.spelled(name, found.index + (standing == CURRENT), successor), exp - int(now))
            if standing == LAST:
                return pair
            following = found.after(successor, now, self._idle(now, found.end))
            key, kept = self._revocations.family_key(name), self._kept(following, now)
            if await self._revocations.ask(self._store.swap, key, record, following.written(), kept):
                return pair
        raise StoreUnavailable("a session is refreshed by too many at once")

    async def revoke(self, token: str, finding: Callable[[str], Awaitable[Verified]]) -> None:
        """Let a refresh or access token count no more. `finding` says what an access token is, and raises `InvalidToken`."""
        revocations = self._revocations
        presented = family.parsed(token)
        if presented is not None:
            await revocations.ask(self._revoke, presented)
            return
        try:
            principal, _, upper, *_ = await finding(token)
        except InvalidToken:  # nothing is written for what is not ours
            return
        sid = principal.claims.get("sid")
        if sid is not None:
            await revocations.ask(revocations.revoke_family, sid)
        else:  # those with more leeway accept it for longer
            await revocations.ask(revocations.revoke_token, principal.claims["jti"], upper - self._clock() + SKEW)

    async def revoke_subject(self, subject: str) -> None:
        """Let nothing count that was issued to `subject` until now."""
        if type(subject) is not str or not subject:
            raise ValueError("subject is text, and not empty")
        await self._revocations.ask(self._revocations.revoke_subject, subject)

    def _revoke(self, presented: Presented) -> None:
        """End the family of a refresh token, if it is, or once was, one of it."""
        name, index, secret = presented
        found = self._store.get(self._revocations.family_key(name))
        if found is not None and self._read(name, found).standing(index, secret)[0] != FOREIGN:
            self._revocations.revoke_family(name)

    def _judged(self, presented: Presented, now: float) -> tuple[Family, bytes, str, int | str, bytes]:
        """The family, its record, the `gen` that goes with what is issued now; how the token stands to it, or why it does not
        count any more; and the secret of its successor. Raises: `InvalidToken` for a token that is not of this family."""
        name, index, secret = presented
        owner = base64url.decode(name)[-11:]
        key = self._revocations.family_key(name)
        gen, epoch, revoked, record, born = self._revocations.standing(now, owner, key)
        if record is None:
            raise InvalidToken("refresh_unknown")
        found = self._read(name, record)
        standing, successor = found.standing(index, secret)
        if standing == FOREIGN or found.audience != self._audience or self._revocations.owner(found.grant.subject) != owner:
            raise InvalidToken("refresh_unknown")
        proof, _, nonce = found.gen.partition(".")
        fault = self._revocations.fault(found.iat, proof, nonce, epoch, revoked, born or None)
        if fault is None and standing == LAST and not self._overlaps(now - found.rotated):
            standing = EARLIER
        if fault is None and standing != EARLIER and self._is_over(found, now):
            fault = "refresh_expired"
        return found, record, gen, fault or standing, successor

    def _read(self, name: str, record: bytes) -> Family:
        try:
            return family.read(name, record)
        except ValueError:
            pass
        raise StoreUnavailable("a session in the store cannot be read")

    def _overlaps(self, age: float) -> bool:
        """Whether the token before the current one, which was exchanged so long ago, still gives the same successor."""
        return self._overlap > 0 and -max(self._leeway, _HELD_TIME) <= age < self._overlap

    def _is_over(self, found: Family, now: float) -> bool:
        """By today's settings too: a revocation is remembered no longer than they say."""
        return now >= min(found.idle, found.rotated + self._refresh_ttl) or (
            found.end is not None and int(now) >= int(found.end)
        )

    def _idle(self, now: float, end: float | None) -> float:
        return now + self._refresh_ttl if end is None else min(now + self._refresh_ttl, end)

    def _expiry(self, now: float, end: float | None) -> int:
        """Of an access token: no session is longer than it may be."""
        exp = int(now) + self._access_ttl
        return exp if end is None else min(exp, int(end))

    def _kept(self, found: Family, now: float) -> float:
        """Seconds that the record is kept: the access tokens count while it is there."""
        return max(found.idle, now + self._access_ttl) - now + SKEW


def _registered(name: str, gen: str) -> dict[str, str]:
    return {"sid": name} if gen == "." else {"sid": name, "gen": gen}


def _is_short(text: object) -> bool:
    return type(text) is str and len(text) <= MAX_TEXT


def _names(values: Iterable[str], what: str) -> tuple[str, ...]:
    if isinstance(values, (str, bytes)):
        raise ValueError(f"{what} is a list of names, not one text")
    names = tuple(values)
    if not all(type(name) is str for name in names):
        raise ValueError(f"{what} are texts, and none is empty")
    return names


def _warn_of_reuse(name: str) -> None:
    import logging

    digest = sha256(name.encode()).hexdigest()[:8]
    logging.getLogger("authkit.tokens").warning(
        "a refresh token was used again after its successor: session %s is ended, and whoever has its tokens logs in anew",
        digest,
    )
