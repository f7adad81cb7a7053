"""Whether the clock of this machine is right: tokens, graces and AWS's signatures all go by it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ._ages import span
from ._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

LEEWAY = 30  # seconds: what our own tokens forgive
AWS_LEEWAY = 300  # seconds: what AWS's signatures forgive
AHEAD = 60  # seconds that a file may be ahead of the clock: file servers have clocks of their own
TIMEOUT = 5.0  # seconds
MEND = "set the clock by the network: timedatectl set-ntp true, or chronyc makestep"
_SERVICES = {"aws": "secretsmanager", "ssm": "ssm"}


def clock(source: str, now: float) -> Iterator[Finding]:
    """What a place that has a clock of its own says of ours. `now`: epoch seconds."""
    kind, _, rest = source.partition(":")
    if kind in _SERVICES:
        yield from _beside(_endpoint(_SERVICES[kind], rest), now)
    elif kind == "dotenv":
        yield from _behind((rest or ".env", f"{rest or '.env'}.history.jsonl"), now)


def _beside(endpoint: str | None, now: float) -> Iterator[Finding]:
    from time import time

    date = None if endpoint is None else _date(endpoint)
    if date is None:  # that the place does not answer is found where it is read
        return
    skew = (now + time()) / 2 - date - 0.5  # the header is cut to whole seconds, and took a while
    if abs(skew) > LEEWAY:
        severity = "error" if abs(skew) > AWS_LEEWAY else "warning"
        direction = "ahead of" if skew > 0 else "behind"
        yield Finding(severity, "clock_skew", "clock", f"the clock is {span(abs(skew))} {direction} that of {endpoint}", MEND)


def _behind(paths: tuple[str, ...], now: float) -> Iterator[Finding]:
    for path in paths:
        try:
            ahead = os.stat(path).st_mtime - now
        except OSError:
            continue
        if ahead > AHEAD:
            yield Finding("warning", "clock_behind", "clock", f"{path} was written {span(ahead)} from now", MEND)
            return


def _endpoint(service: str, rest: str) -> str | None:
    """The address that a client would talk to."""
    from .._needs import needs
    from ..errors import ConfigurationError

    region = rest.rpartition("@")[2] if "@" in rest else None
    if rest.startswith("arn:"):
        region = rest.split(":")[3]
    try:
        client = needs("botocore.session", "authkit-middleware[aws]").Session().create_client(service, region_name=region)
    except ConfigurationError:
        return None
    except Exception:  # no region, no profile: told where the place is read
        return None
    return str(client.meta.endpoint_url)


def _date(endpoint: str) -> float | None:
    """The Date header (RFC 9110 section 6.6.1) of whatever that address answers, in epoch seconds."""
    from email.utils import parsedate_to_datetime

    import httpx

    try:
        answer = httpx.head(endpoint, timeout=TIMEOUT, follow_redirects=False)
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError):
        return None
