"""`sign` and `signed`: what a sender would send."""

from __future__ import annotations

import os
import time

from ..decision import _Value
from ..errors import InvalidSignature
from ..http import Headers
from .builtin import resolved
from .drafting import Draft
from .keys import Sealed, signing_key
from .options import settled
from .reading import told
from .timestamps import written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..secrets import SecretVersions
    from .keys import AnySecret
    from .scheme import Scheme

_set = object.__setattr__


class SignedDelivery(_Value):
    """A delivery that only wants to be sent. `headers`: those given and those that the scheme adds. `body` and `url`: as given,
    or with what the scheme writes into them."""

    __slots__ = ("method", "url", "headers", "body")
    method: str
    url: str | None
    headers: dict[str, str]
    body: bytes

    def __init__(self, method: str, url: str | None, headers: dict[str, str], body: bytes) -> None:
        _set(self, "method", method)
        _set(self, "url", url)
        _set(self, "headers", headers)
        _set(self, "body", body)

    def __repr__(self) -> str:  # a URL or header may be the secret itself
        return f"<SignedDelivery {sorted(self.headers)} ({len(self.body)} bytes)>"


def signed(
    scheme: str | Scheme,
    secret: AnySecret | None,
    body: bytes,
    timestamp: float | None = None,
    id: str | None = None,
    url: str | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> SignedDelivery:
    """What a sender would send with `body`, signed with the current value of `secret`, which for a key pair is the private key.

    Several secrets: one signature each where the scheme has room for several, else the first one's. `timestamp`: seconds
    since the epoch (default: now, or what the body says); `id`: of the delivery (default: a random one, if the scheme signs
    it). `headers`: those that are sent as well, where the scheme reads some. `options`: as for a `Verifier`. What the scheme
    does not use is left out.

    Raises: `ConfigurationError` as `Verifier` does; `TypeError` for a body that is not bytes; `ValueError` for an id, time or
    body that the scheme cannot carry.
    """
    hidden = Sealed(secret)
    del secret  # what is raised below may be shown with its locals
    order = _Order(scheme, hidden, body, timestamp, id, url, method, headers, options)
    return order.made([secret.versions() for secret in order.secrets])


async def asigned(
    scheme: str | Scheme,
    secret: AnySecret | None,
    body: bytes,
    timestamp: float | None = None,
    id: str | None = None,
    url: str | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> SignedDelivery:
    """`signed` on an event loop, which it does not block while a `Secret` is fetched."""
    hidden = Sealed(secret)
    del secret
    order = _Order(scheme, hidden, body, timestamp, id, url, method, headers, options)
    return order.made([await secret.aversions() for secret in order.secrets])


def sign(
    scheme: str | Scheme,
    secret: AnySecret | None,
    body: bytes,
    timestamp: float | None = None,
    id: str | None = None,
    url: str | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> dict[str, str]:
    """The headers that `signed` adds, for schemes that sign in headers alone.

    Raises: as `signed` does; `ValueError` where the signature would stand in the body or the URL.
    """
    hidden = Sealed(secret)
    del secret
    order = _Order(scheme, hidden, body, timestamp, id, url, method, headers, options)
    return order.headers([secret.versions() for secret in order.secrets])


async def asign(
    scheme: str | Scheme,
    secret: AnySecret | None,
    body: bytes,
    timestamp: float | None = None,
    id: str | None = None,
    url: str | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> dict[str, str]:
    """`sign` on an event loop, which it does not block while a `Secret` is fetched."""
    hidden = Sealed(secret)
    del secret
    order = _Order(scheme, hidden, body, timestamp, id, url, method, headers, options)
    return order.headers([await secret.aversions() for secret in order.secrets])


class _Order:
    """A delivery that only wants the key."""

    __slots__ = ("secrets", "_draft", "_id", "_moment", "_given", "_body", "_url", "_options")

    def __init__(
        self,
        scheme: str | Scheme,
        hidden: Sealed,
        body: bytes,
        timestamp: float | None,
        id: str | None,
        url: str | None,
        method: str,
        headers: Mapping[str, str] | None,
        options: Mapping[str, Any],
    ) -> None:
        if not isinstance(body, bytes):
            raise TypeError("the body is the bytes that will be sent")
        declared = resolved(scheme)
        hidden.check(declared, signing=True)
        self._options = settled(declared, options)
        if id is None and declared.signed_id:
            id = f"msg_{os.urandom(16).hex()}"
        self._moment = _moment(declared, timestamp) if declared.timed else None
        self._given = timestamp is not None
        self._id = id
        self._body = body
        self._url = url
        room = None if declared.separator is not None else 1 + len(declared.also)
        self.secrets = hidden.secrets[:room]
        self._draft = Draft(declared, body, url, method, headers or {}, self._options)
        # Whoever verifies can read what we are about to sign: this is known before a key is.
        if declared.plain:
            self._check({**_unsigned(declared, self._moment, id)}, body, url)

    def made(self, versions: list[SecretVersions]) -> SignedDelivery:
        """The delivery, with one signature for each of `secrets`."""
        draft = self._draft
        keys = [signing_key(draft.scheme, secret, values) for secret, values in zip(self.secrets, versions, strict=True)]
        try:
            draft.finished(keys, self._id, self._moment, given=self._given)
        except InvalidSignature as error:
            raise _cannot(draft.scheme, error) from None
        whole = {**draft.headers, **draft.added}
        self._check(whole, draft.body, draft.url)
        return SignedDelivery(draft.method, draft.url, whole, draft.body)

    def headers(self, versions: list[SecretVersions]) -> dict[str, str]:
        """The headers that are added, in which everything has to stand."""
        made = self.made(versions)
        if made.body != self._body or made.url != self._url:
            raise ValueError(f"webhook scheme {self._draft.scheme.name} signs in the body or the URL: use webhooks.signed")
        return {name: value for name, value in self._draft.added.items() if value}

    def _check(self, headers: Mapping[str, str], body: bytes, url: str | None) -> None:
        scheme = self._draft.scheme
        try:
            found = told(scheme, Headers(headers), body, url, self._draft.method, self._options)
        except InvalidSignature as error:
            raise _cannot(scheme, error) from None
        if self._id is not None and scheme.id and found.id != self._id:
            raise ValueError(f"webhook scheme {scheme.name} cannot carry this id")


def _cannot(scheme: Scheme, error: InvalidSignature) -> ValueError:
    return ValueError(f"webhook scheme {scheme.name} cannot carry this id, timestamp or body ({error.reason})")


def _unsigned(scheme: Scheme, moment: str | None, id: str | None) -> dict[str, str]:
    """The headers of a plain scheme, with a signature that is none."""
    signature, id_header, timestamp_header = scheme.places[0]
    item = f"{scheme.timestamp_item}{moment}{scheme.separator}" if scheme.timestamp_item is not None else ""
    found = {signature: f"{item}{scheme.prefix}0"}
    for header, value in ((timestamp_header, moment), (id_header, id)):
        if header is not None and value is not None:
            found[header] = value
    return found


def _moment(scheme: Scheme, timestamp: float | None) -> str:
    try:
        return written(time.time() if timestamp is None else timestamp, scheme.unit)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"webhook scheme {scheme.name} cannot carry this timestamp") from None
