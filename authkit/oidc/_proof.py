"""Whether a DPoP proof is one, of this request, now (RFC 9449 section 4.3). Each check there is one here, in its order."""

from __future__ import annotations

from hashlib import sha256

from ..errors import ConfigurationError, InvalidSignature
from ..signatures.message import target_of
from ..tokens import Key, base64url
from ..tokens.strict_json import parse_object
from .keyset import SAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..decision import FrozenDict
    from ..signatures.message import Target

ALGS = ("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256", "RS256")
MAX_PROOF = 8192  # characters
MAX_HEADER = 2048  # characters of its first segment
MAX_JTI = 256  # characters
MAX_URL = 2048  # characters
MAX_KEYS = 256  # whose header was read before: a client sends the same one each time
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "keys")
_RSA_SIZE = {"n": 683, "e": 6}  # characters: 4096 bits, and 32; verifying with more of them takes a stranger's choice of time


class Proof:
    """What a proof that holds says. `jkt`: the thumbprint of its key (RFC 7638)."""

    __slots__ = ("jkt", "htu", "jti", "nonce")

    def __init__(self, jkt: str, htu: str, jti: str, nonce: object) -> None:
        self.jkt = jkt
        self.htu = htu
        self.jti = jti
        self.nonce = nonce


class Proofs:
    """Reads proofs. `tolerance`: seconds by which `iat` may differ from our clock, both ways."""

    __slots__ = ("_tolerance", "_keys")

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._keys: dict[str, Key] = {}

    def read(self, text: str, method: str, target: Target, token: str | None, now: float) -> Proof:
        """The proof that `text` is of a request with `method` to `target` under `token`; None: there is none yet.

        Raises: `InvalidSignature` with a stable reason, whatever `text` is.
        """
        if len(text) > MAX_PROOF or not text.isascii() or text.count(".") != 2:
            raise InvalidSignature("dpop_malformed")
        signed, _, signature = text.rpartition(".")
        header, _, payload = signed.partition(".")
        key = self._keys.get(header)
        known = key is not None
        if key is None:
            key = _key_of(header)
        if not key.verify(signed.encode(), signature):
            raise InvalidSignature("dpop_signature")
        if not known:  # remembered once a signature under it held
            if len(self._keys) >= MAX_KEYS:
                self._keys.clear()
            self._keys[header] = key
        claims = _object(payload)
        jti, iat = claims.get("jti"), claims.get("iat")
        if type(jti) is not str or not 0 < len(jti) <= MAX_JTI:
            raise InvalidSignature("dpop_jti")
        if claims.get("htm") != method:
            raise InvalidSignature("dpop_method")
        if not _is_at(claims.get("htu"), target):
            raise InvalidSignature("dpop_target")
        if type(iat) not in (int, float) or not now - self._tolerance <= iat <= now + self._tolerance:  # type: ignore[operator]
            raise InvalidSignature("dpop_time")
        if token is not None and claims.get("ath") != base64url.encode(sha256(token.encode()).digest()).decode():
            raise InvalidSignature("dpop_token")
        return Proof(key.kid, claims["htu"], jti, claims.get("nonce"))


def _object(segment: str) -> FrozenDict:
    try:
        return parse_object(base64url.decode(segment))
    except ValueError:
        pass
    raise InvalidSignature("dpop_malformed")


def _key_of(header: str) -> Key:
    """The public key that a proof carries, and says that it was signed with."""
    if len(header) > MAX_HEADER:
        raise InvalidSignature("dpop_malformed")
    members = _object(header)
    if members.get("typ") != "dpop+jwt":
        raise InvalidSignature("dpop_type")
    if "crit" in members or members.get("b64", True) is not True:  # as of any other token: RFC 7515 section 4.1.11
        raise InvalidSignature("dpop_critical")
    alg, jwk = members.get("alg"), members.get("jwk")
    if type(alg) is not str or alg not in ALGS:
        raise InvalidSignature("dpop_algorithm")
    if not isinstance(jwk, dict) or any(name in jwk for name in _PRIVATE):
        raise InvalidSignature("dpop_key")
    return _public(jwk, SAME.get(alg, alg))


def _public(jwk: dict[str, Any], alg: str) -> Key:
    kty = jwk.get("kty")
    wanted = _MEMBERS.get(kty) if type(kty) is str else None
    own = jwk.get("alg", alg)
    if wanted is None or type(own) is not str or SAME.get(own, own) != alg or jwk.get("use", "sig") != "sig":
        raise InvalidSignature("dpop_key")
    public = {name: jwk.get(name) for name in wanted}
    if not all(type(value) is str and 0 < len(value) <= _RSA_SIZE.get(name, 96) for name, value in public.items()):
        raise InvalidSignature("dpop_key")
    try:
        for name in ("x", "y", "n", "e"):
            base64url.decode(public.get(name, ""))  # type: ignore[arg-type]  # readers take more spellings than the one
        return Key(public, alg)  # its kid is the thumbprint: of these members, in their canonical spelling
    except (ConfigurationError, ValueError):
        pass
    raise InvalidSignature("dpop_key")


def _is_at(htu: object, target: Target) -> bool:
    """Whether `htu` is the URL of the request, without query and fragment, and after the normalisation of RFC 3986."""
    if type(htu) is not str or len(htu) > MAX_URL or target.path is None:
        return False
    try:
        said = target_of(htu)
    except ValueError:
        return False
    if (said.scheme, said.authority) != (target.scheme, target.authority):
        return False
    return said.path == target.path or _normal(said.path or "") == _normal(target.path)


def _normal(path: str) -> str:
    """As RFC 3986 sections 6.2.2.1 and 6.2.2.2 have it. Dot segments stay: whoever sends a request resolves them before."""
    from urllib.parse import unquote

    parts = path.split("%")
    for place, part in enumerate(parts[1:], 1):
        code = part[:2]
        meant = unquote("%" + code) if len(code) == 2 else ""
        if meant.isascii() and (meant.isalnum() or meant in ("-", ".", "_", "~")):
            parts[place] = meant + part[2:]
        else:
            parts[place] = "%" + code.upper() + part[2:]
    return "".join(parts)
