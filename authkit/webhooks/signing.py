"""`sign`: the headers that a sender would send."""

from __future__ import annotations

import os
import time

from ..errors import InvalidSignature
from .builtin import resolved
from .delivery import read
from .keys import Sealed, keys_of
from .mac import encoder

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    if not isinstance(body, bytes):
        raise TypeError("the body is the bytes that will be sent")
    declared = resolved(scheme)
    hidden.check(declared)
    if id is None and declared.signed_id:
        id = f"msg_{os.urandom(16).hex()}"
    moment = _text(time.time() if timestamp is None else timestamp, declared.unit) if declared.timed else None
    _check(declared, _headers(declared, ["0"], moment, id), id)
    before, after = declared.around(id, moment, method, url)
    return _headers(declared, _signatures(declared, hidden, before, body, after), moment, id)


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


def _signatures(scheme: Scheme, secret: Sealed, before: bytes, body: bytes, after: bytes) -> list[str]:
    encode = encoder(scheme.encoding)
    secrets = secret.secrets if scheme.separator is not None else secret.secrets[:1]
    signatures = []
    for one in secrets:
        (mac, *_), *_ = keys_of(scheme, (one,), (one.versions(),), several=False)
        signatures.append(encode(mac.digest(before, body, after)))
    return signatures


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
