"""A pepper: hashes are worth nothing without it, say which one they want, and move to the current one at a login."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import pickle
import re
import threading
import traceback
from dataclasses import dataclass
from typing import Any

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authkit import ConfigurationError, InvalidCredentials, Tokens, Unavailable
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher, User
from authkit.accounts.pepper import PREFIX, Pepper, split
from authkit.errors import SecretUnavailable
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.stores import MemoryStore
from authkit.testing import Clock
from tests.vault import Vault

from .test_passwords import MALFORMED, Argon2Calls

OLD, NEW, NEXT = (f"{name}-pepper-tests-only-0b7e5d2f8a61c3" for name in ("old", "new", "next"))
PASSWORD = "correct horse"
LATER = 4_000_000_000.0


def hasher_of(pepper: Any = None, **parameters: Any) -> PasswordHasher:
    return PasswordHasher(**{"memory": 64, "passes": 1, "lanes": 1, "pepper": pepper, **parameters})


@dataclass
class Login:
    """One instance of a service: its accounts, and its own memory of the pepper."""

    vault: Vault
    users: MemoryUsers

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.secrets = Secrets(self.vault, ttl=300, clock=self.clock)
        self.secret = self.secrets["PEPPER"]
        self.hasher = hasher_of(self.secret)
        tokens = Tokens(
            "a key for these tests only, and long enough", issuer="https://a", audience="https://a", store=MemoryStore()
        )
        self.accounts = Accounts(self.users, tokens, self.hasher, insecure_unlimited=True)

    def verdict(self, username: str = "alice", password: str = PASSWORD) -> str:
        try:
            return self.accounts.authenticate(username, password).username
        except InvalidCredentials as error:
            return error.reason

    def counts(self) -> tuple[int, int, int]:
        used = self.secret.usage()
        return used["current"].count, used["previous"].count, used["pending"].count

    def stored(self) -> str:
        user = self.users.find("alice")
        assert user is not None
        assert user.password_hash is not None
        return user.password_hash


def login(*versions: Any, count: int = 1, hashed: str | None = None) -> Any:
    vault, users = Vault(SecretVersions(*versions)), MemoryUsers()
    users.add(User("alice", password_hash=hashed or hasher_of(versions[0]).hash(PASSWORD), roles=["admin"], subject="17"))
    made = [Login(vault, users) for _ in range(count)]
    return made[0] if count == 1 else made


# The form


def test_the_form_is_the_documented_one_and_an_independent_reader_agrees() -> None:
    stored = hasher_of(NEW).hash(PASSWORD)
    found = re.fullmatch(
        r"\$hmac-sha256\$keyid=([A-Za-z0-9+/]{11})(\$argon2id\$v=19\$m=64,t=1,p=1\$[^$]{22}\$[^$]{43})", stored
    )
    assert found
    key = NEW.encode()
    expected = hmac.digest(key, b"\0authkit pepper id", "sha256")[:8]
    assert base64.b64decode(found[1] + "=") == expected
    sealed = hmac.digest(key, PASSWORD.encode(), hashlib.sha256)
    assert argon2.PasswordHasher().verify(found[2], sealed)
    assert NEW not in stored


def test_the_id_tells_peppers_apart_and_is_the_same_in_every_form_of_one() -> None:
    ids = {split(hasher_of(pepper).hash("x"))[0] for pepper in (NEW, NEW.encode(), Secret.of(NEW), SecretVersions(NEW, OLD))}
    assert len(ids) == 1
    assert split(hasher_of(OLD).hash("x"))[0] not in ids


def test_a_hash_wants_its_pepper() -> None:
    stored = hasher_of(NEW).hash(PASSWORD)
    assert hasher_of(NEW).verify(PASSWORD, stored)
    assert not hasher_of(NEW).verify("correct horsf", stored)
    assert not hasher_of(OLD).verify(PASSWORD, stored)
    assert not hasher_of().verify(PASSWORD, stored)
    _, inner = split(stored)
    for hasher in (hasher_of(NEW), hasher_of()):
        assert not hasher.verify(PASSWORD, inner), "the pepper cannot be taken off"
    other, _ = split(hasher_of(OLD).hash(PASSWORD))
    assert not hasher_of(SecretVersions(NEW, OLD)).verify(PASSWORD, f"{PREFIX}{other}{inner}")


def test_a_hash_without_a_pepper_goes_on_verifying() -> None:
    stored = hasher_of().hash(PASSWORD)
    assert hasher_of(NEW).verify(PASSWORD, stored)
    assert not hasher_of(NEW).verify("wrong", stored)
    id, _ = split(hasher_of(NEW).hash("x"))
    assert not hasher_of(NEW).verify(PASSWORD, f"{PREFIX}{id}{stored}"), "a pepper cannot be claimed"


@pytest.mark.parametrize("inner", MALFORMED, ids=lambda stored: ascii(stored)[:40])
def test_a_malformed_hash_under_a_pepper_matches_nothing_and_costs_the_same(inner: str) -> None:
    id, _ = split(hasher_of(NEW).hash("x"))
    for stored in (f"{PREFIX}{id}{inner}", f"{PREFIX}{inner}", f"$hmac-sha256${inner}", inner):
        hasher = hasher_of(NEW)
        with Argon2Calls() as calls:
            assert hasher.verify(PASSWORD, stored) is False
        assert 1 <= calls.count <= 2
        assert hasher.needs_rehash(stored)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["", PREFIX, f"{PREFIX}AAAAAAAAAAA"]))
def test_any_text_as_a_hash_is_no_match_and_no_error(text: str, prefix: str) -> None:
    hasher = hasher_of(NEW, memory=8)
    assert hasher.verify(PASSWORD, prefix + text) is False
    assert hasher.needs_rehash(prefix + text) is True


@pytest.mark.parametrize("pepper", ["", " ", b"", "short", "x" * 31, 5, True, [NEW], {}], ids=ascii)
def test_a_pepper_that_is_none_or_too_short_is_refused_when_built(pepper: Any) -> None:
    with pytest.raises(ConfigurationError, match="pepper"):
        PasswordHasher(pepper=pepper)


def test_a_published_sample_is_no_pepper() -> None:
    with pytest.raises(ConfigurationError, match="pepper"):
        PasswordHasher(pepper="your-secret-key-at-least-32-bytes-long")
    hasher = PasswordHasher(pepper=Secrets(Vault(SecretVersions("your-secret-key-at-least-32-bytes-long")))["PEPPER"])
    with pytest.raises(ConfigurationError, match="PEPPER"):
        hasher.hash(PASSWORD)


def test_sec_01_nothing_shows_a_pepper() -> None:
    pepper = Pepper(Secret.of(NEW))
    for shown in (repr(pepper), str(pepper), " ".join(repr(getattr(pepper, name)) for name in dir(pepper))):
        assert NEW not in shown
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(pepper)
    canary = "canary-7f3a"
    for failure in (
        lambda: PasswordHasher(pepper=canary),
        lambda: PasswordHasher(pepper=SecretVersions(canary)),
        lambda: PasswordHasher(pepper=canary * 9, memory=0),
        lambda: PasswordHasher(pepper=Secrets(Vault(SecretVersions(canary)))["PEPPER"]).hash("x"),
    ):
        with pytest.raises(ConfigurationError) as raised:
            failure()
        frames = traceback.TracebackException.from_exception(raised.value, capture_locals=True).stack
        inside = [frame.locals for frame in frames if frame.filename != __file__]
        assert inside
        assert canary not in f"{raised.value} {raised.value.__context__} {inside}"


# Rotation


def test_current_previous_and_pending_verify_and_the_current_one_hashes() -> None:
    hasher = hasher_of(SecretVersions(NEW, OLD, NEXT, LATER))
    for pepper in (NEW, OLD, NEXT):
        stored = hasher_of(pepper).hash(PASSWORD)
        with Argon2Calls() as calls:
            assert hasher.verify(PASSWORD, stored)
        assert calls.count == 1
        assert hasher.needs_rehash(stored) is (pepper == OLD), "what is ahead of us is not put back"
    assert split(hasher.hash(PASSWORD))[0] == split(hasher_of(NEW).hash(PASSWORD))[0]


@pytest.mark.parametrize("place", ["previous", "pending"])
def test_a_value_that_is_too_short_is_left_out_and_the_current_one_works_on(place: str, caplog: Any) -> None:
    hasher = hasher_of(SecretVersions(NEW, **{place: "too-short"}))
    assert hasher.verify(PASSWORD, hasher.hash(PASSWORD))
    (record,) = caplog.records
    assert place in record.getMessage()
    assert "too-short" not in record.getMessage()


def test_previous_verifies_until_its_end() -> None:
    clock = Clock()
    hasher = hasher_of(Secret.of(SecretVersions(NEW, OLD, previous_until=clock.now + 10), clock=clock))
    stored = hasher_of(OLD).hash(PASSWORD)
    assert hasher.verify(PASSWORD, stored)
    clock.advance(10)
    assert not hasher.verify(PASSWORD, stored)


def test_other_parameters_are_a_reason_to_hash_anew() -> None:
    assert not hasher_of().needs_rehash(hasher_of().hash(PASSWORD))
    for parameters in ({"memory": 128}, {"passes": 2}, {"lanes": 2}):
        assert hasher_of().needs_rehash(hasher_of(**parameters).hash(PASSWORD))
    assert hasher_of().needs_rehash("$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
    assert hasher_of(NEW).needs_rehash(hasher_of().hash(PASSWORD))
    assert hasher_of().needs_rehash(hasher_of(NEW).hash(PASSWORD))


def test_a_login_moves_the_hash_to_the_current_pepper() -> None:
    one = login(OLD)
    assert one.verdict() == "alice"
    before = one.stored()
    one.vault.rotate(NEW, LATER)
    one.secrets.refresh()
    with Argon2Calls() as calls:
        user = one.accounts.authenticate("alice", PASSWORD)
    assert calls.count == 2
    assert user == one.users.find("alice")
    assert (user.subject, user.roles) == ("17", {"admin"})
    assert one.stored() != before
    one.vault.retire()
    one.secrets.refresh()
    with Argon2Calls() as calls:
        assert one.verdict() == "alice"
    assert calls.count == 1
    assert one.counts() == (2, 1, 0)


def test_a_login_puts_a_pepper_on_a_hash_that_has_none() -> None:
    one = login(NEW, hashed=hasher_of().hash(PASSWORD))
    assert one.verdict() == "alice"
    assert one.counts() == (0, 0, 0), "no pepper has verified anything yet"
    assert split(one.stored())[0]
    assert one.verdict() == "alice"
    assert one.counts() == (1, 0, 0)


@pytest.mark.parametrize("password", ["wrong", "x" * 5000])
def test_a_wrong_password_moves_nothing(password: str) -> None:
    one = login(NEW, OLD, hashed=hasher_of(OLD).hash(PASSWORD))
    before = one.stored()
    assert one.verdict(password=password) == "password_wrong"
    assert one.stored() == before
    assert one.counts() == (0, 0, 0)


def test_a_disabled_user_moves_nothing() -> None:
    one = login(NEW)
    hashed = hasher_of().hash(PASSWORD)
    one.users.add(User("bob", password_hash=hashed, disabled=True))
    assert one.verdict("bob") == "user_disabled"
    assert one.users.find("bob").password_hash == hashed


def test_a_pepper_retired_before_its_user_came_back_matches_nothing_and_costs_the_same() -> None:
    one = login(NEW, hashed=hasher_of(OLD).hash(PASSWORD))
    for username, reason in (("alice", "password_wrong"), ("nobody", "user_unknown")):
        with Argon2Calls() as calls:
            assert one.verdict(username) == reason
        assert calls.count == 1


def test_a_hash_under_a_pepper_that_another_instance_has_already_is_verified_and_stays() -> None:
    first, second = login(OLD, count=2)
    assert (first.verdict(), second.verdict()) == ("alice", "alice")
    first.vault.rotate(NEW, LATER)
    first.secrets.refresh()
    assert first.verdict() == "alice"
    moved = first.stored()
    asked = first.vault.asked
    assert second.verdict() == "alice"
    assert first.vault.asked == asked + 1
    assert second.stored() == moved
    assert second.counts() == (2, 0, 0)


def test_a_hash_under_a_pepper_that_is_pending_here_is_not_put_back() -> None:
    one = login(OLD, None, NEXT, hashed=hasher_of(NEXT).hash(PASSWORD))
    before = one.stored()
    assert one.verdict() == "alice"
    assert one.stored() == before
    assert one.counts() == (0, 0, 1)


def test_unknown_pepper_ids_ask_once_in_a_cooldown() -> None:
    one = login(NEW, hashed=hasher_of(OLD).hash(PASSWORD))
    for round in (1, 2):
        for _ in range(5):
            assert one.verdict() == "password_wrong"
        assert one.vault.asked == 1 + round
        one.clock.advance(60)
    assert not one.hasher.verify(PASSWORD, one.stored())


def test_a_pepper_that_cannot_be_read_is_unavailable_whoever_it_is() -> None:
    """An answer that differs would say who has an account."""
    one = login(NEW)
    one.users.add(User("plain", password_hash=hasher_of().hash(PASSWORD)))
    one.vault.versions = SecretUnavailable()
    for username in ("alice", "nobody", "plain"):
        with pytest.raises(Unavailable):
            one.verdict(username)
    with pytest.raises(Unavailable):
        one.accounts.register("bob", PASSWORD)


def test_a_password_that_was_changed_meanwhile_stays_changed() -> None:
    one = login(NEW, OLD, hashed=hasher_of(OLD).hash(PASSWORD))
    changed = hasher_of(NEW).hash("another password")
    inner = one.users.update

    class Racing(MemoryUsers):
        find = staticmethod(one.users.find)

        def update(self, old: User, new: User) -> bool:
            assert inner(old, old.changed(password_hash=changed)), "the user was quicker"
            return inner(old, new)

    accounts = Accounts(Racing(), one.accounts._tokens, one.hasher)
    assert accounts.authenticate("alice", PASSWORD).username == "alice"
    assert one.stored() == changed


@pytest.mark.parametrize("fails", [Unavailable(), OSError("disk full"), None], ids=["unavailable", "broken", "not there"])
def test_a_table_that_cannot_take_the_new_hash_refuses_no_login(fails: Exception | None, caplog: Any) -> None:
    one = login(NEW, OLD, hashed=hasher_of(OLD).hash(PASSWORD))

    class Table:
        in_place = True
        find = staticmethod(one.users.find)
        add = staticmethod(one.users.add)

    class ReadOnly(Table):
        def update(self, old: User, new: User) -> bool:
            assert fails is not None
            raise fails

    users: Any = Table() if fails is None else ReadOnly()
    assert Accounts(users, one.accounts._tokens, one.hasher).authenticate("alice", PASSWORD).username == "alice"
    assert ("could not be made anew" in caplog.text) is (fails is not None)
    assert "disk full" not in caplog.text


async def test_the_pepper_is_fetched_off_the_loop_and_not_by_the_threads_that_hash() -> None:
    gate = threading.Event()
    one = login(NEW)
    one.vault._before = lambda: gate.wait(10)
    waiting = [asyncio.create_task(one.accounts.aauthenticate("alice", PASSWORD)) for _ in range(8)]
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not any(task.done() for task in waiting)
    other = Accounts(one.users, one.accounts._tokens, hasher_of(NEW))
    assert (await other.aauthenticate("alice", PASSWORD)).username == "alice", "hashing goes on elsewhere"
    gate.set()
    assert {user.username for user in await asyncio.gather(*waiting)} == {"alice"}
    assert one.vault.asked == 1
    assert threading.get_ident() not in one.vault.threads
