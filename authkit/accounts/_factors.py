"""`Factors`: what is sealed in `User.factors`: the key of an app, the last step that was used, and recovery codes."""

from __future__ import annotations

from .._sealed import Unsealable
from ..secrets.versions import Masked
from ..tokens import base64url
from ..tokens.strict_json import parse_object
from . import recovery, totp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._sealed import Keys, Seal
    from .users import User

PURPOSE = "factors"  # what a seal is bound to, with the user's subject
_SALT = 16  # bytes of the key of the recovery codes' digests


class Factors(Masked):
    """An immutable value that shows nothing of itself. `last`: the newest step whose code was used; -1: none was."""

    __slots__ = ("key", "algorithm", "digits", "last", "salt", "codes")

    def __init__(self, key: bytes, algorithm: str, digits: int, last: int, salt: bytes, codes: tuple[str, ...]) -> None:
        self.key = key
        self.algorithm = algorithm
        self.digits = digits
        self.last = last
        self.salt = salt
        self.codes = codes

    @classmethod
    def new(cls, random: Callable[[int], bytes], algorithm: str, digits: int) -> Factors:
        """A key that no app has yet, and no recovery codes."""
        return cls(totp.new_key(random, algorithm), algorithm, digits, -1, random(_SALT), ())

    def after(self, code: str, now: float, window: int) -> Factors | None:
        """What is left when this code is used, of the app or a recovery code; None: it is neither, or was used before."""
        if totp.typed(code, self.digits) is not None:
            step = totp.matching(
                self.key, code, now, last=self.last, digits=self.digits, algorithm=self.algorithm, window=window
            )
            return None if step is None else self._with(step, self.salt, self.codes)
        left = recovery.without(code, self.codes, self.salt)
        return None if left is None else self._with(self.last, self.salt, tuple(left))

    def with_new_codes(self, random: Callable[[int], bytes]) -> tuple[Factors, list[str]]:
        """The same with recovery codes that were never used, in the place of all there were; and these, to be shown once."""
        codes, salt = recovery.new(random), random(_SALT)
        digests = tuple(recovery.digest(recovery.typed(code) or "", salt) for code in codes)
        return self._with(self.last, salt, digests), codes

    def _with(self, last: int, salt: bytes, codes: tuple[str, ...]) -> Factors:
        return Factors(self.key, self.algorithm, self.digits, last, salt, codes)

    def sealed(self, keys: Keys, subject: str, purpose: str = PURPOSE) -> str:
        """The text that goes into the user's row."""
        import json

        fields = {
            "key": base64url.encode(self.key).decode(),
            "alg": self.algorithm,
            "digits": self.digits,
            "last": self.last,
            "salt": base64url.encode(self.salt).decode(),
            "codes": list(self.codes),
        }
        return keys.seal(purpose, subject, json.dumps(fields).encode())

    @classmethod
    def opened(cls, keys: Keys, subject: str, text: str, purpose: str = PURPOSE) -> Factors:
        """What a row says. Raises: `Unsealable`, also for what no version of ours has sealed."""
        factors = cls._read(keys.open(purpose, subject, text))
        if factors is None:
            raise Unsealable("a sealed text holds no second factor")
        return factors

    @classmethod
    def _read(cls, data: bytes) -> Factors | None:
        """What was sealed. It raises nothing: its frame holds the key."""
        try:
            fields = parse_object(data)
            key, salt = base64url.decode(fields["key"]), base64url.decode(fields["salt"])
            algorithm, digits, last, codes = fields["alg"], fields["digits"], fields["last"], tuple(fields["codes"])
        except (ValueError, KeyError, TypeError):
            return None
        fit = type(last) is int and type(digits) is int and type(algorithm) is str and all(type(one) is str for one in codes)
        fit = fit and algorithm in totp.KEY_BYTES and digits in totp.DIGITS and len(key) == totp.KEY_BYTES[algorithm]
        return cls(key, algorithm, digits, last, salt, codes) if fit else None


async def opened_for(seal: Seal, user: User) -> tuple[Keys, Factors]:
    """The factors of a user who has some, and the keys they opened under. Where they open under none, the secret is read once
    more: it may have been rotated by another process. Raises: `Unsealable`; `Unavailable`."""
    keys = await seal.load()
    text = user.factors or ""
    try:
        return keys, Factors.opened(keys, user.subject, text)
    except Unsealable:
        others = await seal.look_again(keys)
        if others is None:
            raise
    return others, Factors.opened(others, user.subject, text)
