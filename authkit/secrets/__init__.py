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
    from .files import MountedFiles
    from .parameterstore import ParameterStore
    from .secretsmanager import SecretsManager

__all__ = [
    "Dotenv",
    "Environment",
    "Hardcoded",
    "MountedFiles",
    "ParameterStore",
    "Secret",
    "SecretSource",
    "SecretVersions",
    "Secrets",
    "SecretsManager",
]

_LATER = {"MountedFiles": "files", "ParameterStore": "parameterstore", "SecretsManager": "secretsmanager"}


def __getattr__(name: str) -> object:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module 'authkit.secrets' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"authkit.secrets.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_LATER]
