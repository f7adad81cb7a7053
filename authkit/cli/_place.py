"""The place that `--source` names: what it is asked with, and what may be changed in it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NoReturn

from ..errors import ConfigurationError
from ..secrets.rotation import RotationTarget
from ..secrets.versions import SecretVersions
from ._exits import Wrong

if TYPE_CHECKING:
    from ..secrets import SecretSource
    from ..secrets.rotation.engine import Rotation
    from ..secrets.rotation.journal import Journal
    from ..secrets.versions import Sealed

_CHANGEABLE = ("dotenv", "files", "aws", "ssm")
_SECRET = {
    *("SECRET", "SECRETS", "KEY", "KEYS", "APIKEY", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "PEPPER", "CREDENTIAL"),
    "CREDENTIALS",
}
_NO_SECRET = {  # last words that speak of a secret and are none
    *("ID", "IDS", "FILE", "PATH", "DIR", "URL", "URI", "TTL", "LENGTH", "SIZE", "NAME", "ALG", "ALGORITHM", "TYPE", "SECONDS"),
    *("HEADER", "PREFIX", "COUNT", "ENABLED", "ISSUER", "AUDIENCE", "ARN", "REGION", "UNTIL"),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_VERSIONS = ("__PREVIOUS", "__PENDING", "__PREVIOUS_UNTIL")


def source_of(spec: str) -> SecretSource:
    """What a service would read with. Raises: `ConfigurationError`."""
    from ..secrets.sources import open_source

    return open_source(spec)


def target_of(spec: str, *, backup: bool = False) -> RotationTarget:
    """The place itself; one that can only be read refuses when something is to change. Raises: `ConfigurationError`."""
    from ..secrets.rotation.targets import open_target

    if spec.partition(":")[0] not in _CHANGEABLE:
        return _OnlyRead(source_of(spec), spec)
    if backup and not spec.startswith("dotenv:"):
        raise Wrong("--backup is for a file: dotenv:PATH")
    return open_target(spec, backup=backup)


def journal_of(spec: str) -> Journal:
    """The journal of that place."""
    from ..secrets.rotation.journal import Journal, state_file
    from ..secrets.rotation.targets import open_journal

    return open_journal(spec) if spec.partition(":")[0] in _CHANGEABLE else Journal(state_file(spec))


def rotation_of(spec: str, *, backup: bool = False) -> tuple[Rotation, RotationTarget]:
    """The rotations of that place, and the place. Raises: `ConfigurationError`."""
    from ..secrets.rotation.engine import Rotation

    target = target_of(spec, backup=backup)
    return Rotation(target, journal=journal_of(spec)), target


def looks_secret(name: str) -> bool:
    """Whether a name says that a secret is behind it: a file of settings holds ports and addresses too."""
    words = [word.upper() for word in _WORD.findall(os.path.basename(name))]
    return bool(_SECRET & set(words)) and words[-1] not in _NO_SECRET and not {"PUBLIC", "PUBLISHABLE"} & set(words)


class _OnlyRead(RotationTarget):
    """The process environment, which belongs to whoever starts the process, or somebody else's source."""

    def __init__(self, source: SecretSource, spec: str) -> None:
        self._source = source
        self._spec = spec

    def names(self) -> list[str]:
        """The variables whose name says that they are secrets, or that have other versions beside them."""
        if self._spec != "env":
            raise ConfigurationError("this source can be asked for one secret at a time: give its name")
        found = [name for name in os.environ if not name.endswith(_VERSIONS)]
        return sorted(name for name in found if looks_secret(name) or any(name + end in os.environ for end in _VERSIONS))

    def read(self, name: str) -> SecretVersions:
        found = self._source.fetch(name)
        return found if isinstance(found, SecretVersions) else SecretVersions(found)

    def locked(self, name: str) -> NoReturn:
        if self._spec == "env":
            raise ConfigurationError("the environment of a process is set by whoever starts it: authkit cannot change it")
        raise ConfigurationError("this source can be read and not changed: rotate dotenv:, files:, aws: or ssm:")

    def create(self, name: str, value: Sealed) -> NoReturn:
        self.locked(name)

    stage = create

    def promote(self, name: str, previous_until: float) -> NoReturn:
        self.locked(name)

    roll_back = promote
    retire = discard = locked

    def __str__(self) -> str:
        return self._spec.partition(":")[0]
