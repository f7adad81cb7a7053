"""`Accounts`: who may log in, and that nobody can tell why somebody may not."""

from __future__ import annotations

import asyncio
import threading

import pytest

from authkit import ConfigurationError, InvalidCredentials
from authkit.accounts import Accounts, MemoryUsers, RegistrationRefused, User

from .test_names import KEVIN
from .test_passwords import Argon2Calls

NOBODY = [
    ("unknown", "correct horse", "user_unknown"),
    ("alice", "wrong", "password_wrong"),
    ("disabled", "correct horse", "user_disabled"),
    ("disabled", "wrong", "password_wrong"),
    ("passwordless", "correct horse", "password_wrong"),
    ("plain", "correct horse", "password_wrong"),
    ("al\u200bice", "correct horse", "user_unknown"),
    ("", "correct horse", "user_unknown"),
]


def test_a_user_registers_and_authenticates(accounts):
    made = accounts.register("Bob", "his password", roles=["editor"], scopes=["posts:write"])
    assert made == accounts.authenticate(" BOB ", "his password")
    assert (made.username, made.subject) == ("bob", "bob")
    assert (made.roles, made.scopes, made.disabled) == ({"editor"}, {"posts:write"}, False)


@pytest.mark.parametrize(("username", "password", "reason"), NOBODY)
def test_whoever_may_not_log_in_costs_one_hash(accounts, username, password, reason):
    """PWD-01: the same number of argon2 calls, and it is one."""
    accounts.authenticate("alice", "correct horse")
    with Argon2Calls() as calls, pytest.raises(InvalidCredentials) as raised:
        accounts.authenticate(username, password)
    assert raised.value.reason == reason
    assert calls.count == 1


def test_who_may_log_in_costs_one_hash_too(accounts):
    with Argon2Calls() as calls:
        accounts.authenticate("alice", "correct horse")
    assert calls.count == 1


@pytest.mark.parametrize("username", ["alice", "unknown", "disabled"])
def test_an_impossible_password_costs_none_for_anybody(accounts, username):
    """PWD-03."""
    for password in ("x" * 1_000_000, "", "a\0b", "\ud800"):
        with Argon2Calls() as calls, pytest.raises(InvalidCredentials):
            accounts.authenticate(username, password)
        assert calls.count == 0


def test_every_spelling_is_one_account(accounts):
    """PWD-09."""
    accounts.register("Kevin", "his password")
    for spelling in KEVIN:
        assert accounts.authenticate(spelling, "his password").username == "kevin"
        with pytest.raises(RegistrationRefused) as raised:
            accounts.register(spelling, "another password")
        assert raised.value.reason == "username_taken"


@pytest.mark.parametrize(
    ("username", "password", "reason"),
    [
        ("a\0", "fine enough", "username_not_acceptable"),
        ("", "fine enough", "username_not_acceptable"),
        ("bob", "", "password_not_acceptable"),
        ("bob", "x" * 5000, "password_not_acceptable"),
        ("alice", "fine enough", "username_taken"),
    ],
)
def test_a_registration_that_is_refused_changes_nothing(accounts, users, username, password, reason):
    with pytest.raises(RegistrationRefused) as raised:
        accounts.register(username, password)
    assert raised.value.reason == reason
    assert users.find("bob") is None
    assert accounts.authenticate("alice", "correct horse")


def test_one_of_many_registrations_of_a_name_wins(accounts):
    wins = []

    def register(n):
        try:
            accounts.register("bob", f"password {n}")
        except RegistrationRefused:
            return
        wins.append(n)

    threads = [threading.Thread(target=register, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert accounts.authenticate("bob", f"password {wins[0]}")


def test_the_async_twins_do_the_same_off_the_loop(accounts):
    async def main():
        loop_thread = threading.get_ident()
        seen = []
        verify = accounts._hasher.verify
        accounts._hasher.verify = lambda *args: seen.append(threading.get_ident()) or verify(*args)
        made = await accounts.aregister("bob", "his password")
        assert await accounts.aauthenticate("bob", "his password") == made
        with pytest.raises(InvalidCredentials):
            await accounts.aauthenticate("bob", "wrong")
        assert loop_thread not in seen
        assert len(seen) == 2

    asyncio.run(main())


def test_a_users_table_that_blocks_is_asked_off_the_loop(accounts, tokens, hasher, users):
    class Table:
        threads = set()

        def find(self, username):
            self.threads.add(threading.get_ident())
            return users.find(username)

        def add(self, user):
            return users.add(user)

    async def main():
        await Accounts(Table(), tokens, hasher).aauthenticate("alice", "correct horse")
        assert threading.get_ident() not in Table.threads

    asyncio.run(main())


def test_no_hash_in_what_a_user_shows(hasher):
    """LOG-01."""
    hashed = hasher.hash("correct horse")
    user = User("alice", password_hash=hashed)
    for shown in (repr(user), str(user), f"{user}", repr([user]), repr(vars)):
        assert hashed not in shown
        assert "argon2" not in shown
    with pytest.raises(AttributeError):
        user.disabled = False


def test_a_user_with_text_for_roles_is_a_mistake():
    with pytest.raises(TypeError):
        User("alice", roles="admin")


def test_called_like_a_function_the_endpoints_say_what_to_call(accounts):
    for endpoint in (accounts.login, accounts.verify):
        with pytest.raises(TypeError, match=r"accounts\.authenticate"):
            endpoint("alice", "correct horse")
    with pytest.raises(TypeError, match=r"accounts\.authenticate"):
        accounts.verify("token")


@pytest.mark.parametrize(
    "options",
    [
        {"create_on_first_login": 1},
        {"insecure_unlimited": "no"},
        {"hasher": "argon2id"},
        {"on_event": "mail"},
        {"registration": 1},
        {"second_factor": True},
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused_when_built(tokens, options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Accounts(MemoryUsers(), tokens, **options)


@pytest.mark.parametrize(
    ("users", "tokens"), [(None, "tokens"), ({}, "tokens"), (MemoryUsers(), None), (MemoryUsers(), "secret")]
)
def test_wrong_parts_are_refused_when_built(users, tokens, request):
    parts = request.getfixturevalue("tokens") if tokens == "tokens" else tokens
    with pytest.raises(ConfigurationError):
        Accounts(users, parts)
