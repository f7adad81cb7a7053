"""Where secret values come from, how they are remembered, and the handle that shows them to nobody."""

from .dotenv import Dotenv
from .environment import Environment
from .hardcoded import Hardcoded
from .memo import Secrets
from .secret import Secret
from .source import SecretSource
from .versions import SecretVersions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .files import MountedFiles as MountedFiles
    from .parameterstore import ParameterStore as ParameterStore
    from .redact import RedactingFilter as RedactingFilter
    from .secretsmanager import SecretsManager as SecretsManager

# Loaded on first use.
_PLACES = {
    "MountedFiles": "files",
    "ParameterStore": "parameterstore",
    "RedactingFilter": "redact",
    "SecretsManager": "secretsmanager",
}

__all__ = [
    "Dotenv",
    "Environment",
    "Hardcoded",
    "MountedFiles",
    "ParameterStore",
    "RedactingFilter",
    "Secret",
    "SecretSource",
    "SecretVersions",
    "Secrets",
    "SecretsManager",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
