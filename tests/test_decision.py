"""Decisions and principals are values: frozen, comparable, and silent about what they hold."""

from __future__ import annotations

import copy
import pickle

import pydantic
import pytest

from authkit import Allow, Challenge, ConfigurationError, Deny, Principal
from authkit.decision import FrozenDict, FrozenList, frozen

ALICE = Principal(
    "alice", issuer="https://i.example", scopes=["a"], roles=["r"], claims={"org": {"id": [1, {"x": 2}]}}, method="session"
)


@pytest.mark.parametrize("value", [ALICE, Allow(ALICE), Deny(401, "no"), Challenge(realm="api")])
def test_a_value_cannot_be_changed(value):
    for name in value.__slots__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, name, None)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(value, name)
    with pytest.raises(AttributeError):
        value.something_else = 1


@pytest.mark.parametrize(
    "value", [ALICE, Allow(ALICE, headers={"a": "b"}), Deny(401, "no", reason="why"), Challenge(realm="api")]
)
def test_a_value_survives_copying_and_pickling(value):
    assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_values_are_equal_by_what_they_hold():
    assert Principal("a", scopes=["x"]) == Principal("a", scopes={"x"})
    assert hash(Principal("a", claims={"x": [1]})) == hash(Principal("a", claims={"x": [1]}))
    assert Principal("a") != Principal("a", issuer="i")
    assert Allow() != Deny(401, "x")
    assert Principal("a") != "a"


def mutations():
    yield lambda claims: claims.__setitem__("a", 1)
    yield lambda claims: claims.__delitem__("org")
    for name, arguments in (
        ("clear", ()),
        ("pop", ("org",)),
        ("popitem", ()),
        ("setdefault", ("a", 1)),
        ("update", ({"a": 1},)),
    ):
        yield lambda claims, name=name, arguments=arguments: getattr(claims, name)(*arguments)
    yield lambda claims: claims.__ior__({"a": 1})
    yield lambda claims: claims["org"].__setitem__("id", 1)
    yield lambda claims: claims["org"]["id"][1].__setitem__("x", 1)
    for name, arguments in (
        ("append", (1,)),
        ("extend", ([1],)),
        ("insert", (0, 1)),
        ("pop", ()),
        ("remove", (1,)),
        ("clear", ()),
        ("sort", ()),
        ("reverse", ()),
        ("__setitem__", (0, 1)),
        ("__delitem__", (0,)),
        ("__iadd__", ([1],)),
        ("__imul__", (2,)),
    ):
        yield lambda claims, name=name, arguments=arguments: getattr(claims["org"]["id"], name)(*arguments)


@pytest.mark.parametrize("mutate", list(mutations()))
def test_claims_cannot_be_changed_at_any_depth(mutate):
    """AUZ-14: a principal is shared between requests by the cache of verified tokens."""
    with pytest.raises(TypeError, match="immutable"):
        mutate(ALICE.claims)
    assert ALICE.claims == {"org": {"id": [1, {"x": 2}]}}


def test_claims_are_a_snapshot_of_what_was_given():
    given = {"org": [1]}
    principal = Principal("a", claims=given)
    given["org"].append(2)
    given["more"] = [3]
    assert principal.claims == {"org": [1]}


def test_frozen_claims_are_dicts_and_lists():
    value = frozen({"a": [{"b": ()}]})
    assert isinstance(value, FrozenDict)
    assert isinstance(value["a"], FrozenList)
    assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(value)).update(a=1)


@pytest.mark.parametrize("field", ["scopes", "roles"])
def test_one_string_is_no_collection_of_names(field):
    with pytest.raises(TypeError, match="not one string"):
        Principal("alice", **{field: "admin"})


def test_what_is_printed_of_a_principal_holds_no_claims():
    principal = Principal("alice", claims={"email": "canary@example.com"}, scopes=["canary"], roles=["canary"])
    assert "canary" not in repr(principal) + str(principal) + repr(Allow(principal, headers={"x": "canary"}))


def test_a_principal_is_never_read_from_a_request():
    with pytest.raises(ConfigurationError, match=r"put the guard below @app\.get"):
        pydantic.TypeAdapter(Principal)


def test_allow_takes_a_principal_and_nothing_else():
    for wrong in ("alice", True, {"subject": "alice"}, Deny(401, "x")):
        with pytest.raises(TypeError):
            Allow(wrong)  # type: ignore[arg-type]
    assert Allow(drop_headers=["X-A", "x-b"]).drop_headers == ("x-a", "x-b")


@pytest.mark.parametrize("status", [0, 100, 199, 600, -401])
def test_a_refusal_has_a_status_of_http(status):
    with pytest.raises(ValueError, match="200 to 599"):
        Deny(status, "x")


def test_the_reason_of_a_refusal_is_its_code_unless_said_otherwise():
    assert Deny(401, "x").reason == "x"
    assert Deny(401, "x", reason="y").reason == "y"
    assert Deny(401, "x", challenge="Basic").challenge == ("Basic",)
    assert len(Deny(401, "x", challenge=[Challenge(realm="a"), "Basic"]).challenge) == 2


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("api", '"api"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("a\r\nSet-Cookie: x=1", '"aSet-Cookie: x=1"'),
        ("\0é\x7f", '""'),
    ],
)
def test_a_challenge_cannot_end_its_header_line(value, written):
    """RFC 9110 section 5.6.4."""
    assert str(Challenge(realm=value)) == f"Bearer realm={written}"


def test_parameters_of_a_challenge_keep_their_order():
    assert str(Challenge("DPoP", error="invalid_token", algs="ES256")) == 'DPoP error="invalid_token", algs="ES256"'
