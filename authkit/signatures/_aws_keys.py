"""AWS credentials: where botocore finds them, renewed as it says, off the event loop, and by one caller at a time."""

from __future__ import annotations

import time

from .._botocore import hush, quiet, session
from .._run import SingleFlight
from ..errors import ConfigurationError, Unavailable
from ..secrets.slot import NEVER_YET, elapsed
from ..secrets.versions import Masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..secrets.slot import Moment

AGAIN = 30.0  # seconds between two attempts at renewing keys that are good for a while yet
LAST = 10  # seconds before their end from which keys are not used any more: a request is under way for a while


class Keys(Masked):
    """What a request is signed with, as botocore's signer takes it. botocore's own would show itself in a traceback."""

    __slots__ = ("access_key", "secret_key", "token")

    def __init__(self, access_key: str, secret_key: str, token: str | None) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.token = token


class AwsKeys(Masked):
    """`given`: credentials of botocore or boto3, or a session of theirs; None: botocore's own chain, with `profile`.

    Raises: `ConfigurationError` for what is neither.
    """

    __slots__ = ("_source", "_profile", "_kept", "_looked", "_flights", "_clock", "_monotonic")

    def __init__(
        self,
        given: Any = None,
        profile: str | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        source, wrong = _source(given, profile)
        del given  # what is raised below may be shown with its locals
        if wrong:
            raise ConfigurationError(wrong)
        self._source = source
        self._profile = profile
        self._kept: Keys | None = None
        self._looked: Moment = NEVER_YET
        self._flights = SingleFlight()
        self._clock, self._monotonic = clock, monotonic

    async def load(self) -> Keys:
        """Raises: `Unavailable`, `ConfigurationError`."""
        kept = self._at_hand()
        return kept if kept is not None else await self._flights.do("keys", self._fetched)

    def _at_hand(self) -> Keys | None:
        """The keys, if nobody has to be asked for them."""
        source, kept = self._source, self._kept
        if kept is None or not hasattr(source, "refresh_needed"):
            return kept
        if not source.refresh_needed():
            return kept
        resting = elapsed(self._looked, (self._clock(), self._monotonic())) < AGAIN
        return kept if resting and not source.refresh_needed(LAST) else None

    def _fetched(self) -> Keys:
        """Have them found or renewed. It blocks."""
        hush()
        kept, failure, wrong = self._kept, "", ""
        quiet.asking = True
        try:
            if self._source is None:
                self._source = session(self._profile).get_credentials()
            if self._source is not None:
                found = self._source.get_frozen_credentials()
                self._kept = Keys(found.access_key, found.secret_key, found.token)
        except ConfigurationError:  # botocore is not installed
            raise
        except Exception as error:  # its words may hold what an endpoint or a program has answered
            failure = type(error).__name__
            wrong = "profile: there is none of that name" if failure == "ProfileNotFound" else ""
        finally:
            quiet.asking = False
        if wrong:
            raise ConfigurationError(wrong)
        self._looked = self._clock(), self._monotonic()
        if failure and kept is not None and self._source is not None and not self._source.refresh_needed(LAST):
            return kept  # botocore gives up long before their end
        if failure:
            raise Unavailable(f"the AWS credentials cannot be had: {failure}")
        if self._kept is None:
            raise ConfigurationError("no AWS credentials were found: give the process a role, or set AWS_PROFILE")
        return self._kept


def keys_of(given: Any, profile: str | None, *clocks: Callable[[], float]) -> tuple[AwsKeys | None, str]:
    """The keys, or what is wrong. It raises nothing: its frame holds them."""
    try:
        return AwsKeys(given, profile, *clocks), ""
    except ConfigurationError as error:
        return None, str(error)


def _source(given: Any, profile: object) -> tuple[Any, str]:
    """The credentials, if they are at hand, and what is wrong. It raises nothing: its frame holds them."""
    if profile is not None and (not isinstance(profile, str) or not profile or given is not None):
        return None, "profile is the name of a profile of AWS's configuration, and stands in place of credentials"
    if given is None:
        return None, ""
    if hasattr(given, "get_credentials") and not hasattr(given, "get_frozen_credentials"):
        return _OfSession(given), ""
    if hasattr(given, "get_frozen_credentials"):
        return given, ""
    return None, "credentials are those of botocore or boto3, or a session of theirs"


class _OfSession(Masked):
    """The credentials of a session, which finds them when it is first asked."""

    __slots__ = ("_session", "_found")

    def __init__(self, session: Any) -> None:
        self._session = session
        self._found: Any = None

    def get_frozen_credentials(self) -> Any:
        if self._found is None:
            self._found = self._session.get_credentials()
        if self._found is None:
            raise ConfigurationError("credentials: the session has found none")
        return self._found.get_frozen_credentials()

    def refresh_needed(self, within: int | None = None) -> bool:
        needed = getattr(self._found, "refresh_needed", None)
        return bool(needed(within)) if needed is not None else False
