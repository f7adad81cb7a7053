"""Replacing a secret while it is in use: new ones made, staged, tested, promoted, and the old ones retired."""

from .target import Busy, RotationTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._member_versions import RotatedVersions as RotatedVersions
    from .aws_lambda import RotationFunction as RotationFunction
    from .aws_lambda import rotation_handler as rotation_handler
    from .directory import FilesTarget as FilesTarget
    from .dotenv_file import DotenvTarget as DotenvTarget
    from .engine import Rotation as Rotation
    from .journal import Journal as Journal
    from .outcome import NewValueRefused as NewValueRefused
    from .outcome import Outcome as Outcome
    from .outcome import PendingFound as PendingFound
    from .outcome import Plan as Plan
    from .outcome import RotationRefused as RotationRefused
    from .outcome import Status as Status
    from .outcome import StillInGrace as StillInGrace
    from .parameterstore import ParameterStoreTarget as ParameterStoreTarget
    from .secretsmanager import SecretsManagerTarget as SecretsManagerTarget
    from .targets import open_journal as open_journal
    from .targets import open_target as open_target

# Loaded on first use. `generate` is in the module of that name: a name here would be replaced by it.
_PLACES = {
    "_member_versions": ("RotatedVersions",),
    "aws_lambda": ("RotationFunction", "rotation_handler"),
    "directory": ("FilesTarget",),
    "dotenv_file": ("DotenvTarget",),
    "engine": ("Rotation",),
    "journal": ("Journal",),
    "outcome": ("NewValueRefused", "Outcome", "PendingFound", "Plan", "RotationRefused", "Status", "StillInGrace"),
    "parameterstore": ("ParameterStoreTarget",),
    "secretsmanager": ("SecretsManagerTarget",),
    "targets": ("open_journal", "open_target"),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Busy",
    "DotenvTarget",
    "FilesTarget",
    "Journal",
    "NewValueRefused",
    "Outcome",
    "ParameterStoreTarget",
    "PendingFound",
    "Plan",
    "RotatedVersions",
    "Rotation",
    "RotationFunction",
    "RotationRefused",
    "RotationTarget",
    "SecretsManagerTarget",
    "Status",
    "StillInGrace",
    "open_journal",
    "open_target",
    "rotation_handler",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
