"""What an issuer answers when it is asked as `OIDCProvider` asks: its metadata and its keys, and when it says that is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from .._fetch import Unfetched, fetch
from ..errors import Unavailable
from ..oidc.discovery import JSON, MAX_BYTES, REDIRECTS
from ..tokens.strict_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 5.0
LONGEST = 200  # characters shown of a URL


class Asked(NamedTuple):
    """`url`: what was asked; `said`: the JSON object; `skew`: seconds that our clock is ahead of its `Date`, or None."""

    url: str
    said: Mapping[str, Any]
    headers: Mapping[str, str]
    skew: float | None


def asked(url: str, what: str) -> Asked:
    """The JSON object at `url`, within the bounds of a service. Raises: `Unavailable`, which says why and repeats nothing."""
    began, place = time.time(), url.partition("?")[0]  # no query that was typed
    if len(place) > LONGEST:  # an issuer's metadata may hold what they like
        place = place[:LONGEST] + "..."
    try:
        answer = fetch(url, max_bytes=MAX_BYTES, seconds=SECONDS, headers=JSON, redirects=REDIRECTS)
    except Unfetched as error:
        raise Unavailable(f"{what} cannot be had from {place}: {error}") from None
    if answer.status != 200:
        raise Unavailable(f"{what} cannot be had from {place}: it answered {answer.status}")
    try:
        said = parse_object(answer.content)
    except ValueError:
        raise Unavailable(f"{what} cannot be had from {place}: what it answered is not JSON with one reading") from None
    return Asked(url, said, answer.headers, _skew(answer.headers.get("date"), began, time.time()))


def _skew(date: str | None, began: float, ended: float) -> float | None:
    """By the Date header (RFC 9110 section 6.6.1), which is cut to whole seconds."""
    from email.utils import parsedate_to_datetime

    try:
        return (began + ended) / 2 - parsedate_to_datetime(date or "").timestamp() - 0.5
    except ValueError:
        return None
