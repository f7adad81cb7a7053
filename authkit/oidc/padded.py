"""`PaddedToken`: a JWS whose parts are padded, against RFC 7515, and which is signed over the padding. AWS writes such."""

from __future__ import annotations

from ..errors import InvalidToken
from ..tokens import base64url
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..decision import FrozenDict
    from ..tokens.keys import Key


class PaddedToken:
    """The three parts of `token`, each base64url with just the padding that it wants, or with none. Nothing is verified yet.

    `header`: what says which key to try. `claims(key)`: what was signed. Raises: `InvalidToken`.
    """

    __slots__ = ("header", "_data", "_payload", "_signature")
    header: FrozenDict

    def __init__(self, token: str) -> None:
        parts = token.split(".") if token.isascii() else []
        if len(parts) != 3:
            raise InvalidToken("token_malformed")
        bare = [_bare(part) for part in parts]
        self.header = _object(bare[0])
        if "crit" in self.header or self.header.get("b64", True) is not True:  # RFC 7515 section 4.1.11: we support none
            raise InvalidToken("token_critical")
        self._data = token.rpartition(".")[0].encode()  # as it was signed: with the padding
        self._payload, self._signature = bare[1], bare[2]

    def claims(self, key: Key) -> FrozenDict:
        """What was signed with `key`, of whose algorithm the token has to be. Raises: `InvalidToken`."""
        if self.header.get("alg") != key.alg or not key.verify(self._data, self._signature):
            raise InvalidToken("token_signature")
        return _object(self._payload)


def _bare(part: str) -> str:
    bare = part.rstrip("=")
    if len(part) - len(bare) not in (0, -len(bare) % 4):
        raise InvalidToken("token_malformed")
    return bare


def _object(part: str) -> FrozenDict:
    try:
        return parse_object(base64url.decode(part))
    except ValueError:
        pass
    raise InvalidToken("token_malformed")
