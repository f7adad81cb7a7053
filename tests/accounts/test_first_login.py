"""`create_on_first_login`: whoever comes first has the name, and no more often than wrong passwords may be tried."""

from __future__ import annotations

import threading

import pytest

from authkit import InvalidCredentials, Unavailable
from authkit.accounts import LoginLimits, MemoryUsers, TooManyAttempts

from .parts import PASSWORD, Service, told, whole

NEW = "a password of bob's"


@pytest.fixture
def service():
    return Service(create_on_first_login=True)


def test_the_first_login_registers(service):
    answer = service.login("Bob", NEW)
    assert (answer.status, told(answer)["user"]) == (200, "bob")
    bob = service.users.find("bob")
    assert (bob.roles, bob.scopes, bob.password_changed) == (frozenset(), frozenset(), 1_800_000_000.0)
    assert service.login("bob", NEW).status == 200
    assert service.login("bob", "another password").status == 401


def test_who_is_there_is_judged_as_ever(service):
    assert service.login(password="wrong").status == 401
    assert service.login().status == 200
    service.accounts.disable("alice")
    assert service.login().status == 401


def test_without_it_nobody_is_registered():
    service = Service()
    assert service.login("bob", NEW).status == 401
    assert service.users.find("bob") is None


@pytest.mark.parametrize(("name", "password"), [("bob", "short"), ("bob", "x" * 5000), ("a\u200bb", NEW), ("x" * 200, NEW)])
def test_what_cannot_be_registered_is_the_same_401(service, name, password):
    """PWD-02: which of the rules it broke is in the audit."""
    assert whole(service.login(name, password)) == whole(service.login(password="wrong"))
    assert service.users.find(name) is None


def test_registering_is_limited_like_wrong_passwords():
    limits = LoginLimits(account_here="5/hour", account="5/hour", address="3/hour")
    service = Service(create_on_first_login=True, limits=limits)
    assert [service.login(f"bob{n}", NEW).status for n in range(5)] == [200, 200, 200, 429, 429]
    assert service.users.find("bob3") is None
    assert service.login("bob1", NEW).status == 429


def test_authenticate_registers_too(service):
    assert service.accounts.authenticate("bob", NEW).username == "bob"
    with pytest.raises(InvalidCredentials):
        service.accounts.authenticate("bob", PASSWORD)


class Meeting(MemoryUsers):
    """A table in which all look before anybody is there."""

    def __init__(self, parties):
        super().__init__()
        self.barrier = threading.Barrier(parties)
        self.waiting = parties

    def find(self, username):
        found = super().find(username)
        if username == "bob" and self.waiting > 0:
            self.waiting -= 1
            self.barrier.wait(5)
        return found


def test_of_two_at_once_one_registers_and_the_other_is_judged_by_it():
    service = Service(users=Meeting(2), create_on_first_login=True)
    answers = {}

    def login(password):
        answers[password] = service.login("bob", password).status

    threads = [threading.Thread(target=login, args=(password,)) for password in (NEW, "a password of another bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [200, 401]
    (winner,) = (password for password, status in answers.items() if status == 200)
    assert service.login("bob", winner).status == 200


def test_of_two_at_once_with_one_password_both_are_in():
    service = Service(users=Meeting(2), create_on_first_login=True)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(service.login("bob", NEW).status)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200, 200]


class Full(MemoryUsers):
    full = False

    def add(self, user):
        if self.full:
            raise Unavailable("the disk is full")
        return super().add(user)


def test_a_table_that_cannot_take_anybody_is_503_and_counts_for_nobody():
    limits = LoginLimits(account_here="1/hour", account="1/hour", address="1/hour")
    service = Service(users=Full(), create_on_first_login=True, limits=limits)
    service.users.full = True
    assert [service.login("bob", NEW).status for _ in range(3)] == [503] * 3
    service.users.full = False
    assert service.login("bob", NEW).status == 200
    with pytest.raises(TooManyAttempts):
        service.accounts.authenticate("bob", "x", client="203.0.113.5")
