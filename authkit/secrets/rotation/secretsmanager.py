"""`SecretsManagerTarget`: rotation in AWS Secrets Manager, by moving its staging labels."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from random import random as _uniform
from threading import local

from ...errors import ConfigurationError, SecretNotFound
from .._aws import part_of_arn
from ..versions import SecretVersions, is_blank
from ._aws_calls import AwsCalls
from ._members import Members
from ._same import same_value
from ._seen import Seen
from .labels import PENDING, PREVIOUS, STEP, LabelledSecret, Labels, first_token
from .target import Busy, RotationTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..versions import Sealed


_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


class SecretsManagerTarget(RotationTarget):
    """One secret of AWS Secrets Manager. If it is a JSON object its members are the names; all of it has its own name.

    `secret_id`: name or ARN. `region`, `endpoint`, `role` (an ARN to assume): for the client, unless `client` (boto3) is given.
    Needs the rights DescribeSecret, GetSecretValue, PutSecretValue and UpdateSecretVersionStage; CreateSecret for `create` of
    a secret that is not there; ListSecretVersionIds where a rotation meets somebody else's change; TagResource to keep the
    end of the previous value. Without TagResource: one warning, the grace of whoever reads counts, and a roll-back or a refused
    rotation that was killed just before it was told of is not known for what it was when it is repeated.

    There is no lock at AWS. `locked` remembers which version is current, and every step refuses with `Busy` once another is.
    The id of a new version follows from the current one's, and AWSCURRENT is moved only from where it was seen: of two who
    rotate at once one wins and nothing is lost. A member whose previous value is still accepted when another member is changed
    takes it along in the document, as NAME__PREVIOUS and NAME__PREVIOUS_UNTIL: a label covers all members at once.
    """

    def __init__(
        self,
        secret_id: str,
        region: str | None = None,
        endpoint: str | None = None,
        role: str | None = None,
        client: Any = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        of_arn = part_of_arn(secret_id, "secretsmanager") if isinstance(secret_id, str) else None
        if of_arn is None and (not isinstance(secret_id, str) or not _NAME.fullmatch(secret_id)):
            raise ConfigurationError("a secret's id is its name or its ARN in AWS Secrets Manager")
        if of_arn and region not in (None, of_arn):
            raise ConfigurationError(f"the secret's ARN is in {of_arn}, and the region given is another")
        if of_arn and client is None:
            region = of_arn
        self._calls = AwsCalls(
            "secretsmanager", region=region, endpoint=endpoint, role=role, client=client, sleep=sleep, random=random
        )
        self._id = secret_id
        self._where = f"aws:{secret_id}" + (f"@{region}" if region and not of_arn else "")
        self._secret = LabelledSecret(self._calls, secret_id)
        self._clock = clock
        self._held = local()  # .version: the current version when this thread took the lock

    def names(self) -> list[str]:
        """The members that are text; of a secret that is no JSON object, its own name."""
        seen = self._look()
        return sorted(seen.members) if seen.members is not None else [seen.labels.name]

    def read(self, name: str) -> SecretVersions:
        """As the labels are now. `previous_until` is what was written down at the promotion, None if nothing was."""
        seen = self._look(name)
        self._check_there(name, seen)
        return seen.versions(name)

    def ids(self, name: str) -> tuple[str | None, str | None]:
        """Of the versions that AWSCURRENT and AWSPENDING are on, whichever members they differ in."""
        labels = self._secret.describe()
        return (None, None) if labels is None else (labels.current, labels.pending)

    def place(self, name: str) -> str:
        """By its ARN, which names the account and the region; of a secret that is not there yet as it is spelled."""
        if self._secret.arn is None:
            self._secret.describe()
        return self._where if self._secret.arn is None else f"aws:{self._secret.arn}"

    def history(self) -> list[dict[str, Any]]:
        """The versions that AWS still has, newest first: `version`, `created` (epoch seconds), `labels`. Never a value."""
        return self._secret.history()

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Optimistic: nothing is held at AWS, and a step that finds another current version than now raises `Busy`.

        AWSPENDING that a killed rotation left on the current version is taken away first.
        """
        labels = self._secret.describe()
        if labels is not None:
            self._tidy(labels)
        self._held.version = "" if labels is None else labels.current or ""
        try:
            yield
        finally:
            self._held.version = None

    def create(self, name: str, value: Sealed) -> None:
        """A secret that is not there is made: plain if `name` is its own, else a JSON object with that member.

        In a secret that is there, the old value of `name` is accepted as previous for a moment: until the second of two calls.
        """
        labels = self._secret.describe()
        if labels is None or labels.current is None:
            self._create(name, value, labels)
            return
        seen = self._begin(name)
        if seen.members is None:
            self._check_own(name, seen)
        self._replace(seen, name, value)
        self._drop_previous()

    def stage(self, name: str, value: Sealed) -> None:
        """PutSecretValue with AWSPENDING; the version's id follows from the current one's, so that it is made once."""
        seen = self._begin(name)
        self._check_there(name, seen)
        if seen.labels.pending is not None and self._is_pending(name, seen):
            return
        new = self._next(seen, name, value)
        if same_value(value, seen.current_of(name) or seen.current):
            raise ConfigurationError(f"the new value of {name} is the current one")
        self._secret.add(seen.labels, new)

    def promote(self, name: str, previous_until: float) -> None:
        """AWSCURRENT moves to the pending version, then AWSPENDING goes; AWSPREVIOUS follows by AWS's own rule.

        What others changed in a JSON secret since the pending version was made is kept: that is made again on top of it first.
        """
        seen = self._begin(name)
        self._check_there(name, seen)
        if seen.labels.pending is None or seen.pending is None or not self._is_pending(name, seen):
            return
        labels = self._rebased(seen, name)
        assert labels.pending is not None
        self._move(labels, labels.pending, previous_until)
        self._secret.remove(PENDING, labels.pending)

    def roll_back(self, name: str, previous_until: float) -> None:
        """AWSCURRENT moves back. Where that would take other members back too, a new version is made instead."""
        seen = self._begin(name)
        self._check_there(name, seen)
        if seen.members is None:
            if seen.labels.previous is None or seen.previous_of(name)[0] is None:
                raise SecretNotFound(f"the secret {self._id} has no previous value")
            self._move(seen.labels, seen.labels.previous, previous_until)
            return
        past = seen.previous_members
        before, _ = seen.previous_of(name)
        if before is None:
            raise SecretNotFound(f"the member {name} of the secret {self._id} has no previous value")
        if past is not None and seen.labels.previous is not None and past.same_but(name, seen.members):
            self._move(seen.labels, seen.labels.previous, previous_until)
        else:
            self._replace(seen, name, before, previous_until)

    def retire(self, name: str) -> None:
        """AWSPREVIOUS is taken away; previous values of other members stay, in a new version if need be."""
        seen = self._begin(name)
        self._check_there(name, seen)
        if seen.members is not None:
            carried = seen.members.get(name + "__PREVIOUS") is not None
            others = set() if seen.previous_members is None else seen.members.differing(seen.previous_members)
            if name not in others and not carried:
                return
            if carried or others - {name}:
                self._replace(seen, name, None)
        self._drop_previous()

    def discard(self, name: str) -> None:
        """AWSPENDING is taken away, also from a version that a failed rotation of AWS's own left without a value."""
        seen = self._begin(name)
        self._check_there(name, seen)
        pending = seen.labels.pending
        if pending is None:
            return
        if seen.members is not None and seen.pending_members is not None:
            changed = self._changed(seen, pending)
            if changed and name not in changed:
                return
        self._secret.remove(PENDING, pending)

    def _look(self, name: str | None = None) -> Seen:
        labels = self._secret.describe()
        current = None if labels is None else self._secret.value(labels.current)
        if labels is None or current is None:
            raise SecretNotFound(f"the secret {self._id} is not in Secrets Manager, or has no value")
        whole = name in (labels.name, labels.arn, self._id)
        previous, pending = self._secret.value(labels.previous), self._secret.value(labels.pending)
        return Seen(labels, current, previous, pending, whole=whole)

    def _begin(self, name: str) -> Seen:
        seen = self._look(name)
        held = getattr(self._held, "version", None)
        if held is not None and held != seen.labels.current:
            raise self._secret.busy()
        self._tidy(seen.labels)
        return seen

    def _tidy(self, labels: Labels) -> None:
        for label in (PENDING, STEP):  # what a run that was killed after its promotion left behind
            if labels.current is not None and labels.on.get(label) == labels.current:
                self._secret.remove(label, labels.current)

    def _check_own(self, name: str, seen: Seen) -> None:
        if name not in (seen.labels.name, seen.labels.arn, self._id):
            raise SecretNotFound(f"the secret {self._id} is no JSON object: its only name is {seen.labels.name}")

    def _check_there(self, name: str, seen: Seen) -> None:
        if seen.members is None:
            self._check_own(name, seen)
        elif seen.members.get(name) is None:
            raise SecretNotFound(f"the secret {self._id} has no member {name} that is text")

    def _changed(self, seen: Seen, pending: str) -> set[str]:
        """The members whose next value the pending version was made for."""
        assert seen.members is not None
        assert seen.pending_members is not None
        base = self._secret.base_of(seen.labels, pending)
        if base is None or base == seen.labels.current:
            return seen.pending_members.differing(seen.members)
        before = self._secret.value(base)
        was = None if before is None else Members.of(before)
        return seen.pending_members.differing(was or seen.members)

    def _is_pending(self, name: str, seen: Seen) -> bool:
        """Whether the pending version is a next value of `name` and nothing else. Raises: `Busy` if it is another's."""
        pending = seen.labels.pending
        assert pending is not None
        if seen.labels.rotates and self._secret.base_of(seen.labels, pending) is None:
            raise Busy(f"AWS's own rotation of {self._id} is under way, or was left unfinished: discard it to go on without it")
        if seen.pending is None:
            return False
        if seen.members is None:
            return True
        if seen.pending_members is None:
            raise Busy(f"the pending version of {self._id} is no JSON object as the current one is: discard it to go on")
        changed = self._changed(seen, pending)
        if changed - {name}:
            raise Busy(f"a next value of {', '.join(sorted(changed - {name}))} in {self._id} is pending: finish or discard it")
        return bool(changed)

    def _rebased(self, seen: Seen, name: str) -> Labels:
        """The labels, with AWSPENDING on a version that follows the current one and brings nothing retired back."""
        pending = seen.labels.pending
        assert pending is not None
        if seen.members is None:
            return seen.labels
        value = None if seen.pending_members is None else seen.pending_members.get(name)
        if value is None or seen.pending_members is None:
            raise ConfigurationError(f"the pending version of {self._id} has no text as {name}: discard it")
        if self._secret.base_of(seen.labels, pending) == seen.labels.current:
            known = seen.members.carried() | (seen.previous_members or seen.members).differing(seen.members)
            if seen.pending_members.carried() <= known:
                return seen.labels
        return self._secret.add(seen.labels, self._next(seen, name, value), instead=True)

    def _next(self, seen: Seen, name: str, value: Sealed | None) -> Sealed:
        if value is not None and is_blank(value()):
            raise ConfigurationError(f"the new value of {name} is empty, blank, or not text or bytes")
        if seen.members is None:
            assert value is not None
            return value
        return seen.members.successor(
            name,
            value,
            previous=seen.previous_members,
            previous_until=seen.labels.until,
            now=self._clock(),
        )

    def _replace(self, seen: Seen, name: str, value: Sealed | None, previous_until: float | None = None) -> None:
        """Make `value` current in one go; what is pending stays so."""
        labels = self._secret.add(seen.labels, self._next(seen, name, value), STEP)
        self._move(labels, labels.on[STEP], previous_until)
        self._secret.remove(STEP, labels.on[STEP])

    def _move(self, labels: Labels, to: str, previous_until: float | None) -> None:
        if previous_until is not None:
            self._secret.tag_until(labels, previous_until)
        self._secret.promote(labels, to)
        if getattr(self._held, "version", None) is not None:
            self._held.version = to

    def _drop_previous(self) -> None:
        labels = self._secret.describe()
        if labels is not None and PREVIOUS in labels.on:
            self._secret.remove(PREVIOUS, labels.on[PREVIOUS])

    def _create(self, name: str, value: Sealed, labels: Labels | None) -> None:
        own = name == self._id if labels is None else name in (labels.name, labels.arn, self._id)
        if is_blank(value()):
            raise ConfigurationError(f"the value of {name} is empty, blank, or not text or bytes")
        if labels is None and self._id.startswith("arn:"):
            raise SecretNotFound(f"the secret {self._id} is not there, and one is made by its name")
        first = value if own else Members({}).successor(name, value, previous=None, previous_until=None, now=0)
        if labels is not None:  # made without a value, by a template say: the first version is current by itself
            answer = self._calls("PutSecretValue", first, SecretId=self._id)
        else:
            token = first_token(self._id)
            expect = ("ResourceExistsException",)
            answer = self._calls("CreateSecret", first, Name=self._id, ClientRequestToken=token, expect=expect)
        if answer.code is not None:
            raise self._secret.busy()
        if getattr(self._held, "version", None) is not None:
            self._held.version = answer.fields["VersionId"]

    def __str__(self) -> str:
        return self._where
