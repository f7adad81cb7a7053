"""`DPoP`: tokens that only whoever holds a key can use, and each of whose requests shows that (RFC 9449)."""

from __future__ import annotations

import time
from hashlib import sha256

from .. import _credential, _verifiers
from .._run import blocking
from ..decision import Allow, Challenge, Deny, Principal
from ..errors import ConfigurationError, InvalidSignature, InvalidToken
from ..signatures.message import target_at, target_of
from ..tokens import base64url, unverified_issuer
from ._bound import check_binding, shown_by
from ._held import seconds_of
from ._nonces import nonces_of
from ._proof import ALGS, Proofs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._verifiers import Asked
    from ..http import Request
    from ..secrets.versions import SecretVersions
    from ..stores import Store
    from ._proof import Proof

_ALGS = " ".join(ALGS)
_LATER = 60  # seconds that a proof is noted beyond its time, for a clock that is set back


class DPoP:
    """A credential for `require_auth`: `Authorization: DPoP <token>` and one `DPoP` header with a proof by the token's key.

    `verifiers`: who verifies the tokens: `OIDCProvider`, `Introspection`, `Tokens`, or a `MutualTLS` of one of them, for tokens
    that are bound to a certificate too; of several, the token's issuer chooses. `url`: where clients send to, up to where the
    host's paths begin; or a function of the request that gives its whole URL; never from a Host or forwarded header.
    `replay`: the store in which each proof is noted, so that none counts twice. `nonce`: a secret for nonces that proofs then
    have to hold, each good for `nonce_ttl` seconds. `tolerance`: seconds by which a proof's time may differ from our clock.

    The verifiers take unbound tokens as bearer tokens too; `required=True`: nobody does. A token that is bound is refused
    without its proof, and one that is not is refused in this scheme. Raises: `ConfigurationError`.
    """

    reads_request = True  # a proof is of one method and path: nothing about it may be cached
    sent_in = ()  # OpenAPI has no word for it
    scheme = "DPoP"  # of the Authorization header, which one of these reads

    def __init__(
        self,
        *verifiers: Any,
        url: str | Callable[[Request], str],
        replay: Store,
        nonce: Any = None,
        required: bool = False,
        tolerance: float = 60,
        nonce_ttl: float = 300,
        clock: Callable[[], float] = time.time,
    ) -> None:
        made = None if nonce is None else nonces_of(nonce, nonce_ttl)
        del nonce  # what is raised below may be shown with its locals
        if isinstance(made, str):
            raise ConfigurationError(f"DPoP: {made}")
        self._nonces = made
        self._base = _base(url)
        self._url = url if callable(url) else None
        if not verifiers:
            raise ConfigurationError("DPoP takes a verifier: DPoP(provider, url=..., replay=...)")
        if not callable(getattr(replay, "add", None)) or isinstance(replay, type):
            raise ConfigurationError("DPoP: replay is a store: MemoryStore() for one process, open_store(url) for several")
        if not isinstance(required, bool):
            raise ConfigurationError("DPoP: required is True or False")
        self._verifiers = verifiers
        self._asked: dict[int, Asked] = {id(one): _verifiers.asked_bound(one) for one in verifiers}
        self._by_issuer: dict[str, Any] = {}
        self._without_issuer: Any = None
        for one in verifiers:
            issuers = _verifiers.issuers_of(one)
            if not issuers.isdisjoint(self._by_issuer) or (not issuers and self._without_issuer is not None):
                raise ConfigurationError("DPoP: two verifiers have the same issuer; which is meant?")
            self._by_issuer |= dict.fromkeys(issuers, one)
            self._without_issuer = self._without_issuer if issuers else one
        self._replay = replay
        self._tolerance = seconds_of("tolerance", tolerance, 1, 300)
        self._proofs = Proofs(self._tolerance)
        self._clock = clock
        self.required = required  # for the metadata of the resource
        self.beside: tuple[Any, ...] = () if required else verifiers
        self.alone: tuple[Any, ...] = verifiers if required else ()
        self.challenges = (Challenge("DPoP", algs=_ALGS),)

    async def warm(self) -> None:
        if self._nonces is not None:
            await self._nonces.load()
        for one in self._verifiers:
            warm = getattr(one, "warm", None)
            if warm is not None:
                await warm()

    async def authenticate(self, request: Request) -> Principal | Allow | Deny | None:
        """Who holds the key of the token; None if none was sent in this scheme."""
        token = _sent(request)
        if token is None:
            return None
        now = self._clock()
        versions = await self._nonces.load() if self._nonces is not None else None
        if isinstance(token, Deny):
            return token
        try:
            proof = self._read(request, token, now)
        except InvalidSignature as error:
            return self._refused("invalid_dpop_proof", error.reason, versions, now)
        age = self._nonces.age(versions, proof.nonce, now) if self._nonces is not None and versions is not None else 0.0
        if age is None:
            return self._refused("use_dpop_nonce", "dpop_nonce", versions, now)
        try:
            principal = await self._identify(request, token, proof)
        except InvalidToken as error:
            return self._refused("invalid_token", error.reason, versions, now)
        if not await self._is_first(request, proof):  # last: nobody but who holds the key of a good token fills the store
            return self._refused("invalid_dpop_proof", "dpop_replayed", versions, now)
        found = shown_by(principal, "dpop")
        if age < 0.5 or self._nonces is None or versions is None:
            return found
        return Allow(found, headers={"dpop-nonce": self._nonces.make(versions, now)})

    def _read(self, request: Request, token: str, now: float) -> Proof:
        lines = request.field("dpop")
        # Some hosts join repeated lines before we see them; no proof holds a comma.
        if len(lines) != 1 or "," in lines[0]:
            raise InvalidSignature("dpop_missing" if not lines else "dpop_twice")
        if self._url is None:
            target = target_at(self._base, request)
        else:
            try:
                target = target_of(self._url(request))
            except ValueError:
                raise InvalidSignature("dpop_target") from None
        return self._proofs.read(lines[0].strip(" \t"), request.method, target, token, now)

    async def _identify(self, request: Request, token: str, proof: Proof) -> Principal:
        verifier = self._verifiers[0]
        if len(self._verifiers) > 1:
            issuer = unverified_issuer(token)
            verifier = self._without_issuer if issuer is None else self._by_issuer.get(issuer)
        if verifier is None:
            raise InvalidToken("unknown_issuer")
        principal = await self._asked[id(verifier)](token)
        if not isinstance(principal, Principal):
            raise TypeError("a verifier returns a Principal or raises InvalidToken")
        proves = getattr(verifier, "proves", None)  # what else the request shows: the client's certificate
        proven = {} if proves is None else await proves(request)
        cnf = principal.claims.get("cnf")
        if not isinstance(cnf, dict) or "jkt" not in cnf:
            raise InvalidToken("token_unbound")
        check_binding(principal, {**proven, "jkt": proof.jkt})
        return principal

    async def _is_first(self, request: Request, proof: Proof) -> bool:
        text = f"{proof.jkt}\0{proof.htu}\0{proof.jti}".encode("utf-8", "surrogatepass")
        key = "authkit:dpop:" + base64url.encode(sha256(text).digest()).decode()
        ttl = 2 * self._tolerance + _LATER
        store, state = self._replay, request.state
        noted = id(store), key
        if state is not None and noted in state.proofs:  # by a chain further out, in this very request
            return True
        first = store.add(key, ttl) if not store.blocks else await blocking(store.add, key, ttl)
        if first and state is not None:
            state.proofs += (noted,)
        return first

    def _refused(self, code: str, reason: str, versions: SecretVersions | None, now: float) -> Deny:
        headers = None
        if self._nonces is not None and versions is not None:
            headers = {"dpop-nonce": self._nonces.make(versions, now)}
        return Deny(401, code, reason=reason, challenge=Challenge("DPoP", error=code, algs=_ALGS), headers=headers)

    def __repr__(self) -> str:
        return f"<DPoP of {', '.join(map(repr, self._verifiers))}>"


def _sent(request: Request) -> str | Deny | None:
    """The token of `Authorization: DPoP`; None if there is none, or it is of another scheme."""
    lines = request.field("authorization")
    line = ", ".join(lines).strip(" \t")
    scheme, _, token = line.partition(" ")
    if scheme.lower() != "dpop":
        return None
    if _credential.is_token68(token):
        return token
    two = "," in token
    reason = "two_credentials" if two else "malformed_authorization"
    return Deny(400, "invalid_request", reason=reason, challenge=Challenge("DPoP", error="invalid_request", algs=_ALGS))


def _base(url: Any) -> Any:
    if callable(url):
        return None
    try:
        base = target_of(url)
        if base.query:
            raise ValueError
    except (TypeError, ValueError):
        base = None
    if base is None:
        raise ConfigurationError("DPoP: url says where clients send to, as 'https://api.example.com'; no header does")
    return base
