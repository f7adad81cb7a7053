"""ID tokens and logout tokens: what an issuer says to this client, at the end of a login and of a session.

OpenID Connect Core 1.0 sections 3.1.3.7 and 3.1.3.8; Back-Channel Logout 1.0 section 2.6.
"""

from __future__ import annotations

from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

from ..errors import InvalidToken, Unavailable
from ..tokens import base64url
from ..tokens.claims import MAX_TIME, lifetime, names_of
from ..tokens.strict_json import parse_object
from ..tokens.verify import MAX_TOKEN
from ._judged import SignedByIssuer
from .profile import TokenProfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from ..decision import FrozenDict
    from ..tokens.keys import Key
    from .jwks import JWKS
    from .static_keys import StaticKeys

MAX_SUBJECT = 255  # characters: Core section 2
MAX_AGE = 600  # seconds: neither is older when it arrives
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_ID_TOKEN = TokenProfile(types=("JWT", ""))
_LOGOUT_TOKEN = TokenProfile(types=("logout+jwt", "JWT", ""))
_ROTATED = ("token_key", "token_signature")
_HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}


class SignedForUs:
    """Tokens that an issuer of `issuers` signed for the client `client_id`."""

    __slots__ = ("_keys", "_issuers", "_client_id", "_leeway", "_profile", "_signed")

    def __init__(
        self,
        keys: JWKS | StaticKeys,
        issuers: Collection[str],
        client_id: str,
        leeway: float,
        profile: TokenProfile = _ID_TOKEN,
    ) -> None:
        self._keys = keys
        self._issuers = issuers
        self._client_id = client_id
        self._leeway = leeway
        self._profile = profile
        self._signed: tuple[Any, SignedByIssuer] | None = None

    async def read(self, token: object, now: float) -> tuple[FrozenDict, Key]:
        """The claims of a token whose signature, issuer, audience and time hold, and the key that it is of.

        Raises: `InvalidToken`; `Unavailable` if the keys cannot be had.
        """
        if type(token) is not str or token.count(".") != 2 or not token.isascii():
            raise InvalidToken("token_malformed")
        if len(token) > MAX_TOKEN:
            raise InvalidToken("token_too_large")
        claims, key = await self._verified(token)
        issuer, aud, azp = claims.get("iss"), claims.get("aud"), claims.get("azp", self._client_id)
        if type(issuer) is not str or issuer not in self._issuers:
            raise InvalidToken("token_issuer")
        listed = frozenset((aud,)) if type(aud) is str else names_of(aud)
        if listed is None or self._client_id not in listed:
            raise InvalidToken("token_audience")
        if azp != self._client_id or type(azp) is not str or (len(listed) > 1 and "azp" not in claims):
            raise InvalidToken("token_audience")  # for several: whoever it was issued to says so, and it is us
        if "token_use" in claims and claims["token_use"] != "id":
            raise InvalidToken("token_type")
        lifetime(claims, self._leeway, now)
        iat = claims.get("iat")
        if type(iat) not in (int, float) or not now - iat <= MAX_AGE + self._leeway:  # type: ignore[operator]
            raise InvalidToken("token_claims" if iat is None else "token_expired")
        return claims, key

    async def _verified(self, token: str) -> tuple[FrozenDict, Key]:
        keys: Any = self._keys.at_hand()
        if keys is None:
            keys = await self._keys.load()
        try:
            return self._under(keys, token)
        except InvalidToken as error:
            reason = error.reason
        if reason not in _ROTATED or not keys.may_be_new(parse_object(base64url.decode(token[: token.index(".")]))):
            raise InvalidToken(reason)
        try:
            newer: Any = await self._keys.look(keys)
        except Unavailable:
            if reason == "token_key":  # whether there is such a key cannot be known
                raise
            newer = None
        if newer is None:
            raise InvalidToken(reason)
        return self._under(newer, token)

    def _under(self, keys: Any, token: str) -> tuple[FrozenDict, Key]:
        signed = self._signed
        if signed is None or signed[0] is not keys:
            signed = self._signed = keys, SignedByIssuer(keys, self._profile)
        return signed[1].claims(token)


class LogoutTokens(SignedForUs):
    """Logout tokens of an issuer for this client."""

    __slots__ = ()

    def __init__(self, keys: JWKS | StaticKeys, issuers: Collection[str], client_id: str, leeway: float) -> None:
        super().__init__(keys, issuers, client_id, leeway, _LOGOUT_TOKEN)

    async def told(self, token: object, now: float) -> tuple[str, str | None, str | None]:
        """Its id, and the session and the subject that are logged out: one of them at least. Raises: as `read` does."""
        claims, _ = await self.read(token, now)
        events, jti = claims.get("events"), claims.get("jti")
        sid, subject = claims.get("sid"), claims.get("sub")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict) or "nonce" in claims:
            raise InvalidToken("token_type")
        if not _is_name(jti) or (sid is None and subject is None):
            raise InvalidToken("token_claims")
        if not all(one is None or _is_name(one) for one in (sid, subject)):
            raise InvalidToken("token_claims")
        return jti, sid, subject  # type: ignore[return-value]  # just seen to be text


class Expected:
    """What one login expects of its ID token."""

    __slots__ = ("nonce", "access_token", "code", "state", "max_age", "acr")

    def __init__(
        self,
        nonce: str,
        *,
        access_token: str | None = None,
        code: str | None = None,
        state: str | None = None,
        max_age: float | None = None,
        acr: Collection[str] = (),
    ) -> None:
        self.nonce = nonce
        self.access_token = access_token
        self.code = code
        self.state = state
        self.max_age = max_age
        self.acr = acr

    def check(self, claims: FrozenDict, key: Key, now: float, leeway: float) -> str:
        """The subject of an ID token that answers this very login. Raises: `InvalidToken`."""
        nonce = claims.get("nonce")
        if type(nonce) is not str or not nonce.isascii() or not compare_digest(nonce, self.nonce):
            raise InvalidToken("token_nonce")
        subject = claims.get("sub")
        if not _is_name(subject):
            raise InvalidToken("token_claims")
        if "events" in claims:
            raise InvalidToken("token_type")
        self.check_hashes(claims, key)
        at = claims.get("auth_time")
        if at is not None or self.max_age is not None:
            if type(at) not in (int, float) or not 0 <= at <= MAX_TIME or at > now + leeway:  # type: ignore[operator]
                raise InvalidToken("token_claims")
            if self.max_age is not None and now - at > self.max_age + leeway:  # type: ignore[operator]
                raise InvalidToken("token_auth_time")
        if self.acr and claims.get("acr") not in self.acr:
            raise InvalidToken("token_acr")
        return subject  # type: ignore[return-value]  # just seen to be text

    def check_hashes(self, claims: FrozenDict, key: Key) -> None:
        """Whether the hashes that are there are those of what came with the token. Raises: `InvalidToken`."""
        for name, text in (("at_hash", self.access_token), ("c_hash", self.code), ("s_hash", self.state)):
            if name in claims:
                _check_hash(claims[name], text, key.alg)


def _check_hash(claim: object, text: str | None, alg: str) -> None:
    """Whether `claim` is the left half of the hash of `text`, by the hash of `alg`; what cannot be told does not hold.

    Raises: `InvalidToken`.
    """
    name = "sha512" if alg == "EdDSA" else _HASHES.get(alg[-3:])  # Ed25519 hashes with SHA-512: RFC 8032 section 5.1
    if type(claim) is not str or not claim.isascii() or text is None or name is None:
        raise InvalidToken("token_hash")
    import hashlib

    digest = hashlib.new(name, text.encode("ascii", "replace")).digest()
    if not compare_digest(claim, base64url.encode(digest[: len(digest) // 2]).decode()):
        raise InvalidToken("token_hash")


def _is_name(value: object) -> bool:
    return type(value) is str and 0 < len(value) <= MAX_SUBJECT and value.isprintable()
