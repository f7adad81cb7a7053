"""`RotationFunction`: the Lambda function that AWS Secrets Manager calls, four times, to rotate a secret.

    handler = rotation_handler(kind="hmac", member="JWT_SECRET")

docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import time
from random import random as _uniform

from ...errors import AuthkitError, ConfigurationError, SecretNotFound
from ..versions import as_bytes, is_blank, sealed
from ._aws_calls import AwsCalls
from ._member_versions import RotatedVersions
from ._members import Members
from ._seen import Seen
from .generate import KINDS, generate
from .labels import CURRENT, PENDING, LabelledSecret, Labels
from .outcome import RotationRefused, StillInGrace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..versions import Sealed

# AWS sends the first spelling; its user guide describes the parameter by the second.
STEPS = {
    "createSecret": "create_secret",
    "setSecret": "set_secret",
    "testSecret": "test_secret",
    "finishSecret": "finish_secret",
}
_BY_NAME = STEPS | {name: name for name in STEPS.values()}


class RotationFunction:
    """A Lambda handler for the rotation of secrets that nobody else has to be told of: our own keys, peppers, passwords.

    Where somebody has to be told, subclass it and override up to four methods. Each is given the versions of the secret and
    may be called more than once for one rotation, because AWS repeats what failed: it must do no harm the second time. Of a
    member the values are its own, and `versions.document()` has the others too, such as the name to log in with:
    `versions.document()["username"]`.

    `kind`, `length`, `alphabet`, `encoding`: of new values, as `generate` takes them. `member`: the member of a JSON secret
    that is rotated, the others stay; required for a JSON secret. `grace`: seconds for which the old value is accepted, kept
    as a tag where TagResource is granted; until then createSecret refuses to begin the next rotation, which AWS tries again
    later, unless `force`: it would drop a value that is in use. `region`, `endpoint`, `role`, `client`: as for
    `SecretsManagerTarget`.

    The function's role needs DescribeSecret, GetSecretValue, PutSecretValue and UpdateSecretVersionStage. Neither the event nor
    a value is ever logged, and what a method of yours raises is told by its type and place alone.
    """

    def __init__(
        self,
        kind: str = "hmac",
        *,
        member: str | None = None,
        length: int | None = None,
        alphabet: str | None = None,
        encoding: str | None = None,
        grace: float = 86_400.0,
        force: bool = False,
        region: str | None = None,
        endpoint: str | None = None,
        role: str | None = None,
        client: Any = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        if kind not in KINDS:
            raise ConfigurationError(f"a secret is generated as one of these kinds: {', '.join(KINDS)}")

        def make() -> Sealed:
            return generate(kind, length=length, alphabet=alphabet, encoding=encoding)

        self._make: Callable[[], Sealed] = make
        if kind != "rsa":  # which takes a second to make
            self._make()
        if member is not None and (not isinstance(member, str) or not member):
            raise ConfigurationError("member is the name of a member of the JSON secret")
        if isinstance(grace, bool) or not 0 <= grace < float("inf"):
            raise ConfigurationError("grace is a number of seconds, 0 or more")
        self._member = member
        self._grace = grace
        self._force = force
        self._clock = clock
        self._calls = AwsCalls(
            "secretsmanager", region=region, endpoint=endpoint, role=role, client=client, sleep=sleep, random=random
        )

    def create_secret(self, versions: RotatedVersions) -> Sealed | str | bytes:
        """The new value, or a function that gives it. Called only while the pending version has none."""
        return self._make()

    def set_secret(self, versions: RotatedVersions) -> None:
        """Have `versions.pending` accepted where the secret is used. Nothing to do for secrets that we generate ourselves."""

    def test_secret(self, versions: RotatedVersions) -> bool:
        """Whether `versions.pending` works there. Anything but True ends the rotation before anybody uses the new value.

        Called alone where rotation is set up with RotateImmediately=false: AWS tries the function with a pending version that
        it drops afterwards. If that has no value of its own, `versions.pending` is the current one.
        """
        return True

    def finish_secret(self, versions: RotatedVersions) -> None:
        """What has to be done before `versions.pending` becomes current. Before, because after it AWS would not repeat it."""

    def __call__(self, event: object, context: object = None) -> None:
        """Do one step. Raises: what AWS then shows as the failure of the rotation; it repeats the rotation later.

        `RotationRefused` for an event that is none of the four steps, a secret whose rotation is not enabled, a version that
        is not the pending one, or a pending version that was not made for this; `SecretNotFound`, `SecretUnavailable`,
        `ConfigurationError`. A version that is current already was finished before: nothing is done.
        """
        step, secret_id, token, more = _checked(event)
        del event  # it may hold a RotationToken, and what is raised below may be shown with its locals
        secret = LabelledSecret(self._calls, secret_id)
        labels = secret.describe()
        if labels is None:
            raise SecretNotFound(f"the secret {secret_id} is not in Secrets Manager")
        if not labels.rotates:
            raise RotationRefused(f"rotation is not enabled for the secret {secret_id}")
        if token not in labels.stages:
            raise RotationRefused(f"the version to rotate to is none of the versions of the secret {secret_id}")
        if CURRENT in labels.stages[token]:
            if step == "finish_secret" and PENDING in labels.stages[token]:
                secret.remove(PENDING, token)  # the run before this one ended between its two calls
            return
        if PENDING not in labels.stages[token]:
            raise RotationRefused(f"the version to rotate to is not the pending one of the secret {secret_id}")
        current = secret.value(labels.current)
        if current is None:
            raise SecretNotFound(f"the secret {secret_id} has no current value")
        pending, previous = secret.value(token), secret.value(labels.previous)
        if step == "create_secret":
            if pending is None:
                self._check_grace(secret_id, Seen(labels, current, previous, None, whole=self._member is None))
                new = self._new(secret_id, self._versions(secret_id, current, previous, None))
                text = self._text(secret_id, labels, new, current, previous)
                self._put(secret_id, token, text, more)
            return
        if pending is None and step == "test_secret":
            pending = current
        if pending is None:
            raise RotationRefused(f"the pending version of the secret {secret_id} has no value: createSecret comes first")
        self._check_others(secret_id, current, previous, pending)
        versions = self._versions(secret_id, current, previous, pending)
        answer = self._done(step, secret_id, versions)()
        if step == "test_secret" and answer is not True:
            raise RotationRefused(f"the test did not accept the new value of the secret {secret_id}")
        if step == "finish_secret":
            secret.tag_until(labels, self._clock() + self._grace)
            secret.promote(labels, token)
            secret.remove(PENDING, token)

    def _check_grace(self, secret_id: str, seen: Seen) -> None:
        previous, until = seen.previous_of(self._member or "")
        if previous is not None and until is not None and self._clock() < until and not self._force:
            raise StillInGrace(
                f"the previous value of the secret {secret_id} is still accepted: its grace comes first", until=until
            )

    def _new(self, secret_id: str, versions: RotatedVersions) -> Sealed:
        new = self._done("create_secret", secret_id, versions)
        if is_blank(new()):
            raise RotationRefused(f"create_secret gave an empty or blank value for the secret {secret_id}, or no text or bytes")
        if as_bytes(new()) == as_bytes(versions.current):  # type: ignore[arg-type]  # blank is what no text and no bytes is
            raise RotationRefused(f"create_secret gave the current value of the secret {secret_id}")
        return new  # type: ignore[return-value]

    def _done(self, step: str, secret_id: str, versions: RotatedVersions) -> Callable[[], object]:
        """What the method gave, behind a function."""
        answer, failure = _called(getattr(self, step), versions)
        if isinstance(failure, AuthkitError):
            raise failure
        if failure is not None:  # out here, where nothing of it hangs on to what is raised
            raise RotationRefused(f"{step} failed for the secret {secret_id}: {failure}")
        return answer

    def _put(self, secret_id: str, token: str, text: Sealed, more: dict[str, Sealed]) -> None:
        # Whoever put another value under this token was another call of the same step: his is the pending one.
        self._calls(
            "PutSecretValue",
            text,
            SecretId=secret_id,
            ClientRequestToken=token,
            VersionStages=[PENDING],
            expect=("ResourceExistsException",),
            **more,
        )

    def _text(self, secret_id: str, labels: Labels, new: Sealed, current: Sealed, previous: Sealed | None) -> Sealed:
        if self._member is None:
            return new
        return self._members(secret_id, current).successor(
            self._member,
            new,
            previous=None if previous is None else Members.of(previous),
            previous_until=labels.until,
            now=self._clock(),
        )

    def _members(self, secret_id: str, value: Sealed) -> Members:
        members = Members.of(value)
        if members is None or self._member is None or members.get(self._member) is None:
            raise ConfigurationError(f"the secret {secret_id} is no JSON object with a member {self._member} that is text")
        return members

    def _versions(self, secret_id: str, current: Sealed, previous: Sealed | None, pending: Sealed | None) -> RotatedVersions:
        found = {"current": current, "previous": previous, "pending": pending}
        documents = {version: text for version, text in found.items() if text is not None}
        if self._member is None:
            if Members.of(current) is not None:
                raise ConfigurationError(f"the secret {secret_id} is a JSON object: say which member to rotate")
        else:
            current = self._members(secret_id, current).get(self._member) or current
            pending = None if pending is None else self._members(secret_id, pending).get(self._member)
            before = None if previous is None else Members.of(previous)
            previous = None if before is None else before.get(self._member)
        if previous is not None and is_blank(previous()):
            previous = None
        return RotatedVersions(documents, current, previous, pending)

    def _check_others(self, secret_id: str, current: Sealed, previous: Sealed | None, pending: Sealed) -> None:
        """A version never changes: promoted, the pending one would undo what others have changed since it was made."""
        if self._member is None:
            return
        now, then = self._members(secret_id, current), self._members(secret_id, pending)
        before = None if previous is None else Members.of(previous)
        changed = then.differing(now) - {self._member}
        changed |= then.carried() - now.carried() - (before or now).differing(now)  # retired meanwhile
        if changed:
            raise RotationRefused(
                f"{', '.join(sorted(changed))} in the secret {secret_id} changed since the pending version was made: "
                "take AWSPENDING off it and rotate again"
            )


def rotation_handler(kind: str = "hmac", member: str | None = None, **options: Any) -> RotationFunction:
    """The handler for a secret that we generate ourselves: `handler = rotation_handler(kind="hmac")`. `RotationFunction` has
    the options.
    """
    return RotationFunction(kind, member=member, **options)


def _checked(event: object) -> tuple[str, str, str, dict[str, Sealed]]:
    """Step, secret, version, and what PutSecretValue needs beside. Raises: `RotationRefused`, in which nothing is repeated."""
    if not isinstance(event, dict):
        raise RotationRefused("the event is none of Secrets Manager's: it is no object")
    asked: dict[str, Any] = {name: event.get(name) for name in ("Step", "SecretId", "ClientRequestToken")}
    for name, value in asked.items():
        if not isinstance(value, str) or not 1 <= len(value) <= 2048:
            raise RotationRefused(f"the event is none of Secrets Manager's: {name} is missing, or no text")
    step = _BY_NAME.get(asked["Step"])
    if step is None:
        raise RotationRefused(f"the event's Step is none of {', '.join(STEPS)}")
    if not 32 <= len(asked["ClientRequestToken"]) <= 64:
        raise RotationRefused("the event's ClientRequestToken is not 32 to 64 characters long")
    more = event.get("RotationToken")
    if more is not None and not isinstance(more, str):
        raise RotationRefused("the event's RotationToken is no text")
    # Needed where the function assumes a role, or is in another account than the secret; AWS leaves it out elsewhere.
    return step, asked["SecretId"], asked["ClientRequestToken"], {"RotationToken": sealed(more)} if more else {}


def _called(method: Callable[[RotatedVersions], object], versions: RotatedVersions) -> tuple[Callable[[], object], object]:
    """What the method gave, behind a function, and how it failed. It raises nothing, because its locals hold the value."""
    try:
        answer = method(versions)
        if callable(answer):
            answer = answer()
    except AuthkitError as error:
        return sealed(""), error
    except Exception as error:  # its message may hold anything
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
        return sealed(""), type(error).__name__ + place
    return (lambda: answer), None
