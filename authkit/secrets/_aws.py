"""Questions to AWS: a client of our own for each process, a bound on how long it may take, and no value in any log or error."""

from __future__ import annotations

import re
import time
from random import random as _uniform

from .._botocore import PASSES, REGION, hush, is_safe, quiet
from .._botocore import session as session_of
from .._run import SingleFlight, run
from ..errors import ConfigurationError, SecretNotFound, SecretUnavailable
from .source import OneSecretUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TIMEOUT = 5.0  # seconds after which one fetch begins no further call
FIRST_WAIT = 0.2  # seconds before the second attempt at most; twice as long before each further one
LONGEST_WAIT = 1.0  # seconds
RENEW = 300.0  # seconds before the credentials of a role expire at which new ones are asked for
SESSION_NAME = "authkit"

_MISSING = frozenset(("ResourceNotFoundException", "ParameterNotFound"))
_DENIED = frozenset(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"))
_KMS = frozenset(("DecryptionFailure", "EncryptionFailure", "InvalidKeyId", "KMSAccessDeniedException"))
# Of AWS's own words only this is repeated: what else a message holds may be what was sent.
_RIGHT = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)(?: on resource: ([A-Za-z0-9:/_+=.@*-]+))?")
_CALLER = re.compile(r"User: (arn:[A-Za-z0-9:/_+=.@,-]+) ")
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):\d*:.+")


class AccessMissing(OneSecretUnavailable):
    """AWS refuses because a right is missing. The message says which, and for which resource."""


class Aws:
    """One AWS service, asked on behalf of one source.

    `region`, `profile`: otherwise boto3's own order (AWS_DEFAULT_REGION, AWS_PROFILE, its files). `endpoint`: another address
    than AWS's, https except to this machine. `role`: the ARN of a role to assume first, with what boto3 finds. `timeout`:
    seconds after which one fetch begins no further call or attempt; a call takes 0.6 of that at most. Loading boto3, finding
    credentials and resolving names is bounded by boto3 and the system instead. `client`: a boto3 client of the user's; its own
    time limits and attempts hold.
    """

    def __init__(
        self,
        service: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        role: str | None = None,
        profile: str | None = None,
        client: Any = None,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        if region is not None and not REGION.fullmatch(region):
            raise ConfigurationError("a region is spelled as AWS does: eu-west-1")
        if endpoint is not None and not is_safe(endpoint):
            raise ConfigurationError("an endpoint is an https:// URL without path; http:// is for this machine only")
        if role is not None and part_of_arn(role, "iam") is None:
            raise ConfigurationError("a role is named by its ARN: arn:aws:iam::123456789012:role/reader")
        if not 0 < timeout < float("inf"):
            raise ConfigurationError("timeout is a positive number of seconds")
        if client is not None and (region or endpoint or role or profile):
            raise ConfigurationError("a client brings its own region, endpoint, role and profile: give those or a client")
        self.service, self.region = service, region
        self._endpoint, self._role, self._profile = endpoint, role, profile
        self._given = client
        self._timeout = timeout
        share = 1.0 if role is None else 0.5  # with a role, one attempt may be two calls
        self._connect, self._read = timeout * 0.2 * share, timeout * 0.4 * share
        self._attempt = timeout * 0.6
        self._clock, self._monotonic, self._sleep, self._random = clock, monotonic, sleep, random
        self._made: tuple[int, float, Any] | None = None  # process, when to make it again, client
        self._flights = SingleFlight()

    def deadline(self) -> float:
        """The moment on the monotonic clock after which a fetch that begins now makes no further call."""
        if self._made is None and self._given is None:
            self.client()  # to load boto3 and find credentials may take long, and only once
        return self._monotonic() + self._timeout

    def call(self, action: str, about: str, deadline: float, asked: dict[str, Any]) -> Callable[[], dict[str, Any]]:
        """What AWS answers to `action` (as AWS spells it), behind a function, because it may hold values.

        Throttling and what may pass is tried again, after a random wait, as long as `deadline` allows. `about`: what the
        messages say could not be read. Raises: `SecretNotFound`, `AccessMissing`, `SecretUnavailable`, `ConfigurationError`.
        """
        failure, attempt = None, 0
        while True:
            client, failure = self.client()
            if client is not None:
                if self._monotonic() >= deadline:
                    failure = Failure("timed out")
                    break
                answer, failure = ask(client, action, asked)
                if answer is not None:
                    return answer
            assert failure is not None
            wait = self._random() * min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
            if not failure.passes or self._given is not None:
                break
            if self._monotonic() + wait + self._attempt > deadline:
                break
            self._sleep(wait)
            attempt += 1
        raise failure.error(f"{self.service}:{action}", about)

    def client(self) -> tuple[Any, Failure | None]:
        """The client of this process, made if need be, or why there is none."""
        import os

        if self._given is not None:
            hush()
            return self._given, None
        made = self._made
        if made is None or made[0] != os.getpid() or made[1] <= self._clock():  # a forked child shares no socket with us
            # one makes it and the others wait for it; if it fails, it has failed for all who waited
            new, failure = run(self._flights.do("client", self._make))
            if new is None:
                still_good = made is not None and made[0] == os.getpid() and self._clock() < made[1] + RENEW
                return (made[2], None) if made is not None and still_good else (None, failure)
            self._made = made = new
        return made[2], None

    def _make(self) -> tuple[tuple[int, float, Any] | None, Failure | None]:
        import os

        session = session_of(self._profile)
        from botocore.config import Config

        hush()
        config = Config(
            connect_timeout=self._connect,
            read_timeout=self._read,
            retries={"mode": "standard", "total_max_attempts": 1},  # `call` repeats: botocore does not know the deadline
            max_pool_connections=32,  # as many as authkit has threads for I/O
        )
        until = float("inf")
        keys: dict[str, str] = {}
        try:
            if self._role is not None:
                sts = session.create_client("sts", region_name=self.region, config=config)
                keys, until, failure = _assumed(sts, self._role)
                if failure is not None:
                    return None, failure
            client = session.create_client(
                self.service, region_name=self.region, endpoint_url=self._endpoint, config=config, **keys
            )
        except Exception as error:
            return None, Failure(type(error).__name__)
        return (os.getpid(), until - RENEW, client), None


class Failure:
    """Why there is no answer. `passes`: trying again may help."""

    __slots__ = ("code", "passes", "right", "caller", "lacks")

    def __init__(self, code: str, passes: bool = False, words: str = "") -> None:
        self.code = code
        self.passes = passes
        right, caller = _RIGHT.search(words), _CALLER.search(words)
        self.right = None
        if right is not None:
            self.right = right[1] + (f" on {right[2]}" if right[2] else "")
        self.caller = caller[1] if caller is not None else None
        self.lacks = "is explicitly denied" if "explicit deny" in words else "lacks"
        if code in _DENIED and right is None and ("KMS" in words or "master key" in words):
            self.code = "KMSAccessDeniedException"

    def error(self, call: str, about: str) -> Exception:
        """What is raised for it."""
        if self.code in _MISSING:
            return SecretNotFound(f"{about} is not there")
        if self.code in _KMS:
            return AccessMissing(
                f"{about} cannot be decrypted ({self.code}): its KMS key must be enabled, and grant kms:Decrypt to "
                f"{self.caller or 'the caller'}"
            )
        if self.code in _DENIED:
            right = self.right or call
            return AccessMissing(f"{about} cannot be read: {self.caller or 'the caller'} {self.lacks} the right {right}")
        if self.code in ("NoRegionError", "ProfileNotFound", "InvalidRegionError", "ConfigParseError", "ParamValidationError"):
            return ConfigurationError(f"{call} cannot be asked about {about}: {self.code} (region, profile or name)")
        if self.code == "InvalidRequestException":
            return OneSecretUnavailable(f"{about} cannot be read in its state; it is probably marked for deletion")
        return SecretUnavailable(f"{about} cannot be read: {call} failed ({self.code})")


def ask(client: Any, action: str, asked: dict[str, Any]) -> tuple[Callable[[], dict[str, Any]] | None, Failure | None]:
    """The answer, or why there is none. It raises nothing, because its locals hold values."""
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    quiet.asking = True
    try:
        told = getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())(**asked)
    except ClientError as error:
        found = error.response.get("Error", {})
        code, status = str(found.get("Code") or ""), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = code if re.fullmatch(r"\w{1,64}", code) else f"HTTP {status}"
        passes = code in PASSES or status >= 500 or status == 429
        return None, Failure(code, passes, str(found.get("Message") or ""))
    except (HTTPClientError, ConnectionError) as error:
        return None, Failure(type(error).__name__, True)
    except BotoCoreError as error:  # its message may hold what was sent
        return None, Failure(type(error).__name__)
    except Exception as error:  # an answer that is no JSON, a client that is none
        return None, Failure(type(error).__name__)
    finally:
        quiet.asking = False
    return lambda: told, None


def _assumed(sts: Any, role: str) -> tuple[dict[str, str], float, Failure | None]:
    """Keys of the role as boto3 takes them, and until when they hold. It raises nothing, because its locals hold them."""
    answer, failure = ask(sts, "AssumeRole", {"RoleArn": role, "RoleSessionName": SESSION_NAME})
    if answer is None:
        return {}, 0.0, failure
    try:
        keys = answer()["Credentials"]
        until = keys["Expiration"].timestamp()
        named = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
        return {**named, "aws_session_token": keys["SessionToken"]}, until, None
    except (KeyError, TypeError, AttributeError):
        return {}, 0.0, Failure("no AWS answer")


def epoch_seconds(told: Any) -> float | None:
    """A time as boto3 gives it, if it is one."""
    try:
        return float(told.timestamp())
    except (AttributeError, TypeError, ValueError, OverflowError, OSError):
        return None


def part_of_arn(text: str, service: str) -> str | None:
    """The region of an ARN of `service` ("" where it has none); None if `text` is no such ARN."""
    found = _ARN.fullmatch(text)
    return found[2] if found is not None and found[1] == service else None


def split_region(text: str) -> tuple[str, str | None]:
    """NAME and region of `NAME@region`; a name may hold an `@` of its own."""
    name, at, region = text.rpartition("@")
    return (name, region) if at and REGION.fullmatch(region) else (text, None)
