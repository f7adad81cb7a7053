"""What every table of users must do. Each implementation inherits a class and gives `users`."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import threading
from collections import Counter

import pytest

from authkit import InvalidCredentials, Request, Tokens
from authkit.accounts import Accounts, PasswordHasher, RegistrationRefused, User
from authkit.stores import MemoryStore

from .test_names import KEVIN

FULL = User(
    "alice",
    password_hash="$argon2id$v=19$m=64,t=1,p=1$AAAA$BBBB",
    subject="17",
    roles=["admin", 'ed"itor', "\u00e9crivain"],
    scopes=["reports:read", ""],
    disabled=True,
    password_changed=1_700_000_000.123457,
    factors="sealed.AAAA",
)
OTHERWISE = {
    "password_hash": None,
    "subject": "18",
    "roles": ["admin"],
    "scopes": [],
    "disabled": False,
    "password_changed": 1_700_000_000.123458,
    "factors": None,
}
NO_HASHES = [
    None, "", "!", "*", "correct horse", "$argon2id$", "$argon2id$v=19$m=64,t=1,p=1$AAAA", "$1$md5", "pbkdf2_sha256$",
    "{SSHA}AAAA",
]  # fmt: skip
NO_NAMES = ["", " ", "Alice", "alice ", "al\u200bice", "\uff41lice", "a\0", "\ud800", "x" * 129, "x" * 100_000]


def in_threads(call, count=8):
    """What the calls gave, all made at once: by how often."""
    gate, found = threading.Barrier(count), []

    def work(n):
        gate.wait(10)
        found.append(call(n))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(found)


class UsersContract:
    """For any table of users: `find` and `add`."""

    @pytest.fixture
    def users(self):
        raise NotImplementedError

    @pytest.fixture
    def hasher(self):
        return PasswordHasher(memory=64, passes=1, lanes=1)

    @pytest.fixture
    def accounts(self, users, hasher):
        here = "https://api.example"
        tokens = Tokens("a key for these tests only, and long enough", issuer=here, audience=here, store=MemoryStore())
        return Accounts(users, tokens, hasher, insecure_unlimited=True)

    def test_a_user_is_found_as_it_was_added(self, users):
        plain = User("bob")
        assert users.add(FULL) is True
        assert users.add(plain) is True
        assert users.find("alice") == FULL
        assert users.find("bob") == plain

    def test_a_name_is_taken_once_and_for_all(self, users):
        assert users.add(FULL)
        assert users.add(FULL) is False
        assert users.add(User("alice", password_hash="another")) is False
        assert users.find("alice") == FULL

    def test_a_subject_is_one_users_and_nobody_elses_name(self, users):
        """Whoever registers a name has it as subject: handlers would take a stranger for the user whose subject it is."""
        assert users.add(User("alice", subject="17"))
        for other in (User("17"), User("bob", subject="17")):
            assert users.add(other) is False
            assert users.find(other.username) is None
        assert users.add(User("bob"))
        assert users.find("alice") == User("alice", subject="17")

    def test_a_name_of_any_script_and_of_any_length_that_may_be(self, users):
        for name in (
            "\u00e9va",
            "\u0430lice",
            "\U0001f600",
            "ada lovelace",
            "o'brien; drop table users --",
            "%",
            "_",
            "x" * 128,
            "\u4e9c" * 128,
        ):
            assert users.find(name) is None
            assert users.add(User(name))
            assert users.find(name) == User(name)

    def test_every_spelling_is_one_account(self, users, accounts):
        """PWD-09."""
        accounts.register("Kevin", "his password")
        for spelling in KEVIN:
            assert accounts.authenticate(spelling, "his password").username == "kevin"
            with pytest.raises(RegistrationRefused, match="username_taken"):
                accounts.register(spelling, "another password")
        assert users.find("kevin")

    @pytest.mark.parametrize("stored", NO_HASHES, ids=ascii)
    def test_a_hash_that_is_none_lets_nobody_in(self, users, accounts, stored):
        """PWD-07."""
        assert users.add(User("alice", password_hash=stored))
        for password in ("correct horse", stored or "!"):
            with pytest.raises(InvalidCredentials):
                accounts.authenticate("alice", password)

    def test_of_all_who_add_one_name_at_once_exactly_one_does(self, users):
        for round_ in range(3):
            name = f"user{round_}"
            assert in_threads(lambda n, name=name: users.add(User(name, subject=str(n)))) == {True: 1, False: 7}
            assert users.find(name).subject in "01234567"


class UserTableContract(UsersContract):
    """For a table that can do everything: `update`, `remove` and `list` as well."""

    def test_an_update_puts_the_new_in_the_place_of_the_old(self, users):
        users.add(User("bob"))
        users.add(FULL)
        new = FULL.changed(**OTHERWISE)
        assert users.update(FULL, new) is True
        assert users.find("alice") == new
        assert users.update(new, FULL) is True
        assert users.find("alice") == FULL
        assert users.find("bob") == User("bob")

    @pytest.mark.parametrize("field", OTHERWISE)
    def test_an_update_of_a_user_that_is_another_by_now_changes_nothing(self, users, field):
        users.add(FULL)
        seen = FULL.changed(**{field: OTHERWISE[field]})
        assert users.update(seen, FULL.changed(password_hash="new")) is False
        assert users.find("alice") == FULL
        assert users.update(FULL, seen) is True
        assert users.find("alice") == seen

    def test_an_update_adds_nobody(self, users):
        assert users.update(User("bob"), User("bob", password_hash="new")) is False
        assert users.find("bob") is None

    def test_a_user_keeps_its_name(self, users):
        users.add(FULL)
        with pytest.raises(ValueError, match="name"):
            users.update(FULL, FULL.changed(username="mallory"))
        assert (users.find("alice"), users.find("mallory")) == (FULL, None)

    def test_who_is_removed_is_gone_and_the_name_is_free(self, users):
        users.add(FULL)
        users.add(User("bob"))
        assert users.remove("alice") is True
        assert users.find("alice") is None
        assert users.remove("alice") is False
        assert users.update(FULL, FULL) is False
        assert users.add(User("alice")) is True
        assert users.find("alice") == User("alice")
        assert users.remove("carol") is False
        assert users.find("bob") == User("bob")

    def test_a_renamed_user_keeps_a_subject_that_nobody_registers(self, users):
        users.add(User("alice"))
        users.remove("alice")
        assert users.add(User("alicia", subject="alice"))
        assert users.add(User("alice")) is False
        assert (users.remove("alice"), users.find("alice")) == (False, None)
        assert users.list() == [User("alicia", subject="alice")]
        users.remove("alicia")
        assert users.add(User("ally", subject="alice"))
        users.remove("ally")
        assert users.add(User("alice"))
        assert users.find("alice") == User("alice")

    def test_users_are_listed_by_name_a_page_at_a_time(self, users):
        names = ["a", "a b", "ab", "b", "z", "\u00e9va", "\ufa0e", "\U0001f600"]
        for name in reversed(names):
            users.add(User(name))
        assert users.list() == [User(name) for name in names]
        pages, after = [], ""
        while page := users.list(after, 3):
            pages.append([user.username for user in page])
            after = page[-1].username
        assert pages == [names[:3], names[3:6], names[6:]]
        assert [user.username for user in users.list("aa", limit=1)] == ["ab"]
        assert users.list(limit=0) == []
        assert users.list("\U0001f600") == []

    def test_of_all_who_update_one_user_at_once_exactly_one_does(self, users):
        users.add(User("alice", subject="s"))
        for _ in range(3):
            old = users.find("alice")
            assert in_threads(lambda n, old=old: users.update(old, old.changed(password_hash=f"hash {n}"))) == {
                True: 1,
                False: 7,
            }
            users.update(users.find("alice"), old)

    def test_what_two_change_at_once_is_not_lost(self, users):
        """Each reads, changes one thing, and tries again if another was quicker."""
        users.add(User("alice"))

        def grant(n):
            while True:
                old = users.find("alice")
                if users.update(old, old.changed(roles=old.roles | {f"role {n}"})):
                    return

        in_threads(grant, 4)
        assert users.find("alice").roles == {f"role {n}" for n in range(4)}

    def test_removed_and_registered_anew_is_another_user(self, users):
        """REF-05: what was granted to the one is not the other's."""
        old = User("alice", password_hash="a", password_changed=1.0)
        users.add(old)
        users.remove("alice")
        users.add(old.changed(password_changed=2.0))
        assert users.update(old, old.changed(factors="f")) is False
        assert users.find("alice").factors is None

    @pytest.mark.parametrize("how", ["disable", "delete", "set_password"])
    def test_who_is_disabled_deleted_or_given_another_password_refreshes_no_more(self, users, accounts, how):
        """REF-05."""
        before = accounts.register("alice", "her password")
        post = lambda path, **body: accounts.app(  # noqa: E731
            Request.build("POST", path, {"content-type": "application/json"}, json.dumps(body).encode(), peer="203.0.113.7")
        )
        pair = json.loads(post("/login", username="alice", password="her password").body)
        assert getattr(accounts, how)("ALICE", *(["another password"] if how == "set_password" else [])).username == "alice"
        assert post("/refresh", refresh_token=pair["refresh_token"]).status == 401
        assert post("/verify", token=pair["access_token"]).status == 401
        assert post("/login", username="alice", password="her password").status == 401
        after = users.find("alice")
        if how == "delete":
            assert after is None
            assert accounts.register("alice", "her password").password_changed != before.password_changed
        else:
            assert after is not None
            assert (after.disabled, after.password_changed == before.password_changed) == (how == "disable", how == "disable")

    def test_a_login_moves_a_hash_to_todays_parameters(self, users, accounts):
        older = PasswordHasher(memory=32, passes=1, lanes=1).hash("correct horse")
        users.add(User("alice", password_hash=older, password_changed=5.0, factors="f", roles=["a"]))
        accounts.authenticate("alice", "correct horse")
        renewed = users.find("alice")
        assert renewed.password_hash != older
        assert renewed == User("alice", password_hash=renewed.password_hash, password_changed=5.0, factors="f", roles=["a"])
        assert accounts.authenticate("alice", "correct horse") == renewed


class OwnTableContract(UserTableContract):
    """For the tables of this library, which also look after what reaches them by another way than `Accounts`."""

    def test_nobody_is_given_the_subject_or_the_name_of_another_as_subject(self, users):
        bob = User("bob")
        users.add(FULL)
        users.add(bob)
        assert users.add(User("carol", subject="alice")) is False
        for taken in ("alice", FULL.subject):
            with pytest.raises(ValueError, match="subject"):
                users.update(bob, bob.changed(subject=taken))
        assert (users.find("alice"), users.find("bob")) == (FULL, bob)

    def test_who_registers_the_subject_of_another_is_refused(self, users, accounts):
        users.add(User("alice", subject="5e0c7a54-3b0e-4f0e"))
        with pytest.raises(RegistrationRefused, match="username_taken"):
            accounts.register("5E0C7A54-3b0e-4f0e", "a stranger's password")

    @pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: ascii(name[:10]))
    def test_what_is_no_canonical_name_is_nobody_and_cannot_be_added(self, users, name):
        users.add(User("alice"))
        assert users.find(name) is None
        with pytest.raises(ValueError, match="canonical"):
            users.add(User(name))
        assert users.find(name) is None

    def test_nobody_is_removed_by_what_is_no_canonical_name(self, users):
        users.add(FULL)
        assert [users.remove(name) for name in NO_NAMES] == [False] * len(NO_NAMES)
        assert users.find("alice") == FULL

    def test_no_table_and_no_user_shows_a_hash_or_is_pickled(self, users):
        """LOG-01, SEC-02."""
        users.add(FULL)
        for shown in (repr(users), str(users), repr(users.find("alice")), f"{FULL}", repr([FULL]), repr({"user": FULL})):
            assert "argon2" not in shown
            assert "sealed" not in shown
        for thing in (users, FULL):
            with pytest.raises(TypeError):
                pickle.dumps(thing)
        assert copy.deepcopy(FULL) == copy.copy(FULL) == FULL


# Opens the table, then does with all others at the same time what a line says: "add NAME" or "update NAME".
_SERVANT = """
import json, os, sys
from authkit.accounts import *
users = eval(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    action, name = json.loads(line)
    mine = User(name, subject=f"{os.getpid()} {name}")
    if action == "add":
        done = users.add(mine)
    else:
        old = User(name)
        done = users.update(old, old.changed(password_hash=f"{os.getpid()}"))
    print(json.dumps(done), flush=True)
"""


class SharedUsersContract(OwnTableContract):
    """For a table of several processes. `recipe`: a Python expression that opens the same one elsewhere.

    The expression sees all names of `authkit.accounts`.
    """

    rounds = 10

    @pytest.fixture
    def recipe(self):
        raise NotImplementedError

    @pytest.fixture
    def elsewhere(self, recipe):
        command = [sys.executable, "-c", _SERVANT, recipe]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        yield processes
        for process in processes:
            process.stdin.close()
        for process in processes:
            process.wait(10)
            process.stdout.close()

    def test_of_all_processes_one_adds_and_one_updates(self, users, elsewhere):
        def ask(*what):
            for process in elsewhere:
                process.stdin.write(json.dumps(what) + "\n")
                process.stdin.flush()
            return Counter(json.loads(process.stdout.readline()) for process in elsewhere)

        pids = {str(process.pid) for process in elsewhere}
        for round_ in range(self.rounds):
            assert ask("add", f"a{round_}") == {True: 1, False: 3}
            assert users.find(f"a{round_}").subject.partition(" ")[0] in pids
            users.add(User(f"u{round_}"))
            assert ask("update", f"u{round_}") == {True: 1, False: 3}
            assert users.find(f"u{round_}").password_hash in pids
