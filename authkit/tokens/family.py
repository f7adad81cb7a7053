"""A family of refresh tokens: each is used once and makes the next. What is kept of them, and what one of them says.

A token is `<family>.<index>.<secret>`. The next secret is derived from the presented one and a seed of the family, so that who
lost an answer, or asked twice at once, gets the same successor; kept is only the hash of the one that is good now.
"""

from __future__ import annotations

from _operator import _compare_digest as same
from hashlib import sha256

from ..decision import FrozenDict, _set, _Value
from . import base64url, issue
from .grant import Grant
from .strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Presented: TypeAlias = tuple[str, int, bytes]  # family, index, secret

ID_BYTES = 27  # 16 of them random, 11 say whose it is
_ID_LENGTH = 36  # of their base64url
_SECRET_BYTES = 32
_MOST_INDEX = 10  # digits
MAX_STEPS = 3000  # derivations for one token that is presented, below 5 ms: a month of a refresh every quarter of an hour
MAX_RECORD = 32_768  # bytes

_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))  # RFC 2104 section 2

# How a token that is presented stands to its family.
CURRENT, LAST, EARLIER, FOREIGN = range(4)


def spelled(family: str, index: int, secret: bytes) -> str:
    """The refresh token."""
    return f"{family}.{index}.{base64url.encode(secret).decode()}"


def parsed(token: object) -> Presented | None:
    """What a refresh token says, or None: it is no refresh token of ours."""
    if type(token) is not str or len(token) > _ID_LENGTH + _MOST_INDEX + 45 or token.count(".") != 2:
        return None
    family, index, text = token.split(".")
    if len(family) != _ID_LENGTH or not index.isascii() or not index.isdigit() or len(index) > _MOST_INDEX:
        return None
    if index[0] == "0" and index != "0":  # one spelling
        return None
    try:
        base64url.decode(family)
        secret = base64url.decode(text)
    except ValueError:
        return None
    return (family, int(index), secret) if len(secret) == _SECRET_BYTES else None


class Family(_Value):
    """What is kept of one. Times are epoch seconds.

    `idle`: when it ends unless it is used; `end`: when it ends in any case, or None. `iat`, `gen`: as in an access token that
    was issued with it. `index`: how often it was rotated, last at `rotated`; `hashed`: SHA-256 of the secret that is good now.
    """

    __slots__ = ("grant", "audience", "iat", "gen", "idle", "end", "index", "hashed", "rotated", "seed")
    grant: Grant
    audience: str
    iat: int
    gen: str
    idle: float
    end: float | None
    index: int
    hashed: bytes
    rotated: float
    seed: bytes

    def __init__(self, grant: Grant, **rest: Any) -> None:
        _set(self, "grant", grant)
        for name in self.__slots__[1:]:
            _set(self, name, rest[name])

    def __repr__(self) -> str:
        return f"<Family index={self.index}>"

    def standing(self, index: int, secret: bytes) -> tuple[int, bytes]:
        """How a token stands to this family, and, of the current and the last one, the secret of its successor."""
        behind = self.index - index
        if behind < 0 or behind > MAX_STEPS:
            return FOREIGN, b""
        following, derive = secret, _derivation(self.seed)
        for step in range(index, self.index):
            following = derive(following, step)
        if not same(sha256(following).digest(), self.hashed):
            return FOREIGN, b""
        if not behind:
            return CURRENT, derive(secret, index)
        return (LAST if behind == 1 else EARLIER), following

    def after(self, secret: bytes, now: float, idle: float) -> Family:
        """The family whose current token has this secret since now."""
        fields = {name: getattr(self, name) for name in self.__slots__[1:]}
        fields.update(index=self.index + 1, hashed=sha256(secret).digest(), rotated=now, idle=idle)
        return Family(self.grant, **fields)

    def written(self) -> bytes:
        """The record. Raises: `ValueError` for what could not be read again."""
        grant = self.grant
        members: dict[str, Any] = {
            "v": 1,
            "aud": self.audience,
            "sub": grant.subject,
            "scopes": sorted(grant.scopes),
            "roles": sorted(grant.roles),
            "claims": grant.claims,
            "client": grant.client,
            "stamp": grant.stamp,
            "created": grant.created,
            "iat": self.iat,
            "gen": self.gen,
            "idle": self.idle,
            "end": self.end,
            "index": self.index,
            "hash": base64url.encode(self.hashed).decode(),
            "rotated": self.rotated,
            "seed": base64url.encode(self.seed).decode(),
        }
        raw = issue.encoded(members)
        if len(raw) > MAX_RECORD:
            raise ValueError("claims= holds too much")
        return raw


def _derivation(seed: bytes) -> Callable[[bytes, int], bytes]:
    """HMAC-SHA256 (RFC 2104) of a secret and its index. `hmac` begins anew each time, and takes four times as long."""
    key = seed.ljust(64, b"\0")  # SHA-256's block
    inner, outer = sha256(key.translate(_INNER)), sha256(key.translate(_OUTER))

    def derive(secret: bytes, index: int) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(b"%b|%d" % (secret, index))
        second.update(first.digest())
        return second.digest()

    return derive


def read(family: str, raw: bytes) -> Family:
    """The family that a record is of. Raises: `ValueError` for what `written` did not write."""
    if len(raw) > MAX_RECORD:
        raise ValueError("too long")
    members: Any = parse_object(raw)
    get = members.get
    texts = [get(name) for name in ("aud", "sub", "stamp", "gen", "hash", "seed")]
    names = [get(name) for name in ("scopes", "roles")]
    times = [get(name) for name in ("created", "idle", "rotated")]
    claims, client, end, iat, index, version = (get(name) for name in ("claims", "client", "end", "iat", "index", "v"))
    if (
        type(version) is not int
        or version != 1
        or not all(type(text) is str for text in texts)
        or not all(isinstance(each, list) and all(type(name) is str for name in each) for each in names)
        or not all(type(time) in (int, float) for time in times)
        or type(claims) is not FrozenDict
        or not (client is None or type(client) is str)
        or not (end is None or type(end) in (int, float))
        or not (type(iat) is int and type(index) is int and index >= 0)
    ):
        raise ValueError("not a family")
    audience, subject, stamp, gen = texts[:4]
    hashed, seed = map(base64url.decode, texts[4:])
    if not len(hashed) == len(seed) == _SECRET_BYTES:
        raise ValueError("not a family")
    scopes, roles = names
    created, idle, rotated = times
    grant = Grant(
        family, subject, scopes=scopes, roles=roles, claims=claims, client=client, stamp=stamp, created=float(created)
    )
    return Family(
        grant,
        audience=audience,
        iat=iat,
        gen=gen,
        idle=float(idle),
        end=end,
        index=index,
        hashed=hashed,
        rotated=float(rotated),
        seed=seed,
    )
