"""Why a signed time is not the one that we have: its unit, a time zone, a clock, or a delivery that is old."""

from __future__ import annotations

from ..errors import InvalidSignature
from .delivery import seconds_of
from .sent import Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from .guess import Case

    Told: TypeAlias = tuple[str, str, str]  # says, cause, mend

HOUR = 3_600
FAR = 2**33  # seconds apart that no clock is, but a wrong unit
CLOCKS = "set both clocks by NTP; authkit doctor compares this machine's"


def stated(case: Case) -> str | None:
    """The time as the delivery says it; None if it says none, or several."""
    scheme = case.scheme
    sent = Sent(case.headers, case.body, case.url, case.method)
    for signature, _, timestamp in scheme.rows:
        try:
            lines = sent.texts(signature)
            if not lines:
                continue
            if scheme.timestamp_item is not None:
                items = lines[0].split(scheme.separator)
                lines = [
                    one.strip()[len(scheme.timestamp_item) :] for one in items if one.strip().startswith(scheme.timestamp_item)
                ]
            else:
                lines = sent.texts(timestamp) if timestamp is not None else []
        except InvalidSignature:
            return None
        return lines[0] if len(lines) == 1 else None
    return None


def malformed(case: Case) -> Told:
    """What a time is that cannot be read in the scheme's unit."""
    text = (stated(case) or "").strip()
    unit = {"s": "seconds", "ms": "milliseconds", "rfc3339": "a date and time (RFC 3339)"}[case.scheme.unit]
    says = f"the signed time cannot be read as {unit}"
    mend = "have the sender write it as its scheme says, or declare the scheme with another unit="
    if not text:
        return "the signed time is empty, or there twice", "a proxy changed the header, or it was never filled in", mend
    if case.scheme.unit == "rfc3339":
        if text.isdigit():
            return says, f"it is a number: {'milliseconds' if len(text) > 11 else 'seconds'} since 1970", mend
        return says, "it has no time zone, or is a date of another form", mend
    if seconds_of(text, "rfc3339") is not None:
        return says, "it is a date and time, not a number", mend
    whole, dot, rest = text.partition(".")
    if dot and whole.isdigit() and rest.isdigit():
        return says, "it is a number with a fraction", "have the sender write whole " + unit
    if text != (stated(case) or "") or text.strip("\"'").isdigit():
        return says, "there are spaces or quotes around it", mend
    return says, "it is no number", mend


def outside(case: Case, *, holds: bool) -> Told:
    """Why the time is further from ours than is allowed. `holds`: the signature itself does."""
    seconds = seconds_of(stated(case), case.scheme.unit)
    if seconds is None:  # a claim of a JWS, which has its own end
        return "its own time is over, or has not begun", "it waited too long, or a clock is wrong", CLOCKS
    late = case.now - seconds
    also = "its signature holds" if holds else "its signature does not hold either"
    says = f"it was signed {_span(late)} {'ago' if late >= 0 else 'ahead of our time'}, of at most {case.tolerance:g} s; {also}"
    unit = _unit(case, seconds)
    if unit is not None:
        return says, unit, "have the sender write the time in its scheme's unit, or declare the scheme with the other unit="
    if case.received is not None and abs(case.received - seconds) <= case.tolerance:
        return (
            says,
            "its time was right when it was received: it is only now that it is old",
            "judge it as of then: --now, or verify a delivery when it comes",
        )
    hours = round(late / HOUR)
    if hours and abs(hours) <= 14 and abs(late - hours * HOUR) <= min(case.tolerance, 300):
        return (
            says,
            f"it is {abs(hours)} whole hours: somebody takes local time for UTC",
            "have the sender sign seconds since 1970 in UTC, and set this machine's clock by UTC",
        )
    sender = _date(case)
    if sender is not None and abs(sender - seconds) <= case.tolerance:
        ours = case.now if case.received is None else case.received
        return (
            says,
            f"the sender's clock, by its Date header, is {_span(ours - sender)} {'behind' if ours > sender else 'ahead'}",
            CLOCKS,
        )
    if late < 0:
        return says, "this machine's clock is behind the sender's, or the sender's is ahead", CLOCKS
    if late <= 2 * case.tolerance + 60:
        return says, "it took long to come, or this machine's clock is ahead", CLOCKS
    return (
        says,
        "it waited in a queue, was delivered again with its old signature, or somebody replays it",
        "verify a delivery before it is queued; have the sender sign each attempt anew",
    )


def _unit(case: Case, seconds: float) -> str | None:
    """The unit that the sender wrote, where it is not the scheme's."""
    if case.scheme.unit == "s" and seconds > FAR * 100:
        return "the sender writes milliseconds where the scheme has seconds"
    if case.scheme.unit == "ms" and seconds * 1000 < FAR:
        return "the sender writes seconds where the scheme has milliseconds"
    return None


def _date(case: Case) -> float | None:
    """What the sender's own Date header says, epoch seconds (RFC 9110 section 6.6.1)."""
    from email.utils import parsedate_to_datetime

    lines = case.headers.get_all("date")
    try:
        return parsedate_to_datetime(lines[0]).timestamp() if len(lines) == 1 and len(lines[0]) < 64 else None
    except (ValueError, TypeError, OverflowError):
        return None


def _span(seconds: float) -> str:
    seconds = abs(seconds)
    for size, unit in ((86_400 * 365, "years"), (86_400, "days"), (HOUR, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds)} s ({seconds / size:.3g} {unit})" if size < 86_400 * 365 else f"{seconds / size:.3g} {unit}"
    return f"{int(seconds)} s"
