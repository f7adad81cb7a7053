"""Targets and their journals by what a user types: `dotenv:PATH`, `files:DIR`, `aws:NAME[@region]`, `ssm:PREFIX[@region]`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .journal import Journal
    from .target import RotationTarget


def open_target(spec: str) -> RotationTarget:
    """The target that `spec` names. No I/O. Raises: `ConfigurationError` for one that is unknown or cannot change (`env`)."""
    raise NotImplementedError


def open_journal(spec: str) -> Journal:
    """The journal that belongs to `spec`: `PATH.history.jsonl` beside a file or a directory, else under `$XDG_STATE_HOME`."""
    raise NotImplementedError
