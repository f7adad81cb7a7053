"""What is wrong with the issuer that the settings name: whether it answers, as whom, with which keys, at what time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import AuthkitError, ConfigurationError, Unavailable
from ._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..settings import Settings

SETTINGS = ("AUTHKIT_OIDC_ISSUER", "AUTHKIT_PROVIDER")


def issuer(source: Settings | None = None) -> Iterator[Finding]:
    """Nothing, where neither AUTHKIT_OIDC_ISSUER nor AUTHKIT_PROVIDER is set. It asks the issuer, over the network."""
    from .. import settings

    found = source or settings.default
    try:
        named = [name for name in SETTINGS if found.get(name) is not None]
    except AuthkitError:  # `.env` is refused: told where the files are looked at
        return
    if not named:
        return
    from ..guards._configured import verifiers

    try:
        [provider] = verifiers(found)
    except ConfigurationError as error:
        mend = "set what the message names; for whom its tokens are made out is AUTHKIT_AUDIENCE"
        yield Finding("error", "issuer_settings", named[0], str(error), mend)
        return
    yield from _asked(provider)


def _asked(provider: Any) -> Iterator[Finding]:
    from ..oidc import JWKS
    from ._oidc_asked import asked
    from ._oidc_findings import UNASKED, of_metadata
    from ._oidc_keys import MEND, of_issuer

    keys = getattr(provider, "keys", None)
    if not isinstance(keys, JWKS):  # keys that are given, or a provider that is asked about every token
        return
    if keys.discovery is None:
        yield from of_issuer(provider.issuer, keys._url)
        return
    try:
        metadata = asked(keys.discovery.url, "its metadata")
    except Unavailable as error:
        yield Finding("error", "issuer_unreachable", provider.issuer, str(error), MEND)
        return
    found = list(of_metadata(provider.issuer, metadata))
    yield from found
    if not any(finding.code in UNASKED and finding.severity == "error" for finding in found):
        told = {finding.code for finding in found}
        yield from (each for each in of_issuer(provider.issuer, str(metadata.said["jwks_uri"])) if each.code not in told)
