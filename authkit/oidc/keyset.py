"""`KeySet`: the public keys that an issuer publishes (RFC 7517 section 5), as many of them as we can verify with."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..tokens.algorithms import ALGORITHMS
from ..tokens.keys import Key
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

MAX_KEYS = 100  # of a set; issuers publish two to ten
MAX_KID = 256  # characters

# What makes up a public key. A private part that somebody published is not read, and neither are x5c, x5u and jku.
PARTS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
# A key of no stated alg: one family of algorithms each. PSS with such a key is refused: "the same key must not be used with
# more than one algorithm" is what NIST asks, and the older scheme is what issuers that say nothing mean.
_FAMILIES = {"RSA": ("RS256", "RS384", "RS512"), "EC": (None,), "OKP": (None,)}
# RFC 9864 section 2.2 gives EdDSA with Ed25519 a name of its own: one algorithm, two names.
SAME = {"Ed25519": "EdDSA"}


class KeySet:
    """The keys of one set. Secrets, keys for encryption, and whatever else signs no tokens are left out.

    Raises: `ValueError` for what is no set, for more than 100 keys, and for a set without one that is left.
    """

    __slots__ = ("members", "_by_kid", "_keys")
    version_of: Mapping[int, str] = {}  # of a secret: none of them is

    def __init__(self, members: Iterable[Any]) -> None:
        self.members: list[dict[str, Any]] = []
        self._by_kid: dict[str, list[Key]] = {}
        self._keys: list[Key] = []
        for member in members:
            public = public_part(member)
            found = [] if public is None else verifying_keys(public)
            if public is None or not found:
                continue
            self.members.append(public)
            self._keys += found
            if "kid" in public:
                self._by_kid.setdefault(public["kid"], []).extend(found)
        if not self._keys:
            raise ValueError("it has no key that verifies tokens")

    @classmethod
    def read(cls, raw: bytes) -> KeySet:
        """The set that `raw` is: JSON with one possible reading."""
        try:
            members = parse_object(raw).get("keys")
        except ValueError:
            members = None
        if not isinstance(members, list):
            raise ValueError("it is not a JWK Set")
        if len(members) > MAX_KEYS:
            raise ValueError(f"it has more than {MAX_KEYS} keys")
        return cls(members)

    def candidates(self, kid: str | None, alg: str) -> tuple[Key, ...]:
        """The keys that may have signed a token with this header: of this very `kid`, if it names one, and of this `alg`."""
        alg = SAME.get(alg, alg)
        return tuple(key for key in (self._keys if kid is None else self._by_kid.get(kid, ())) if key.alg == alg)

    def may_be_new(self, header: Mapping[str, Any]) -> bool:
        """Whether a token with it could be of a key that was published since: what could not is worth no fetch."""
        alg, kid = header.get("alg"), header.get("kid", "none")
        if type(alg) is not str or type(kid) is not str or not 0 < len(kid) <= MAX_KID:
            return False
        return alg in SAME or (alg in ALGORITHMS and ALGORITHMS[alg].kty != "oct")

    def same_as(self, other: KeySet) -> bool:
        """Whether they are the same keys, in whatever order."""
        mine, theirs = self.members, other.members  # one that is there twice counts once, and hides none that is gone
        return all(member in theirs for member in mine) and all(member in mine for member in theirs)

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        return f"<KeySet of {len(self)} keys>"


def public_part(member: Any) -> dict[str, Any] | None:
    """What of a JWK makes up its public key, with `kid`, `alg` and `issuer`; None if it is none that verifies tokens."""
    if not isinstance(member, dict):
        return None
    kty = member.get("kty")
    parts = PARTS.get(kty) if isinstance(kty, str) else None
    if parts is None or member.get("use", "sig") != "sig":
        return None
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    public = {name: member.get(name) for name in ("kty", *parts)}
    for name in ("kid", "alg", "issuer"):
        if member.get(name) is not None:
            public[name] = member[name]
    return public if all(isinstance(value, str) for value in public.values()) else None


def verifying_keys(public: Mapping[str, Any]) -> list[Key]:
    """One key for each algorithm that it is for; none if it is of a kind that we do not know, or too short."""
    told = public.get("alg")
    bare = {name: value for name, value in public.items() if name not in ("alg", "issuer")}
    algorithms = _FAMILIES[public["kty"]] if told is None else (SAME.get(told, told),)
    try:
        if "issuer" in public:
            return [OneIssuersKey(bare, alg, public["issuer"]) for alg in algorithms]
        return [Key(bare, alg) for alg in algorithms]
    except ConfigurationError:
        return []


class OneIssuersKey(Key):
    """A key of a set that several issuers share, which says whose it is: in Microsoft's sets, as the member `issuer`.

    "{tenantid}" in it stands for what a token's `tid` says: a key of every tenant of one kind, and of no other.
    """

    __slots__ = ("issuer",)

    def __init__(self, material: Mapping[str, Any], alg: str | None, issuer: str) -> None:
        super().__init__(material, alg)
        self.issuer = issuer

    def is_of(self, claims: Mapping[str, Any]) -> bool:
        """Whether a token with these claims may be signed with it."""
        tenant = claims.get("tid")
        issuer = self.issuer.replace("{tenantid}", tenant) if type(tenant) is str else self.issuer
        return claims.get("iss") == issuer
