"""A token that we really signed is valid for this issuer, this audience and this moment, or refused with the reason why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authkit.decision import FrozenDict
from authkit.errors import ConfigurationError, InvalidToken
from authkit.tokens import Tokens

from .craft import AUDIENCE, ISSUER, NOW, Clock, header, key_for, payload, sign, token, tokens

KEY = key_for("HS256")
TIMES = ["exp", "nbf", "iat"]


def verdict(verifier: Tokens, text: str) -> str:
    """ "ok", or the reason of the refusal."""
    try:
        verifier.verify(text)
    except InvalidToken as error:
        return error.reason
    return "ok"


def at(offset: float, **changes: Any) -> str:
    """The verdict on good claims with changes, `offset` seconds after they were issued."""
    return verdict(tokens(KEY, clock=Clock(NOW + offset)), token(KEY, **changes))


def written(name: str, value: str) -> str:
    """The verdict on good claims where `name` has exactly this JSON text."""
    body = json.dumps(payload(**{name: ...}))
    return verdict(tokens(KEY), sign(KEY, header(KEY), f'{body[:-1]},"{name}":{value}}}'))


def test_good_claims_are_valid_and_come_out_frozen() -> None:
    principal = tokens(KEY).verify(token(KEY, org={"id": [1, {"a": None}]}))
    assert principal.claims == payload(org={"id": [1, {"a": None}]})
    assert type(principal.claims) is type(principal.claims["org"]) is FrozenDict
    with pytest.raises(TypeError):
        principal.claims["org"]["id"].append(2)
    with pytest.raises(TypeError):
        principal.claims["sub"] = "admin"


@pytest.mark.parametrize("exp", [..., None, True, False, "1750000900", "", [], {}, [NOW + 900], {"$gt": 0}], ids=ascii)
def test_clm_01_a_token_without_an_expiry_is_refused(exp: Any) -> None:
    assert at(0, exp=exp) == "token_claims"


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_clm_02_times_that_are_no_numbers_are_refused(name: str, value: str) -> None:
    assert written(name, value) == "token_malformed"


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    "value",
    [
        "-1",
        "-0.5",
        "1e50",
        "1" + "0" * 50,
        "-1" + "0" * 400,
        "9" * 400,
        "253402300800",
        "1e300",
        "true",
        "false",
        "null",
        '"1750000000"',
        "[1750000000]",
        "{}",
    ],
)
def test_clm_02_times_out_of_range_or_of_another_type_are_refused(name: str, value: str) -> None:
    assert written(name, value) == "token_claims"


@pytest.mark.parametrize("leeway", [0, 0.5, 30, 300])
def test_clm_05_valid_until_exactly_exp_plus_leeway(leeway: float) -> None:
    for exp in (NOW + 900, NOW + 900.25):
        end = exp + leeway
        for now, expected in [
            (exp - 1, "ok"),
            (end - 0.001, "ok"),
            (end, "token_expired"),
            (end + 0.001, "token_expired"),
            (end + 1e6, "token_expired"),
        ]:
            assert verdict(tokens(KEY, clock=Clock(now), leeway=leeway), token(KEY, exp=exp)) == expected


@pytest.mark.parametrize("leeway", [0, 0.5, 30, 300])
@pytest.mark.parametrize(("name", "reason"), [("nbf", "token_not_yet_valid"), ("iat", "token_issued_in_future")])
def test_clm_05_clm_06_valid_from_exactly_nbf_and_iat_less_leeway(name: str, reason: str, leeway: float) -> None:
    for start in (NOW + 100, NOW + 100.25):
        first = start - leeway
        for now, expected in [(start, "ok"), (first, "ok"), (first - 0.001, reason), (first - 1e6, reason)]:
            claims: dict[str, Any] = {"iat": ..., name: start}
            assert verdict(tokens(KEY, clock=Clock(now), leeway=leeway), token(KEY, exp=NOW + 9000, **claims)) == expected


@pytest.mark.parametrize("leeway", [-1, -0.001, 300.001, 301, 1e9, float("nan"), float("inf"), True, None, "30", [30]])
def test_clm_05_a_leeway_outside_0_to_300_seconds_is_a_configuration_error(leeway: Any) -> None:
    with pytest.raises(ConfigurationError, match="leeway"):
        tokens(KEY, leeway=leeway)


def test_clm_06_issued_in_the_future_is_refused_and_issued_long_ago_is_not_our_question() -> None:
    assert at(0, iat=NOW + 3600, exp=NOW + 7200) == "token_issued_in_future"
    assert at(0, iat=1, exp=NOW + 10**9) == "ok"
    assert at(0, iat=...) == "ok"


ISSUERS = [
    ISSUER + "/", ISSUER + ":443", ISSUER.upper(), ISSUER[:-1], ISSUER + "x", ISSUER[1:], ISSUER.replace("https", "http"),
    ISSUER + " ", " " + ISSUER,
    ISSUER + "\0", ISSUER.replace("e", "\u0435"), ISSUER.replace("i", "\u0131"), "urn:", "", ISSUER + ".evil.example",
    "https://evil.example/" + ISSUER,
    ISSUER + "?", ISSUER + "#", [ISSUER], {ISSUER: 1}, {"iss": ISSUER}, None, ..., True, 1, "x" * 10_000, ISSUER * 300,
]  # fmt: skip


@pytest.mark.parametrize("issuer", ISSUERS, ids=range(len(ISSUERS)))
def test_clm_07_the_issuer_is_equal_code_point_by_code_point(issuer: Any) -> None:
    assert at(0, iss=issuer) == "token_issuer"


def test_clm_07_an_issuer_of_a_megabyte_is_too_large() -> None:
    assert at(0, iss="x" * 2**20) == "token_too_large"


AUDIENCES = [
    ..., None, "", [], "other", AUDIENCE + "/", AUDIENCE[:-1], AUDIENCE.upper(), [AUDIENCE + "/"], ["other"], [AUDIENCE, 1],
    [1, AUDIENCE],
    [AUDIENCE, None], [[AUDIENCE]], [AUDIENCE, [AUDIENCE]], {AUDIENCE: 1}, {"aud": AUDIENCE}, [{AUDIENCE: 1}, AUDIENCE], True,
    0, f"{AUDIENCE} other", f"{AUDIENCE},other",
]  # fmt: skip


@pytest.mark.parametrize("audience", AUDIENCES, ids=range(len(AUDIENCES)))
def test_clm_08_the_audience_is_ours_or_an_array_of_text_that_has_ours(audience: Any) -> None:
    assert at(0, aud=audience) == "token_audience"


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE], [AUDIENCE, AUDIENCE]])
def test_clm_08_an_array_with_ours_is_for_us(audience: Any) -> None:
    assert at(0, aud=audience) == "ok"


@pytest.mark.parametrize("subject", [..., None, "", 0, 1, True, ["alice"], {"sub": "alice"}], ids=ascii)
def test_a_subject_is_text_and_not_empty(subject: Any) -> None:
    assert at(0, sub=subject) == "token_claims"


@pytest.mark.parametrize("jti", [None, 0, True, ["a"], {"jti": "a"}], ids=ascii)
def test_an_id_is_text(jti: Any) -> None:
    assert at(0, jti=jti) == "token_claims"
    assert at(0, jti=...) == "ok"


def test_clm_14_a_literal_dotted_name_is_no_role() -> None:
    nested = {"roles": ["admin"]}
    claims: dict[str, Any] = {"realm_access.roles": ["admin"], "realm_access": nested, "a": nested}
    text = token(KEY, **claims)
    assert tokens(KEY).verify(text).roles == frozenset()


OPTIONS: dict[str, Any] = {
    "verify": False, "verify_exp": False, "verify_signature": False, "verify_aud": False, "verify_iss": False,
    "verify_nbf": False, "leeway": 10**9,
    "options": {"verify_exp": False}, "algorithms": ["none", "HS256"], "algorithm": "none", "require": [],
    "strict_aud": False, "nonce_supported": False,
    "nonce": "a", "at_hash": "a", "ignoreExpiration": True, "clockTolerance": 10**9, "maxAge": 10**9, "exp_leeway": 10**9,
    "zip": "DEF", "b64": True,
    "enc": "A128GCM", "cty": "JWT", "active": True, "revoked": False, "valid": True, "token_use": "id",
    "token_type": "refresh", "azp": "other",
    "auth_time": 0, "debug": True, "jwk": {"kty": "oct", "k": ""}, "jku": "https://evil.example", "x5u": "file:///x",
    "x5c": [], "purpose": "refresh",
    "issuer": "other", "audience": "other", "iss_": 1, "expires_at": 1, "expires_in": 0,
}  # fmt: skip


@pytest.mark.parametrize("place", ["claims", "header"])
def test_clm_16_what_a_token_says_about_its_own_validation_changes_nothing(place: str) -> None:
    verdicts: list[tuple[dict[str, Any], str]] = [
        ({}, "ok"), ({"exp": NOW - 900}, "token_expired"), ({"iss": "other"}, "token_issuer"),
        ({"aud": "other"}, "token_audience"),
        ({"nbf": NOW + 900}, "token_not_yet_valid"), ({"iat": NOW + 900}, "token_issued_in_future"),
        ({"sub": ""}, "token_claims"),
    ]  # fmt: skip
    verifier = tokens(KEY)
    for claims, expected in verdicts:
        for name, value in [*OPTIONS.items(), *((name.upper(), value) for name, value in OPTIONS.items())]:
            extra = {name: value}
            text = token(KEY, extra, **claims) if place == "header" else token(KEY, **claims, **extra)
            assert verdict(verifier, text) == expected, name


def test_clm_16_a_token_cannot_name_another_time_than_the_clocks() -> None:
    for name in ("now", "clock", "current_time", "iat"):
        assert at(10**6, **{name: NOW}) == "token_expired"


ROLES = [
    "admin",
    {"admin": 1},
    {"admin": True},
    1,
    True,
    None,
    [["admin"]],
    ["admin", 1],
    ["admin", None],
    [{"admin": 1}],
    ["admin", ["user"]],
    [""],
    ["admin", ""],
    "",
    {},
    [True],
]


@pytest.mark.parametrize("roles", ROLES, ids=ascii)
def test_auz_02_malformed_roles_are_no_roles_and_the_token_is_good(roles: Any) -> None:
    assert tokens(KEY).verify(token(KEY, roles=roles)).roles == frozenset()


@pytest.mark.parametrize("roles", [[], ["admin"], ["superadmin"], ["admin", "user", "admin"], ["Admin"], ["a b"], ["a,b"]])
def test_auz_02_roles_are_compared_as_they_are(roles: list[str]) -> None:
    assert tokens(KEY).verify(token(KEY, roles=roles)).roles == frozenset(roles)


SCOPES: list[tuple[str, set[str] | None]] = [
    ("", set()), ("a", {"a"}), ("a b", {"a", "b"}), ("b a b", {"a", "b"}), ("a\tb", {"a\tb"}), ("a\nb", {"a\nb"}),
    ("a,b", {"a,b"}), ("a, b", {"a,", "b"}),
    ("a\xa0b", {"a\xa0b"}), ("a\u2003b", {"a\u2003b"}), ("a;b", {"a;b"}), ("a+b", {"a+b"}), ("a%20b", {"a%20b"}),
    ("A a", {"A", "a"}), ("*", {"*"}), ("a:*", {"a:*"}),
    ("a  b", None), (" a", None), ("a ", None), (" ", None), ("  ", None), ("a\rb", {"a\rb"}), ("a\0b", {"a\0b"}),
    ('["a"]', {'["a"]'}), ("ä", {"ä"}),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "expected"), SCOPES, ids=ascii)
def test_auz_03_scopes_are_split_at_the_space_and_nowhere_else(scope: str, expected: set[str] | None) -> None:
    shapes: tuple[dict[str, Any], ...] = ({"scope": scope}, {"scp": scope}, {"scope": scope, "scp": scope})
    for claims in shapes:
        if expected is None:
            assert at(0, **claims) == "token_claims"
        else:
            assert tokens(KEY).verify(token(KEY, **claims)).scopes == expected


@pytest.mark.parametrize(
    ("scope", "scp", "valid"),
    [
        ("a b", ["a", "b"], True), ("a b", ["b", "a"], True), ("", [], True), (..., ["a"], True), (..., [], True),
        ("a", ["a", "b"], False), ("a b", ["a"], False),
        ("a", "b", False), ("a", "", False), ("", ["a"], False), ("a", [], False), ("a b", ["a b"], False),
        ("a", None, False), (None, ["a"], False), (None, ..., False),
        ("a", {"a": 1}, False), (["a"], ..., False), (["a"], ["a"], False), (1, ..., False), (True, ..., False),
        ({}, ..., False), (..., [1], False), (..., [["a"]], False),
        (..., [""], False), (..., None, False), (..., 1, False), (..., {"a": 1}, False),
    ],
)  # fmt: skip
def test_auz_03_scope_and_scp_say_the_same_or_the_token_is_refused(scope: Any, scp: Any, valid: bool) -> None:
    assert at(0, scope=scope, scp=scp) == ("ok" if valid else "token_claims")
