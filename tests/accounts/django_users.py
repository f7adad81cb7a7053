"""The contract of tables, for `examples.django_users`: run by tests/test_examples.py in a process where Django is set up."""

from __future__ import annotations

import django
import pytest
from django.conf import settings

settings.configure(
    SECRET_KEY="examples only",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="examples.django_users",
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "examples"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.db", "OPTIONS": {"timeout": 20}}},
)
django.setup()

from django.contrib.auth import authenticate  # noqa: E402
from django.contrib.auth.hashers import PBKDF2PasswordHasher  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.contrib.auth.models import User as Person  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import OperationalError, connection  # noqa: E402
from django.test import Client  # noqa: E402

from authkit import Unavailable  # noqa: E402
from authkit.accounts import User  # noqa: E402
from examples.django_users import DjangoUsers, Login  # noqa: E402
from tests.accounts.users_contract import UserTableContract  # noqa: E402

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True, scope="session")
def _tables():
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Login)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = WAL")


@pytest.fixture(autouse=True)
def _nobody():
    Person.objects.all().delete()
    Group.objects.all().delete()


@pytest.fixture
def users():
    return DjangoUsers()


class TestDjangoUsers(UserTableContract):
    @pytest.fixture
    def users(self):
        return DjangoUsers()


def test_who_has_a_password_of_djangos_logs_in_both_ways_before_and_after(users):
    """The hash is moved to argon2id by the first login, and Django still knows it."""
    person = Person.objects.create(username="alice", password=PBKDF2PasswordHasher().encode(PASSWORD, "a salt", 1000))
    person.groups.add(Group.objects.create(name="editors"))
    login = {"username": "Alice", "password": PASSWORD}
    pair = Client().post("/login", login, content_type="application/json").json()
    assert Client().get("/private", headers={"authorization": f"Bearer {pair['access_token']}"}).json() == {"hello": "alice"}
    assert Person.objects.get().password.startswith("argon2$argon2id$")
    assert authenticate(username="alice", password=PASSWORD) == person
    assert Client().post("/login", login, content_type="application/json").status_code == 200
    assert users.find("alice").roles == {"editors"}
    Person.objects.update(is_active=False)
    assert Client().post("/login", login, content_type="application/json").status_code == 401
    assert (
        Client().post("/refresh", {"refresh_token": pair["refresh_token"]}, content_type="application/json").status_code == 401
    )


def test_who_was_made_unusable_logs_in_by_no_password():
    Person.objects.create_user("alice")
    for password in ("!", "none", Person.objects.get().password):
        body = {"username": "alice", "password": password}
        assert Client().post("/login", body, content_type="application/json").status_code == 401


def test_whoever_registers_is_one_of_djangos_users():
    body = {"username": "Bob", "password": PASSWORD}
    assert Client().post("/register", body, content_type="application/json").status_code == 201
    assert Client().post("/register", body, content_type="application/json").status_code == 409
    assert authenticate(username="bob", password=PASSWORD) == Person.objects.get()


def test_a_database_that_fails_is_unavailable(users):
    def broken(*_):
        raise OperationalError("no such table")

    with connection.execute_wrapper(broken), pytest.raises(Unavailable):
        users.find("alice")
    assert users.add(User("alice"))
