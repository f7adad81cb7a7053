"""`ParameterStore`: secrets in the Parameter Store of AWS Systems Manager."""

from __future__ import annotations

import re

from ..errors import AuthkitError, ConfigurationError, SecretNotFound, SecretUnavailable
from ._aws import TIMEOUT, AccessMissing, Aws, epoch_seconds
from .source import SecretSource, dated, versions_named
from .versions import sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from .versions import Sealed, SecretVersions

    Parameters: TypeAlias = dict[str, tuple[Sealed, float | None]]

BATCH = 10  # parameters in one GetParameters
ENDS = ("", "__PREVIOUS", "__PENDING", "__PREVIOUS_UNTIL")
_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_PREFIX = re.compile(r"/([A-Za-z0-9_.-]+/)*|[A-Za-z0-9_.-]*")


class ParameterStore(SecretSource):
    """`ParameterStore(prefix="/app/prod/")`: the parameter `/app/prod/NAME` is the secret NAME.

    Beside it stand `NAME__PREVIOUS`, `NAME__PENDING` and `NAME__PREVIOUS_UNTIL` (epoch seconds), read in the same call. A
    prefix that begins with `/` is a path, and ends with one whether it is written or not; another is put before the name as it
    is. The grace of a previous value without an end counts from when it or the current one was last written. Values are asked
    for decrypted; a parameter of type String is taken too, though AWS keeps it in clear.

    `region`, `endpoint`, `role`, `profile`, `client`, `timeout`: as `SecretsManager` has them. Needs the right
    ssm:GetParameters, and kms:Decrypt where the key is your own.

    Raises: `ConfigurationError` for a prefix, region, endpoint or role that cannot be one.
    """

    def __init__(
        self,
        prefix: str = "/",
        *,
        region: str | None = None,
        endpoint: str | None = None,
        role: str | None = None,
        profile: str | None = None,
        client: Any = None,
        timeout: float = TIMEOUT,
        **ports: Any,
    ) -> None:
        self.prefix = parameter_path(prefix)
        self._aws = Aws(
            "ssm", region=region, endpoint=endpoint, role=role, profile=profile, client=client, timeout=timeout, **ports
        )

    def fetch(self, name: str) -> SecretVersions:
        """All versions of one secret, in one call.

        Raises: `SecretNotFound`; `SecretUnavailable` if AWS does not answer in time, throttles, cannot decrypt, or refuses
        because a right is missing, which the message names; `ConfigurationError` for an end that is no number.
        """
        return self.fetch_many((name,))[name]

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> Mapping[str, SecretVersions]:
        """The secrets of `names`: two in a call, ten with `current_only`.

        Raises: as `fetch`, for `names[0]`.
        """
        if not _NAME.fullmatch(names[0]):
            raise SecretNotFound(f"{names[0]} cannot be the name of a parameter")
        deadline = self._aws.deadline()
        ends = ENDS[:1] if current_only else ENDS
        wanted = [name for name in names if _NAME.fullmatch(name)]
        size = BATCH // len(ends)
        found: dict[str, SecretVersions] = {}
        calls = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        while calls:
            batch = calls.pop(0)
            values, failure = self._get(batch, ends, deadline)
            if failure is None:
                self._read(batch, values, names[0], found)
            elif names[0] in found:
                break  # what has been read is answer enough
            elif len(batch) > 1 and isinstance(failure, AccessMissing):
                calls = [[names[0]]]  # one name that is not ours to read spoils the whole call
            else:
                raise failure
        return found

    def _get(self, names: Sequence[str], ends: Sequence[str], deadline: float) -> tuple[Parameters, AuthkitError | None]:
        asked = [self.prefix + name + end for name in names for end in ends]
        about = f"the parameter{'s' if len(names) > 1 else ''} {', '.join(self.prefix + name for name in names)}"
        try:
            values = _values(self._aws.call("GetParameters", about, deadline, {"Names": asked, "WithDecryption": True}))
        except AuthkitError as error:
            return {}, error.with_traceback(None)
        if values is None:
            return {}, SecretUnavailable(f"{about} cannot be read: what answered is not AWS Systems Manager")
        return values, None

    def _read(self, names: Sequence[str], values: Parameters, wanted: str, found: dict[str, SecretVersions]) -> None:
        for name in names:
            times: list[float] = []

            def find(one: str, optional: bool, times: list[float] = times) -> Sealed | None:
                value, written = values.get(self.prefix + one, (None, None))
                times += () if written is None else (written,)
                return value

            try:
                versions = versions_named(name, find, str(self))
            except ConfigurationError:
                if name == wanted:
                    raise
            else:
                if versions is not None:
                    found[name] = dated(versions, max(times, default=None))
                elif name == wanted:
                    raise SecretNotFound(f"the secret {name} is not in {self}")

    def __repr__(self) -> str:
        region = f", region={self._aws.region!r}" if self._aws.region is not None else ""
        return f"ParameterStore({self.prefix!r}{region})"

    __str__ = __repr__


def parameter_path(prefix: str) -> str:
    """`prefix` as it is put before names. Raises: `ConfigurationError` if no parameter's name can begin like that."""
    path = prefix + "/" if prefix.startswith("/") and not prefix.endswith("/") else prefix
    if not _PREFIX.fullmatch(path):
        raise ConfigurationError("a prefix of parameters is a path like /app/prod/, or letters, digits, '.', '-' and '_'")
    return path


def _values(answer: Callable[[], dict[str, Any]]) -> Parameters | None:
    """Value and time of each parameter; None if it is no answer. It raises nothing, because its locals hold values."""
    told = answer()
    if not isinstance(told.get("Parameters"), list) or not isinstance(told.get("InvalidParameters"), list):
        return None
    try:
        return {
            one["Name"]: (sealed(one["Value"]), epoch_seconds(one.get("LastModifiedDate")))
            for one in told["Parameters"]
            if isinstance(one["Value"], str)
        }
    except (AttributeError, KeyError, TypeError):
        return None
