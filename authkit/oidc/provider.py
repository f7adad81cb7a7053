"""`OIDCProvider`: the tokens of another issuer, verified (OpenID Connect Discovery 1.0, RFC 7519, RFC 9068)."""

from __future__ import annotations

import os
import time
from functools import partial

from .._fetch import checked_url
from .._run import arun, blocking, run
from ..errors import ConfigurationError, InvalidToken, Unavailable
from ..tokens import base64url, unverified_issuer
from ..tokens.remembered import Remembered
from ..tokens.strict_json import parse_object
from ..tokens.verify import MAX_TOKEN
from ._judged import SignedByIssuer, judged
from .discovery import Discovery
from .jwks import JWKS
from .profile import ACCESS_TOKEN, PLAIN_ACCESS_TOKEN, TokenProfile
from .static_keys import StaticKeys
from .static_keys import read as read_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..decision import Principal
    from ..tokens.remembered import Verified
    from .identity import Identity
    from .keyset import KeySet
    from .login import Login
    from .static_keys import Given, StaticSet

MAX_LEEWAY = 300  # seconds
_CHECKS = ("verify", "averify", "verifying")  # what a subclass overrides that checks more
_ROTATED = ("token_key", "token_signature")  # what a token under a key looks like that was published since


class _State:
    """Everything that holds under one set of keys. Another set is another state, and no decision is carried over."""

    __slots__ = ("keys", "signed", "remembered", "bound", "version_of")

    def __init__(self, keys: KeySet | StaticSet, signed: SignedByIssuer, cache_size: int) -> None:
        self.keys = keys
        self.version_of = keys.version_of  # of a secret, by the id of the key; empty: the keys are no secret's
        self.signed = signed
        self.remembered = Remembered(cache_size)
        self.bound = Remembered(cache_size)  # of tokens that want a proof: apart, so that none passes for a bearer token


class OIDCProvider:
    """Verifies access tokens of `issuer` for `audience` (one, or several of which one is enough); for `require_auth`.

    `issuers`: further ones that share `issuer`'s keys and rules, each written out: the tenants of one provider; a dict: other
    spellings of one, each with the one that principals get. Its keys are found by discovery, or are at `jwks_uri`; `discovery`
    is another URL than the usual one. `keys`: they are given, and nothing is fetched: whatever `StaticKeys` takes, a `Secret`
    say. `token_type`: the `typ` header that its access tokens have, by default RFC 9068's "at+jwt"; "JWT" for providers that
    mark them by none, whose ID tokens are then told by their claims and audience: give the API an audience of its own.
    `profile` says more. No URL, key or rule is ever taken from a token.

    Times are in seconds. `leeway`: how far clocks may differ, 0 to 300. `ttl`, `stale`, `cooldown`, `timeout`, `background`: of
    `JWKS`. `cache_size`: how many verified tokens are remembered. `provider_name`: the name by which a client may choose it.

    A token that is bound to a key (`cnf`) is refused as a bearer token. Not checked: whether a token was revoked, and what an
    ID token is checked for at a login. Raises: `ConfigurationError`.
    """

    in_place = False
    endpoint_origins: tuple[str, ...] = ()  # of a subclass whose issuer has endpoints elsewhere: "https://oauth2.example.com"
    login_profile: TokenProfile | None = (
        None  # of one that wants more of ID tokens than any does: `required`, `check`, `subject`
    )

    def __init__(
        self,
        issuer: str,
        *,
        audience: str | Iterable[str],
        issuers: Iterable[str] | dict[str, str] | None = None,
        keys: Given | None = None,
        token_type: str | None = None,
        profile: TokenProfile | None = None,
        jwks_uri: str | None = None,
        discovery: str | None = None,
        leeway: float = 30,
        ttl: float = 600,
        stale: float = 86_400,
        cooldown: float = 30,
        timeout: float = 5,
        background: bool | None = None,
        cache_size: int = 1024,
        provider_name: str | None = None,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        keys = read_keys(keys)  # what is raised below may be shown with its locals
        if type(issuer) is not str or not issuer:
            raise ConfigurationError("issuer is text, and not empty")
        self.issuer = issuer
        self._spelled = issuers.copy() if isinstance(issuers, dict) else None
        self.issuers = frozenset((issuer, *_texts("issuers", issuers)))
        if self._spelled and not self.issuers.issuperset(self._spelled.values()):
            raise ConfigurationError("issuers: a spelling is of the issuer, or of another one of them")
        if provider_name is not None and (type(provider_name) is not str or not provider_name):
            raise ConfigurationError("provider_name is text, and not empty, or None")
        self.provider_name = provider_name
        self.profile = _profile(token_type, profile)
        self.audiences = frozenset((audience,) if isinstance(audience, str) else _texts("audience", audience))
        if not self.audiences or "" in self.audiences:
            raise ConfigurationError("audience is text, and not empty; or several of them")
        if type(leeway) not in (int, float) or not 0 <= leeway <= MAX_LEEWAY:
            raise ConfigurationError(f"leeway is a number of seconds from 0 to {MAX_LEEWAY}")
        if type(cache_size) is not int or not 0 <= cache_size <= 1_000_000:
            raise ConfigurationError("cache_size is a whole number from 0 to 1000000")
        if sum(where is not None for where in (jwks_uri, discovery, keys)) > 1:
            raise ConfigurationError("jwks_uri, discovery and keys: one of them says what the keys are")
        self._leeway = leeway
        self._cache_size = cache_size
        self._clock = clock
        self.keys: JWKS | StaticKeys
        self._note_use: Any = getattr(keys, "note_use", None)  # of a secret
        if keys is not None:
            self.keys = StaticKeys(keys, issuer, clock)
        else:
            where: str | Discovery = (
                Discovery(issuer, discovery, timeout=timeout, transport=transport, clock=clock, monotonic=monotonic)
                if jwks_uri is None
                else checked_url("jwks_uri", jwks_uri)
            )
            place = jwks_uri or discovery
            self.keys = JWKS(
                where,
                name=issuer if place is None else f"{issuer} ({place})",
                ttl=ttl,
                stale=stale,
                cooldown=cooldown,
                timeout=timeout,
                background=background,
                transport=transport,
                clock=clock,
                monotonic=monotonic,
                random=random,
            )
        self._state: _State | None = None
        self._discovery = getattr(self.keys, "discovery", None) or partial(
            Discovery, issuer, discovery, timeout=timeout, transport=transport, clock=clock, monotonic=monotonic
        )

    @property
    def discovery(self) -> Discovery:
        """What the issuer says of itself, fetched when it is first asked. Raises: `ConfigurationError` if it is no URL."""
        found = self._discovery
        if not isinstance(found, Discovery):
            found = self._discovery = found()
        return found

    def verify(self, token: str) -> Principal:
        """Who an access token of this issuer is for. I/O only where no key is known yet, or not the one that it names.

        Raises: `InvalidToken`, whatever is wrong with the token; `Unavailable` if the issuer's keys cannot be had.
        """
        keys: KeySet | StaticSet | None = self.keys.at_hand()
        if keys is None:
            return run(self._verifying(token))
        try:  # without a coroutine, for what never waits
            return self._judge(keys, token, False)[0]
        except InvalidToken as error:
            reason = self._rotated(error, keys, token)
        return run(self._with_newer(keys, token, reason, False))

    async def averify(self, token: str) -> Principal:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(token))

    async def verifying(self, token: str) -> Principal:
        """`verify` for a guard's own coroutine, whether the host is sync or async."""
        if type(self).verify is not OIDCProvider.verify or "verify" in vars(self):  # a subclass's checks more, and may wait
            return await blocking(self.verify, token)
        return await self._verifying(token)

    async def verifying_bound(self, token: str) -> Principal:
        """`verifying` for who checks the proof that a bound token (`cnf`) wants: `DPoP`, `MutualTLS`.

        Raises: `ConfigurationError` for a subclass whose own check it would pass by.
        """
        if any(getattr(type(self), name) is not getattr(OIDCProvider, name) or name in vars(self) for name in _CHECKS):
            raise ConfigurationError(f"{type(self).__name__} checks more than OIDCProvider does: override verifying_bound too")
        return await self._verifying(token, True)

    async def _verifying(self, token: str, bound: bool = False) -> Principal:
        keys: KeySet | StaticSet | None = self.keys.at_hand()
        if keys is None:
            _check_form(token)
            keys = await self.keys.load()
        try:
            return self._judge(keys, token, bound)[0]
        except InvalidToken as error:
            reason = self._rotated(error, keys, token)
        return await self._with_newer(keys, token, reason, bound)

    async def _with_newer(self, keys: KeySet | StaticSet, token: str, reason: str, bound: bool) -> Principal:
        """A token that did not hold under `keys`, for this reason, under those that there are since."""
        try:
            newer: KeySet | StaticSet | None = await self.keys.look(keys)  # type: ignore[arg-type]  # they are its own
        except Unavailable:
            if reason == "token_key":  # whether there is such a key cannot be known
                raise
            newer = None
        if newer is None:
            raise InvalidToken(reason)
        return self._judge(newer, token, bound)[0]

    def recall(self, token: str) -> Principal | None:
        """Who a token is for that `verify` found good before, if it still is; None: ask `verify`. Never I/O."""
        state = self._state
        if state is None or type(token) is not str or self.keys.at_hand() is not state.keys:
            return None
        known = state.remembered.recall(token, self._clock())
        if known is None:
            return None
        if known[3] is not None:
            self._note_use(known[3])
        return known[0]

    def identity(self, principal: Principal) -> Identity:
        """Who `principal`, whom this provider verified, is beyond their subject: tenant, groups, e-mail address.

        Raises: `ValueError` for a principal of another issuer.
        """
        from .identity import identity_of

        issuer = principal.issuer
        if issuer is None or issuer not in self.issuers:
            raise ValueError("the principal is of another issuer")
        return identity_of(principal.claims, issuer, principal.subject, self.profile)

    def login(self, **settings: Any) -> Login:
        """People logging in here: `provider.login(client_id=..., redirect_uri=..., session_key=...)`, as `authkit.oidc.Login`
        says. Raises: `ConfigurationError`."""
        from .login import Login, hide

        hide(settings)
        return Login(self, **settings)

    def prefetch(self) -> None:
        """Have the keys at hand before the first request; `chain.prepare` does so too. Raises: `Unavailable`."""
        run(self.warm())

    async def aprefetch(self) -> None:
        """`prefetch` on an event loop, which it does not block."""
        await arun(self.warm())

    async def warm(self) -> None:
        """`prefetch` for a guard's own coroutine, whether the host is sync or async."""
        await self.keys.load()

    def export(self) -> str | None:
        """The keys that are known, as text for another process's `restore`; None if none are."""
        return self.keys.export()

    def restore(self, saved: str | bytes | None) -> bool:
        """Take what `export` gave: then the first request waits for nothing. Whoever can write it can sign tokens."""
        return self.keys.restore(saved)

    def _judge(self, keys: KeySet | StaticSet, token: str, bound: bool) -> Verified:
        if type(token) is not str:
            raise InvalidToken("token_malformed")
        if len(token) > MAX_TOKEN:  # before anything that would read or copy it
            raise InvalidToken("token_too_large")
        state = self._state
        if state is None or state.keys is not keys:
            state = self._state = _State(keys, self._signed_by(keys), self._cache_size)
        now = self._clock()
        remembered = state.bound if bound else state.remembered
        found = remembered.recall(token, now)
        if found is None:
            claims, key = state.signed.claims(token)
            validated = judged(claims, self.profile, self.issuers, self.audiences, self._leeway, now, bound, self._spelled)
            found = (*validated, state.version_of.get(id(key)), None)
            remembered.keep(token, found)
        if found[3] is not None:
            self._note_use(found[3])
        return found

    def _signed_by(self, keys: KeySet | StaticSet) -> SignedByIssuer:
        """Who tells whether a token is of `keys`, and reads it."""
        return SignedByIssuer(keys, self.profile)

    def _rotated(self, error: InvalidToken, keys: KeySet | StaticSet, token: str) -> str:
        """Why a token was refused that may be of a key which its issuer has published since. Raises: what refuses another."""
        if error.reason not in _ROTATED:
            raise error
        if unverified_issuer(token) not in self.issuers:
            raise InvalidToken("token_issuer") from None
        header: Mapping[str, Any] = parse_object(base64url.decode(token[: token.index(".")]))  # it was read before
        if not keys.may_be_new(header):
            raise error
        return error.reason

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.issuer!r}>"


def _check_form(token: object) -> None:
    if type(token) is not str:
        raise InvalidToken("token_malformed")
    if len(token) > MAX_TOKEN:  # before anything that would read or copy it
        raise InvalidToken("token_too_large")
    if token.count(".") != 2 or not token.isascii():  # before anybody is asked for a key
        raise InvalidToken("token_malformed")


def _texts(setting: str, values: Iterable[str] | None) -> tuple[str, ...]:
    listed = values is None or (hasattr(values, "__iter__") and not isinstance(values, (str, bytes)))
    found = tuple(values or ()) if listed else (None,)
    if not all(type(one) is str and one for one in found):
        raise ConfigurationError(f"{setting} is a list of text, none of it empty")
    return found  # type: ignore[return-value]


def _profile(token_type: str | None, profile: TokenProfile | None) -> TokenProfile:
    if profile is not None:
        if token_type is not None or not isinstance(profile, TokenProfile):
            raise ConfigurationError("profile is a TokenProfile, and says the token_type too")
        return profile
    if token_type is None:
        return ACCESS_TOKEN
    if not isinstance(token_type, str) or not token_type:
        raise ConfigurationError("token_type is a typ header, like 'at+jwt' or 'JWT'")
    return PLAIN_ACCESS_TOKEN if token_type.upper() == "JWT" else TokenProfile(types=(token_type,))
