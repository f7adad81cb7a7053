"""After a rotation every row is sealed anew, while people log in, and what cannot be opened is told and left."""

from __future__ import annotations

import threading

import pytest

from authkit import ConfigurationError, Unavailable
from authkit._sealed import Unsealable
from authkit.accounts import Accounts, MemoryUsers, SecondFactor, SqliteUsers, User
from authkit.secrets import Secret, SecretVersions

from .parts import PASSWORD, cheap
from .second import SECRET, Second, put

NEXT = "the next secret to seal factors with, 32 bytes"


def factor_of(*versions):
    return SecondFactor(Secret.of(SecretVersions(*versions)), issuer="Example")


def under(one, factor):
    one.accounts = Accounts(one.users, one.tokens, cheap(), store=one.store, clock=one.clock, second_factor=factor)


@pytest.mark.parametrize("table", ["memory", "sqlite"])
def test_after_it_the_previous_value_may_go(table, tmp_path):
    users = MemoryUsers() if table == "memory" else SqliteUsers(tmp_path / "users.db")
    one = Second(users=users)
    for number in range(250):
        users.add(User(f"user{number:03}"))
    one.accounts.register("zoe", PASSWORD)
    one.enrol("zoe")
    zoes = one.key
    one.enrol()
    assert factor_of(NEXT, SECRET).reseal(users) == 2
    assert factor_of(NEXT, SECRET).reseal(users) == 0
    under(one, factor_of(NEXT))
    one.strong()
    one.key = zoes
    assert one.answer(one.code(), one.ask(username="zoe")).status == 200


def test_a_code_that_was_used_stays_so():
    one = Second()
    one.enrol()
    code = one.code()
    assert one.answer(code).status == 200
    factor = factor_of(NEXT, SECRET)
    assert factor.reseal(one.users) == 1
    under(one, factor)
    assert one.answer(code).status == 401


def test_what_does_not_open_is_told_when_the_others_are_done():
    one = Second()
    one.accounts.register("zoe", PASSWORD)
    one.enrol("zoe")
    one.enrol()
    put(one, "damaged")
    factor = factor_of(NEXT, SECRET)
    with pytest.raises(Unsealable, match="1 users"):
        factor.reseal(one.users)
    assert one.row().factors == "damaged"
    with pytest.raises(Unsealable):
        factor.reseal(one.users)
    under(one, factor_of(NEXT))
    assert one.login("zoe").status == 401, "and not 503"


async def test_users_who_log_in_meanwhile_lose_nothing(tmp_path):
    one = Second(users=SqliteUsers(tmp_path / "users.db"))
    recovery = one.enrol()
    factor = factor_of(NEXT, SECRET)
    under(one, factor)
    statuses = []
    logins = threading.Thread(target=lambda: statuses.extend(one.answer(code).status for code in recovery[:5]))
    logins.start()
    for _ in range(20):
        await factor.areseal(one.users)
    logins.join(20)
    assert statuses == [200] * 5
    assert [one.answer(code).status for code in recovery[:2]] == [401] * 2
    assert one.answer(recovery[5]).status == 200


def test_a_row_that_goes_on_changing_is_unavailable():
    class Busy(MemoryUsers):
        stuck = False

        def update(self, old, new):
            return not self.stuck and super().update(old, new)

    one = Second(users=Busy())
    one.enrol()
    one.users.stuck = True
    with pytest.raises(Unavailable):
        factor_of(NEXT, SECRET).reseal(one.users)


def test_a_table_that_lists_nobody_is_named():
    class Own:
        def find(self, username):
            return None

        def add(self, user):
            return True

        def update(self, old, new):
            return True

    with pytest.raises(ConfigurationError, match="list"):
        factor_of(NEXT).reseal(Own())
