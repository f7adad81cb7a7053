"""The schemes that come with authkit, each as its sender documents it. A new one is an entry here, not a class."""

from __future__ import annotations

from ..errors import ConfigurationError
from .scheme import Scheme

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

BUILTIN = (
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries; the older sha1 header is not read:
    # whoever sends chooses the header, and so would choose the hash
    Scheme("github", signature="X-Hub-Signature-256", prefix="sha256=", id="X-GitHub-Delivery", verified=True),
    # https://docs.stripe.com/webhooks/signature; the secret is used as shown, its "whsec_" included; v0 is for tests
    Scheme(
        "stripe",
        signature="Stripe-Signature",
        separator=",",
        prefix="v1=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
        verified=True,
    ),
    # https://github.com/standard-webhooks/standard-webhooks (spec); Svix sends the same under its own header names
    Scheme(
        "standard-webhooks",
        signature=("webhook-signature", "svix-signature"),
        separator=" ",
        prefix="v1,",
        id=("webhook-id", "svix-id"),
        timestamp=("webhook-timestamp", "svix-timestamp"),
        signed="{id}.{timestamp}.{body}",
        key="base64",
        key_prefix="whsec_",
        encoding="base64",
        verified=True,
    ),
)

_BY_NAME = {scheme.name: scheme for scheme in BUILTIN}


def schemes() -> Mapping[str, Scheme]:
    """Every built-in scheme by name, read-only."""
    from types import MappingProxyType

    return MappingProxyType(_BY_NAME)


def resolved(scheme: str | Scheme) -> Scheme:
    """The scheme of that name, or the scheme itself. Raises: `ConfigurationError` for a name that is none."""
    if isinstance(scheme, Scheme):
        return scheme
    found = _BY_NAME.get(scheme) if isinstance(scheme, str) else None
    if found is None:
        raise ConfigurationError(f"unknown webhook scheme; known: {', '.join(sorted(_BY_NAME))}; or pass a webhooks.Scheme")
    return found
