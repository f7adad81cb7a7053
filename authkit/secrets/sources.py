"""Sources by what a user types: `env`, `dotenv:PATH`, `files:DIR`, `aws:NAME[@region]`, `ssm:PREFIX[@region]`, add-ons."""

from __future__ import annotations

from ..errors import ConfigurationError
from .source import SecretSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "authkit.secret_sources"  # the entry points of other distributions: a kind, and a callable that takes the rest


def open_source(spec: str) -> SecretSource:
    """The source that `spec` names. No I/O.

    `env`; `dotenv` (`.env`) or `dotenv:PATH`; `files:DIR`; `aws:NAME_OR_ARN[@region]`, or `aws[:@region]` where a name is a
    secret's own; `ssm:PREFIX[@region]`. Any other `kind:rest` is an entry point of the group `authkit.secret_sources`: a
    `SecretSource` class or a function that is called with `rest` and returns a source. Nothing replaces the kinds above.

    Raises: `ConfigurationError` for a kind that is unknown, that two distributions offer, or that does not give a source. The
    rest is never repeated: it may hold a credential.
    """
    kind, colon, rest = str(spec).partition(":")
    ours = _OURS.get(kind)
    if ours is not None:
        return ours(rest)
    if not colon:
        raise ConfigurationError(f"a source is written env, dotenv:PATH, aws:NAME, ssm:PREFIX, files:DIR{_others()}")
    return _theirs(kind, rest)


def _env(rest: str) -> SecretSource:
    from .environment import Environment

    if rest:
        raise ConfigurationError("env: takes nothing after it")
    return Environment()


def _dotenv(rest: str) -> SecretSource:
    from .dotenv import Dotenv

    return Dotenv(rest) if rest else Dotenv()


def _files(rest: str) -> SecretSource:
    from .files import MountedFiles

    return MountedFiles(rest)


def _aws(rest: str) -> SecretSource:
    from ._aws import split_region
    from .secretsmanager import SecretsManager

    name, region = split_region(rest)
    return SecretsManager(*([name] if name else []), region=region)


def _ssm(rest: str) -> SecretSource:
    from ._aws import split_region
    from .parameterstore import ParameterStore

    prefix, region = split_region(rest)
    if not prefix:
        raise ConfigurationError("ssm: is followed by the prefix of the parameters: ssm:/app/prod/")
    return ParameterStore(prefix, region=region)


_OURS: dict[str, Callable[[str], SecretSource]] = {"env": _env, "dotenv": _dotenv, "files": _files, "aws": _aws, "ssm": _ssm}


def _theirs(kind: str, rest: str) -> SecretSource:
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=kind))
    if not found:
        known = (
            kind if kind.isascii() and kind.replace("-", "").replace("_", "").isalnum() and len(kind) <= 40 else "of this kind"
        )
        raise ConfigurationError(
            f"no source {known} is known: write env, dotenv:PATH, aws:NAME, ssm:PREFIX, files:DIR{_others()}"
        )
    if len({entry.value for entry in found}) > 1:
        raise ConfigurationError(f"two distributions offer a source {kind}")
    source, failed = _opened(found[0].load, rest)
    if failed is not None:
        raise ConfigurationError(f"the source {kind} cannot be opened ({failed}), from {found[0].value}")
    if not isinstance(source, SecretSource):
        raise ConfigurationError(f"the source {kind} gave no SecretSource, from {found[0].value}")
    return source


def _opened(load: Callable[[], Callable[[str], object]], rest: str) -> tuple[object, str | None]:
    """What the add-on gives, or the kind of what it raised: its words may repeat what it was given."""
    try:
        return load()(rest), None
    except ConfigurationError as error:
        return None, str(error)
    except Exception as error:
        return None, type(error).__name__


def _others() -> str:
    from importlib.metadata import entry_points

    return "".join(f", {name}:..." for name in sorted({entry.name for entry in entry_points(group=GROUP)} - set(_OURS)))
