"""PWD-01: no clock tells who exists: a login that fails takes the same steps, whoever it is."""

from __future__ import annotations

import threading

import pytest

from authkit import InvalidCredentials, Tokens
from authkit._run import arun
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher, User
from authkit.stores import MemoryStore

from .test_passwords import Argon2Calls
from .test_pepper import NEW, NEXT, OLD, PASSWORD, Login, hasher_of, login


class Trace:
    """The steps that a login takes, in their order: argon2, and questions to the vault."""

    def __init__(self, one: Login) -> None:
        self.steps: list[str] = []
        self._one = one
        one.vault._before = lambda: self.steps.append("fetch")

    def of(self, username: str) -> list[str]:
        self.steps.clear()
        with Argon2Calls(lambda: self.steps.append("argon2")):
            assert self._one.verdict(username) in ("password_wrong", "user_unknown")
        return list(self.steps)


KINDS = ("current", "previous", "retired", "none", "malformed", "nobody")


@pytest.fixture
def everybody() -> Login:
    one = login(NEW, OLD, hashed=hasher_of(NEW).hash("another"))
    hashes = [hasher_of(pepper).hash("another") for pepper in (NEW, OLD, NEXT, None)]
    for name, hashed in zip(KINDS, [*hashes, "$argon2id$nonsense"], strict=False):
        one.users.add(User(name, password_hash=hashed))
    return one


@pytest.mark.parametrize("changed", [False, True], ids=["nothing new", "rotated meanwhile"])
def test_pwd_01_every_login_that_fails_takes_the_same_steps_whoever_it_is(everybody: Login, changed: bool) -> None:
    """Who comes first in a cooldown has the pepper read again, and is told apart by nothing."""
    everybody.verdict("nobody")
    trace = Trace(everybody)
    for number, name in enumerate(KINDS):
        everybody.clock.advance(60)
        if changed:
            everybody.vault.rotate(f"{number} pepper of thirty-two bytes or more")
        assert trace.of(name) == (["argon2", "fetch", "argon2"] if changed else ["argon2", "fetch"]), name
    if not changed:
        assert [trace.of(name) for name in KINDS] == [["argon2"]] * len(KINDS), "until the cooldown is over"


def test_a_login_that_succeeds_has_nothing_read_again() -> None:
    one = login(NEW)
    assert one.verdict() == "alice"
    one.clock.advance(60)
    asked = one.vault.asked
    assert one.verdict() == "alice"
    assert one.vault.asked == asked


@pytest.mark.parametrize("password", ["", "x" * 5000, "\x00"])
def test_what_can_be_no_password_costs_nothing(everybody: Login, password: str) -> None:
    asked = everybody.vault.asked
    with Argon2Calls() as calls:
        for name in KINDS:
            assert everybody.verdict(name, password) in ("password_wrong", "user_unknown")
    assert calls.count == 0
    assert everybody.vault.asked == asked


async def test_the_pepper_is_read_again_off_the_loop_and_not_by_the_threads_that_hash(everybody: Login) -> None:
    await arun(everybody.hasher.warm())
    here = threading.current_thread().name
    names: list[str] = []
    everybody.vault._before = lambda: names.append(threading.current_thread().name)
    for name in ("retired", "nobody"):
        everybody.clock.advance(60)
        with pytest.raises(InvalidCredentials):
            await everybody.accounts.aauthenticate(name, PASSWORD)
    assert len(names) == 2
    assert not any(name == here or "hash" in name for name in names)


@pytest.mark.parametrize("place", ["class", "object"])
async def test_what_a_subclass_of_the_hasher_verifies_is_asked(place: str) -> None:
    threads: list[str] = []

    class Mine(PasswordHasher):
        def verify(self, password: str, stored: str | None) -> bool:
            threads.append(threading.current_thread().name)
            return super().verify(password, stored) and password != PASSWORD

    parameters = {"memory": 64, "passes": 1, "lanes": 1}
    mine = Mine(**parameters)
    if place == "object":
        inner, mine = mine, PasswordHasher(**parameters)
        mine.verify = inner.verify
    users = MemoryUsers()
    users.add(User("alice", password_hash=mine.hash(PASSWORD)))
    users.add(User("bob", password_hash=mine.hash("another")))
    key = "a key for these tests only, and long enough"
    accounts = Accounts(users, Tokens(key, issuer="https://a", audience="https://a", store=MemoryStore()), mine)
    assert (await accounts.aauthenticate("bob", "another")).username == "bob"
    with pytest.raises(InvalidCredentials):
        await accounts.aauthenticate("alice", PASSWORD)
    assert len(threads) == 2
    assert all(name.startswith("authkit-hash") for name in threads)
