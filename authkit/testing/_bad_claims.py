"""Bad tokens: their time, from whom, for whom, and about whom."""

from __future__ import annotations

from ._catalogue import BAD, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._catalogue import Change

# Time


def _as(name: str, value: object) -> Change:
    return lambda claims, now: {**claims, name: value}


def _changed(name: str, change: Callable[[Any], object]) -> Change:
    return lambda claims, now: {**claims, name: change(claims[name])}


BAD.claims("expired", "expired a minute ago", lambda claims, now: {**claims, "iat": now - 960, "exp": now - 60})
BAD.claims("expired_long_ago", "expired at the epoch", lambda claims, now: {**claims, "iat": 0, "exp": 0})
BAD.claims("not_yet_valid", "nbf is in an hour", lambda claims, now: {**claims, "nbf": now + 3600, "exp": now + 7200})
BAD.claims("issued_in_future", "iat is in an hour", lambda claims, now: {**claims, "iat": now + 3600, "exp": now + 7200})
BAD.claims("no_exp", "never expires: no exp", lambda claims, now: without(claims, "exp"))
for _name, _time in (
    ("null", None), ("text", "4102444800"), ("true", True), ("list", [4_102_444_800]), ("nan", float("nan")),
    ("infinity", float("inf")), ("minus_infinity", float("-inf")), ("beyond_time", 10**50), ("negative", -1),
):  # fmt: skip
    for _claim in ("exp", "nbf", "iat"):
        if _claim == "exp" or _name not in ("negative", "minus_infinity"):
            BAD.claims(f"{_claim}_{_name}", f"{_claim} is {_time!r}", _as(_claim, _time))


BAD.text(
    "exp_overflow",
    "exp is 1e999, which is infinite once read",
    lambda text: text[:-1].replace('"exp":', '"exp":1e999,"was":') + "}",
)
BAD.text("exp_digits", "exp has 5000 digits", lambda text: text.replace('"exp":', '"exp":' + "9" * 5000 + ',"was":'))

# From whom, for whom


def _otherwise(change: Callable[[str], object]) -> Callable[[str], object]:
    """`change`; where that has nothing to change (an issuer without letters), something else that is wrong."""
    return lambda text: text + "x" if change(text) == text else change(text)


for _name, _about, _change in (
    ("wrong_issuer", "of another issuer", lambda iss: "https://evil.example"),
    ("issuer_slash", "a slash too many", lambda iss: iss + "/"),
    ("issuer_upper", "in capitals", lambda iss: iss.upper()),
    ("issuer_part", "a part of the right one", lambda iss: iss[:-1]),
    ("issuer_list", "in a list", lambda iss: [iss]),
    ("issuer_null", "null", lambda iss: None),
    ("issuer_look_alike", "with a Cyrillic letter", lambda iss: iss.replace("e", "\u0435")),
):
    BAD.claims(_name, f"iss: {_about}", _changed("iss", _otherwise(_change)))
BAD.claims("no_issuer", "no iss", lambda claims, now: without(claims, "iss"))
for _name, _about, _change in (
    ("wrong_audience", "somebody else's", lambda aud: "https://other.example"),
    ("audience_empty_list", "nobody's", lambda aud: []),
    ("audience_list_of_others", "a list without ours", lambda aud: ["a", "b"]),
    ("audience_mixed", "ours and a number", lambda aud: [aud, 1]),
    ("audience_nested", "ours, in a list of a list", lambda aud: [[aud]]),
    ("audience_part", "a part of ours", lambda aud: aud[:-1]),
    ("audience_joined", "ours and another in one text", lambda aud: f"{aud} other"),
    ("audience_object", "an object", lambda aud: {aud: True}),
    ("audience_null", "null", lambda aud: None),
):
    BAD.claims(_name, f"aud: {_about}", _changed("aud", _change))
BAD.claims("no_audience", "no aud", lambda claims, now: without(claims, "aud"))
BAD.claims("no_subject", "no sub", lambda claims, now: without(claims, "sub"))
for _name, _value in (("empty", ""), ("number", 1), ("null", None), ("list", ["alice"])):
    BAD.claims(f"subject_{_name}", f"sub is {_value!r}", _as("sub", _value))
BAD.claims("scope_list", "scope is a list, where RFC 8693 wants text", _as("scope", ["admin"]))
BAD.claims(
    "scope_contradicted", "scope and scp say different things", lambda claims, now: {**claims, "scope": "a", "scp": ["b"]}
)
