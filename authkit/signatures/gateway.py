"""`HmacRequests`: requests under an HMAC in headers, as API gateways have it: method, path, time and body under one secret."""

from __future__ import annotations

import time

from .._run import arun, run
from ..errors import ConfigurationError, InvalidSignature
from ..secrets.versions import Masked, as_bytes
from ..webhooks import Scheme, Verifier
from ..webhooks import asign as asign_by_scheme
from ..webhooks import sign as sign_by_scheme
from ..webhooks.early import early
from .holder import SharedSecret
from .message import Message, target_of
from .signed import MAX_NAME, Signed
from .verifier import NO_BYTES, note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..http import Headers
    from ..secrets.versions import SecretVersions
    from ..stores import Store
    from .message import AnyHeaders
    from .verifier import Body

KEY_ID = "x-key-id"
SHORTEST = 32  # bytes of a secret: as long as SHA-256 (RFC 2104 section 3), for longer hashes too
REQUESTS = Scheme(
    "hmac-requests",
    signature="x-signature",
    id="x-nonce",
    timestamp="x-timestamp",
    signed="{header:x-key-id}\n{method}\n{path}\n{timestamp}\n{id}\n{body_sha256}",  # {path} is with its query
    verified=True,
)


class HmacRequests(Masked):
    """Verifies requests that clients sign with a secret each; build it once.

    `secrets`: for each key id a `SharedSecret`, or what one is made of. `scheme`: how they sign, an `authkit.webhooks.Scheme`
    with algorithm "hmac" that signs the method, the path or URL, the body and the time; by default HMAC-SHA256 in hex, in
    `X-Signature`, of key id, method, path with query, `X-Timestamp`, `X-Nonce` and the body's SHA-256 in hex, a line each.
    `key_id`: the header that names the client. `tolerance`: seconds, both ways; None: the scheme's own. `replay`: a store in
    which the signed id is noted, so that each request is let in once. `insecure_short_secrets`: a secret may be shorter than
    32 bytes, for a gateway that gives such ones: whoever sees one request may then guess it at leisure.

    Raises: `ConfigurationError` for a scheme that leaves out one of these, no secrets, or one that the scheme cannot use; of a
    `Secret`, when it is first read.
    """

    __slots__ = ("scheme", "_verifiers", "_early", "_holders", "_key_id", "_replay", "_clock", "_shortest", "_fit")
    scheme: Scheme

    def __init__(
        self,
        secrets: Mapping[str, Any],
        *,
        scheme: Scheme = REQUESTS,
        key_id: str = KEY_ID,
        tolerance: float | None = None,
        replay: Store | None = None,
        insecure_short_secrets: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        holders, wrong = _holders(secrets)
        del secrets  # what is raised below may be shown with its locals
        if wrong is not None:
            raise ConfigurationError(f"hmac requests: {wrong}")
        _check(scheme)
        if not isinstance(key_id, str) or not key_id:
            raise ConfigurationError("hmac requests: key_id is the name of a header")
        if replay is not None and not scheme.signed_id:
            raise ConfigurationError("hmac requests: replay wants a scheme that signs an id")
        self.scheme = scheme
        self._shortest = 1 if insecure_short_secrets is True else SHORTEST
        self._fit: dict[str, SecretVersions] = {}  # by key id, what was found long enough
        self._holders = holders
        for keyid, holder in holders.items():
            known = holder.secret.fresh()
            if known is not None:
                self._check_length(keyid, known)
        self._verifiers = {
            keyid: Verifier(scheme, holder.secret, tolerance=tolerance, clock=clock) for keyid, holder in holders.items()
        }
        self._early = {keyid: early(verifier) for keyid, verifier in self._verifiers.items()}
        self._key_id = key_id.lower()
        self._replay = replay
        self._clock = clock

    def sign(self, keyid: str, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        """The headers that the client `keyid` would send. `url`: as it is sent, absolute where the scheme signs it."""
        more = {self._key_id: keyid}
        made = sign_by_scheme(
            self.scheme, self._holder(keyid).secret, body, self._clock(), url=url, method=method, headers=more
        )
        return {**more, **made}

    async def asign(self, keyid: str, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        """`sign` on an event loop, which it does not block."""
        more = {self._key_id: keyid}
        secret = self._holder(keyid).secret
        return {
            **more,
            **await asign_by_scheme(self.scheme, secret, body, self._clock(), url=url, method=method, headers=more),
        }

    def verify(self, method: str, url: str, headers: AnyHeaders, body: bytes = b"", now: float | None = None) -> Signed:
        """Who signed this request: as `SignatureVerifier.verify`."""
        return run(self.verifying(Message(method, target_of(url), headers), body, now))

    async def averify(self, method: str, url: str, headers: AnyHeaders, body: bytes = b"", now: float | None = None) -> Signed:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(Message(method, target_of(url), headers), body, now))

    async def verifying(self, message: Message, body: Body, now: float | None = None) -> Signed:
        """`verify` for a guard's own coroutine, whether the host is sync or async. `body`: or what reads it, which is asked for
        it where the headers may be right."""
        if not isinstance(body, bytes) and not callable(body):
            raise TypeError(NO_BYTES)
        now = self._clock() if now is None else now
        lines = message.headers.get_all(self._key_id)
        if len(lines) != 1 or not 0 < len(lines[0]) <= MAX_NAME:
            raise InvalidSignature("keyid_malformed" if lines else "keyid_missing")
        keyid = lines[0]
        verifier = self._verifiers.get(keyid)
        if verifier is None:
            raise InvalidSignature("unknown_key")
        if self.scheme.needs == "url" and message.target.authority is None:
            raise InvalidSignature("authority_not_configured")
        await self._load(keyid)
        if not isinstance(body, bytes):
            look = self._early[keyid]
            if look is not None:
                look(message.headers, message.target.url(), message.method)
            body = await body()
        event = await verifier.verifying(message.headers, body, now, message.target.url(), message.method)
        await self._load(keyid)  # it may have been read again meanwhile
        if self._replay is not None:
            await note(self._replay, f"{len(keyid)}:{keyid}{event.id}", verifier.keep)
        one = _Sent(keyid, event.timestamp, event.id)
        return Signed(one, self._holders[keyid].principal(keyid), tuple(sorted(self.scheme.fields)), str(event.version))

    async def warm(self) -> None:
        """Fetch the secrets before the first request."""
        for keyid, verifier in self._verifiers.items():
            await self._load(keyid)
            await verifier.load()

    @property
    def needs_authority(self) -> bool:
        """Whether no signature can hold unless somebody says where the request was sent to."""
        return self.scheme.needs == "url"

    @property
    def signed_in(self) -> str:
        """The header that has the signature."""
        return self.scheme.signature[0].lower()

    def was_sent(self, headers: Headers) -> bool:
        """Whether the request claims to be signed, well or badly."""
        return any(headers.get_all(name) for name in (self._key_id, *self.scheme.signature))

    def asks(self, has_body: bool) -> str | None:
        """There is no standard way to ask for these."""
        return None

    async def _load(self, keyid: str) -> None:
        self._check_length(keyid, await self._holders[keyid].secret.load())

    def _check_length(self, keyid: str, versions: SecretVersions) -> None:
        if self._fit.get(keyid) is versions:  # a secret gives the same object until something changes
            return
        short = _shorter(versions, self._shortest)
        if short is not None:
            raise ConfigurationError(
                f"hmac requests: the secret of key {keyid!r} ({short}) is shorter than {self._shortest} bytes; "
                "insecure_short_secrets=True takes it all the same"
            )
        self._fit[keyid] = versions

    def _holder(self, keyid: str) -> SharedSecret:
        if keyid not in self._holders:
            raise ConfigurationError("hmac requests: there is no secret of that key id")
        return self._holders[keyid]


class _Sent:
    """What `Signed` tells of one."""

    __slots__ = ("label", "keyid", "created", "expires", "nonce", "tag")

    def __init__(self, keyid: str, seconds: float | None, nonce: str | None) -> None:
        self.label = "hmac"
        self.keyid = keyid
        self.created = int(seconds or 0)
        self.nonce = nonce
        self.expires = self.tag = None


def _check(scheme: Scheme) -> None:
    if not isinstance(scheme, Scheme) or scheme.algorithm != "hmac":
        raise ConfigurationError("hmac requests: scheme is a webhooks.Scheme with algorithm 'hmac'")
    if not (scheme.timed and scheme.covers_body and "method" in scheme.fields and scheme.fields & {"url", "path"}):
        raise ConfigurationError(
            f"hmac requests: scheme {scheme.name} has to sign the method, the path or the URL, the body and the time"
        )


def _shorter(versions: SecretVersions, shortest: int) -> str | None:
    """Which version of a secret is too short. It raises nothing: its frame holds values."""
    return next((name for name, value in versions.named() if len(as_bytes(value) or b"") < shortest), None)


def _holders(secrets: Any) -> tuple[dict[str, SharedSecret], str | None]:
    """The secrets, and what is wrong with them. It raises nothing: its frame may hold values."""
    if not hasattr(secrets, "items") or not secrets:
        return {}, "secrets is a mapping of at least one key id"
    found: dict[str, SharedSecret] = {}
    for keyid, secret in secrets.items():
        if not isinstance(keyid, str) or not keyid:
            return {}, "a key id is text, and not empty"
        try:
            found[keyid] = secret if isinstance(secret, SharedSecret) else SharedSecret(secret)
        except ConfigurationError as error:
            return {}, f"key {keyid!r}: {error}"
    return found, None
