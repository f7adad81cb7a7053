"""Refresh tokens: each gives one successor, and what was used is worth nothing but a warning."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from authkit import ConfigurationError, InvalidToken
from authkit._run import arun
from authkit.secrets import Secrets, SecretVersions
from authkit.stores import MemoryStore
from authkit.tokens import Grant, TokenPair, Tokens
from tests.vault import Vault

from .craft import AUDIENCE, ISSUER, OTHER_SECRET, SECRET
from .worlds import World, refused, verdict

# What a pair is


def test_a_pair_is_an_access_token_of_a_session_and_the_refresh_token_that_goes_with_it(world: World) -> None:
    tokens = world.tokens()
    pair = tokens.issue_pair("alice", scopes=["a", "b"], roles=["r"], claims={"amr": ["pwd"], "auth_time": 5})
    principal = tokens.verify(pair.access_token)
    assert (principal.subject, principal.scopes, principal.roles) == ("alice", {"a", "b"}, {"r"})
    assert (principal.claims["amr"], principal.claims["auth_time"]) == (["pwd"], 5)
    assert principal.claims["sid"] == pair.refresh_token.split(".")[0]
    assert (pair.token_type, pair.expires_in) == ("Bearer", 900)


def test_a_refresh_gives_what_was_granted_and_another_pair(world: World) -> None:
    tokens = world.tokens()
    first = tokens.issue_pair("alice", scopes=["a", "b"], roles=["r"], claims={"auth_time": 5})
    world.clock.now += 600
    second = tokens.refresh(first.refresh_token)
    principal = tokens.verify(second.access_token)
    assert (principal.subject, principal.scopes, principal.roles) == ("alice", {"a", "b"}, {"r"})
    assert principal.claims["auth_time"] == 5
    assert principal.claims["iat"] == int(world.clock.now)
    assert second.refresh_token != first.refresh_token
    assert verdict(tokens, first.access_token) == "alice"  # until it expires


def test_a_hundred_refreshes_are_one_session(quick_world: World) -> None:
    tokens = quick_world.tokens()
    pair = tokens.issue_pair("alice")
    session = tokens.verify(pair.access_token).claims["sid"]
    for _ in range(100):
        quick_world.clock.now += 500
        pair = tokens.refresh(pair.refresh_token)
        assert tokens.verify(pair.access_token).claims["sid"] == session


def test_neither_a_pair_nor_a_grant_shows_what_it_holds(memory: World) -> None:
    """LOG-01."""
    pair = memory.tokens().issue_pair("alice")
    for shown in (repr(pair), str(pair), f"{pair}"):
        assert pair.access_token not in shown
        assert pair.refresh_token not in shown
    assert pair == TokenPair(pair.access_token, pair.refresh_token, 900)
    with pytest.raises(AttributeError):
        pair.expires_in = 5
    assert "stamp" not in repr(Grant("family", "alice", stamp="stamp", claims=None))


def test_the_store_holds_no_token_and_no_secret(world: World) -> None:
    """LOG-01: neither the tokens, nor what is in them, nor whose session it is."""
    tokens = world.tokens()
    pairs = [tokens.issue_pair("alice", client="c")]
    for _ in range(3):
        pairs.append(tokens.refresh(pairs[-1].refresh_token, client="c"))
    text = tokens.issue("bob-the-subject")
    tokens.revoke(text)
    tokens.revoke_subject("carol-the-subject")
    dump = world.dump()
    assert b"refresh" not in dump
    for pair in pairs:
        family, _, secret = pair.refresh_token.split(".")
        for part in (family, secret, *pair.access_token.split(".")[1:]):
            assert part.encode() not in dump
    for subject in (b"bob-the-subject", b"carol-the-subject"):
        assert subject not in dump


# Used twice


def test_within_the_overlap_the_same_successor_comes_again(world: World) -> None:
    """REF-01: who lost the answer asks once more."""
    tokens = world.tokens()
    first = tokens.issue_pair("alice")
    second = tokens.refresh(first.refresh_token)
    world.clock.now += 9.9
    again = tokens.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert verdict(tokens, again.access_token) == "alice"
    assert refused(tokens, tokens.refresh(second.refresh_token).refresh_token) == "refreshed"


def test_after_the_overlap_a_used_token_ends_the_session(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """REF-01: the thief and the robbed are both out."""
    tokens = world.tokens()
    first = tokens.issue_pair("alice")
    second = tokens.refresh(first.refresh_token)
    assert verdict(tokens, second.access_token) == "alice"
    world.clock.now += 10
    with caplog.at_level(logging.DEBUG):
        assert refused(tokens, first.refresh_token) == "refresh_reused"
    assert verdict(tokens, second.access_token) == verdict(tokens, first.access_token) == "token_revoked"
    assert refused(tokens, second.refresh_token) == refused(tokens, first.refresh_token) == "refresh_unknown"
    (warned,) = [record for record in caplog.records if record.name == "authkit.tokens"]
    assert warned.levelno == logging.WARNING
    for token in (first, second):
        for part in (*token.refresh_token.split("."), *token.access_token.split(".")):
            assert len(part) < 5 or part not in warned.getMessage()


def test_the_overlap_ends_when_the_successor_is_used(world: World) -> None:
    """REF-01."""
    tokens = world.tokens()
    first = tokens.issue_pair("alice")
    second = tokens.refresh(first.refresh_token)
    third = tokens.refresh(second.refresh_token)
    assert refused(tokens, first.refresh_token) == "refresh_reused"
    assert verdict(tokens, third.access_token) == "token_revoked"
    assert refused(tokens, third.refresh_token) == "refresh_unknown"


def test_without_an_overlap_the_second_use_ends_the_session(memory: World) -> None:
    tokens = memory.tokens(refresh_overlap=0)
    first = tokens.issue_pair("alice")
    second = tokens.refresh(first.refresh_token)
    assert refused(tokens, first.refresh_token) == "refresh_reused"
    assert verdict(tokens, second.access_token) == "token_revoked"


@pytest.mark.parametrize("steps", [2, 50, 1000])
def test_a_token_of_long_ago_is_known_again(memory: World, steps: int) -> None:
    tokens = memory.tokens()
    first = pair = tokens.issue_pair("alice")
    for _ in range(steps):
        pair = tokens.refresh(pair.refresh_token)
    assert refused(tokens, first.refresh_token) == "refresh_reused"
    assert verdict(tokens, pair.access_token) == "token_revoked"


# What is no token of the session


def test_who_knows_a_session_can_neither_refresh_nor_end_it(world: World) -> None:
    """Its name is in every access token as `sid`."""
    tokens = world.tokens()
    pair = tokens.issue_pair("alice")
    for _ in range(5):
        pair = tokens.refresh(pair.refresh_token)
    family, index, secret = pair.refresh_token.split(".")
    other = ("A" if secret[0] != "A" else "B") + secret[1:]
    for forged in (f"{family}.{index}.{other}", f"{family}.4.{secret}", f"{family}.0.{other}", f"{family}.6.{secret}",
                   f"{family}.9999999999.{secret}"):  # fmt: skip
        assert refused(tokens, forged) == "refresh_unknown"
        tokens.revoke(forged)
        assert verdict(tokens, pair.access_token) == "alice"
    assert refused(tokens, pair.refresh_token) == "refreshed"


def test_a_session_that_is_not_there_is_unknown(world: World) -> None:
    tokens, other = world.tokens(), World().tokens()
    assert refused(tokens, other.issue_pair("alice").refresh_token) == "refresh_unknown"


def test_what_is_no_refresh_token_is_malformed_and_asks_nobody(memory: World) -> None:
    """CLM-10: an access token is none, and a refresh token is no access token."""

    class Unasked(MemoryStore):
        def look(self, *keys: str) -> Any:
            raise AssertionError("asked")

    pair = memory.tokens().issue_pair("alice")
    family, _, secret = pair.refresh_token.split(".")
    tokens = memory.tokens(Unasked())
    for text in (
        "", "a", "a.b.c", pair.access_token, f"{family}.{secret}", f"{family}.-1.{secret}", f"{family}.00.{secret}",
        f"{family}.+1.{secret}", f"{family}. 1.{secret}", f"{family}.١.{secret}", f"{family}.1.{secret}=",
        f"{family}.1.{secret}A", f"{family}.1.{secret[:-1]}", f"{family[:-1]}.1.{secret}", f"{family}.12345678901.{secret}",
        f"{family}.1_0.{secret}",
        f" {pair.refresh_token}", f"{pair.refresh_token}\n", "x" * 100_000, None, 5, b"a.b.c", pair.refresh_token.encode(),
    ):  # fmt: skip
        assert refused(tokens, text) == "refresh_malformed"  # type: ignore[arg-type]
    assert verdict(memory.tokens(), pair.refresh_token) == "token_malformed"


def test_another_client_is_refused_and_the_session_stays(world: World) -> None:
    """REF-07."""
    tokens = world.tokens()
    for mine, others in (("c1", ("c2", None, "", "C1")), (None, ("c1", ""))):
        first = tokens.issue_pair("alice", client=mine)
        second = tokens.refresh(first.refresh_token, client=mine)
        world.clock.now += 60
        for other in others:
            assert refused(tokens, second.refresh_token, client=other) == "refresh_client"
            assert refused(tokens, first.refresh_token, client=other) == "refresh_client"  # nor can it end it
        assert refused(tokens, second.refresh_token, client=mine) == "refreshed"


def test_scopes_may_be_fewer_and_never_more(world: World) -> None:
    """REF-07."""
    tokens = world.tokens()
    pair = tokens.issue_pair("alice", scopes=["a", "b"])
    assert refused(tokens, pair.refresh_token, scopes=["a", "c"]) == "refresh_scope"
    fewer = tokens.refresh(pair.refresh_token, scopes=["a"])
    assert tokens.verify(fewer.access_token).scopes == {"a"}
    none = tokens.refresh(fewer.refresh_token, scopes=[])
    assert tokens.verify(none.access_token).scopes == frozenset()
    assert tokens.verify(tokens.refresh(none.refresh_token).access_token).scopes == {"a", "b"}  # as granted
    with pytest.raises(ValueError, match="list"):
        tokens.refresh(pair.refresh_token, scopes="a")


def test_another_audience_or_issuer_of_the_same_store_gives_nothing_for_it(world: World) -> None:
    pair = world.tokens().issue_pair("alice")
    for other in (world.tokens(audience="https://other"), world.tokens(issuer="https://other")):
        assert refused(other, pair.refresh_token) == "refresh_unknown"
        other.revoke_subject("bob")
    assert refused(world.tokens(), pair.refresh_token) == "refreshed"


# Its time


def test_a_refresh_token_ends_when_it_is_not_used(world: World) -> None:
    tokens = world.tokens(refresh_ttl=3600)
    pair = tokens.issue_pair("alice")
    for _ in range(3):
        world.clock.now += 3599
        pair = tokens.refresh(pair.refresh_token)
    world.clock.now += 3600
    assert refused(tokens, pair.refresh_token) in ("refresh_expired", "refresh_unknown")


def test_an_expired_one_says_so_while_the_store_keeps_it(memory: World) -> None:
    tokens = memory.tokens(refresh_ttl=3600)
    pair = tokens.issue_pair("alice")
    memory.clock.now += 3600
    assert refused(tokens, pair.refresh_token) == "refresh_expired"
    assert refused(memory.tokens(refresh_ttl=60), memory.tokens().issue_pair("alice").refresh_token) == "refreshed"
    later = memory.tokens().issue_pair("alice")
    memory.clock.now += 60
    assert refused(memory.tokens(refresh_ttl=60), later.refresh_token) == "refresh_expired"  # today's setting counts too


def test_a_session_ends_however_often_it_is_refreshed(world: World) -> None:
    tokens = world.tokens(session_ttl=1000)
    pair = tokens.issue_pair("alice")
    world.clock.now += 900
    pair = tokens.refresh(pair.refresh_token)
    assert pair.expires_in == 100
    world.clock.now += 99
    pair = tokens.refresh(pair.refresh_token)
    assert pair.expires_in == 1
    world.clock.now += 1
    assert refused(tokens, pair.refresh_token) == "refresh_expired"


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "900", 10**12])
def test_a_wrong_length_of_a_session_is_named(memory: World, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="session_ttl"):
        memory.tokens(session_ttl=value)


def test_a_clock_that_jumps_keeps_nobody_in_for_ever_and_loses_nobody(memory: World) -> None:
    """AVL-08."""
    tokens = memory.tokens()
    pair = tokens.issue_pair("alice")
    pair = tokens.refresh(pair.refresh_token)
    memory.clock.now -= 3600
    pair = tokens.refresh(pair.refresh_token)
    memory.clock.now += 3600 + 86_400
    pair = tokens.refresh(pair.refresh_token)
    memory.clock.now += 2_592_000
    assert refused(tokens, pair.refresh_token) == "refresh_expired"


# Twins


async def test_the_twins_do_the_same(world: World) -> None:
    tokens = world.tokens()
    first = await tokens.aissue_pair("alice", scopes=["a"], client="c", stamp="s")
    second = await tokens.arefresh(first.refresh_token, scopes=["a"], client="c")
    assert (await tokens.averify(second.access_token)).subject == "alice"
    third = await arun(tokens.refreshing(second.refresh_token, client="c"))
    await tokens.arevoke(third.refresh_token)
    with pytest.raises(InvalidToken, match="token_revoked"):
        await tokens.averify(third.access_token)
    text = await tokens.aissue("bob")
    assert (await tokens.averify(text)).subject == "bob"
    await tokens.arevoke_subject("bob")
    with pytest.raises(InvalidToken, match="token_revoked"):
        await tokens.averify(text)


async def test_fifty_tasks_that_refresh_one_token_get_one_successor(world: World) -> None:
    """REF-02."""
    tokens = world.tokens()
    pair = tokens.issue_pair("alice")
    pairs = await asyncio.gather(*(tokens.arefresh(pair.refresh_token) for _ in range(50)))
    assert len({each.refresh_token for each in pairs}) == 1
    for each in pairs:
        assert (await tokens.averify(each.access_token)).subject == "alice"
    await tokens.arefresh(pairs[0].refresh_token)


def test_no_store_no_session() -> None:
    """REF-04."""
    tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE)
    for call in (
        lambda: tokens.issue_pair("alice"),
        lambda: tokens.refresh("x"),
        lambda: tokens.revoke("x"),
        lambda: tokens.revoke_subject("alice"),
    ):
        with pytest.raises(ConfigurationError, match="store"):
            call()
    assert tokens.store is None


def test_sessions_outlive_the_key_that_their_first_token_was_signed_with(memory: World) -> None:
    vault = Vault(SecretVersions(SECRET))
    secrets = Secrets(vault)
    tokens = Tokens(secrets["JWT"], issuer="i", audience="a", store=memory.store, clock=memory.clock)
    first = tokens.issue_pair("alice")
    vault.rotate(OTHER_SECRET)
    vault.retire()
    secrets.refresh()
    second = tokens.refresh(first.refresh_token)
    assert verdict(tokens, second.access_token) == "alice"
    assert verdict(tokens, first.access_token) == "token_key"
    tokens.revoke(second.access_token)
    assert refused(tokens, second.refresh_token) == "refresh_unknown"
