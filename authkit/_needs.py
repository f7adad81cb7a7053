"""What is needed and not installed is said by name, when it is first asked for, with the command that brings it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def needs(module: str, install: str = "authkit-middleware") -> ModuleType:
    """The module of that dotted name, imported. Its top package is what `install` brings, as pip spells it.

    Nothing decides with less than it was written to use: there is no weaker way for when a library is missing.
    Raises: `ConfigurationError` if it cannot be imported, with the command that installs it.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:  # also one that is there and broken: for another machine, or half removed
        from .errors import ConfigurationError

        package = module.partition(".")[0]
        raise ConfigurationError(f'{package} cannot be imported and is needed here: pip install "{install}"') from error
