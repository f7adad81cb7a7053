"""What was revoked since a token was issued: a family, one token, all of a subject, or the whole store with what it knew.

Kept in the store, under keys that tell no name: a family's record, which is there while its tokens count; a token's id, once it
is revoked; a subject's last revocation; and a random value of the store's own, gone with it.
"""

from __future__ import annotations

import time
from _operator import _compare_digest as same
from hashlib import blake2b

from .._answers import answers_of
from .._run import blocking
from ..errors import InvalidToken, StoreUnavailable
from . import base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias, TypeVar

    from .._answers import Answer, Keys
    from ..decision import FrozenDict
    from ..stores import Store

    T = TypeVar("T")
    # What is asked about a token: the store's keys; its iat; the two halves of its gen, the second None for what was issued
    # without a store; whether it belongs to a family.
    Unit: TypeAlias = tuple[Keys, float, str, str | None, bool]

SKEW = 300  # seconds: the largest leeway there is, by which the clocks of those who issue and of the store may differ
ATTEMPTS = 50  # of a change that others make at the same time
_LEAST = 400 * 86_400  # seconds that a subject's revocation is remembered: other `Tokens` may have longer sessions
_AHEAD = 2 * 86_400  # seconds by which a clock may be ahead for a while without a token's revocation being forgotten
_BORN_FOR = 10 * 366 * 86_400  # seconds


class Revocations:
    """Of one issuer in one store; two issuers never meet. `span`: the longest that what is issued may live without a look."""

    def __init__(
        self,
        store: Store,
        issuer: str,
        leeway: float,
        span: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] | None = None,
    ) -> None:
        from os import urandom

        self.store = store
        self.blocks = store.blocks
        self._look = store.look
        self._leeway = leeway
        self._span = span
        self._clock, self._monotonic, self._random = clock, monotonic, random or urandom
        self._issuer = blake2b(issuer.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        self._prefix = f"tokens:{base64url.encode(self._issuer[:9]).decode()}:"
        self._born = self._prefix + "b"
        self._answers = answers_of(store)

    # Names

    def owner(self, subject: str) -> bytes:
        """Eleven bytes that stand for a subject."""
        return blake2b(subject.encode("utf-8", "surrogatepass"), key=self._issuer, person=b"subject", digest_size=11).digest()

    def _of(self, owner: bytes) -> str:
        return f"{self._prefix}s:{base64url.encode(owner).decode()}"

    def _named(self, kind: str, name: str) -> str:
        digest = blake2b(name.encode("utf-8", "surrogatepass"), key=self._issuer, digest_size=16).digest()
        return f"{self._prefix}{kind}:{base64url.encode(digest).decode()}"

    def family_key(self, family: str) -> str:
        return self._named("f", family)

    def token_key(self, jti: str) -> str:
        return self._named("t", jti)

    # Asking

    async def ask(self, fn: Callable[..., T], *args: Any) -> T:
        """What `fn` says, which asks the store."""
        return await blocking(fn, *args) if self.blocks else fn(*args)

    def unit(self, subject: str, claims: FrozenDict) -> Unit:
        """What is asked about a token that was found good. Raises: `InvalidToken` if it does not say what that takes."""
        iat, sid, jti, gen = claims.get("iat"), claims.get("sid"), claims.get("jti"), claims.get("gen", ".")
        proof, dot, nonce = gen.partition(".") if type(gen) is str else ("", "", "")
        in_family = "sid" in claims
        if type(iat) not in (int, float) or not dot or type(sid if in_family else jti) is not str:
            raise InvalidToken("token_claims")
        key = self.family_key(sid) if in_family else self.token_key(jti)  # type: ignore[arg-type]
        keys: Keys = (self._of(self.owner(subject)), key, self._born) if proof else (self._of(self.owner(subject)), key)
        return keys, iat, proof, nonce if in_family or "gen" in claims else None, in_family  # type: ignore[return-value]

    def recalls(self, unit: Unit, now: float) -> bool:
        """Whether it is known without I/O that nothing of this was revoked."""
        keys = unit[0]
        if self.blocks:
            answer = self._answers.get(keys, now, self._monotonic())
            return answer is not None and self._fault(unit, answer) is None
        return self._fault(unit, self._look(*keys)) is None

    def check(self, unit: Unit) -> None:
        """Raises: `InvalidToken` if anything of this was revoked; `StoreUnavailable`."""
        keys = unit[0]
        if self.blocks:
            known = self._answers.get(keys, self._clock(), self._monotonic())
            self._refuse(unit, known or self._asked(keys))
        else:
            self._refuse(unit, self._look(*keys))

    async def checking(self, unit: Unit) -> None:
        """`check` for a coroutine that anybody may drive."""
        keys = unit[0]
        if self.blocks:
            known = self._answers.get(keys, self._clock(), self._monotonic())
            if known is None:
                known = await blocking(self._asked, keys)
            self._refuse(unit, known)
        else:
            self._refuse(unit, self._look(*keys))

    def _asked(self, keys: Keys) -> Answer:
        turn, wall, monotonic = self._answers.turn, self._clock(), self._monotonic()
        epoch, values = self._look(*keys)
        if values[1]:  # that there is one is all that counts: a family's may be long, and holds claims
            values[1] = b""
        answer = epoch, values
        self._answers.keep(turn, keys, wall, monotonic, answer)
        return answer

    def _refuse(self, unit: Unit, answer: Answer) -> None:
        fault = self._fault(unit, answer)
        if fault is not None:
            raise InvalidToken(fault)

    def _fault(self, unit: Unit, answer: Answer) -> str | None:
        keys, iat, proof, nonce, in_family = unit
        epoch, values = answer
        born = values[2] if len(keys) == 3 else None
        fault = self.fault(iat, proof, nonce, epoch, values[0], born)
        return fault or ("token_revoked" if (values[1] is None) is in_family else None)

    def fault(
        self, iat: float, proof: str, nonce: str | None, epoch: float, revoked: bytes | None, born: bytes | None
    ) -> str | None:
        """Why what was issued at `iat` does not count any more, or None: by the store's epoch, and by its subject's record.

        Whoever asks the store before they issue anything finds the record, whatever the clocks say: what does not show the
        nonce is older than it. Of what was issued without a store only the time tells.
        """
        if iat <= epoch + self._leeway and not (
            proof and born is not None and same(proof.encode(), _proof(born, epoch).encode())
        ):
            return "store_reset"
        if revoked is not None:
            until, latest = _read(revoked)
            if iat <= until if nonce is None else not same(nonce.encode(), latest.encode()):
                return "token_revoked"
        return None

    def standing(self, now: float, owner: bytes, key: str) -> tuple[str, float, bytes | None, bytes | None, bytes]:
        """What is to be known before anything is issued as of `now`, which was read before: the `gen` that goes with it; the
        epoch; the subject's record; what is noted under `key`; the value of the store's own."""
        for _ in range(ATTEMPTS):
            epoch, (revoked, found, born) = self._look(self._of(owner), key, self._born)
            if born is not None or int(now) > epoch + SKEW:
                break
            self.store.add(self._born, _BORN_FOR, self._random(16))
        else:
            raise StoreUnavailable("the store forgets what it is told")
        # More is proved than anybody with less leeway asks for.
        proof = _proof(born, epoch) if born is not None and int(now) <= epoch + SKEW else ""
        nonce = "" if revoked is None else _read(revoked)[1]
        return f"{proof}.{nonce}", epoch, revoked, found, born or b""

    # Revoking

    def revoke_token(self, jti: str, seconds: float) -> None:
        """Remember that this token was revoked, for as long as it could count, or could again when a clock is set right."""
        try:
            self.store.add(self.token_key(jti), max(0.0, seconds) + _AHEAD, b"-")
        finally:
            self._answers.drop()

    def revoke_family(self, family: str) -> None:
        """Forget a family: its refresh tokens, and its access tokens with it."""
        key = self.family_key(family)
        try:
            for _ in range(ATTEMPTS):
                found = self.store.get(key)
                if found is None or self.store.swap(key, found, None, 0):
                    return
        finally:
            self._answers.drop()
        raise StoreUnavailable("a session is refreshed too often to be revoked")

    def revoke_subject(self, subject: str) -> None:
        """Let nothing count that was issued to this subject before now, by whatever clock.

        Remembered for twice as long as a session may rest: a clock that was ahead may have made it that long.
        """
        key, nonce = self._of(self.owner(subject)), base64url.encode(self._random(9)).decode()
        kept = min(max(_LEAST, 2 * self._span), _BORN_FOR) + 3 * SKEW
        try:
            for _ in range(ATTEMPTS):
                found, until = self.store.get(key), self._clock() + SKEW
                if found is not None:
                    until = max(until, _read(found)[0])
                if self.store.swap(key, found, f"{until!r} {nonce}".encode(), kept):
                    return
        finally:
            self._answers.drop()
        raise StoreUnavailable("a subject is revoked too often at once")


def _proof(born: bytes, epoch: float) -> str:
    """What only somebody can have said who saw the store as it has been since that epoch."""
    return base64url.encode(blake2b(repr(epoch).encode(), key=born[:64], digest_size=9).digest()).decode()


def _read(record: bytes) -> tuple[float, str]:
    """Until when what was issued does not count, and the nonce of what does. Raises: `StoreUnavailable` for what is neither."""
    until, space, nonce = record.partition(b" ")
    try:
        if space and nonce and 0.0 <= float(until) < float("inf"):
            return float(until), nonce.decode("ascii")
    except ValueError:
        pass
    raise StoreUnavailable("a revocation in the store cannot be read")
