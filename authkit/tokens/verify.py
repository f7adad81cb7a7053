"""Whether a token was signed by us. Nothing of it is even parsed before that is known, save the header that names the key."""

from __future__ import annotations

from ..errors import InvalidToken
from . import base64url
from .strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..decision import FrozenDict
    from .keys import Key

    class Keys(Protocol):
        """Whichever keys there are: of ours (`KeyRing`) or of others."""

        def candidates(self, kid: str | None, alg: str) -> tuple[Key, ...]: ...


MAX_TOKEN = 16_384  # characters
MAX_HEADERS = 64  # header segments remembered; there is one for each key and issuing library


class SignedBy:
    """Tokens of one `typ` signed by the keys of one ring, in the compact serialisation (RFC 7515 section 3.1) and no other."""

    __slots__ = ("_ring", "_typ", "_headers")

    def __init__(self, ring: Keys, typ: str) -> None:
        self._ring = ring
        self._typ = typ
        self._headers: dict[str, Key] = {}

    def claims(self, token: str) -> tuple[FrozenDict, Key]:
        """The claims of a token whose signature holds, and the key that it is of.

        Raises: `InvalidToken`, whatever the token is.
        """
        payload, key = self.payload(token)
        try:
            return parse_object(payload), key
        except ValueError:
            pass
        raise InvalidToken("token_malformed")

    def payload(self, token: str) -> tuple[bytes, Key]:
        """What was signed, and with which key. The caller has seen to it that `token` is `str`, at most `MAX_TOKEN` long.

        Raises: `InvalidToken`, whatever the token is.
        """
        signed, _, signature = token.rpartition(".")
        header, dot, payload = signed.partition(".")
        if not dot or "." in payload or not token.isascii():
            raise InvalidToken("token_malformed")
        data = signed.encode()
        key = self._headers.get(header)
        if key is None:
            key = self._meet(header, data, signature)
        elif not key.verify(data, signature):
            raise InvalidToken("token_signature")
        try:
            return base64url.decode(payload), key
        except ValueError:
            pass
        raise InvalidToken("token_malformed")

    def _meet(self, header: str, data: bytes, signature: str) -> Key:
        """Find the key that a header seen for the first time names, and remember the header once a signature under it held."""
        keys = self._named_by(header)
        for key in keys:
            if key.verify(data, signature):
                if len(keys) == 1:  # without a kid the same header may stand for several
                    if len(self._headers) >= MAX_HEADERS:
                        self._headers.clear()
                    self._headers[header] = key
                return key
        raise InvalidToken("token_signature")

    def _named_by(self, header: str) -> tuple[Key, ...]:
        try:
            members = parse_object(base64url.decode(header))
        except ValueError:
            members = None
        if members is None:
            raise InvalidToken("token_malformed")
        # "If any of the listed extension Header Parameters are not understood and supported by the recipient, then the JWS is
        # invalid" (RFC 7515 section 4.1.11). We support none. jwk, jku, x5u and x5c are never looked at: our keys are our own.
        # b64 changes what was signed, for readers that know it (RFC 7797 section 3): a token with two readings.
        if "crit" in members or members.get("b64", True) is not True:
            raise InvalidToken("token_critical")
        if not self._is_type(members.get("typ")):
            raise InvalidToken("token_type")
        alg, kid = members.get("alg"), members.get("kid")
        if type(alg) is not str or ("kid" in members and type(kid) is not str):
            raise InvalidToken("token_key")
        keys = self._ring.candidates(kid, alg)
        if not keys:
            raise InvalidToken("token_key")
        return keys

    def _is_type(self, typ: object) -> bool:
        return typ == self._typ
