"""`sign`: the headers that make a request a signed one."""

from __future__ import annotations

import os
import time

from .._run import arun, run
from ..errors import ConfigurationError, InvalidSignature
from ..http import Headers
from .components import components_of, signature_base
from .coverage import wanted
from .digest import FIELD, content_digest
from .keys import Unfit, key_of
from .message import Message, target_of
from .structured import InnerList, Item, dictionary_text, is_key, parse_dictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal

    from .message import AnyHeaders
    from .structured import Member, Parameters

LABEL = "sig1"
COVERED = ("@method", "@authority", "@path")


class Signer:
    """How requests are signed; build it once.

    `key`: a `SignatureKey`, or what one is made of. `keyid`: the name under which the verifier knows it. Covered are the
    method, authority, path, query and, where there is a body, its digest; `components`: header fields beside these, which the
    request then has to have. `query`: "whole", or "params" to cover each parameter by itself, for verifiers that see it only
    decoded (API Gateway REST, ALB); each name may then occur once. `expires`: seconds for which the signature is good; None:
    as long as the verifier says. `nonce`: whether there is one. `tag`: names the application. `digest`: "sha-256" or "sha-512".
    `random`: a number of bytes nobody can guess.

    Raises: `ConfigurationError` for a setting that is wrong.
    """

    def __init__(
        self,
        key: Any,
        *,
        keyid: str,
        components: Iterable[str] = (),
        query: Literal["whole", "params"] = "whole",
        expires: int | None = None,
        nonce: bool = True,
        tag: str | None = None,
        label: str = LABEL,
        digest: str = "sha-256",
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        held = key_of(key)
        del key  # what is raised below may be shown with its locals
        if isinstance(held, Unfit):
            raise ConfigurationError(held.why)
        self._key = held
        if not _is_text(keyid) or (tag is not None and not _is_text(tag)):
            raise ConfigurationError("keyid and tag are printable ASCII, and not empty")
        if not is_key(label):
            raise ConfigurationError("a label is lower-case letters, digits, '-', '_', '.' and '*'")
        if expires is not None and (type(expires) is not int or expires < 1):
            raise ConfigurationError("expires is a whole number of seconds, at least 1")
        if query not in ("whole", "params"):
            raise ConfigurationError("query is 'whole' or 'params'")
        content_digest(b"", digest)
        self._more = wanted("components", components)
        self._keyid, self._tag, self._label, self._digest = keyid, tag, label, digest
        self._by_parameter = query == "params"
        self._expires, self._nonce = expires, nonce
        self._clock, self._random = clock, random

    def sign(self, method: str, url: str, headers: AnyHeaders = (), body: bytes = b"") -> dict[str, str]:
        """The headers to send beside those of the request: `Content-Digest` where there is a body, `Signature-Input` and
        `Signature`; those replace any that are there.

        `url`: absolute, encoded as it is sent. Raises: `ValueError` for a request that cannot be signed so; `SecretNotFound`,
        `SecretUnavailable`, `ConfigurationError` as its key does.
        """
        return run(self.signing(method, url, headers, body))

    async def asign(self, method: str, url: str, headers: AnyHeaders = (), body: bytes = b"") -> dict[str, str]:
        """`sign` on an event loop, which it does not block."""
        return await arun(self.signing(method, url, headers, body))

    async def signing(self, method: str, url: str, headers: AnyHeaders, body: bytes) -> dict[str, str]:
        """`sign`, for a coroutine that `run` or `arun` drives."""
        if not isinstance(body, bytes):
            raise TypeError("the body is the bytes as they will be sent")
        algorithm, sign = await self._key.signing()
        fields = headers if isinstance(headers, Headers) else Headers(headers)
        added: dict[str, str] = {}
        if body or FIELD in fields:  # one that is there may be of another body, before a redirect say
            added[FIELD] = content_digest(body, self._digest)
            fields = Headers([*((name, value) for name, value in fields.items() if name != FIELD), (FIELD, added[FIELD])])
        message = Message(method, target_of(url), fields)
        try:
            covered = InnerList(self._covered(message, FIELD in added), self._parameters(algorithm))
            base = signature_base(message, covered, components_of(covered))
            others = _others(fields, self._label)
        except InvalidSignature as error:
            raise ValueError(f"this request cannot be signed ({error.reason})") from None
        inputs: dict[str, Member] = {**others[0], self._label: covered}
        signatures: dict[str, Member] = {**others[1], self._label: Item(sign(base))}
        return {**added, "signature-input": dictionary_text(inputs), "signature": dictionary_text(signatures)}

    def _covered(self, message: Message, has_body: bool) -> tuple[Item, ...]:
        items = [Item(name) for name in COVERED]
        names = list(message.target.parameters()) if self._by_parameter else []
        items += [Item("@query-param", (("name", name),)) for name in names] or [Item("@query")]
        if has_body:
            items.append(Item(FIELD))
        known = {str(item) for item in items}
        return (*items, *(Item(one.name, tuple(one.parameters.items())) for one in self._more if one.text not in known))

    def _parameters(self, algorithm: str) -> Parameters:
        now = int(self._clock())
        given: list[tuple[str, Any]] = [("created", now)]
        if self._expires is not None:
            given.append(("expires", now + self._expires))
        if self._nonce:
            given.append(("nonce", self._random(16).hex()))
        given += [("keyid", self._keyid), ("alg", algorithm)]
        if self._tag is not None:
            given.append(("tag", self._tag))
        return tuple(given)


def sign(key: Any, method: str, url: str, headers: AnyHeaders = (), body: bytes = b"", **settings: Any) -> dict[str, str]:
    """The headers of one signed request: see `Signer`, which is built once for many, and its settings."""
    held = key_of(key)
    del key
    return Signer(held, **settings).sign(method, url, headers, body)


async def asign(
    key: Any, method: str, url: str, headers: AnyHeaders = (), body: bytes = b"", **settings: Any
) -> dict[str, str]:
    """`sign` on an event loop, which it does not block."""
    held = key_of(key)
    del key
    return await Signer(held, **settings).asign(method, url, headers, body)


def _others(headers: Headers, label: str) -> tuple[dict[str, Member], dict[str, Member]]:
    """The signatures that the request has already, by others: they stay beside ours."""
    inputs = parse_dictionary(headers.get("signature-input", ""), "signature_malformed")
    signatures = parse_dictionary(headers.get("signature", ""), "signature_malformed")
    inputs.pop(label, None)
    signatures.pop(label, None)
    return inputs, signatures


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()
