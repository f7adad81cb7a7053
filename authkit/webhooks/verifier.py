"""`Verifier` and `verify`: whether a delivery was sent by whoever knows the secret, and lately."""

from __future__ import annotations

import time

from .._run import arun, run
from ..errors import ConfigurationError, InvalidSignature, SecretNotFound
from ..secrets.versions import Masked
from .builtin import resolved
from .delivery import NO_BYTES
from .event import WebhookEvent
from .fetched import Fetched
from .keys import Sealed, keys_of, matching
from .mac import encoder
from .options import settled
from .ordinary import acceptor
from .quick import reader
from .reading import told
from .scheme import checked_tolerance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    from ..http import Headers
    from ..secrets import SecretVersions
    from .keys import AnySecret, Keys
    from .quick import Quick
    from .reading import Told
    from .scheme import Scheme

    _Delivery: TypeAlias = Quick | Told
    AnyHeaders: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]

KEEP_UNTIMED = 7 * 86_400  # seconds a delivery without a signed time is remembered, so that a replay is told


class Verifier(Masked):
    """Verifies deliveries under one scheme; build it once.

    `secret`: what the provider shows, or a `Secret`, or several of either; every current, pending and not yet expired previous
    value is accepted. None for a scheme whose keys are fetched. `tolerance`: seconds that a signed time may differ from ours,
    both ways; None: the scheme's own. `fetch`: for such a scheme, what gives the key of a name (PEM, or a JWK; None if there
    is none) and may block; by default an HTTPS request, where the scheme pins its host. `options`: what else the scheme asks
    for, by name: one text or several.

    Raises: `ConfigurationError` for an unknown scheme, a secret that is missing, empty, or no key under this scheme (a literal
    one here, any other when it is first read), an option that is missing, and a tolerance that is no positive number.
    """

    __slots__ = (
        "scheme", "tolerance", "_sealed", "_clock", "_encode", "_held", "_options", "_fetched", "_read", "_accept",
        "_same", "_fixed",
    )  # fmt: skip
    scheme: Scheme
    tolerance: float

    def __init__(
        self,
        scheme: str | Scheme,
        secret: AnySecret | Sealed | None = None,
        *,
        tolerance: float | None = None,
        clock: Callable[[], float] = time.time,
        fetch: Callable[[str], Any] | None = None,
        **options: Any,
    ) -> None:
        hidden = Sealed(secret)
        del secret  # what is raised below may be shown with its locals
        self.scheme = resolved(scheme)
        hidden.check(self.scheme)
        self.tolerance = self.scheme.tolerance if tolerance is None else checked_tolerance(tolerance)
        self._options = settled(self.scheme, options)
        self._sealed = hidden
        self._clock = clock
        self._encode = encoder(self.scheme.encoding)
        # of every event
        self._same = self.scheme.name, self.scheme.signed_id, self.scheme.event_places, self.scheme.covers_body
        self._read: Callable[..., _Delivery] = reader(self.scheme, self.tolerance, clock) if self.scheme.plain else self._told
        self._accept = acceptor(self.scheme, self.tolerance, clock)
        if self.scheme.handshake is not None:
            from .handshakes import wary

            self._read, self._accept = wary(self.scheme.handshake, self._read, self._accept)
        if fetch is not None and not self.scheme.keyless:
            raise ConfigurationError(f"webhook scheme {self.scheme.name} fetches no keys: fetch is not used")
        self._fetched = Fetched(self.scheme, fetch, clock) if self.scheme.keyless else None
        self._held: tuple[tuple[SecretVersions, ...], Keys] = ((), ())
        versions = tuple(found for one in hidden.secrets if (found := one.fresh()) is not None)
        if len(versions) == len(hidden.secrets):
            self._keys(versions)
        self._fixed = self._held[1] if all(secret.is_fixed for secret in hidden.secrets) else ()

    @property
    def keep(self) -> int:
        """Seconds for which a delivery has to be remembered so that a replay of it is told (DESIGN: webhook replay)."""
        return int(2 * self.tolerance) + 1 if self.scheme.timed else KEEP_UNTIMED

    async def load(self) -> Keys:
        """The keys in force, for `verify`; secrets are fetched if need be, by whoever drives the coroutine.

        Raises: `SecretNotFound`, `SecretUnavailable`, `ConfigurationError`.
        """
        return self._keys(await self._load())

    async def has_secret(self) -> bool:
        """Whether there is a secret now: that there was none a moment ago says nothing. Raises: as `load` does otherwise."""
        for secret in self._sealed.secrets:
            secret.look_again()
        try:
            await self._load()
        except SecretNotFound:
            return False
        return True

    def _versions(self) -> tuple[SecretVersions, ...]:
        secrets = self._sealed.secrets
        return (secrets[0].versions(),) if len(secrets) == 1 else tuple([secret.versions() for secret in secrets])

    async def _load(self) -> tuple[SecretVersions, ...]:
        return tuple([await secret.load() for secret in self._sealed.secrets])

    def verify(
        self,
        headers: AnyHeaders,
        body: bytes,
        now: float | None = None,
        url: str | None = None,
        method: str = "POST",
        *,
        keys: Keys | None = None,
    ) -> WebhookEvent:
        """The delivery as an event. `body`: the bytes as received. `now`: epoch seconds. `url`: where the scheme signs it.

        Where no key made the signature, each `Secret` is read once more, at most once in its cooldown: it may have been
        rotated. With `keys` from `load`, those decide and there is no I/O.

        Raises: `InvalidSignature` with a stable reason, whatever was sent: those of `quick.reader` and `reading.told`,
        `signature_mismatch`, `signed_as_handshake`, `key_unknown`. `Unavailable` where a key that the delivery names cannot be
        had. A body that is not bytes is the program's mistake: `TypeError`. Without `keys`, secrets are fetched in place, and
        may raise as `load` does.
        """
        accept = self._accept
        if accept is not None:
            event = accept(headers, body, now, url, method, (self._fixed or self._at_hand()) if keys is None else keys)
            if event is not None:
                return event
        delivery = self._read(headers, body, now, url, method)
        if self._fetched is not None:
            return self._judge(delivery, run(self._named(delivery)))
        if keys is not None:
            return self._judge(delivery, keys)
        versions = self._versions()
        try:
            return self._judge(delivery, self._keys(versions))
        except InvalidSignature:
            asked = zip(self._sealed.secrets, versions, strict=True)
            news = [secret.recheck(seen) for secret, seen in asked]  # every one of them
            if not any(news):
                raise
        return self._judge(delivery, self._keys(self._versions()))

    async def averify(
        self, headers: AnyHeaders, body: bytes, now: float | None = None, url: str | None = None, method: str = "POST"
    ) -> WebhookEvent:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(headers, body, now, url, method))

    async def verifying(
        self, headers: AnyHeaders, body: bytes, now: float | None = None, url: str | None = None, method: str = "POST"
    ) -> WebhookEvent:
        """`verify` for a guard's own coroutine, whether the host is sync or async."""
        event = self.at_once(headers, body, now, url, method)
        if event is not None:
            return event
        delivery = self._read(headers, body, now, url, method)
        if self._fetched is not None:
            return self._judge(delivery, await self._named(delivery))
        versions = await self._load()
        try:
            return self._judge(delivery, self._keys(versions))
        except InvalidSignature:
            asked = zip(self._sealed.secrets, versions, strict=True)
            news = [await secret.reload_after_failure(seen) for secret, seen in asked]
            if not any(news):
                raise
        return self._judge(delivery, await self.load())

    def at_once(
        self,
        headers: AnyHeaders,
        body: bytes | None,
        now: float | None = None,
        url: str | None = None,
        method: str = "POST",
        at_hand: Callable[[int], bytes] | None = None,
    ) -> WebhookEvent | None:
        """What `verify` gives, where nothing is out of the ordinary and no secret has to be fetched; None: ask `verify`.

        `at_hand`: gives a body that is None, of at most so many bytes; asked only where the headers are right.
        """
        accept = self._accept
        return None if accept is None else accept(headers, body, now, url, method, self._fixed or self._at_hand(), at_hand)

    def _at_hand(self) -> Keys:
        """The keys, if they are those in force and no secret has to be fetched for that; else none."""
        seen, keys = self._held
        for secret, versions in zip(self._sealed.secrets, seen, strict=False):  # where none were seen there are no keys
            if secret.fresh() is not versions:
                return ()
        return keys

    def _told(self, headers: AnyHeaders, body: bytes, now: float | None, url: str | None, method: str) -> Told:
        """What was sent, if it is well-formed and its time is right. Nothing has been verified, and no key was needed."""
        if not isinstance(body, bytes):
            raise TypeError(NO_BYTES)
        delivery = told(self.scheme, headers, body, url, method, self._options)
        now = self._clock() if now is None else now
        if delivery.seconds is not None:
            self._check_age(delivery.seconds, now)
        if delivery.claims:
            self._check_validity(delivery.claims, now)
        return delivery

    def _check_age(self, seconds: float, now: float) -> None:
        # whole seconds where the sender has no finer ones: 300 s old is 300 s old for all of that second
        age = (int(now) if self.scheme.unit == "s" else now) - seconds
        if age > self.tolerance:
            raise InvalidSignature("timestamp_too_old")
        if age < -self.tolerance:
            raise InvalidSignature("timestamp_in_future")

    def _check_validity(self, claims: Mapping[str, Any], now: float) -> None:
        """The times that a JWT sets itself (RFC 7519 sections 4.1.4 and 4.1.5), where it does."""
        for name, reason in (("exp", "timestamp_too_old"), ("nbf", "timestamp_in_future")):
            value: Any = claims.get(name)
            if name not in claims:
                continue
            if type(value) not in (int, float):
                raise InvalidSignature("timestamp_malformed")
            # compared, never subtracted: a number of hundreds of digits is no float
            if (value <= now - self.tolerance) if name == "exp" else (value > now + self.tolerance):
                raise InvalidSignature(reason)

    def _judge(self, delivery: _Delivery, keys: Keys) -> WebhookEvent:
        """The event, if one of these keys made one of the signatures."""
        if type(delivery) is not tuple:
            return self._judge_told(delivery, keys)  # type: ignore[arg-type]  # the only other kind
        signatures, before, body, after, id, seconds = delivery
        matched = matching(keys, signatures, self._encode, before, body, after)
        if matched is None:
            raise InvalidSignature("signature_mismatch")
        secret = matched[1]
        secret.note_use(matched[2])  # type: ignore[union-attr]  # no plain scheme fetches keys
        name, signed_id, places, covers_body = self._same
        return WebhookEvent.of((name, body, id, seconds, matched[3], signed_id, before, after, places, covers_body))

    def _judge_told(self, delivery: Told, keys: Keys) -> WebhookEvent:
        """Every part has to be signed, by one and the same key."""
        matched = None
        for key in keys:
            held = [key[0].matches(part.signatures, part.contents) for part in delivery.parts]  # all of them
            if all(held) and matched is None:
                matched = key
        if matched is None:
            raise InvalidSignature("signature_mismatch")
        _, secret, version, called = matched
        if secret is not None:
            secret.note_use(version)
        scheme = self.scheme
        before, _, after = delivery.parts[0].contents[0]
        if not scheme.covers_body and scheme.algorithm != "token":  # a token signs nothing: there it is the body that tells
            before = b"\0".join(chunk for part in delivery.parts for chunk in part.contents[0])
        return WebhookEvent(
            scheme.name, delivery.body, delivery.id, delivery.seconds, called, scheme.signed_id, before, after,
            scheme.event_places, scheme.covers_body,
        )  # fmt: skip

    async def _named(self, delivery: _Delivery) -> Keys:
        """The key that the delivery names, which may have to be fetched."""
        fetched: Any = self._fetched
        name: Any = delivery.key  # type: ignore[union-attr]  # no plain scheme fetches keys
        return ((await fetched.key(name), None, "current", "current"),)

    def _keys(self, versions: tuple[SecretVersions, ...]) -> Keys:
        held, keys = self._held
        if held != versions:  # by identity: a secret gives the same object until something changes
            keys = keys_of(self.scheme, self._sealed.secrets, versions, several=self._sealed.several)
            self._held = (versions, keys)
        return keys

    def __repr__(self) -> str:
        scheme = getattr(self, "scheme", None)  # None: the constructor is about to refuse
        return f"<Verifier {scheme.name if scheme is not None else '?'}>"


def verify(
    scheme: str | Scheme,
    secret: AnySecret | None,
    headers: AnyHeaders,
    body: bytes,
    url: str | None = None,
    method: str = "POST",
    now: float | None = None,
    tolerance: float | None = None,
    **options: Any,
) -> WebhookEvent:
    """The delivery as an event, if its signature holds: see `Verifier`, which is built once for many.

    Raises: `InvalidSignature`, with a stable reason; `ConfigurationError`, `SecretNotFound`, `SecretUnavailable` as `Verifier`
    does.
    """
    hidden = Sealed(secret)
    del secret  # what is raised below may be shown with its locals
    return Verifier(scheme, hidden, tolerance=tolerance, **options).verify(headers, body, now, url, method)


async def averify(
    scheme: str | Scheme,
    secret: AnySecret | None,
    headers: AnyHeaders,
    body: bytes,
    url: str | None = None,
    method: str = "POST",
    now: float | None = None,
    tolerance: float | None = None,
    **options: Any,
) -> WebhookEvent:
    """`verify` on an event loop, which it does not block."""
    hidden = Sealed(secret)
    del secret
    return await Verifier(scheme, hidden, tolerance=tolerance, **options).averify(headers, body, now, url, method)
