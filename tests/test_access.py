"""Policies: exact names, no node that could not be judged ever admits, and a claim's path means one thing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import Allow, ConfigurationError, Deny, Principal, Request, Unavailable, chain, guard, require
from authkit.access import RoleMap, claim, owner, policy, role, scope

YES, NO = (lambda principal, request: True), (lambda principal, request: False)


def ask(node, principal=None, request=None):
    """The decision of `require(node)` about a principal."""
    who = principal or Principal("alice")

    @guard
    def identify(request):
        return Allow(who)

    return chain(identify, require(node)).decide(request or Request.build())


def holds(node, principal=None, request=None):
    return isinstance(ask(node, principal, request), Allow)


# Composition


def test_the_truth_tables():
    nodes = {True: policy(YES), False: policy(NO)}
    for a, b in itertools.product((True, False), repeat=2):
        assert holds(nodes[a] & nodes[b]) == (a and b)
        assert holds(nodes[a] | nodes[b]) == (a or b)
        assert holds(~nodes[a]) == (not a)
        assert holds(~(nodes[a] & nodes[b])) == (not (a and b))
        assert holds(~(nodes[a] | ~nodes[b])) == (not (a or not b))


@given(
    st.recursive(
        st.booleans(),
        lambda inner: st.one_of(st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or"]), inner, inner)),
    )
)
def test_any_composition_says_what_its_words_say(tree):
    def meaning(one):
        if isinstance(one, bool):
            return one
        if one[0] == "not":
            return not meaning(one[1])
        return (all if one[0] == "and" else any)([meaning(one[1]), meaning(one[2])])

    def built(one):
        if isinstance(one, bool):
            return policy(YES if one else NO)
        if one[0] == "not":
            return ~built(one[1])
        return built(one[1]) & built(one[2]) if one[0] == "and" else built(one[1]) | built(one[2])

    assert holds(built(tree)) == meaning(tree)


def test_callables_compose_from_either_side():
    assert holds(scope("a") | YES)
    assert holds(YES | scope("a"))
    assert not holds(NO & policy(YES))
    assert not holds(YES & scope("a"))


def test_words_that_would_drop_a_node_are_errors():
    for words in (
        lambda: scope("a") and role("b"),
        lambda: scope("a") or role("b"),
        lambda: not scope("a"),
        lambda: bool(scope("a")),
    ):
        with pytest.raises(TypeError, match="composed with"):
            words()


@pytest.mark.parametrize("wrong", [None, True, "admin", 1, ["admin"], Principal, {}])
def test_what_is_no_policy_is_refused_when_it_is_made(wrong):
    with pytest.raises(ConfigurationError, match="policy"):
        require(wrong)
    with pytest.raises(ConfigurationError):
        scope("a") & wrong


# What could not be judged


async def _coroutine(principal, request):
    return True


def _raises(principal, request):
    raise LookupError("claims canary")


class _Truthy:
    def __eq__(self, other):
        return True

    __hash__ = None


BROKEN = [
    _raises,
    _coroutine,
    *(
        lambda principal, request, value=value: value
        for value in (None, 1, 0, "", "yes", [], [1], {}, _Truthy(), Allow(), 1.0, (True,))
    ),
]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize(
    "around",
    [
        lambda node: node,
        lambda node: ~node,
        lambda node: ~~node,
        lambda node: ~(node & policy(YES)),
        lambda node: ~(policy(YES) & node),
        lambda node: ~(policy(NO) | node),
        lambda node: node | policy(YES),
        lambda node: policy(NO) | ~node,
        lambda node: policy(YES) & ~node,
        lambda node: ~(~node | policy(NO)),
    ],
)
def test_a_node_that_could_not_be_judged_admits_nobody_negated_or_not(broken, around):
    """AUZ-11: only True is yes and only False is no."""
    decision = ask(around(policy(broken)))
    assert isinstance(decision, Deny)
    assert (decision.status, decision.code) == (403, "forbidden")
    assert decision.reason.startswith("undecided: ")
    assert "canary" not in decision.reason


def test_a_dependency_that_fails_inside_a_policy_is_503():
    def down(principal, request):
        raise Unavailable("ldap")

    assert ask(down).status == 503
    assert ask(~policy(down)).status == 503


def test_a_policy_gets_the_principal_and_the_request():
    seen = []

    def look(principal, request):
        seen.append((principal.subject, request.path))
        return True

    assert holds(look, Principal("bob"), Request.build("GET", "/x"))
    assert seen == [("bob", "/x")]


# scope and role


@pytest.mark.parametrize(
    "held",
    [
        {"admin "},
        {" admin"},
        {"Admin"},
        {"ADMIN"},
        {"superadmin"},
        {"admin:read"},
        {"adm"},
        {"*"},
        {"ad*"},
        {"admin\0"},
        {"аdmin"},
        set(),
        {"a", "d"},
    ],
)
def test_names_are_exact(held):
    """AUZ-02, AUZ-03: no wildcard, no prefix, no case."""
    assert not holds(scope("admin"), Principal("a", scopes=held))
    assert not holds(role("admin"), Principal("a", roles=held))
    assert holds(~scope("admin"), Principal("a", scopes=held))


def test_a_scope_is_no_role_and_a_role_no_scope():
    assert not holds(scope("admin"), Principal("a", roles=["admin"]))
    assert not holds(role("admin"), Principal("a", scopes=["admin"]))
    assert holds(scope("admin") & role("r"), Principal("a", scopes=["admin"], roles=["r"]))


@pytest.mark.parametrize("name", ["", " ", "a b", "a\tb", "a\n", 'a"b', "a\\b", "é", None, 1, ["a"], b"a", "a\u00a0b"])
def test_a_scope_that_no_token_can_hold_is_refused(name):
    """RFC 6749 section 3.3."""
    with pytest.raises(ConfigurationError):
        scope(name)


@pytest.mark.parametrize("name", ["", " ", None, 1, ["a"], b"a"])
def test_a_role_is_a_name(name):
    with pytest.raises(ConfigurationError):
        role(name)
    assert holds(role("Rédacteur en chef"), Principal("a", roles=["Rédacteur en chef"]))


# claim

CLAIMS = {
    "org": "acme",
    "n": 1,
    "yes": True,
    "null": None,
    "list": ["a", "b"],
    "nested": [["a"]],
    "empty": [],
    "obj": {"a": {"b": "deep"}},
    "realm_access.roles": "literal",
    "https://x.example/tenant": "t1",
    "text": "obj.a",
    "zero": 0,
    "false": False,
    "float": 1.0,
}
WHO = Principal("alice", claims=CLAIMS)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (claim("org", "acme"), True),
        (claim("org", "other", "acme"), True),
        (claim("org", "Acme"), False),
        (claim("org"), True),
        (claim("absent"), False),
        (claim("absent", "x"), False),
        (claim("null"), False),
        (claim("n", 1), True),
        (claim("n", "1"), False),
        (claim("n", True), False),
        (claim("yes", True), True),
        (claim("yes", 1), False),
        (claim("zero", False), False),
        (claim("false", 0), False),
        (claim("float", 1), False),
        (claim("float", 1.0), True),
        (claim("false"), True),
        (claim("empty"), True),
        (claim("empty", "a"), False),
        (claim("list", "a"), True),
        (claim("list", "c"), False),
        (claim("nested", "a"), False),
        (claim("obj.a.b", "deep"), True),
        (claim("obj.a.b.c"), False),
        (claim("obj.a", "deep"), False),
        (claim(("obj", "a", "b"), "deep"), True),
        (claim("list.0", "a"), False),
        (claim("org.0"), False),
        (claim("list.a"), False),
        (claim(("realm_access.roles",), "literal"), True),
        (claim("realm_access.roles", "literal"), False),
        (claim("realm_access"), False),
        (claim(("https://x.example/tenant",), "t1"), True),
        (claim(("obj.a.b",), "deep"), False),
        (claim("org.__class__"), False),
        (claim("obj.keys"), False),
    ],
)
def test_a_claim_is_found_by_its_path_and_compared_with_its_type(node, expected):
    """CLM-14: a literal key never satisfies a nested path, and a path never walks into arrays or text."""
    assert holds(node, WHO) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        ("",),
        ("a..b",),
        (".",),
        ("a.",),
        ((),),
        (("a", ""),),
        (("a", 1),),
        (None,),
        (1,),
        ("https://x.example/y",),
        ("a", ["x"]),
        ("a", {"x": 1}),
        ("a", ("x",)),
        ("a", None),
        ("a", b"x"),
        (["a"],),
    ],
)
def test_a_claim_that_can_never_be_meant_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        claim(*wrong)


# owner


class WithParams(Request):
    """A request of a host that gives path parameters."""

    __slots__ = ("given",)

    @classmethod
    def of(cls, given):
        request = cls("GET", "/users/x")
        request.given = given
        return request

    def _read_params(self):
        return self.given


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"id": "alice"}, True),
        ({"id": "Alice"}, False),
        ({"id": "alice "}, False),
        ({"id": None}, False),
        ({"id": ""}, False),
        ({}, False),
        ({"other": "alice"}, False),
        ({"id": ["alice"]}, False),
        ({"id": b"alice"}, False),
        ({"id": {"alice"}}, False),
    ],
)
def test_the_owner_is_the_subject_of_that_path_parameter(params, expected):
    assert holds(owner("id"), Principal("alice"), WithParams.of(params)) == expected


def test_a_number_in_the_path_may_own_itself():
    assert holds(owner("id"), Principal("7"), WithParams.of({"id": 7}))
    assert not holds(owner("id"), Principal("None"), WithParams.of({"id": None}))


def test_where_the_host_gives_no_parameters_nobody_owns():
    nowhere = Request.build("GET", "/users/alice")
    assert not holds(owner("id"), Principal("alice"), nowhere)
    for negated in (
        ~owner("id"),
        ~(owner("id") & owner("id")),
        ~(role("x") | owner("id")),
        ~~owner("id"),
        ~owner("id") & role("a"),
    ):
        assert not holds(negated, Principal("alice", roles=["a"]), nowhere), (
            "nothing is let in because it could not be looked at"
        )
    assert holds(~owner("id") | role("a"), Principal("alice", roles=["a"]), nowhere)
    assert holds(~owner("id"), Principal("alice"), WithParams.of({"id": "bob"}))
    for wrong in ("", None, 1):
        with pytest.raises(ConfigurationError):
            owner(wrong)


# RoleMap


def test_roles_are_bags_of_scopes():
    roles = RoleMap({"engineer": {"deploy", "logs:read"}, "clerk": ["logs:read"]})
    engineer = Principal("a", roles=["engineer", "unknown"], scopes=["own"])
    assert roles.scopes(engineer) == {"deploy", "logs:read", "own"}
    assert holds(roles.scope("deploy"), engineer)
    assert holds(roles.scope("own"), engineer)
    assert not holds(roles.scope("deploy"), Principal("a", roles=["clerk"]))
    assert not holds(scope("deploy"), engineer), "the map counts only where it is named"
    assert not holds(roles.scope("deploy"), Principal("a", roles=["Engineer"]))


@pytest.mark.parametrize(
    "wrong", [{}, None, {"a": []}, {"a": "deploy"}, {"": ["x"]}, {"a": [""]}, {"a": ["x y"]}, {1: ["x"]}, {"a": None}]
)
def test_a_map_that_says_nothing_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        RoleMap(wrong)


# Why not


@pytest.mark.parametrize(
    ("node", "status", "code", "reason", "scopes"),
    [
        (scope("a"), 403, "insufficient_scope", "scope a missing", "a"),
        (role("admin"), 403, "forbidden", "role admin missing", None),
        (claim("org", "x"), 403, "forbidden", "claim org has another value", None),
        (claim("a.b"), 403, "forbidden", "claim a.b missing", None),
        (owner("id"), 403, "forbidden", "not the owner by id", None),
        (scope("a") | role("b"), 403, "insufficient_scope", "scope a missing and role b missing", "a"),
        (role("b") & scope("a"), 403, "forbidden", "role b missing", None),
        (~claim("org"), 403, "forbidden", "not claim('org') required", None),
    ],
)
def test_every_node_says_why_it_failed(node, status, code, reason, scopes):
    decision = ask(node, WHO)
    assert (decision.status, decision.code, decision.reason) == (status, code, reason)
    assert [str(one) for one in decision.challenge] == (
        [] if scopes is None else [f'Bearer error="insufficient_scope", scope="{scopes}"']
    )


def test_a_policy_shows_itself_as_it_was_written():
    assert (
        repr(scope("a") & (role("b") | ~claim("c.d")) & owner("id"))
        == "((scope('a') & (role('b') | ~claim('c.d'))) & owner('id'))"
    )
