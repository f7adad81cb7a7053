"""What can go wrong. A refusal is not an error: it is a `Deny`. No error ever admits a request."""

from __future__ import annotations


class AuthkitError(Exception):
    """Base of every exception that authkit raises on purpose."""


class ConfigurationError(AuthkitError):
    """A setting is missing or wrong. The message names the setting and never its value."""


class _Rejected(AuthkitError):
    """Something sent to us does not hold. `reason` is the stable audit code; it never reaches the client."""

    default_reason = "rejected"

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason or self.default_reason
        super().__init__(self.reason)


class InvalidToken(_Rejected):
    """The token is not one that this verifier accepts. `subject`: whose it was, where that is certain, for the log alone."""

    default_reason = "invalid_token"

    def __init__(self, reason: str | None = None, *, subject: str | None = None) -> None:
        self.subject = subject
        super().__init__(reason)


class InvalidSignature(_Rejected):
    """The signature of a webhook or of a signed request does not hold."""

    default_reason = "invalid_signature"


class InvalidCredentials(_Rejected):
    """User name and password do not belong together, or the user may not log in."""

    default_reason = "invalid_credentials"


class SecretNotFound(AuthkitError):
    """No source has a secret of this name. The message names the secret and the sources tried."""


class RequestError(_Rejected):
    """The request itself cannot be read. The client gets `status` and `code`."""

    status = 400
    code = "invalid_request"
    default_reason = "malformed_request"


class MalformedRequest(RequestError):
    """The request contradicts its own framing (a body marked base64 that is not, a repeated header)."""


class BodyTooLarge(RequestError):
    """The body is larger than the limit in force."""

    status = 413
    code = "content_too_large"
    default_reason = "body_too_large"


class BodyUnavailable(AuthkitError):
    """The body was read by somebody else before the guard came to it, or was never asked for. A mistake in the program."""


class Unavailable(AuthkitError):
    """A decision could not be made, because a dependency failed. Answered with 503; never admitted, never a 401.

    `retry_after`: whole seconds after which a client may try again.
    """

    def __init__(self, message: str = "a dependency is unavailable", *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = max(1, retry_after)


class SecretUnavailable(Unavailable):
    """A secret source did not answer."""


class StoreUnavailable(Unavailable):
    """A store did not answer."""
