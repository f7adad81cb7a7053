"""Revocation: what was revoked counts no more, at once here and within a second elsewhere, and a lost store revives nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from authkit.stores import MemoryStore
from authkit.testing import TokenMint
from authkit.tokens import Key, Tokens

from .craft import NOW, SECRET, Clock, token
from .worlds import World, refused, verdict

# One token, one session


def test_a_revoked_access_token_is_refused_and_others_are_not(world: World) -> None:
    tokens = world.tokens()
    one, other = tokens.issue("alice"), tokens.issue("alice")
    assert verdict(tokens, one) == "alice"
    tokens.revoke(one)
    assert verdict(tokens, one) == "token_revoked"
    assert tokens.recall(one) is None
    assert verdict(tokens, other) == "alice"
    tokens.revoke(one)
    assert verdict(tokens, one) == "token_revoked"


def test_either_token_of_a_pair_ends_its_session(world: World) -> None:
    tokens = world.tokens()
    for which in ("access_token", "refresh_token"):
        pair, other = tokens.issue_pair("alice"), tokens.issue_pair("alice")
        following = tokens.refresh(pair.refresh_token)
        tokens.revoke(getattr(pair, which))  # also the one that was used
        assert verdict(tokens, pair.access_token) == verdict(tokens, following.access_token) == "token_revoked"
        assert refused(tokens, following.refresh_token) == "refresh_unknown"
        assert verdict(tokens, other.access_token) == "alice"
        assert refused(tokens, other.refresh_token) == "refreshed"


def test_what_is_no_token_of_ours_is_told_nothing_and_writes_nothing(memory: World) -> None:
    """REF-13."""
    tokens = memory.tokens()
    mint, other = TokenMint(), World().tokens()
    expired = tokens.issue("alice", ttl=1)
    pair, foreign = tokens.issue_pair("alice"), other.issue_pair("alice")
    memory.clock.now += 60
    before = memory.dump()
    family, index, secret = pair.refresh_token.split(".")
    ours = (f"{family}.{index}.{'A' * 43}", f"{family}.5.{secret}", pair.access_token[:-4] + "AAAA", expired)
    for text in ("", "a.b.c", "x" * 100_000, None, 5, mint.good(), *mint.bad().values(), foreign.refresh_token, *ours):
        assert tokens.revoke(text) is None  # type: ignore[arg-type, func-returns-value]
    assert memory.dump() == before
    assert verdict(tokens, pair.access_token) == "alice"


def test_a_revoked_token_is_remembered_as_long_as_anybody_could_accept_it(memory: World) -> None:
    tokens, lenient = memory.tokens(), memory.tokens(leeway=300)
    text = tokens.issue("alice", ttl=100)
    tokens.revoke(text)
    for _ in range(80):
        memory.clock.now += 5
        assert verdict(lenient, text) in ("token_revoked", "token_expired")
    assert verdict(lenient, text) == "token_expired"


# A subject


def test_all_of_a_subject_is_refused_and_what_is_issued_after_it_is_not(world: World) -> None:
    """A clock that stands still: what counts is what came first."""
    tokens = world.tokens()
    text, pair, other = tokens.issue("alice"), tokens.issue_pair("alice"), tokens.issue_pair("bob")
    assert [verdict(tokens, each) for each in (text, pair.access_token, other.access_token)] == ["alice", "alice", "bob"]
    tokens.revoke_subject("alice")
    assert verdict(tokens, text) == verdict(tokens, pair.access_token) == "token_revoked"
    assert refused(tokens, pair.refresh_token) == "token_revoked"
    assert verdict(tokens, other.access_token) == "bob"
    later, after = tokens.issue("alice"), tokens.issue_pair("alice")
    assert verdict(tokens, later) == verdict(tokens, after.access_token) == "alice"
    after = tokens.refresh(after.refresh_token)
    assert verdict(tokens, after.access_token) == "alice"
    tokens.revoke_subject("alice")  # and again, at the same instant
    assert verdict(tokens, later) == verdict(tokens, after.access_token) == verdict(tokens, text) == "token_revoked"
    assert refused(tokens, after.refresh_token) == "token_revoked"
    assert verdict(tokens, tokens.issue("alice")) == "alice"


def test_a_token_of_a_clock_that_is_ahead_is_refused_too(memory: World) -> None:
    ahead = Clock(memory.clock.now + 29)
    theirs, ours = memory.tokens(clock=ahead), memory.tokens()
    text, pair = theirs.issue("alice"), theirs.issue_pair("alice")
    assert verdict(ours, text) == "alice"
    ours.revoke_subject("alice")
    assert verdict(ours, text) == verdict(ours, pair.access_token) == "token_revoked"
    for _ in range(20):
        memory.clock.now += 20
        ahead.now += 20
        assert verdict(ours, text) == "token_revoked"
        assert verdict(ours, theirs.issue("alice")) == "alice"
    assert refused(ours, pair.refresh_token) == "token_revoked"


@pytest.mark.parametrize("apart", [-86_400, -3600, 301, 3600, 86_400])
def test_whoever_was_revoked_stays_so_however_wrong_the_clock_of_the_login_was(memory: World, apart: int) -> None:
    """AVL-08: which came first is known from the store, and not from what two clocks said."""
    memory.clock.now += 100_000
    wrong = Clock(memory.clock.now + apart)
    theirs, ours = memory.tokens(clock=wrong), memory.tokens()
    text, pair = theirs.issue("alice"), theirs.issue_pair("alice")
    ours.revoke_subject("alice")
    assert refused(theirs, pair.refresh_token) == refused(ours, pair.refresh_token) == "token_revoked"
    assert verdict(theirs, text) == verdict(theirs, pair.access_token) == "token_revoked"
    memory.clock.now += max(0, apart) + 10  # the time has come that they say they were issued at
    for each in (text, pair.access_token):
        assert verdict(ours, each) in ("token_revoked", "token_expired")
    assert verdict(ours, ours.issue("alice")) == verdict(ours, ours.issue_pair("alice").access_token) == "alice"


def test_whoever_revokes_by_a_clock_that_is_behind_ends_what_there_is(memory: World) -> None:
    memory.clock.now += 100_000
    theirs, ours = memory.tokens(clock=Clock(memory.clock.now - 3600)), memory.tokens()
    text, pair = ours.issue("alice"), ours.issue_pair("alice")
    theirs.revoke_subject("alice")
    assert verdict(ours, text) == verdict(ours, pair.access_token) == refused(ours, pair.refresh_token) == "token_revoked"
    after = ours.issue_pair("alice")
    assert verdict(ours, after.access_token) == verdict(ours, ours.issue("alice")) == "alice"
    assert refused(ours, after.refresh_token) == "refreshed"


def test_a_clock_that_was_a_day_ahead_for_a_while_makes_no_store_forget_a_revocation(world: World) -> None:
    """AVL-08: what a store finds to be over meanwhile, it deletes."""
    tokens = world.tokens()
    text, pair, other = tokens.issue("alice"), tokens.issue_pair("bob"), tokens.issue_pair("carol")
    tokens.revoke(text)
    tokens.revoke_subject("bob")
    tokens.revoke(other.access_token)
    for away in (86_400, -86_400):
        world.clock.now += away
        world.monotonic.now += 1
        for n in range(40):  # each looks at a few others
            world.store.add(f"another {n} {away}", 1)
    assert verdict(tokens, text) == verdict(tokens, pair.access_token) == verdict(tokens, other.access_token) == "token_revoked"
    assert refused(tokens, pair.refresh_token) == "token_revoked"


def test_a_revocation_by_tokens_of_shorter_sessions_ends_the_longer_ones_for_good(memory: World) -> None:
    """Two programs of one issuer on one store, with settings of their own."""
    web, desk = memory.tokens(), memory.tokens(audience="desk", access_ttl=300, refresh_ttl=3600)
    pair = web.issue_pair("alice")
    web.revoke_subject("alice")
    desk.revoke_subject("alice")
    for _ in range(30):
        memory.clock.now += 86_000
        assert refused(web, pair.refresh_token) in ("token_revoked", "refresh_unknown", "refresh_expired")


def test_a_session_that_was_revoked_never_comes_back(memory: World) -> None:
    """As long as it could be refreshed, the revocation is remembered."""
    tokens = memory.tokens(refresh_ttl=86_400, access_ttl=900)
    pair = tokens.issue_pair("alice")
    tokens.revoke_subject("alice")
    for _ in range(60):
        memory.clock.now += 3600
        assert refused(tokens, pair.refresh_token) in ("token_revoked", "refresh_unknown", "refresh_expired")


def test_a_session_refreshed_after_it_began_is_judged_by_when_it_began(world: World) -> None:
    tokens = world.tokens()
    pair = tokens.issue_pair("alice")
    world.clock.now += 600
    pair = tokens.refresh(pair.refresh_token)
    world.clock.now += 600
    tokens.revoke_subject("alice")
    world.clock.now += 600
    assert refused(tokens, pair.refresh_token) == "token_revoked"


@pytest.mark.parametrize("subject", ["", None, 5])
def test_a_subject_is_text(memory: World, subject: Any) -> None:
    for call in (memory.tokens().revoke_subject, memory.tokens().issue, memory.tokens().issue_pair):
        with pytest.raises(ValueError, match="subject"):
            call(subject)


def test_two_issuers_on_one_store_never_meet(world: World) -> None:
    ours, theirs = world.tokens(), world.tokens(issuer="https://other")
    mine, other = ours.issue_pair("alice"), theirs.issue_pair("alice")
    theirs.revoke_subject("alice")
    assert verdict(ours, mine.access_token) == "alice"
    assert verdict(theirs, other.access_token) == "token_revoked"
    assert refused(theirs, mine.refresh_token) == "refresh_unknown"
    theirs.revoke(mine.refresh_token)
    theirs.revoke(mine.access_token)
    assert verdict(ours, mine.access_token) == "alice"


def test_keys_in_the_store_are_short_tell_no_name_and_are_few(memory: World) -> None:
    tokens = memory.tokens()
    for subject in ("alice", "x" * 10_000, "\0 {}:é"):
        tokens.revoke(tokens.issue(subject))
        tokens.issue_pair(subject)
        tokens.revoke_subject(subject)
    notes: Any = memory.store
    keys = [*notes._noted._young, *notes._noted._old]
    assert len(keys) == 3 * 3 + 1
    assert all(re.fullmatch(r"tokens:[\w-]{12}:(b|[fst]:[\w-]{15,22})", key) for key in keys)
    for n in range(1000):  # forged and unknown: nothing is kept of them
        tokens.revoke(f"{'A' * 36}.{n}.{'A' * 43}")
        refused(tokens, f"{'A' * 36}.{n}.{'A' * 43}")
    assert len(notes._noted) == len(keys)


def test_a_life_longer_than_a_revocation_is_remembered_is_refused(memory: World) -> None:
    tokens = memory.tokens(access_ttl=10, refresh_ttl=1000)
    assert verdict(tokens, tokens.issue("alice", ttl=1000)) == "alice"
    with pytest.raises(ValueError, match="1000"):
        tokens.issue("alice", ttl=1001)


# A lost store


def test_a_store_that_was_emptied_revives_nothing(world: World) -> None:
    """AVL-03: issued, revoked, and the store lost, all at one instant."""
    tokens = world.tokens()
    text, pair, kept = tokens.issue("alice"), tokens.issue_pair("bob"), tokens.issue_pair("carol")
    tokens.revoke(text)
    tokens.revoke(pair.refresh_token)
    tokens.revoke_subject("carol")
    tokens = world.tokens(world.emptied())
    world.monotonic.now += 1  # what this process was told a moment ago
    assert verdict(tokens, text) == "store_reset"
    for each in (pair, kept):
        assert verdict(tokens, each.access_token) in ("store_reset", "token_revoked")
        assert refused(tokens, each.refresh_token) == "refresh_unknown"
    after = tokens.issue_pair("alice")
    assert verdict(tokens, after.access_token) == "alice"
    assert refused(tokens, after.refresh_token) == "refreshed"
    assert verdict(tokens, text) == "store_reset"  # also when the new store has been issued from


@pytest.mark.parametrize("seconds", [-20.0, 0.0, 0.5, 1.0, 29.0, 400.0])
def test_a_store_lost_later_revives_nothing(memory: World, seconds: float) -> None:
    tokens = memory.tokens()
    memory.clock.now += 1000
    text = tokens.issue("alice")
    assert tokens.verify(text).claims["gen"] == "."  # an old store needs no proof
    tokens.revoke(text)
    memory.clock.now += seconds
    tokens = memory.tokens(memory.emptied())
    assert verdict(tokens, text) == "store_reset"
    assert verdict(tokens, tokens.issue("alice")) == "alice"


def test_a_store_that_was_adopted_ends_what_was_before(world: World) -> None:
    tokens = world.tokens()
    text, pair = tokens.issue("alice"), tokens.issue_pair("alice")
    world.clock.now += 40
    late = tokens.issue("alice")
    assert verdict(tokens, late) == verdict(tokens, text) == "alice"
    world.store.adopt()
    world.monotonic.now += 1
    assert verdict(tokens, text) == verdict(tokens, late) == verdict(tokens, pair.access_token) == "store_reset"
    assert refused(tokens, pair.refresh_token) == "store_reset"
    assert verdict(tokens, tokens.issue("alice")) == "alice"
    assert verdict(tokens, tokens.issue_pair("alice").access_token) == "alice"


def test_a_store_whose_clock_is_ahead_takes_what_is_issued_under_it(memory: World) -> None:
    ahead = MemoryStore(clock=memory.clock, wall=lambda: memory.clock.now + 250)
    tokens = memory.tokens(ahead)
    for _ in range(8):
        pair = tokens.issue_pair("alice")
        assert verdict(tokens, tokens.issue("alice")) == verdict(tokens, pair.access_token) == "alice"
        assert refused(tokens, pair.refresh_token) == "refreshed"
        memory.clock.now += 100


def test_sessions_of_a_young_store_outlive_its_youth(memory: World) -> None:
    tokens = memory.tokens()
    pair = tokens.issue_pair("alice")
    for _ in range(40):
        memory.clock.now += 20 * 86_400
        pair = tokens.refresh(pair.refresh_token)
        assert verdict(tokens, pair.access_token) == "alice"


# What a token must say


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "alice"),
        ({"iat": ...}, "token_claims"),
        ({"jti": ...}, "token_claims"),
        ({"jti": ..., "sid": "unknown"}, "token_revoked"),
        ({"sid": 5}, "token_claims"),
        ({"sid": None}, "token_claims"),
        ({"gen": 5}, "token_claims"),
        ({"gen": "x"}, "token_claims"),
        ({"gen": "x.y"}, "alice"),
        ({"gen": "é.é"}, "alice"),
    ],
)
def test_with_a_store_a_token_says_when_it_was_issued_and_what_it_is(
    memory: World, changed: dict[str, Any], expected: str
) -> None:
    """REF-09: a token without iat cannot be judged."""
    memory.clock.now = NOW - 1000.0
    tokens = memory.tokens(memory.open())
    memory.clock.now = NOW + 1.0
    text = token(Key(SECRET), **changed)
    assert verdict(tokens, text) == expected


@pytest.mark.parametrize("gen", ["x.y", "é.é", ".y", "x."])
def test_a_proof_that_proves_nothing_is_none(memory: World, gen: str) -> None:
    memory.clock.now = NOW + 1.0
    tokens = memory.tokens(memory.open())
    tokens.revoke_subject("alice")
    assert verdict(tokens, token(Key(SECRET), gen=gen)) == "store_reset"
    memory.clock.now += 100
    assert verdict(tokens, token(Key(SECRET), gen=gen, iat=NOW + 90)) == "token_revoked"


# Without a store


def test_tokens_without_a_store_ask_nothing(memory: World) -> None:
    plain = Tokens(SECRET, issuer="i", audience="a", clock=memory.clock)
    text = plain.issue("alice")
    assert plain.in_place
    assert plain.recall(text) is None
    assert verdict(plain, text) == "alice"
    assert plain.recall(text) == plain.verify(text)
    assert {"sid", "gen"}.isdisjoint(plain.verify(text).claims)
