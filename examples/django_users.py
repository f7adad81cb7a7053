"""Django: `Accounts` on Django's own users. Groups are roles, `is_active` is not disabled, and both ways to log in work.

In a project this is a module of an app, `Login` a model with a migration, and `urlpatterns` is included. Usernames are
canonical (`authkit.accounts.names.canonical`): rename those that are not before you start. With `Argon2PasswordHasher` first
in PASSWORD_HASHERS, Django's admin goes on accepting the passwords that authkit has hashed anew. A password that is changed in
the admin ends no session: `accounts.set_password` does.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.contrib.auth.models import Group
from django.contrib.auth.models import User as Person
from django.db import DatabaseError, IntegrityError, close_old_connections, models, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from authkit import Principal, Tokens, Unavailable, require_auth
from authkit.accounts import Accounts, PasswordHasher, User
from authkit.secrets import Environment, Secrets
from authkit.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator


class Login(models.Model):
    """What Django's users have no place for. `version`: counted up first, which locks the row until the change is done."""

    person = models.OneToOneField(Person, models.CASCADE, primary_key=True)
    subject = models.CharField(max_length=255, unique=True)
    scopes = models.JSONField(default=list)
    password_changed = models.FloatField(null=True)
    factors = models.TextField(null=True)
    version = models.IntegerField(default=0)

    class Meta:
        app_label = "examples"


class DjangoUsers:
    def find(self, username: str) -> User | None:
        with _asking():
            person = Person.objects.select_related("login").filter(username=username).first()
            return None if person is None else _user(person)

    def add(self, user: User) -> bool:
        try:
            with _asking(), transaction.atomic():
                _write(Person(username=user.username), user)
        except IntegrityError:  # the name is taken
            return False
        return True

    def update(self, old: User, new: User) -> bool:
        if new.username != old.username:
            raise ValueError("a user keeps its name")
        with _asking():
            person = Person.objects.filter(username=old.username).first()
            if person is None:
                return False
            Login.objects.get_or_create(person=person, defaults={"subject": person.username})
            with transaction.atomic():
                Login.objects.filter(person=person).update(version=models.F("version") + 1)
                person = Person.objects.select_related("login").filter(pk=person.pk).first()  # now that nobody else changes it
                if person is None or _user(person) != old:
                    return False
                _write(person, new)
        return True

    def remove(self, username: str) -> bool:
        with _asking():
            return Person.objects.filter(username=username).delete()[0] > 0

    def list(self, after: str = "", limit: int = 100) -> list[User]:
        with _asking():
            people = Person.objects.select_related("login").prefetch_related("groups")
            return [_user(person) for person in people.filter(username__gt=after).order_by("username")[:limit]]


@contextmanager
def _asking() -> Iterator[None]:
    """A database that fails is a 503: nobody is let in, and nobody is told that they are unknown."""
    close_old_connections()  # authkit's threads are no requests of Django's
    try:
        yield
    except IntegrityError:
        raise  # an answer, and no failure
    except DatabaseError as error:
        raise Unavailable(f"the table of users cannot be asked: {type(error).__name__}") from None


def _user(person: Person) -> User:
    login = getattr(person, "login", None) or Login(subject=person.username)  # none: made by the admin
    return User(
        person.username,
        subject=login.subject,
        password_hash=person.password.removeprefix("argon2") or None,  # "argon2$argon2id$...": Django's own name before it
        roles=[group.name for group in person.groups.all()],
        scopes=login.scopes,
        disabled=not person.is_active,
        password_changed=login.password_changed,
        factors=login.factors,
    )


def _write(person: Person, user: User) -> None:
    stored = user.password_hash or ""
    person.password = f"argon2{stored}" if stored.startswith("$argon2") else stored
    person.is_active = not user.disabled
    person.save()
    person.groups.set([Group.objects.get_or_create(name=role)[0] for role in user.roles])
    kept = {"subject": user.subject, "scopes": sorted(user.scopes), "factors": user.factors}
    Login.objects.update_or_create(person=person, defaults={**kept, "password_changed": user.password_changed})


here = "https://api.example.com"
store = open_store(os.environ.get("AUTHKIT_STORE", "sqlite:///sessions.db"))
tokens = Tokens(Secrets(Environment())["JWT_SECRET"], issuer=here, audience=here, store=store)
accounts = Accounts(DjangoUsers(), tokens, PasswordHasher(also=["django"]), registration=True)


@require_auth(tokens)
def private(request: HttpRequest, principal: Principal) -> JsonResponse:
    return JsonResponse({"hello": principal.subject})


urlpatterns = [
    path("login", accounts.login.django),
    path("refresh", accounts.refresh.django),
    path("logout", accounts.logout.django),
    path("register", accounts.registration.django),
    path("private", private),
]
