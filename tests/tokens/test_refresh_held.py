"""What is still held of a grant is asked before a refresh token is used; and what no session can begin with."""

from __future__ import annotations

from typing import Any

import pytest

from authkit import InvalidToken
from authkit._run import run
from authkit.errors import StoreUnavailable
from authkit.tokens import Grant, TokenPair, Tokens

from .worlds import World, refused, verdict

# Who still holds it


def refreshing(tokens: Tokens, token: str, held: Any, **options: Any) -> TokenPair:
    return run(tokens.refreshing(token, held=held, **options))


def test_held_is_asked_before_and_narrows_the_access_token_alone(world: World) -> None:
    """REF-05."""
    tokens = world.tokens()
    seen: list[Grant] = []

    async def held(grant: Grant) -> Grant:
        seen.append(grant)
        return grant.narrowed(scopes=["a", "never granted"], roles=[])

    created = world.clock.now
    first = tokens.issue_pair("alice", scopes=["a", "b"], roles=["r"], claims={"x": 1}, client="c", stamp="s")
    world.clock.now += 5
    second = refreshing(tokens, first.refresh_token, held, client="c")
    principal = tokens.verify(second.access_token)
    assert (principal.scopes, principal.roles) == ({"a"}, frozenset())
    (grant,) = seen
    assert (grant.subject, grant.scopes, grant.roles, grant.client, grant.stamp) == ("alice", {"a", "b"}, {"r"}, "c", "s")
    assert (grant.claims, grant.created, grant.family) == ({"x": 1}, created, first.refresh_token.split(".")[0])
    third = tokens.refresh(second.refresh_token, client="c")
    assert tokens.verify(third.access_token).scopes == {"a", "b"}
    asked = refreshing(tokens, third.refresh_token, held, client="c", scopes=["b"])
    assert tokens.verify(asked.access_token).scopes == frozenset()  # asked for, granted, and not held any more


def test_whom_nothing_is_held_for_any_more_is_out(world: World) -> None:
    """REF-05."""
    tokens = world.tokens()
    pair = tokens.issue_pair("alice")

    async def held(grant: Grant) -> None:
        return None

    with pytest.raises(InvalidToken, match="refresh_user"):
        refreshing(tokens, pair.refresh_token, held)
    assert verdict(tokens, pair.access_token) == "token_revoked"
    assert refused(tokens, pair.refresh_token) == "refresh_unknown"


def test_a_held_that_fails_uses_nothing_up(memory: World) -> None:
    tokens = memory.tokens()
    pair = tokens.issue_pair("alice")

    async def down(grant: Grant) -> Grant:
        raise StoreUnavailable("down")

    async def wrong(grant: Grant) -> Any:
        return True

    with pytest.raises(StoreUnavailable):
        refreshing(tokens, pair.refresh_token, down)
    with pytest.raises(TypeError, match="Grant"):
        refreshing(tokens, pair.refresh_token, wrong)
    memory.clock.now += 60
    assert tokens.refresh(pair.refresh_token).refresh_token.split(".")[1] == "1"


def test_a_grant_is_narrowed_and_never_widened() -> None:
    grant = Grant("f", "alice", scopes=["a", "b"], roles=["r"])
    assert grant.narrowed(scopes=["b", "c"]).scopes == {"b"}
    assert grant.narrowed(scopes=["b", "c"]).roles == {"r"}
    assert grant.narrowed(roles=["x"]).roles == frozenset()
    for wrong in ({"scopes": "ab"}, {"roles": "r"}):
        with pytest.raises(TypeError):
            grant.narrowed(**wrong)  # type: ignore[arg-type]


# What cannot be


@pytest.mark.parametrize(
    "options",
    [
        {"subject": ""}, {"subject": 5}, {"scopes": "a"}, {"scopes": ["a b"]}, {"roles": [5]}, {"claims": {"sid": "x"}},
        {"claims": {"gen": "x"}}, {"claims": {"sub": "x"}}, {"claims": {"a": object()}}, {"client": 5}, {"client": "c" * 257},
        {"stamp": None}, {"stamp": "s" * 257}, {"claims": {"a": "x" * 20_000}}, {"subject": "\ud800"}, {"client": "\ud800"},
    ],
)  # fmt: skip
def test_what_no_token_can_say_is_a_value_error_and_begins_no_session(memory: World, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # each says something else
        memory.tokens().issue_pair(**{"subject": "alice", **options})
    assert b":f:" not in memory.dump()


def test_a_random_source_that_repeats_itself_gives_nobody_the_session_of_another(memory: World) -> None:
    tokens = memory.tokens(random=lambda size: b"x" * size)
    tokens.issue_pair("alice")
    with pytest.raises(StoreUnavailable, match="random"):
        tokens.issue_pair("alice")


def test_a_record_that_nobody_wrote_is_unavailable(memory: World) -> None:
    tokens = memory.tokens()
    pair = tokens.issue_pair("alice")
    (key,) = [key for key in {**memory.store._noted._young, **memory.store._noted._old} if ":f:" in key]  # type: ignore[attr-defined]
    good = memory.store.get(key)
    assert good is not None
    for bad in (b"", b"{}", b"x", good[:-2], good.replace(b'"v":1', b'"v":2'), good.replace(b'"index":0', b'"index":-1'),
                good + b" " * 40_000, good.replace(b'"index":0', b'"index":true')):  # fmt: skip
        assert memory.store.swap(key, memory.store.get(key), bad, 1e6)
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            tokens.refresh(pair.refresh_token)
