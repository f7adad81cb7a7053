"""`require`, `require_scopes`, `require_roles`: 401 before 403, no empty lists, no bare decorators."""

from __future__ import annotations

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Principal,
    Request,
    chain,
    guard,
    require,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit.access import RoleMap, scope
from authkit.testing import TokenMint

MINT = TokenMint()
AUTH = require_auth(MINT.tokens)


def word(guard_, **held):
    token = MINT.good("alice", **held)
    decision = chain(AUTH, guard_).decide(Request.build(headers={"authorization": f"Bearer {token}"}))
    return "in" if isinstance(decision, Allow) else f"{decision.status} {decision.code}"


@pytest.mark.parametrize(
    "made", [require_scopes("a"), require_roles("a"), require(scope("a")), require(lambda principal, request: True)]
)
def test_without_a_principal_it_is_401_before_anything_is_evaluated(made):
    decision = made.decide(Request.build())
    assert (decision.status, decision.code, decision.reason) == (401, "unauthorized", "no_principal")
    assert str(decision.challenge[0]) == 'Bearer realm="api"'


def test_without_a_principal_a_callable_is_not_called():
    def called(principal, request):
        raise AssertionError("called without a principal")

    anonymous = require_auth(MINT.tokens, optional=True)
    assert chain(anonymous, require(called)).decide(Request.build()).status == 401


def test_several_scopes_mean_all_of_them_and_any_of_one_of_them():
    assert word(require_scopes("a", "b"), scopes=["a", "b", "c"]) == "in"
    assert word(require_scopes("a", "b"), scopes=["a"]) == "403 insufficient_scope"
    assert word(require_scopes(any_of=["a", "b"]), scopes=["b"]) == "in"
    assert word(require_scopes(any_of=["a", "b"]), scopes=["c"]) == "403 insufficient_scope"
    assert word(require_scopes("a", any_of=["b", "c"]), scopes=["a", "c"]) == "in"
    assert word(require_scopes("a", any_of=["b", "c"]), scopes=["b", "c"]) == "403 insufficient_scope"
    assert word(require_scopes("a")) == "403 insufficient_scope"


def test_several_roles_say_which_is_meant():
    assert word(require_roles("a"), roles=["a", "b"]) == "in"
    assert word(require_roles(any_of=["a", "b"]), roles=["b"]) == "in"
    assert word(require_roles(all_of=["a", "b"]), roles=["b"]) == "403 forbidden"
    assert word(require_roles(all_of=["a", "b"]), roles=["b", "a"]) == "in"
    assert word(require_roles("a", any_of=["b"]), roles=["b"]) == "403 forbidden"
    with pytest.raises(ConfigurationError, match="which is meant"):
        require_roles("a", "b")


def test_roles_may_bring_scopes():
    roles = RoleMap({"engineer": {"deploy"}})
    assert word(require_scopes("deploy", roles=roles), roles=["engineer"]) == "in"
    assert word(require_scopes("deploy"), roles=["engineer"]) == "403 insufficient_scope"
    assert word(require_scopes("deploy", roles=roles), roles=["clerk"]) == "403 insufficient_scope"


def handler(event, context):
    raise AssertionError("decorated by mistake")


EMPTY = [
    lambda: require_scopes(),
    lambda: require_scopes(""),
    lambda: require_scopes(None),
    lambda: require_scopes([]),
    lambda: require_scopes(any_of=[]),
    lambda: require_scopes("a", any_of=[]),
    lambda: require_scopes(any_of=""),
    lambda: require_scopes(any_of="a"),
    lambda: require_scopes("a", ""),
    lambda: require_scopes(["a"]),
    lambda: require_scopes("a b"),
    lambda: require_roles(),
    lambda: require_roles(""),
    lambda: require_roles(None),
    lambda: require_roles(any_of=[]),
    lambda: require_roles(all_of=[]),
    lambda: require_roles("a", all_of=[]),
    lambda: require_roles(any_of="a"),
    lambda: require_roles(all_of=[None]),
    lambda: require_roles(["a"]),
    lambda: require(None),
    lambda: require([]),
    lambda: require(""),
    lambda: require_scopes(handler),
    lambda: require_roles(handler),
    lambda: require_scopes(any_of=[handler]),
    lambda: require(True),
]


@pytest.mark.parametrize("made", EMPTY)
def test_an_empty_list_a_wrong_name_and_a_bare_decorator_are_configuration_errors(made):
    """AUZ-01: a requirement that asks for nothing would admit everybody."""
    with pytest.raises(ConfigurationError):
        made()


@pytest.mark.parametrize("made", [require_scopes("a"), require_roles("a"), require(scope("a"))])
def test_above_require_auth_it_is_a_configuration_error(made):
    for wrong in (chain(made, AUTH), chain(chain(made), chain(AUTH)), chain(made, AUTH.except_for("/x"))):
        with pytest.raises(ConfigurationError, match="stands above require_auth"):
            wrong.prepare()

    @made
    @AUTH
    def stacked(request: Request):
        raise AssertionError("not entered")

    assert stacked(Request.build()).status == 500


def test_below_any_guard_that_says_who_it_is_it_is_right():
    @guard
    def custom(request):
        return Allow(Principal("custom", scopes=["a"]))

    assert isinstance(chain(custom, require_scopes("a")).decide(Request.build()), Allow)
    chain(AUTH, require_scopes("a"), AUTH).prepare()


TYPES = [
    "admin",
    {"admin": 1},
    1,
    True,
    None,
    [["admin"]],
    ["admin", 1],
    [None],
    {"0": "admin"},
    "admin other",
    ["superadmin"],
    ["Admin"],
    ["admin "],
]


@pytest.mark.parametrize("roles", TYPES, ids=repr)
def test_a_roles_claim_of_another_type_or_spelling_gives_no_role(roles):
    """AUZ-02: a list of text, exact; everything else is 403."""
    token = MINT.forge(MINT.header(), {**MINT.claims(), "roles": roles})
    decision = chain(AUTH, require_roles("admin")).decide(Request.build(headers={"authorization": f"Bearer {token}"}))
    assert (decision.status, decision.code) == (403, "forbidden")


SCOPES = [
    ({"scope": "a b"}, {"a", "b"}),
    ({"scope": "a"}, {"a"}),
    ({"scope": ""}, set()),
    ({}, set()),
    ({"scp": ["a", "b"]}, {"a", "b"}),
    ({"scp": "a b"}, {"a", "b"}),
    ({"scp": []}, set()),
    ({"scope": "a b", "scp": ["b", "a"]}, {"a", "b"}),
    ({"scope": "A"}, {"A"}),
    ({"scope": "*"}, {"*"}),
    ({"scope": "a\tb"}, {"a\tb"}),
    ({"scope": "a\nb"}, {"a\nb"}),
    ({"scope": "a,b"}, {"a,b"}),
    ({"scope": "a\u00a0b"}, {"a\u00a0b"}),
    ({"scope": "a\u2003b"}, {"a\u2003b"}),
    ({"scope": "a+b"}, {"a+b"}),
    ({"scope": "a  b"}, None),
    ({"scope": " a"}, None),
    ({"scope": "a "}, None),
    ({"scope": " "}, None),
    ({"scope": ["a"]}, None),
    ({"scope": None}, None),
    ({"scope": 1}, None),
    ({"scope": {"a": 1}}, None),
    ({"scp": None}, None),
    ({"scp": [1]}, None),
    ({"scp": {"a": 1}}, None),
    ({"scope": "a", "scp": "b"}, None),
    ({"scope": "a", "scp": []}, None),
    ({"scope": "", "scp": "a"}, None),
]


@pytest.mark.parametrize(("claims", "expected"), SCOPES, ids=repr)
def test_scopes_are_parted_by_one_space_and_by_nothing_else(claims, expected):
    """AUZ-03."""
    token = MINT.forge(MINT.header(), {**MINT.claims(), **claims})
    decision = AUTH.decide(Request.build(headers={"authorization": f"Bearer {token}"}))
    if expected is None:
        assert (decision.status, decision.code) == (401, "invalid_token")
    else:
        assert decision.principal.scopes == expected
