"""`ParameterStoreTarget`: rotation in the Parameter Store of AWS Systems Manager, several parameters one after the other."""

from __future__ import annotations

import re
from contextlib import contextmanager
from random import random as _uniform
from threading import local
from time import sleep as _sleep

from ...errors import ConfigurationError, SecretNotFound
from ..parameterstore import parameter_path
from ..source import versions_named
from ..versions import SecretVersions, as_bytes, is_blank, sealed
from ._aws_calls import AwsCalls
from ._same import same_value
from .target import Busy, RotationTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..versions import Sealed

PREVIOUS, PENDING, UNTIL = "__PREVIOUS", "__PENDING", "__PREVIOUS_UNTIL"
BACK = "__ROLLBACK"  # a roll-back's own note of where it goes; no source reads it
_ENDS = ("", PREVIOUS, PENDING, UNTIL, BACK)
_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")


class _Kept:
    """The parameters of one secret at one moment, what is blank left out. `version`: the number of NAME's last change."""

    __slots__ = ("values", "version", "pending")

    def __init__(self, values: dict[str, Sealed], version: int, pending: str | None) -> None:
        self.values = {end: value for end, value in values.items() if not is_blank(value())}
        self.version = version
        self.pending = pending  # what tells NAME__PENDING from another one of that name, before or after it

    def same(self, one: str, other: str) -> bool:
        """Whether both are there and equal."""
        return one in self.values and other in self.values and same_value(self.values[one], self.values[other])


class ParameterStoreTarget(RotationTarget):
    """SecureString parameters: NAME, and beside it NAME__PREVIOUS, NAME__PENDING and NAME__PREVIOUS_UNTIL, below `prefix`.

    `prefix`: as `ParameterStore` takes it. `key`: the KMS key for parameters that are new; one that is there keeps its own.

    Parameter Store changes one parameter at a time, so that a step here is not one atomic change. The order makes up for it:
    the current value is written to NAME__PREVIOUS and its end to NAME__PREVIOUS_UNTIL before NAME changes, and NAME__PENDING
    goes last. At every instant NAME holds a whole value that was in use or is meant to be, and a killed step is finished by the
    same step. Only a roll-back has an instant in which the value it brings back is neither current nor previous. Where that
    matters use Secrets Manager, or one parameter that holds everything and a source of your own.

    There is no lock. `locked` remembers NAME's version number, and every step refuses with `Busy` once it is another; two who
    promote within the same milliseconds write the same values, because NAME__PENDING is made by one of them only.

    AWS asks to wait 30 seconds before a deleted parameter is made again: rotate and retire no faster than that. Needs the
    rights ssm:GetParameters, PutParameter, DeleteParameter and DescribeParameters, and kms:Encrypt and kms:Decrypt.
    """

    def __init__(
        self,
        prefix: str = "/",
        region: str | None = None,
        endpoint: str | None = None,
        role: str | None = None,
        client: Any = None,
        *,
        key: str | None = None,
        sleep: Callable[[float], object] = _sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        self._prefix = parameter_path(prefix)
        self._calls = AwsCalls("ssm", region=region, endpoint=endpoint, role=role, client=client, sleep=sleep, random=random)
        self._key = key
        self._where = f"ssm:{self._prefix}" + (f"@{region}" if region else "")
        self._arn: str | None = None  # of the prefix, once one of its parameters was read
        self._held = local()  # .version: NAME's version when this thread took the lock

    def names(self) -> list[str]:
        """The parameters below the prefix. No value is asked for."""
        found = [told["Name"][len(self._prefix) :] for told in self._described("BeginsWith", self._prefix)]
        return sorted(name for name in found if name and not name.endswith(_ENDS[1:]))

    def read(self, name: str) -> SecretVersions:
        """A previous or pending value that is the current one is none: so an interrupted step looks until it is finished."""
        kept = self._look(name)
        shown = dict(kept.values)
        if BACK in shown and not kept.same("", BACK):
            shown[PREVIOUS] = shown[BACK]  # a roll-back was interrupted: nothing has gone back, whatever was written
            shown.pop(UNTIL, None)
        elif kept.same("", PREVIOUS):
            del shown[PREVIOUS]
            shown.pop(UNTIL, None)
        if kept.same("", PENDING):
            del shown[PENDING]
        versions = versions_named(name, lambda wanted, optional: shown.get(wanted[len(name) :]), str(self))
        assert versions is not None
        return versions

    def ids(self, name: str) -> tuple[str | None, str | None]:
        """Their version numbers, and when they were made."""
        kept = self._get(name)
        return (None, None) if kept is None else (str(kept.version), kept.pending if PENDING in kept.values else None)

    def place(self, name: str) -> str:
        """By the ARN of the prefix, which names the account and the region; as it is spelled where NAME is not there yet."""
        if self._arn is None:
            self._get(name)
        return self._where if self._arn is None else f"ssm:{self._arn}"

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Optimistic: see the class. What a killed step left behind after it was done is taken away first."""
        kept = self._get(name)
        if kept is not None:
            self._tidy(name, kept)
        self._held.version = 0 if kept is None else kept.version
        try:
            yield
        finally:
            self._held.version = None

    def create(self, name: str, value: Sealed) -> None:
        """NAME first, then what was kept of older values goes."""
        if not _NAME.fullmatch(name) or name.endswith(_ENDS[1:]):
            raise ConfigurationError("the name of a parameter is letters, digits, '.', '-', '_' and '/', without our endings")
        kept = self._get(name)
        if kept is not None:
            self._check_held(name, kept)
        self._put(name, "", value, overwrite=kept is not None)
        self._drop(name, BACK, PREVIOUS, UNTIL)

    def stage(self, name: str, value: Sealed) -> None:
        """NAME__PENDING is made, never overwritten: of two who stage, the first one's value is the pending one."""
        kept = self._begin(name)
        if PENDING in kept.values:
            return
        if not is_blank(value()) and same_value(value, kept.values[""]):
            raise ConfigurationError(f"the new value of {name} is the current one")
        try:
            self._put(name, PENDING, value, overwrite=False)
        except Busy:
            return
        try:
            self._check_held(name, self._look(name))
        except Busy:  # another one was through between our look and our writing
            self._drop(name, PENDING)
            raise

    def promote(self, name: str, previous_until: float) -> None:
        """NAME__PREVIOUS, its end, NAME, and then NAME__PENDING goes."""
        kept = self._begin(name)
        if PENDING not in kept.values:
            return
        self._drop(name, *(() if BACK not in kept.values else (BACK,)))
        self._replace(name, kept, kept.values[PENDING], previous_until)
        self._drop(name, PENDING)

    def roll_back(self, name: str, previous_until: float) -> None:
        """As a promotion, of the value before."""
        kept = self._begin(name)
        back = kept.values.get(BACK) or (None if kept.same("", PREVIOUS) else kept.values.get(PREVIOUS))
        if back is None:
            raise SecretNotFound(f"the secret {name} has no previous value in {self}")
        if BACK not in kept.values:
            self._put(name, BACK, back)
        self._replace(name, kept, back, previous_until)
        self._drop(name, BACK)

    def retire(self, name: str) -> None:
        """The value before its end: without the end it would be accepted for longer."""
        self._begin(name)
        self._drop(name, BACK, PREVIOUS, UNTIL)

    def discard(self, name: str) -> None:
        self._begin(name)
        self._drop(name, PENDING)

    def _replace(self, name: str, kept: _Kept, value: Sealed, previous_until: float) -> None:
        self._put(name, PREVIOUS, kept.values[""])
        self._put(name, UNTIL, sealed(str(int(previous_until))))
        self._put(name, "", value)

    def _begin(self, name: str) -> _Kept:
        kept = self._look(name)
        self._check_held(name, kept)
        return kept if not self._tidy(name, kept) else self._look(name)

    def _check_held(self, name: str, kept: _Kept) -> None:
        held = getattr(self._held, "version", None)
        if held is not None and held != kept.version:
            raise self._busy(name)

    def _tidy(self, name: str, kept: _Kept) -> bool:
        """What is a copy of the current value once a step is done. Whether there was any."""
        left = [end for end in (PENDING, BACK) if kept.same("", end)]
        self._drop(name, *left)
        return bool(left)

    def _look(self, name: str) -> _Kept:
        kept = self._get(name)
        if kept is None:
            raise SecretNotFound(f"the secret {name} is not in {self}")
        return kept

    def _get(self, name: str) -> _Kept | None:
        if not _NAME.fullmatch(name) or name.endswith(_ENDS[1:]):
            raise SecretNotFound(f"{name} cannot be the name of a secret in {self}")
        full = self._prefix + name
        told = self._calls("GetParameters", Names=[full + end for end in _ENDS], WithDecryption=True).fields["Parameters"]
        found = {one["Name"][len(full) :]: one for one in told}
        if "" not in found:
            return None
        arn = str(found[""].get("ARN") or "")
        self._arn = arn.removesuffix(name) if arn.endswith(full) else None
        kept = _Kept({end: one["Value"] for end, one in found.items()}, found[""]["Version"], _id(found.get(PENDING)))
        if "" not in kept.values:
            raise ConfigurationError(f"the secret {name} is blank in {self}")
        if found[""].get("Type") != "SecureString":
            raise ConfigurationError(f"{full} is a {found['']['Type']}, kept in clear: make it again as a SecureString")
        return kept

    def _put(self, name: str, end: str, value: Sealed, *, overwrite: bool = True) -> None:
        """Raises: `Busy` if it is there and not to be overwritten."""
        if is_blank(value()) or as_bytes(value()) is None:
            raise ConfigurationError(f"the value of {name} is empty, blank, or not text or bytes")
        answer = self._calls(
            "PutParameter",
            _text(value),
            Name=self._prefix + name + end,
            Type="SecureString",
            Overwrite=overwrite,
            **self._like(name),
            expect=("ParameterAlreadyExists",),
        )
        if answer.code is not None:
            raise self._busy(name)
        if end == "" and getattr(self._held, "version", None) is not None:
            if answer.fields["Version"] > self._held.version + answer.tries:  # somebody else's put was before ours
                raise self._busy(name)
            self._held.version = answer.fields["Version"]

    def _like(self, name: str) -> dict[str, str]:
        """The KMS key and the tier that NAME has: a put without a key would encrypt it with the account's own."""
        for told in self._described("Equals", self._prefix + name):
            return {field: told[field] for field in ("KeyId", "Tier") if told.get(field)}
        return {} if self._key is None else {"KeyId": self._key}

    def _described(self, option: str, name: str) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = {"ParameterFilters": [{"Key": "Name", "Option": option, "Values": [name]}]}
        while True:
            told = self._calls("DescribeParameters", **asked).fields
            yield from told["Parameters"]
            if not told.get("NextToken"):
                return
            asked["NextToken"] = told["NextToken"]

    def _drop(self, name: str, *ends: str) -> None:
        for end in ends:
            self._calls("DeleteParameter", Name=self._prefix + name + end, expect=("ParameterNotFound",))

    def _busy(self, name: str) -> Busy:
        return Busy(f"somebody else is changing {self._prefix}{name}: look again before the next attempt")

    def __str__(self) -> str:
        return self._where


def _id(told: dict[str, Any] | None) -> str | None:
    if told is None:
        return None
    made = told.get("LastModifiedDate")
    return f"{told.get('Version')} of {'?' if made is None else made.timestamp()}"


def _text(value: Sealed) -> Sealed:
    """A parameter is text. Bytes that are not UTF-8 are refused by AWS, not here, where they would be in sight."""
    held = value()
    return sealed(held.decode("utf-8", "surrogateescape")) if isinstance(held, bytes) else value
