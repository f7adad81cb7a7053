"""Keys of senders whose signature is a JWS: a secret, a PEM, a JWK, or a JWK Set of which `kid` names one."""

from __future__ import annotations

from binascii import Error, a2b_base64
from hmac import compare_digest

from ..errors import ConfigurationError
from .mac import Mac, encoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..tokens import Key as TokenKey
    from .content import Content
    from .scheme import Scheme

MAX_KEYS = 32  # of a JWK Set
HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


class Secret:
    """A shared secret. Providers let people choose short ones, so it is not held to the length that RFC 7518 asks for."""

    __slots__ = ("_macs", "_encode", "first")

    def __init__(self, raw: bytes, names: tuple[str, ...]) -> None:
        self._macs = {name: Mac(raw, HASHES[name]) for name in names}
        self._encode = encoder("base64url")
        self.first = names[0]

    def matches(self, signatures: list[str], contents: list[Content]) -> bool:
        before, body, after = contents[0]
        alg = _header(before).get("alg")
        mac = self._macs.get(alg) if isinstance(alg, str) else None
        return mac is not None and compare_digest(self._encode(mac.digest(before, body, after)), signatures[0])

    def sign(self, content: Content) -> str:
        return self._encode(self._macs[self.first].digest(*content))


class Public:
    """Key pairs, of which the token's own header names one. A key has one algorithm, and the token has no say in it."""

    __slots__ = ("_keys",)

    def __init__(self, keys: tuple[TokenKey, ...]) -> None:
        self._keys = keys

    @property
    def first(self) -> str:
        return self._keys[0].alg

    @property
    def kid(self) -> str | None:
        return self._keys[0].kid

    def matches(self, signatures: list[str], contents: list[Content]) -> bool:
        data = b"".join(contents[0])
        header = _header(contents[0][0])
        kid, alg = header.get("kid"), header.get("alg")
        named = [key for key in self._keys if key.alg == alg]
        if len(self._keys) > 1 and kid is not None:
            named = [key for key in named if key.kid == kid]
        return any(key.verify(data, signatures[0]) for key in named)

    def sign(self, content: Content) -> str:
        return encoder("base64url")(self._keys[0].sign(b"".join(content)))


def made(scheme: Scheme, raw: bytes, signing: bool) -> Secret | Public | None:
    """The key that these bytes are, for the algorithms that the scheme lists; None if they are none. It raises nothing."""
    if scheme.jws[0].startswith("HS"):
        # A public key is no secret: with it as one, whoever knows it could sign.
        return None if raw.lstrip().startswith((b"-----BEGIN", b"{")) else Secret(raw, scheme.jws)
    if not raw.lstrip().startswith(b"{"):
        return of_material(scheme, raw, signing=signing)
    import json

    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return of_material(scheme, found, signing=signing)


def of_material(scheme: Scheme, material: Any, *, signing: bool = False) -> Public | None:
    """The keys of a PEM, a JWK or a JWK Set that the scheme's algorithms are for; None if there is none."""
    from ..tokens.keys import Key

    several = material.get("keys") if isinstance(material, dict) else None
    keys = []
    for one in several[:MAX_KEYS] if isinstance(several, list) else [material]:
        if isinstance(one, dict) and one.get("expired_at") is not None:  # Plaid's word for a key that it has withdrawn
            continue
        try:
            key = Key(one)
        except ConfigurationError:  # a set may hold keys for something else
            continue
        if key.alg in scheme.jws and (key.can_sign or not signing):
            keys.append(key)
    return Public(tuple(keys)) if keys else None


def _header(before: bytes) -> Mapping[str, Any]:
    """The header of a token that was read already."""
    import json

    text = before.partition(b".")[0].replace(b"-", b"+").replace(b"_", b"/")
    try:
        found = json.loads(a2b_base64(text + b"=" * (-len(text) % 4)))
    except (ValueError, Error):
        return {}
    return found if isinstance(found, dict) else {}
