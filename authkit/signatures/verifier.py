"""`SignatureVerifier`: whether a request was signed by whoever holds a key that we know, as a whole, and lately."""

from __future__ import annotations

import time

from .._run import arun, blocking, run
from ..errors import ConfigurationError, InvalidSignature
from ..secrets.versions import Masked
from .components import components_of, signature_base
from .coverage import check_body, check_components, check_target, wanted
from .digest import FIELD, check_digest
from .keybook import KeyBook
from .keys import agrees, held_by
from .message import Message, target_of
from .signed import Signed, claimed
from .signing import COVERED, LABEL
from .structured import InnerList, Item, dictionary_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, TypeAlias

    from ..http import Headers
    from ..stores import Store
    from .keybook import Keys
    from .keys import SignatureKey
    from .message import AnyHeaders
    from .signed import Claimed

    Body: TypeAlias = bytes | Callable[[], Awaitable[bytes]]

TOLERANCE = 300.0  # seconds, both ways
MAX_ASKED = 8  # signatures of one request whose key is looked for at most: that may be a question to a database
MAX_TRIED = 4  # of these, how many are verified at most
NO_BYTES = "the body is the bytes as they were received; one that was parsed or decoded cannot be verified"


class SignatureVerifier(Masked):
    """Verifies signed requests (RFC 9421); build it once.

    `keys`: key ids and what `SignatureKey` takes, or a function that finds the `SignatureKey` of an id, or None; it may block.
    `tolerance`: seconds that `created` may differ from our clock, both ways; it is always wanted. `components`: header fields
    that have to be covered beside the method, the whole target, and the digest of a body if there is one. `tag`: the one that
    signatures must have. `label`: the one signature that counts; None: those by keys that we know, the first that holds.
    `replay`: a store in which nonces are noted until their signature is too old, and then every signature has to have one.
    `insecure_components`: these have to be covered and nothing else is, so that whatever they leave out may be changed.
    `insecure_unsigned_body`: a body need not be covered; one that is, is compared all the same.

    Not checked: whether TLS was used, and parameters of the signature other than created, expires, nonce, alg, keyid and tag.
    Raises: `ConfigurationError` for no keys, a key that is none, or a setting that is wrong.
    """

    __slots__ = (
        "tolerance", "_book", "_more", "_only", "_tag", "_label", "_replay", "_any_body", "_clock",
    )  # fmt: skip

    def __init__(
        self,
        keys: Keys | KeyBook,
        *,
        tolerance: float = TOLERANCE,
        components: Iterable[str] = (),
        tag: str | None = None,
        label: str | None = None,
        replay: Store | None = None,
        insecure_components: Iterable[str] | None = None,
        insecure_unsigned_body: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        book = keys if isinstance(keys, KeyBook) else KeyBook(keys)
        del keys  # what is raised below may be shown with its locals
        if book.wrong is not None:
            raise ConfigurationError(f"signature verifier: {book.wrong}")
        if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 < tolerance < float("inf"):
            raise ConfigurationError("tolerance is a positive number of seconds; it cannot be switched off")
        for name, value in (("tag", tag), ("label", label)):
            if value is not None and (not isinstance(value, str) or not value):
                raise ConfigurationError(f"signature verifier: {name} is text, and not empty")
        if replay is not None and not hasattr(replay, "add"):
            raise ConfigurationError("signature verifier: replay is a store")
        self._book = book
        self.tolerance = tolerance
        self._more = wanted("components", components)
        self._only = None if insecure_components is None else wanted("insecure_components", insecure_components)
        self._tag = tag
        self._label = label
        self._replay = replay
        self._any_body = insecure_unsigned_body is True
        self._clock = clock

    def verify(self, method: str, url: str, headers: AnyHeaders, body: bytes = b"", now: float | None = None) -> Signed:
        """Who signed this request. `url`: absolute, as the sender addressed it, never put together from a Host header. `body`:
        the bytes as received. `now`: epoch seconds.

        Raises: `InvalidSignature` with a stable reason, whatever was sent; `ValueError` for a `url` that is none;
        `Unavailable`, `SecretNotFound`, `ConfigurationError` as the keys and the store do.
        """
        return run(self.verifying(Message(method, target_of(url), headers), body, now))

    async def averify(self, method: str, url: str, headers: AnyHeaders, body: bytes = b"", now: float | None = None) -> Signed:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(Message(method, target_of(url), headers), body, now))

    async def verifying(self, message: Message, body: Body, now: float | None = None) -> Signed:
        """`verify` for a guard's own coroutine, whether the host is sync or async. `body`: or what reads it, which is asked for
        it once a signature holds, and for no other request: what is signed is the digest of the body, not the body."""
        if not isinstance(body, bytes) and not callable(body):
            raise TypeError(NO_BYTES)
        now = self._clock() if now is None else now
        refused = InvalidSignature("unknown_key")
        tried = 0
        for one in self._chosen(message)[:MAX_ASKED]:
            key = await self._book.find(one.keyid)
            if key is None:
                continue
            tried += 1
            if tried > MAX_TRIED:
                break
            try:
                return await self._judge(one, key, message, body, now)
            except InvalidSignature as error:
                refused = error
        raise refused

    async def warm(self) -> None:
        """Fetch the secrets before the first request."""
        for key in self._book.keys.values():
            await key.load()

    @property
    def needs_authority(self) -> bool:
        """Whether no signature can hold unless somebody says where the request was sent to."""
        return self._only is None

    @property
    def signed_in(self) -> str:
        """The header that has the signature."""
        return "signature"

    def was_sent(self, headers: Headers) -> bool:
        """Whether the request claims to be signed, well or badly."""
        return bool(headers.get_all("signature-input") or headers.get_all("signature"))

    def asks(self, has_body: bool) -> str | None:
        """What is wanted, as a value of `Accept-Signature` (RFC 9421 section 5.1)."""
        named = [] if self._only is not None else [Item(name) for name in (*COVERED, "@query", *([FIELD] if has_body else []))]
        named += [Item(one.name, tuple(one.parameters.items())) for one in (*(self._only or ()), *self._more)]
        tag = () if self._tag is None else (("tag", self._tag),)
        return dictionary_text({self._label or LABEL: InnerList(tuple(named), (("created", True), *tag))})

    def _chosen(self, message: Message) -> list[Claimed]:
        found = claimed(message.headers, self._label)
        if self._tag is not None:
            found = [one for one in found if one.tag == self._tag]
            if not found:
                raise InvalidSignature("no_such_signature")
        return found

    async def _judge(self, one: Claimed, key: SignatureKey, message: Message, unread: Body, now: float) -> Signed:
        one.check_time(now, self.tolerance)
        if self._replay is not None and one.nonce is None:
            raise InvalidSignature("nonce_missing")
        components = components_of(one.covered)
        if self._only is None:
            check_target(message, components)
        check_components(components, (*self._more, *(self._only or ())))
        base = signature_base(message, one.covered, components)
        version = await _held(key, one, base)
        body = unread if isinstance(unread, bytes) else await unread()
        if FIELD in message.headers or (body and not self._any_body) or any(item.name == FIELD for item in components):
            compared = check_digest(message.headers, body)
            if body and not self._any_body:
                check_body(components, compared)
        await self._note(one, now)
        key.note_use(version)
        covered = tuple(component.text for component in components)
        return Signed(one, key.principal(one.keyid), covered, version)

    async def _note(self, one: Claimed, now: float) -> None:
        """The nonce is new, and from now on it is not. Last of all, so that who has no key fills no store."""
        store = self._replay
        if store is None:
            return
        # As long as `created` may still be accepted, and a second for the fraction that it does not have; and as long again,
        # because another machine's clock may be behind ours, or the store's ahead.
        seconds = max(0.0, one.created + self.tolerance - now) + 1 + self.tolerance
        await note(store, f"{len(one.keyid)}:{one.keyid}{one.nonce}", seconds)


async def note(store: Store, what: str, seconds: float) -> None:
    """Note that this was seen, for so long. Raises: `InvalidSignature` with `replayed` if it was before; `StoreUnavailable`."""
    from hashlib import sha256

    key = f"signature:{sha256(what.encode()).hexdigest()}"
    new = await blocking(store.add, key, seconds) if store.blocks else store.add(key, seconds)
    if not new:
        raise InvalidSignature("replayed")


async def _held(key: SignatureKey, one: Claimed, base: bytes) -> str:
    """Which version of the key made the signature; a secret is asked once more where none did."""
    versions, named = await key.load()
    version = held_by(named, one.alg, base, one.signature)
    if version is None and await key.reload_after_failure(versions):
        _, named = await key.load()
        version = held_by(named, one.alg, base, one.signature)
    if version is None:
        raise InvalidSignature("signature_mismatch" if agrees(named, one.alg) else "algorithm_mismatch")
    return version


def verify(
    keys: Keys, method: str, url: str, headers: AnyHeaders, body: bytes = b"", now: float | None = None, **settings: Any
) -> Signed:
    """Who signed this request: see `SignatureVerifier`, which is built once for many, and its settings."""
    book = KeyBook(keys)
    del keys
    return SignatureVerifier(book, **settings).verify(method, url, headers, body, now)


async def averify(
    keys: Keys, method: str, url: str, headers: AnyHeaders, body: bytes = b"", now: float | None = None, **settings: Any
) -> Signed:
    """`verify` on an event loop, which it does not block."""
    book = KeyBook(keys)
    del keys
    return await SignatureVerifier(book, **settings).averify(method, url, headers, body, now)
