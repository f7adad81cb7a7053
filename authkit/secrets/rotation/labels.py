"""Where the staging labels of one Secrets Manager secret are, and moving them so that of two who try only one succeeds."""

from __future__ import annotations

import uuid

from ...errors import ConfigurationError
from ._aws_calls import DENIED
from .target import Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..versions import Sealed
    from ._aws_calls import AwsCalls

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
STEP = "authkit-next"  # on a version that is about to become current without having been pending; nobody reads it
UNTIL_TAG = "authkit:previous-until"  # "EPOCH_SECONDS VERSION_ID": until when the version AWSPREVIOUS is on is accepted
TOKENS = 32  # new values tried on one current version and thrown away; more is a loop, not a rotation
_TOKENS = uuid.UUID("6c7c4b2e-6a0e-5d0f-9b1e-0d2a5f3a9d11")  # ours alone; any constant would do
_MISSING = "ResourceNotFoundException"
_CONFLICT = ("InvalidParameterException", "InvalidRequestException", _MISSING)


class Labels:
    """What DescribeSecret said at one moment. A version never changes, only its labels do."""

    __slots__ = ("arn", "name", "on", "stages", "until", "rotates")

    def __init__(self, told: dict[str, Any]) -> None:
        self.arn: str = told["ARN"]
        self.name: str = told["Name"]
        self.stages: dict[str, list[str]] = told.get("VersionIdsToStages") or {}
        self.on = {label: version for version, labels in self.stages.items() for label in labels}
        self.rotates = told.get("RotationEnabled") is True
        tags = {tag.get("Key"): tag.get("Value") or "" for tag in told.get("Tags") or ()}
        end, _, version = tags.get(UNTIL_TAG, "").partition(" ")
        known = end.isascii() and end.isdigit() and len(end) <= 12 and version == self.previous
        self.until = int(end) if known else None

    @property
    def current(self) -> str | None:
        """The version that is in use."""
        return self.on.get(CURRENT)

    @property
    def previous(self) -> str | None:
        """The version that was current before; None too where it is the current one."""
        return self.on[PREVIOUS] if self.on.get(PREVIOUS) != self.current and PREVIOUS in self.on else None

    @property
    def pending(self) -> str | None:
        """The version that comes next; None too where it is the current one already."""
        return self.on[PENDING] if self.on.get(PENDING) != self.current and PENDING in self.on else None

    def token(self, base: str, attempt: int) -> str:
        """The id of the version that follows `base`, the same whoever asks: of two who stage on one base, one is refused."""
        return str(uuid.uuid5(_TOKENS, f"{self.arn}\0{base}\0{attempt}"))


def first_token(secret_id: str) -> str:
    """The id of the first version of a secret that is to be made: the same when the call is repeated."""
    return str(uuid.uuid5(_TOKENS, secret_id))


class LabelledSecret:
    """One secret and its labels, through `calls`."""

    def __init__(self, calls: AwsCalls, secret_id: str) -> None:
        self._calls = calls
        self._id = secret_id
        self._warned = False
        self.arn: str | None = None  # once it was described

    def describe(self) -> Labels | None:
        """None if there is no such secret."""
        answer = self._calls("DescribeSecret", SecretId=self._id, expect=(_MISSING,))
        self.arn = answer.fields.get("ARN")
        if answer.code is not None:
            return None
        if answer.fields.get("DeletedDate") is not None:
            raise ConfigurationError(f"the secret {self._id} is marked for deletion")
        return Labels(answer.fields)

    def value(self, version: str | None) -> Sealed | None:
        """What that version holds; None if there is no version, or one without a value."""
        if version is None:
            return None
        return self._calls("GetSecretValue", SecretId=self._id, VersionId=version, expect=(_MISSING,)).value

    def base_of(self, labels: Labels, version: str) -> str | None:
        """The version that `version` was made to follow; None if it was not made here."""
        for base in self._versions(labels):
            if any(labels.token(base, attempt) == version for attempt in range(TOKENS)):
                return base
        return None

    def history(self) -> list[dict[str, Any]]:
        """Version, time of creation in epoch seconds, and labels of every version that AWS still has, newest first."""
        found = [
            {
                "version": told["VersionId"],
                "created": told["CreatedDate"].timestamp(),
                "labels": tuple(told.get("VersionStages") or ()),
            }
            for told in self._listed()
        ]
        return sorted(found, key=lambda one: one["created"], reverse=True)

    def _versions(self, labels: Labels) -> Iterator[str]:
        yield from labels.stages
        for told in self._listed():
            yield told["VersionId"]

    def _listed(self) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = {"SecretId": self._id, "IncludeDeprecated": True}
        while True:
            told = self._calls("ListSecretVersionIds", **asked).fields
            yield from told.get("Versions") or ()
            if not told.get("NextToken"):
                return
            asked["NextToken"] = told["NextToken"]

    def add(self, labels: Labels, value: Sealed, label: str = PENDING, *, instead: bool = False) -> Labels:
        """Make the version that follows the current one, with `label` on it. Of AWSPENDING whoever came first on that base has
        it, and his value is the pending one.

        A version of that id without the label was thrown away or rolled back once, and the next id is taken; `instead`: also
        where the label is on it, for which the new one takes its place.
        """
        assert labels.current is not None
        for attempt in range(TOKENS):
            token = labels.token(labels.current, attempt)
            if token in labels.stages and (instead or labels.on.get(PENDING) != token or label != PENDING):
                continue
            answer = self._calls(
                "PutSecretValue",
                value,
                SecretId=self._id,
                ClientRequestToken=token,
                VersionStages=[label],
                expect=("ResourceExistsException",),
            )
            now = self.describe()
            if now is None or now.current != labels.current:
                if now is not None and answer.code is None and now.on.get(label) == token != now.current:
                    self.remove(label, token)
                raise self.busy()
            if now.on.get(label) not in (None, token, labels.on.get(label)):
                raise self.busy()
            # The answer counts, not what DescribeSecret says so soon after it. A put that AWS ignored has put no label.
            if label in (answer.fields.get("VersionStages") or ()) or (label == PENDING and now.on.get(label) == token):
                now.on[label] = token
                return now
        raise ConfigurationError(
            f"{TOKENS} new values of {self._id} were thrown away: set one by hand before the next rotation"
        )

    def promote(self, labels: Labels, to: str) -> None:
        """Put AWSCURRENT on `to`, if it still is where `labels` saw it; AWS puts AWSPREVIOUS where it was."""
        answer = self._calls(
            "UpdateSecretVersionStage",
            SecretId=self._id,
            VersionStage=CURRENT,
            MoveToVersionId=to,
            RemoveFromVersionId=labels.current,
            expect=_CONFLICT,
        )
        if answer.code is not None:
            now = self.describe()
            if now is not None and now.current == labels.current:  # nobody was faster: a replica, say
                raise ConfigurationError(f"AWS refuses to move {CURRENT} of {self._id}: {answer.code}")
            if now is None or now.current != to:  # else it was done by a call whose answer was lost
                raise self.busy()

    def remove(self, label: str, version: str) -> None:
        """Take `label` off `version`; it is not on it: nothing changes."""
        answer = self._calls(
            "UpdateSecretVersionStage",
            SecretId=self._id,
            VersionStage=label,
            RemoveFromVersionId=version,
            expect=_CONFLICT,
        )
        if answer.code is not None:
            now = self.describe()
            if now is not None and now.on.get(label) == version:
                raise ConfigurationError(f"AWS refuses to take {label} off a version of {self._id}: {answer.code}")

    def tag_until(self, labels: Labels, previous_until: float) -> None:
        """Write down until when the version that is current now will be accepted once it is the previous one."""
        tag = {"Key": UNTIL_TAG, "Value": f"{int(previous_until)} {labels.current}"}
        answer = self._calls("TagResource", SecretId=self._id, Tags=[tag], expect=DENIED)
        if answer.code is not None and not self._warned:
            import logging

            self._warned = True
            logging.getLogger("authkit.secrets").warning(
                "the right secretsmanager:TagResource on %s is missing: until when its previous value is accepted "
                "is decided by the grace of whoever reads it",
                self._id,
            )

    def busy(self) -> Busy:
        return Busy(f"somebody else is changing the secret {self._id}: look again before the next attempt")
