"""For whoever writes a provider: what its constructor and its settings are checked with, and what else it is made of.

Beside `OIDCProvider` and `TokenProfile`, which most of them are made of; errors and `Principal` are those of `authkit`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .allowed import Allowed as Allowed
    from .asking_json import AskingJSON as AskingJSON
    from .asking_json import hidden as hidden
    from .calling_json import Called as Called
    from .calling_json import CallingJSON as CallingJSON
    from .given import AuthkitError as AuthkitError
    from .given import ConfigurationError as ConfigurationError
    from .given import Deny as Deny
    from .given import InvalidToken as InvalidToken
    from .given import Principal as Principal
    from .given import Unavailable as Unavailable
    from .given import checked_base as checked_base
    from .given import checked_flag as checked_flag
    from .given import checked_host as checked_host
    from .given import checked_profile as checked_profile
    from .given import checked_text as checked_text
    from .given import checked_texts as checked_texts
    from .given import checked_url as checked_url
    from .given import keys_at as keys_at
    from .given import setting as setting
    from .given import settings_list as settings_list
    from .key_by_id import KeysById as KeysById
    from .padded import PaddedToken as PaddedToken
    from .shared_secret import SharedSecret as SharedSecret
    from .shared_secret import secret_key as secret_key

_PLACES = {
    "Allowed": "allowed",
    "AskingJSON": "asking_json",
    "AuthkitError": "given",
    "Called": "calling_json",
    "CallingJSON": "calling_json",
    "ConfigurationError": "given",
    "Deny": "given",
    "InvalidToken": "given",
    "KeysById": "key_by_id",
    "PaddedToken": "padded",
    "Principal": "given",
    "SharedSecret": "shared_secret",
    "Unavailable": "given",
    "checked_base": "given",
    "checked_flag": "given",
    "checked_host": "given",
    "checked_profile": "given",
    "checked_text": "given",
    "checked_texts": "given",
    "checked_url": "given",
    "hidden": "asking_json",
    "keys_at": "given",
    "secret_key": "shared_secret",
    "setting": "given",
    "settings_list": "given",
}

__all__ = [
    "Allowed",
    "AskingJSON",
    "AuthkitError",
    "Called",
    "CallingJSON",
    "ConfigurationError",
    "Deny",
    "InvalidToken",
    "KeysById",
    "PaddedToken",
    "Principal",
    "SharedSecret",
    "Unavailable",
    "checked_base",
    "checked_flag",
    "checked_host",
    "checked_profile",
    "checked_text",
    "checked_texts",
    "checked_url",
    "hidden",
    "keys_at",
    "secret_key",
    "setting",
    "settings_list",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__package__}.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
