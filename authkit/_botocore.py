"""What secrets and stores share of asking AWS: sessions, which endpoints are safe, what passes, and silent logs."""

from __future__ import annotations

import re
import threading

from ._needs import needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
# Of AWS's error codes those after which trying again may help.
PASSES = frozenset((
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
    "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "PriorRequestNotComplete",
    "InternalFailure", "InternalServerError", "InternalServiceError", "InternalServiceErrorException",
    "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException",
))  # fmt: skip

quiet = threading.local()  # `asking`: this thread is in a call of ours
_loader: Any = None


def session(profile: str | None) -> Any:
    """A botocore session of one client's own, for sessions are not for several threads; what AWS's services look like is
    read from the disk once for all of them, which is 90 % of the time that a client takes."""
    global _loader
    found = needs("botocore.session", "authkit-middleware[aws]").Session(profile=profile)
    if _loader is None:
        _loader = found.get_component("data_loader")
    found.register_component("data_loader", _loader)
    return found


def is_safe(endpoint: str) -> bool:
    """Whether `endpoint` is an https:// URL without path, or http:// to this machine."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(endpoint)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if not host or parts.username or parts.query or parts.fragment or parts.path not in ("", "/"):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))


def hush() -> None:
    """See to it that botocore logs no body of a call of ours: at DEBUG it writes each request and each answer as they are.

    The calls of others are logged as before.
    """
    import logging

    for name in ("botocore.parsers", "botocore.endpoint"):
        logging.getLogger(name).addFilter(_silent)  # adding it once more changes nothing


def _silent(record: object) -> bool:
    return not getattr(quiet, "asking", False)
