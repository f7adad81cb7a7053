"""Claims as API Gateway writes them into an event: everything is text. What they were can be told of those that are named.

Two forms. HTTP APIs: an array is "[a b]", a number its digits, an object JSON, and null is left out. REST APIs (Cognito): an
array is "a,b", and `exp` and `iat` are dates like "Fri Jul 29 18:52:53 UTC 2016".
"""

from __future__ import annotations

from ..decision import FrozenDict, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .profile import TokenProfile

_TIMES = ("exp", "iat", "nbf", "auth_time")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in no locale
_MAX_DIGITS = 12


def of_http_api(claims: Mapping[str, Any], profile: TokenProfile) -> FrozenDict:
    """The claims of a JWT authorizer. A name that holds a space cannot be told from two: nobody may have such roles."""
    return _read(claims, profile, _bracketed)


def of_rest_api(claims: Mapping[str, Any], profile: TokenProfile) -> FrozenDict:
    """The claims of a Cognito authorizer. A name that holds a comma cannot be told from two: nobody may have such groups."""
    return _read(claims, profile, _with_commas)


def _read(claims: Mapping[str, Any], profile: TokenProfile, listed: Any) -> FrozenDict:
    found = {name: value for name, value in claims.items() if isinstance(name, str) and value is not None}
    for name in _TIMES:
        if name in found:
            found[name] = seconds(found[name])
    if "amr" in found:
        found["amr"] = listed(found["amr"], False)
    # `scope` is text by itself (RFC 6749 section 3.3); of the other places an array is what is expected.
    for place in (profile.audience, *profile.roles, *profile.groups, *(one for one in profile.scopes if one != ("scope",))):
        first = place[0]
        if len(place) > 1:
            _open(found, first)
        elif first in found:
            found[first] = listed(found[first], place == profile.audience)
    return frozen(found)  # type: ignore[no-any-return]


def seconds(value: object) -> Any:
    """A time in seconds since the epoch, however it is written; what is no time stays as it is, and is refused later."""
    if not isinstance(value, str):
        return value
    if value.isascii() and value.isdecimal():
        return int(value) if len(value) <= _MAX_DIGITS else value
    parts = value.split(" ")
    if len(parts) != 6 or parts[1] not in _MONTHS or parts[4] not in ("UTC", "GMT"):
        return value
    clock = parts[3].split(":")
    numbers = [parts[5], parts[2], *clock]
    if len(numbers) != 5 or not all(one.isascii() and one.isdecimal() and len(one) <= 4 for one in numbers):
        return value
    year, day, hour, minute, second = map(int, numbers)
    if not (year >= 1970 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return value
    import calendar

    return calendar.timegm((year, _MONTHS.index(parts[1]) + 1, day, hour, minute, second))


def _bracketed(value: object, may_be_one: bool) -> Any:
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        return value[1:-1].split()
    return value  # text by itself is one audience, and no list of roles


def _with_commas(value: object, may_be_one: bool) -> Any:
    if not isinstance(value, str):
        return value
    if may_be_one and "," not in value:
        return value
    return [one for one in value.split(",") if one]


def _open(found: dict[str, Any], name: str) -> None:
    """Read the object in which a nested place lies."""
    value = found.get(name)
    if not isinstance(value, str) or not value.startswith("{"):
        return
    from ..tokens.strict_json import parse_object

    try:
        found[name] = parse_object(value.encode())
    except ValueError:  # then nothing lies there
        return
