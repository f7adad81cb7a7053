"""Accounts with cheap hashing: the profile is a parameter, the code is the same."""

from __future__ import annotations

import pytest

from authkit import Tokens
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher, User
from authkit.stores import MemoryStore

KEY = "a key for these tests only, and long enough for HS256"


@pytest.fixture
def hasher():
    return PasswordHasher(memory=64, passes=1, lanes=1)


@pytest.fixture
def users(hasher):
    users = MemoryUsers()
    good = hasher.hash("correct horse")
    for user in (
        User("alice", password_hash=good, roles=["admin"], scopes=["reports:read"]),
        User("disabled", password_hash=good, disabled=True),
        User("passwordless", password_hash=None),
        User("mangled", password_hash=good[:-10]),
        User("plain", password_hash="correct horse"),
        User("numbered", password_hash=good, subject="17"),
    ):
        assert users.add(user)
    return users


@pytest.fixture
def tokens():
    return Tokens(KEY, issuer="https://api.example", audience="https://api.example", store=MemoryStore())


@pytest.fixture
def accounts(users, tokens, hasher):
    return Accounts(users, tokens, hasher)
