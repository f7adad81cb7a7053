"""What a request with an HTTP message signature (RFC 9421) is refused for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ._exits import Wrong

if TYPE_CHECKING:
    from ._capture import Captured
    from ._explain import Asked, Explained


def of_signature(captured: Captured, asked: Asked) -> Explained:
    """Judged with the one key that was named, whatever the request calls it, and the settings that a service has by default.

    Raises: `Wrong` for what is no key, and where nothing says which URL was addressed.
    """
    from ..errors import ConfigurationError
    from ..secrets.secret import Secret
    from ..signatures import SignatureKey
    from ..signatures.why import why
    from ._explain import Explained

    secret = asked.keys(None).secret
    url = captured.url if asked.url is None else asked.url
    if secret is None or url is None:
        raise Wrong("a signature covers where a request is sent to: say the URL that the client addresses with --url")
    held = Secret.of(secret)
    now = asked.now if asked.now is not None else captured.received if captured.received is not None else time.time()
    notes = list(captured.notes)
    if asked.now is None and captured.received is not None:
        notes.append("judged as of when it was received, by the capture; --now says another time")
    if asked.url is None:
        notes.append("no --url: the URL of the capture was taken, which need not be the one that the client addressed")
    try:
        key = SignatureKey(held)
    except ConfigurationError:
        raise Wrong("the secret is no key of signatures: text of at least 32 bytes, a PEM or a JWK") from None
    try:
        found = why(lambda keyid: key, captured.method, url, captured.headers, captured.body, now)
    except ValueError:
        raise Wrong("--url is an absolute URL, encoded as it is sent: https://api.example.com/orders?page=2") from None
    if found is None:
        return Explained(captured.form, "signature", True, judged_at=now, notes=tuple(notes))
    return Explained(
        captured.form, "signature", False, None, None, found.reason, found.check, found.says, found.cause, found.mend,
        found.proven, found.tried, now, tuple(notes),
    )  # fmt: skip
