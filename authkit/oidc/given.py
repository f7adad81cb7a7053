"""What a provider is told: the literals of its constructor, and its AUTHKIT_* settings. For whoever writes a provider."""

from __future__ import annotations

import re

from .._fetch import checked_url as checked_url
from ..decision import Deny as Deny
from ..decision import Principal as Principal
from ..errors import AuthkitError as AuthkitError
from ..errors import ConfigurationError as ConfigurationError
from ..errors import InvalidToken as InvalidToken
from ..errors import Unavailable as Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from .profile import TokenProfile

    Get: TypeAlias = Callable[[str], str | None]

_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


def setting(get: Get, name: str) -> str:
    """The value of the setting `name`. Raises: `ConfigurationError` naming it if it is not set."""
    value = get(name)
    if value is None or not value.strip():
        raise ConfigurationError(f"{name} is not set")
    return value.strip()


def settings_list(get: Get, name: str) -> tuple[str, ...]:
    """The values of the setting `name`, parted by commas; none if it is not set."""
    return tuple(part.strip() for part in (get(name) or "").split(",") if part.strip())


def checked_text(name: str, value: object, pattern: str, shape: str) -> str:
    """`value`, if all of it matches the regular expression `pattern`. Raises: `ConfigurationError`: "`name` is `shape`"."""
    if not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is None:
        raise ConfigurationError(f"{name} is {shape}")
    return value


def checked_texts(name: str, values: object, pattern: str, shape: str) -> tuple[str, ...]:
    """`values`, one text or several, at least one, each as `checked_text` wants it. Raises: `ConfigurationError`."""
    if isinstance(values, str):
        return (checked_text(name, values, pattern, shape),)
    if not isinstance(values, (list, tuple, set, frozenset)) or not values:
        raise ConfigurationError(f"{name} is {shape}; or several")
    return tuple(checked_text(name, value, pattern, shape) for value in values)


def checked_flag(name: str, value: object) -> bool:
    """`value`, if it is True or False: 0, None and "false" are neither. Raises: `ConfigurationError`."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is True or False")
    return value


def checked_host(name: str, value: object) -> str:
    """`value` in lower case, if it is the bare name of a host: no scheme, port or path. Raises: `ConfigurationError`."""
    if not isinstance(value, str) or _HOST.fullmatch(value) is None:
        raise ConfigurationError(f"{name} is a host's name alone, like 'login.example.com': no https://, port, path or slash")
    return value.lower()


def checked_base(name: str, value: object) -> str:
    """`value` less a slash at its end, if it is an https URL without query, or http on this machine.

    Raises: `ConfigurationError`.
    """
    url = checked_url(name, value)
    if "?" in url:
        raise ConfigurationError(f"{name} is an https URL without a query")
    return url.rstrip("/")


def checked_profile(name: str, profile: TokenProfile, users_own: str) -> TokenProfile:
    """`profile`, if it takes no role, group or tenant from the claim `users_own`, which users write about themselves.

    Raises: `ConfigurationError`.
    """
    places = (*profile.roles, *profile.groups, profile.role, profile.tenant)
    if any(place is not None and place[0] == users_own for place in places):
        raise ConfigurationError(f"{name}: nobody's roles and groups are taken from {users_own}, which users write themselves")
    return profile


def keys_at(jwks_uri: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` of an `OIDCProvider`, whose keys are at `jwks_uri` unless they say otherwise."""
    if any(settings.get(name) is not None for name in ("jwks_uri", "discovery", "keys")):
        return dict(settings)
    return {**settings, "jwks_uri": jwks_uri}
