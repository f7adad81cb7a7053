"""Changing users: what is in force at once, what ends with it, and what a table has to have."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading

import pytest

from authkit import ConfigurationError, InvalidCredentials, InvalidToken, Request, Unavailable
from authkit.accounts import Accounts, MemoryUsers, PasswordRefused, RegistrationRefused, SqliteUsers, UnknownUser
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore

from .parts import JSON, PASSWORD, Service, cheap, tokens_of

NEW = "another correct horse"


@pytest.fixture
def service():
    return Service()


def test_another_password_is_in_force_at_once(service):
    user = service.accounts.set_password("Alice", NEW)
    assert user == service.accounts.authenticate("alice", NEW)
    assert user.password_changed == 1_800_000_000.001
    with pytest.raises(InvalidCredentials):
        service.accounts.authenticate("alice", PASSWORD)


def test_two_passwords_never_have_the_same_moment(service):
    moments = [service.users.find("alice").password_changed]
    for _ in range(3):
        moments.append(service.accounts.set_password("alice", NEW).password_changed)
        service.clock.now -= 100
    assert len(set(moments)) == 4


def test_who_is_disabled_logs_in_no_more_until_enabled(service):
    assert service.accounts.disable("alice").disabled
    with pytest.raises(InvalidCredentials) as raised:
        service.accounts.authenticate("alice", PASSWORD)
    assert raised.value.reason == "user_disabled"
    assert not service.accounts.enable("alice").disabled
    assert service.accounts.authenticate("alice", PASSWORD)


def test_who_is_deleted_is_gone(service):
    service.accounts.delete("alice")
    assert service.users.find("alice") is None
    assert service.accounts.register("alice", NEW)


@pytest.mark.parametrize("change", ["set_password", "disable", "delete"])
def test_a_change_ends_every_session(service, change):
    pairs = [service.tokens.issue_pair("alice") for _ in range(2)]
    arguments = (NEW,) if change == "set_password" else ()
    service.clock.now += 5
    getattr(service.accounts, change)("alice", *arguments)
    for pair in pairs:
        with pytest.raises(InvalidToken):
            service.tokens.verify(pair.access_token)
        with pytest.raises(InvalidToken):
            service.tokens.refresh(pair.refresh_token)


@pytest.mark.parametrize("change", ["set_password", "disable", "enable", "delete"])
@pytest.mark.parametrize("name", ["nobody", "", "a\0b"])
def test_a_user_who_is_not_there_is_said(service, change, name):
    with pytest.raises(UnknownUser) as raised:
        getattr(service.accounts, change)(name, *((NEW,) if change == "set_password" else ()))
    assert raised.value.reason == "user_unknown"


@pytest.mark.parametrize("password", ["", "x" * 5000, "a\0b", "short"])
def test_what_can_be_no_password_changes_nothing(service, password):
    with pytest.raises(PasswordRefused):
        service.accounts.set_password("alice", password)
    assert service.accounts.authenticate("alice", PASSWORD)
    with pytest.raises(RegistrationRefused):
        service.accounts.register("bob", password)


async def test_the_async_twins_do_the_same(service):
    await service.accounts.aset_password("alice", NEW)
    assert await service.accounts.aauthenticate("alice", NEW)
    assert (await service.accounts.adisable("alice")).disabled
    assert not (await service.accounts.aenable("alice")).disabled
    await service.accounts.adelete("alice")
    assert service.users.find("alice") is None


def test_changes_at_the_same_time_are_all_made(service):
    """Each is one compare-and-set of the row, tried anew."""
    threads = [threading.Thread(target=service.accounts.set_password, args=("alice", f"{NEW} {n}")) for n in range(4)]
    threads += [threading.Thread(target=service.accounts.disable, args=("alice",))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.users.find("alice").disabled
    service.accounts.enable("alice")
    verdicts = []
    for n in range(4):
        try:
            verdicts.append(service.accounts.authenticate("alice", f"{NEW} {n}"))
        except InvalidCredentials:
            pass
    assert len(verdicts) == 1


class Restless(MemoryUsers):
    """Somebody else changes the row between every look and every change."""

    def update(self, old, new):
        super().update(old, old.changed(password_changed=(old.password_changed or 0) + 1))
        return super().update(old, new)


def test_a_row_that_never_stands_still_is_unavailable():
    service = Service(users=Restless())
    with pytest.raises(Unavailable):
        service.accounts.disable("alice")


class FindAndAdd:
    def __init__(self):
        self.users = MemoryUsers()
        self.find, self.add = self.users.find, self.users.add


@pytest.mark.parametrize("change", ["set_password", "disable", "enable"])
def test_a_table_without_update_says_so(change):
    accounts = Accounts(FindAndAdd(), tokens_of(), cheap())
    accounts.register("alice", PASSWORD)
    with pytest.raises(ConfigurationError, match="update"):
        getattr(accounts, change)("alice", *((NEW,) if change == "set_password" else ()))
    assert accounts.authenticate("alice", PASSWORD)


def test_a_table_without_remove_says_so_and_changes_nothing():
    table = FindAndAdd()
    table.update = table.users.update
    accounts = Accounts(table, tokens_of(), cheap())
    accounts.register("alice", PASSWORD)
    with pytest.raises(ConfigurationError, match="remove"):
        accounts.delete("alice")
    assert accounts.authenticate("alice", PASSWORD)


class Failing(MemoryStore):
    down = False

    def swap(self, *arguments):
        return self._or_down(super().swap, *arguments)

    def add(self, *arguments):
        return self._or_down(super().add, *arguments)

    def _or_down(self, fn, *arguments):
        if self.down:
            raise StoreUnavailable("down")
        return fn(*arguments)


def test_a_store_that_fails_is_told_and_the_change_is_done_again():
    store = Failing()
    service = Service(tokens=tokens_of(store=store), store=MemoryStore())
    pair = service.pair()
    store.down = True
    for change in (service.accounts.disable, service.accounts.delete):
        with pytest.raises(Unavailable):
            change("alice")
    assert service.users.find("alice").disabled, "whoever could not be logged out everywhere can at least not come back"
    store.down = False
    service.accounts.delete("alice")
    assert service.users.find("alice") is None
    assert service.verify(pair["access_token"]).status == 401


def test_who_is_found_by_another_name_is_nobody(caplog):
    """PWD-09, PWD-10: a collation that knows no accents gives a user as many counters as a name has spellings."""

    class Loose(MemoryUsers):
        def find(self, username):
            return super().find(username.replace("\u00e1", "a"))

    service = Service(users=Loose())
    assert service.login().status == 200
    answer = service.login(username="\u00e1lice")
    assert (answer.status, answer.body) == (401, service.login(password="wrong horses").body)
    with pytest.raises(UnknownUser):
        service.accounts.disable("\u00e1lice")
    assert "exactly" in caplog.text


def test_a_clock_of_whole_seconds_is_a_clock(tmp_path):
    """What a table gives back is a float, and sessions and tokens are bound to its text."""
    mail = queue.Queue()
    tokens, users = tokens_of(clock := lambda: 1_800_000_000), SqliteUsers(tmp_path / "users.db")
    send_reset = lambda user, token: mail.put(token)  # noqa: E731
    accounts = Accounts(users, tokens, cheap(), registration=True, send_reset=send_reset, clock=clock)

    def post(path, **body):
        return accounts.app(Request.build("POST", path, JSON, json.dumps(body).encode(), "203.0.113.5"))

    session = json.loads(post("/register", username="bob", password=PASSWORD).body)
    assert post("/refresh", refresh_token=session["refresh_token"]).status == 200
    post("/password/reset", username="bob")
    assert post("/password/reset/confirm", token=mail.get(timeout=10), new_password=NEW).status == 204


@pytest.mark.parametrize("wrong", [{"scopes": ["a b"]}, {"scopes": [""]}, {"scopes": ['a"b']}, {"roles": [""]}], ids=str)
def test_roles_and_scopes_that_no_token_can_say_are_refused_at_once(service, wrong):
    """And one who has such by another way is let in by nothing, and breaks nothing: a 500 without detail."""
    with pytest.raises(ValueError, match=r"scope|role"):
        service.accounts.register("bob", PASSWORD, **wrong)
    assert service.users.find("bob") is None
    service.users.add(service.users.find("alice").changed(username="bob", subject="bob", **wrong))
    answer = service.login("bob")
    assert (answer.status, json.loads(answer.body)["code"]) == (500, "server_error")


def test_the_application_is_told(caplog):
    told = []
    service = Service(on_event=lambda kind, user: told.append((kind, user.username, threading.get_ident())))
    service.accounts.set_password("alice", NEW)
    service.accounts.disable("alice")
    service.accounts.enable("alice")
    service.accounts.delete("alice")
    assert [event[:2] for event in told] == [
        ("password_changed", "alice"),
        ("disabled", "alice"),
        ("enabled", "alice"),
        ("deleted", "alice"),
    ]


@pytest.mark.parametrize("drive", ["sync", "async"])
def test_a_coroutine_function_of_the_application_is_told_too(drive):
    told = []

    async def tell(kind, user):
        await asyncio.sleep(0)
        told.append((kind, user.username))

    service = Service(on_event=tell)
    if drive == "sync":
        service.accounts.set_password("alice", NEW)
    else:
        asyncio.run(service.accounts.aset_password("alice", NEW))
    assert told == [("password_changed", "alice")]


def test_what_the_application_raises_changes_nothing(caplog):
    def raises(kind, user):
        raise LookupError("the mail to alice@example.com")

    service = Service(on_event=raises)
    assert service.accounts.disable("alice").disabled
    assert "LookupError" in caplog.text
    assert "alice@example.com" not in caplog.text


def test_no_password_in_what_is_raised(service, caplog):
    """LOG-01."""
    caplog.set_level(logging.DEBUG)
    for call in (
        lambda: service.accounts.set_password("nobody", "a secret password"),
        lambda: service.accounts.set_password("alice", "a secret password\0"),
        lambda: service.accounts.register("alice", "a secret password"),
    ):
        with pytest.raises(Exception, match=r"^[a-z_]+$") as raised:
            call()
        assert "a secret" not in repr(raised.value)
    assert "a secret" not in caplog.text
