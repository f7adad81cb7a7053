"""The contract of tables, for `examples.sqlalchemy_users`."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from authkit import Unavailable
from authkit.accounts import User

from .users_contract import UserTableContract


@pytest.fixture
def example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JWT_SECRET", "examples, only here: 4b7d0e9a6f3c2158")
    import examples.sqlalchemy_users

    return examples.sqlalchemy_users


@pytest.fixture
def users(example, tmp_path):
    users = example.table(f"sqlite:///{tmp_path}/people.db")
    yield users
    users._engine.dispose()


class TestPeopleUsers(UserTableContract):
    @pytest.fixture
    def users(self, example, tmp_path):
        users = example.table(f"sqlite:///{tmp_path}/people.db")
        yield users
        users._engine.dispose()


def test_a_database_that_fails_is_unavailable(users, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "people.db")) as other:
        other.execute("ALTER TABLE people RENAME TO gone")
    for call in (lambda: users.find("alice"), lambda: users.add(User("alice")), users.list, lambda: users.remove("alice")):
        with pytest.raises(Unavailable):
            call()
