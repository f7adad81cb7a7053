"""`sign` and `asign`: the headers that a sender would send."""

from __future__ import annotations

import os
import time

from ..errors import InvalidSignature
from .builtin import resolved
from .delivery import read
from .keys import Sealed, signing_key
from .mac import encoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..secrets import SecretVersions
    from .keys import AnySecret
    from .scheme import Scheme


def sign(
    scheme: str | Scheme,
    secret: AnySecret | None,
    body: bytes,
    timestamp: float | None = None,
    id: str | None = None,
    url: str | None = None,
    method: str = "POST",
) -> dict[str, str]:
    """The headers that a sender would send with `body`, signed with the current value of `secret`.

    Several secrets: one signature each where the scheme has room for several, else the first one's. `timestamp`: seconds
    since the epoch (default: now); `id`: of the delivery (default: a random one, if the scheme signs it). What the scheme does
    not use is left out.

    Raises: `ConfigurationError` as `Verifier` does; `TypeError` for a body that is not bytes; `ValueError` for an id or time
    that the scheme cannot carry.
    """
    hidden = Sealed(secret)
    del secret  # what is raised below may be shown with its locals
    draft = _Draft(scheme, hidden, body, timestamp, id, url, method)
    return draft.signed([secret.versions() for secret in draft.secrets])


async def asign(
    scheme: str | Scheme,
    secret: AnySecret | None,
    body: bytes,
    timestamp: float | None = None,
    id: str | None = None,
    url: str | None = None,
    method: str = "POST",
) -> dict[str, str]:
    """`sign` on an event loop, which it does not block while a `Secret` is fetched."""
    hidden = Sealed(secret)
    del secret
    draft = _Draft(scheme, hidden, body, timestamp, id, url, method)
    return draft.signed([await secret.aversions() for secret in draft.secrets])


class _Draft:
    """A delivery that only wants the key."""

    __slots__ = ("secrets", "_scheme", "_id", "_moment", "_body", "_around")

    def __init__(
        self,
        scheme: str | Scheme,
        hidden: Sealed,
        body: bytes,
        timestamp: float | None,
        id: str | None,
        url: str | None,
        method: str,
    ) -> None:
        if not isinstance(body, bytes):
            raise TypeError("the body is the bytes that will be sent")
        declared = resolved(scheme)
        hidden.check(declared)
        if id is None and declared.signed_id:
            id = f"msg_{os.urandom(16).hex()}"
        moment = _text(time.time() if timestamp is None else timestamp, declared.unit) if declared.timed else None
        _check(declared, _headers(declared, ["0"], moment, id), id)
        self.secrets = hidden.secrets if declared.separator is not None else hidden.secrets[:1]
        self._scheme = declared
        self._id = id
        self._moment = moment
        self._body = body
        self._around = declared.around(id, moment, method, url)

    def signed(self, versions: list[SecretVersions]) -> dict[str, str]:
        """The headers, one signature for each of `secrets`."""
        encode = encoder(self._scheme.encoding)
        before, after = self._around
        keys = [signing_key(self._scheme, secret, values) for secret, values in zip(self.secrets, versions, strict=True)]
        signatures = [encode(key.digest(before, self._body, after)) for key in keys]
        return _headers(self._scheme, signatures, self._moment, self._id)


def _headers(scheme: Scheme, signatures: list[str], moment: str | None, id: str | None) -> dict[str, str]:
    signature_header, id_header, timestamp_header = scheme.places[0]
    if scheme.separator is None:
        headers = {signature_header: scheme.prefix + signatures[0]}
    else:
        items = [scheme.prefix + signature for signature in signatures]
        if scheme.timestamp_item is not None:
            items.insert(0, f"{scheme.timestamp_item}{moment}")
        headers = {signature_header: scheme.separator.join(items)}
    if timestamp_header is not None and moment is not None:
        headers[timestamp_header] = moment
    if id_header is not None and id is not None:
        headers[id_header] = id
    return headers


def _text(timestamp: float, unit: str) -> str:
    if unit == "s":
        return str(int(timestamp))
    if unit == "ms":
        return str(int(timestamp * 1000))
    from datetime import UTC, datetime

    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check(scheme: Scheme, headers: dict[str, str], id: str | None) -> None:
    """Whoever verifies can read what we are about to sign."""
    try:
        *_, found = read(scheme, headers)
    except InvalidSignature as error:
        raise ValueError(f"webhook scheme {scheme.name} cannot carry this id or timestamp ({error.reason})") from None
    if id is not None and scheme.id and found != id:
        raise ValueError(f"webhook scheme {scheme.name} cannot carry this id")
