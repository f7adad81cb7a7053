"""The schemes that come with authkit, each as its sender documents it. A new one is an entry in a table, not a class."""

from __future__ import annotations

from ..errors import ConfigurationError
from . import builtin_body, builtin_inside, builtin_jws, builtin_keys, builtin_plain, builtin_timed, builtin_tokens, builtin_url
from .scheme import Scheme

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .entry import Entry

BUILTIN: tuple[Entry, ...] = (
    *builtin_body.BODY_IN_HEX,
    *builtin_body.BODY_IN_BASE64,
    *builtin_timed.TIMED,
    *builtin_url.URL,
    *builtin_inside.INSIDE,
    *builtin_keys.KEYS,
    *builtin_jws.JWS,
    *builtin_tokens.TOKENS,
    *builtin_plain.PLAIN,
    *builtin_body.UNVERIFIED,
    *builtin_timed.UNVERIFIED,
    *builtin_inside.UNVERIFIED,
    *builtin_tokens.UNVERIFIED,
)

_ENTRIES = dict(sorted(BUILTIN))
_BUILT: dict[str, Scheme] = {}


def schemes() -> Mapping[str, Scheme]:
    """Every built-in scheme by name, read-only."""
    from types import MappingProxyType

    return MappingProxyType({name: resolved(name) for name in _ENTRIES})


def resolved(scheme: str | Scheme) -> Scheme:
    """The scheme of that name, or the scheme itself. Raises: `ConfigurationError` for a name that is none."""
    if isinstance(scheme, Scheme):
        return scheme
    fields = _ENTRIES.get(scheme) if isinstance(scheme, str) else None
    if fields is None:
        raise ConfigurationError(f"unknown webhook scheme; known: {', '.join(_ENTRIES)}; or pass a webhooks.Scheme")
    return _BUILT.get(scheme) or _BUILT.setdefault(scheme, Scheme(scheme, **fields))
