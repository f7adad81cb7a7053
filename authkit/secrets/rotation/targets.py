"""Targets and their journals by what a user types: `dotenv:PATH`, `files:DIR`, `aws:NAME[@region]`, `ssm:PREFIX[@region]`."""

from __future__ import annotations

import os

from ...errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .journal import Journal
    from .target import RotationTarget


def open_target(spec: str, *, backup: bool = False) -> RotationTarget:
    """The target that `spec` names. No I/O. `backup`: keep the old file, where it is one.

    Raises: `ConfigurationError` for one that is unknown or cannot be changed (`env`).
    """
    kind, rest = _parts(spec)
    if kind == "dotenv":
        from .dotenv_file import DotenvTarget

        return DotenvTarget(rest, backup=backup)
    if kind == "files":
        from .directory import FilesTarget

        return FilesTarget(rest)
    from .._aws import split_region

    name, region = split_region(rest)
    if kind == "aws":
        from .secretsmanager import SecretsManagerTarget

        return SecretsManagerTarget(name, region=region)
    from .parameterstore import ParameterStoreTarget

    return ParameterStoreTarget(name, region=region)


def open_journal(spec: str) -> Journal:
    """The journal that belongs to `spec`: `PATH.history.jsonl` beside a file or a directory, else under `$XDG_STATE_HOME`,
    one for all of AWS's secrets or parameters: how one is spelled says too little of where it is."""
    from ._folder import spelled
    from .journal import BESIDE, Journal, state_file

    kind, rest = _parts(spec)
    if kind in ("dotenv", "files"):
        return Journal((spelled(rest) if kind == "dotenv" else os.path.realpath(rest)) + BESIDE)
    return Journal(state_file(kind))


def _parts(spec: str) -> tuple[str, str]:
    kind, _, rest = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if kind == "env":
        raise ConfigurationError("the environment of a process cannot be changed from outside: name where it comes from")
    if spec == "dotenv":
        return "dotenv", ".env"
    if kind not in ("dotenv", "files", "aws", "ssm") or not rest:
        raise ConfigurationError("a target is dotenv:PATH, files:DIR, aws:NAME[@region] or ssm:PREFIX[@region]")
    return kind, rest
