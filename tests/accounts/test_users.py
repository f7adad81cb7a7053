"""`User` and `MemoryUsers`."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError
from authkit.accounts import MemoryUsers, User
from authkit.accounts.users import method

from .users_contract import FULL, OTHERWISE, OwnTableContract


class TestMemoryUsers(OwnTableContract):
    @pytest.fixture
    def users(self):
        return MemoryUsers()


@pytest.mark.parametrize("field", OTHERWISE)
def test_a_changed_user_differs_in_that_field_alone(field):
    changed = FULL.changed(**{field: OTHERWISE[field]})
    assert changed != FULL
    assert changed.changed(**{field: getattr(FULL, field)}) == FULL


def test_a_user_has_no_other_fields_and_none_can_be_set():
    with pytest.raises(TypeError):
        FULL.changed(password="correct horse")
    with pytest.raises(AttributeError):
        FULL.factors = None


def test_a_user_who_is_renamed_keeps_its_subject():
    """Unique for ever: what tokens, rows of the application and grants point to."""
    assert User("alice").changed(username="alicia").subject == "alice"


def test_a_method_that_a_table_lacks_is_named():
    class Table:
        def find(self, username):
            return None

        def add(self, user):
            return False

    with pytest.raises(ConfigurationError, match="update"):
        method(Table(), "update")
    assert method(MemoryUsers(), "remove")("alice") is False
