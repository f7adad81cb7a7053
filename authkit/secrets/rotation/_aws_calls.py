"""Calls to AWS that change secrets: repeated where that may help, refused by name, and never with a value in sight."""

from __future__ import annotations

import time
from random import random as _uniform

from ...errors import ConfigurationError, SecretUnavailable
from .._aws import Aws, ask
from ..versions import sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._aws import Failure
    from ..versions import Sealed

ATTEMPTS = 6  # calls in all; the waits between them are at most 0.2 + 0.4 + 0.8 + 1.6 + 3.2 seconds, half of that on average
FIRST_WAIT = 0.2  # seconds
LONGEST_WAIT = 5.0  # seconds
TIMEOUT = 15.0  # seconds, of which one attempt has 3 to connect and 6 to be answered
OTHER_WRITER = "TooManyUpdates"  # Parameter Store: somebody else is changing the same parameter at this moment
DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_KMS = ("EncryptionFailure", "DecryptionFailure", "InvalidKeyId", "KMSAccessDeniedException")


class Answer:
    """What AWS said: its fields, the secret's value, or the `code` of an error that was expected. Every value is sealed.

    `tries`: how often it was asked; each but the last may have been done too, and its answer lost.
    """

    __slots__ = ("fields", "value", "code", "tries")

    def __init__(self, fields: dict[str, Any], value: Sealed | None = None, code: str | None = None) -> None:
        self.fields = fields
        self.value = value
        self.code = code
        self.tries = 1


class AwsCalls:
    """One AWS service, called by the names of its actions: `calls("DescribeSecret", SecretId="prod/app")`.

    `client`: a boto3 client; its own repetitions count. Otherwise one is made of `region`, `endpoint` and `role` (an ARN to
    assume) when it is first needed. `sleep(seconds)` and `random()` (0 to 1) are for the waits: exponential, with full jitter.
    """

    def __init__(
        self,
        service: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        role: str | None = None,
        client: Any = None,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        self._service = service
        self._aws = Aws(service, region=region, endpoint=endpoint, role=role, client=client, timeout=TIMEOUT)
        self._attempts = ATTEMPTS if client is None else max(1, ATTEMPTS // _own_attempts(client))
        self._sleep = sleep
        self._random = random

    def __call__(self, action: str, value: Sealed | None = None, *, expect: tuple[str, ...] = (), **asked: Any) -> Answer:
        """`value` is sent as SecretString, SecretBinary or Value; whatever else is sealed is sent open too.

        `expect`: codes of errors to be told of, not to raise.
        Raises: `ConfigurationError` for a right that is missing, which it names, and for whatever repeating cannot mend;
        `SecretUnavailable` if AWS does not answer or goes on throttling.
        """
        on = asked.get("SecretId") or asked.get("Name") or (asked.get("Names") or "*")[0]
        last = ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(self._random() * min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
            client, failure = self._aws.client()
            if failure is None:
                answer, failure = _ask(client, action, asked, value)
                if failure is None:
                    answer.tries = attempt + 1
                    return answer
            if failure.code in expect:
                return Answer({}, None, failure.code)
            if not failure.passes and failure.code != OTHER_WRITER:
                raise self._refused(action, on, failure)
            last = failure.code
        raise SecretUnavailable(f"{self._service}:{action} on {on} failed {self._attempts} times, with {last} at last")

    def _refused(self, action: str, on: str, failure: Failure) -> Exception:
        right = f"{self._service}:{action}"
        who = failure.caller or "the caller"
        if failure.code in _KMS:
            rights = "kms:Decrypt" if action.startswith("Get") else "kms:GenerateDataKey and kms:Decrypt"
            return ConfigurationError(
                f"{right} on {on} failed at its KMS key ({failure.code}): it must be enabled, and grant {rights} to {who}"
            )
        if failure.code in DENIED:
            return ConfigurationError(f"{who} lacks the right {failure.right or f'{right} on {on}'}")
        return ConfigurationError(f"AWS refuses {right} on {on}: {failure.code}")


def _own_attempts(client: Any) -> int:
    config = getattr(getattr(client, "meta", None), "config", None)
    return int((getattr(config, "retries", None) or {}).get("total_max_attempts", 5))  # 5: botocore's legacy mode


def _ask(client: Any, action: str, asked: dict[str, Any], value: Sealed | None) -> tuple[Answer, Failure | None]:
    """It raises nothing, because its locals hold the value."""
    sent = {field: one() if callable(one) else one for field, one in asked.items()}
    if value is not None:
        raw = value()
        sent["Value" if action == "PutParameter" else "SecretString" if isinstance(raw, str) else "SecretBinary"] = raw
    answer, failure = ask(client, action, sent)
    if answer is None:
        return Answer({}), failure
    told = dict(answer())
    held = told.pop("SecretString", None)
    if held is None:
        held = told.pop("SecretBinary", None)
    if "Parameters" in told:
        told["Parameters"] = [{**one, "Value": sealed(one["Value"])} if "Value" in one else one for one in told["Parameters"]]
    return Answer(told, None if held is None else sealed(held)), None
