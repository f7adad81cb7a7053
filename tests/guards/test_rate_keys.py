"""Who is counted together, beyond addresses and principals."""

from __future__ import annotations

import pytest

from authkit import Allow, ConfigurationError, Deny, Request, chain, rate_limit
from authkit.limits import by_header, by_path
from authkit.stores import MemoryStore

from .rate_parts import Clock, Known, ask, passed


@pytest.fixture
def store():
    return MemoryStore(clock=Clock())


def test_a_callable_key(store):
    guard = rate_limit("5/hour", key=lambda request: request.headers.get("x-key", "none"), store=store)
    assert passed(ask(guard, x_key="a") for _ in range(20)) == 5
    assert passed(ask(guard, x_key="b" * 60_000) for _ in range(20)) == 5
    assert passed(ask(guard, x_key="b" * 60_001) for _ in range(20)) == 5
    assert all(len(key) < 80 for key in guard._limiter._young)  # nobody chooses how much memory a key takes


@pytest.mark.parametrize("key", [None, "", 5, b"k", True])
def test_a_key_that_is_no_text_admits_nobody(store, key):
    guard = rate_limit("5/hour", key=lambda request: key, store=store)
    with pytest.raises(TypeError):
        ask(guard)


def test_an_api_key_is_counted_wherever_it_comes_from(store):
    guard = rate_limit("5/hour", key=by_header("X-Api-Key"), store=store)
    assert passed(ask(guard, f"203.0.113.{n}", x_api_key="a") for n in range(20)) == 5
    assert passed(ask(guard, x_api_key="b") for _ in range(20)) == 5


def test_without_the_header_the_address_counts(store):
    guard = rate_limit("5/hour", key=by_header("x-api-key"), store=store)
    assert passed(ask(guard, "203.0.113.5") for _ in range(20)) == 5
    assert passed(ask(guard, "203.0.113.5", x_api_key="") for _ in range(20)) == 0
    assert passed(ask(guard, "203.0.113.6") for _ in range(20)) == 5


def test_no_api_key_is_written_to_the_store(store):
    guard = rate_limit("5/hour", key=by_header("x-api-key"), store=store)
    ask(guard, x_api_key="sk-live-4242")
    assert not any("sk-live" in key for key in guard._limiter._young)
    assert "sk-live" not in repr(guard.limit.parts)


def test_two_values_of_a_header_are_neither_of_them(store):
    guard = rate_limit("1/hour", key=by_header("x-api-key"), store=store)
    assert isinstance(ask(guard, headers=[("x-api-key", "a"), ("x-api-key", "b")]), Allow)
    assert isinstance(ask(guard, x_api_key="a"), Allow)
    assert isinstance(ask(guard, headers=[("x-api-key", "a"), ("x-api-key", "b")]), Deny)


@pytest.mark.parametrize("name", ["", "x api key", "x-key\r\n", None, 5, "\u00fc"])
def test_what_is_no_header_is_refused_when_built(name):
    with pytest.raises(ConfigurationError):
        by_header(name)


class Routed(Request):
    """A request of a host that knows its route."""

    __slots__ = ()

    def _read_route(self):
        return "/users/{id}"


SPELLINGS = [
    "/login", "/login/", "//login", "/LOGIN", "/Login", "/./login", "/x/../login", "/login/.", "/%6cogin", "/%6Cogin",
    "/%256cogin", "/login;x=1", "/;a/login", "/login%2f", "\\login", "/login%00", "/a/b/../../login", "///login///",
    "/login/./", "/../login",
]  # fmt: skip


def test_every_spelling_of_a_path_is_one(store):
    """RTL-04."""
    guard = rate_limit("5/hour", key=by_path, store=store)
    decisions = [guard.decide(Request.build(path=path, peer=f"203.0.113.{n}")) for path in SPELLINGS for n in range(20)]
    assert passed(decisions) == 5
    assert isinstance(guard.decide(Request.build(path="/logout")), Allow)


def test_where_the_route_is_known_it_counts_and_not_the_path(store):
    guard = rate_limit("5/hour", key=by_path, store=store)
    assert passed(guard.decide(Routed.build(path=f"/users/{n}")) for n in range(20)) == 5
    assert isinstance(guard.decide(Request.build(path="/users/7")), Allow)


def test_parts_together_are_a_key(store):
    guard = rate_limit("5/hour", key=("ip", by_path), store=store)

    def asked(path, peer):
        return [guard.decide(Request.build(path=path, peer=peer)) for _ in range(10)]

    for path in ("/a", "/b"):
        for peer in ("203.0.113.5", "203.0.113.6"):
            assert passed(asked(path, peer)) == 5
    assert passed(asked("/a/", "::ffff:203.0.113.5")) == 0


def test_a_principal_among_the_parts_wants_a_login_before(store):
    limit = rate_limit("5/hour", key=("principal", by_path), store=store)
    with pytest.raises(ConfigurationError, match="principal"):
        chain(limit).prepare()
    guard = chain(Known(), limit)
    assert passed(ask(guard, f"203.0.113.{n}", x_who="alice") for n in range(20)) == 5


@pytest.mark.parametrize(("prefix", "same", "other"), [
    (56, "2001:db8:0:1ff::1", "2001:db8:0:200::1"),
    (48, "2001:db8:0:ffff::1", "2001:db8:1::1"),
    (128, "2001:db8:0:100::1", "2001:db8:0:100::2"),
])  # fmt: skip
def test_another_prefix_of_ipv6_when_told(store, prefix, same, other):
    guard = rate_limit("1/hour", ipv6_prefix=prefix, store=store)
    assert isinstance(ask(guard, "2001:db8:0:100::1"), Allow)
    assert isinstance(ask(guard, same), Deny)
    assert isinstance(ask(guard, other), Allow)
    assert isinstance(ask(guard, "203.0.113.5"), Allow)
    assert isinstance(ask(guard, "::ffff:203.0.113.5"), Deny)
    assert isinstance(ask(guard, "203.0.113.6"), Allow)
