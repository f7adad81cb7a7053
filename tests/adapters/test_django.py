"""Django: a backend that takes tokens, and a middleware, with a real database of users, in both stacks."""

from __future__ import annotations

import threading

import pytest
from asgiref.sync import async_to_sync

from tests.hosts import django_project  # noqa: F401  (first: it configures Django)

from django.contrib.auth import aauthenticate, authenticate, get_user_model  # isort: skip
from django.contrib.auth.models import AnonymousUser  # isort: skip
from django.core.management import call_command  # isort: skip
from django.db import connections  # isort: skip
from django.http import HttpResponse, JsonResponse  # isort: skip
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory, override_settings  # isort: skip
from django.urls import path  # isort: skip

from authkit import ConfigurationError, Principal, Request, Unavailable, allow_ips, require_auth  # isort: skip
from authkit.adapters.django import TokenBackend, UserMiddleware, username_of  # isort: skip

from .parts import MALFORMED, MINT, TWO, Down, Named, bearer  # isort: skip

ISSUER = "https://issuer.example"


class Existing(TokenBackend):
    guard = require_auth(Named())


class Creating(TokenBackend):
    guard = Named()
    create_users = True


class Outage(TokenBackend):
    guard = Down()


class Bad(TokenBackend):
    guard = MINT.tokens


class ExistingUsers(UserMiddleware):
    backend = Existing


class OutageUsers(UserMiddleware):
    backend = Outage


class BadUsers(UserMiddleware):
    backend = Bad


class SomebodyByASession:
    """Stands for AuthenticationMiddleware with a session of another user."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.user = get_user_model()(username="by-session")
        return self.get_response(request)


async def awho(request):
    return JsonResponse({"user": (await request.auser()).get_username(), "subject": request.principal.subject})


def who(request):
    subject = None if request.principal is None else request.principal.subject
    return JsonResponse({"user": request.user.get_username(), "subject": subject})


urlpatterns = [path("who", who), path("awho", awho), path("plain", require_auth(MINT.tokens)(lambda request: HttpResponse()))]


@pytest.fixture(scope="module", autouse=True)
def database():
    call_command("migrate", run_syncdb=True, verbosity=0)
    yield
    connections.close_all()


@pytest.fixture(autouse=True)
def users():
    yield get_user_model()._default_manager
    get_user_model()._default_manager.all().delete()


def name(subject, issuer=ISSUER):
    return username_of(Principal(subject, issuer=issuer))


def kept(users, subject="alice", issuer=ISSUER, **more):
    return users.create_user(name(subject, issuer), **more)


def backends(*kinds):
    return override_settings(AUTHENTICATION_BACKENDS=[f"{kind.__module__}.{kind.__qualname__}" for kind in kinds])


def middleware(*kinds):
    return override_settings(MIDDLEWARE=[f"{kind.__module__}.{kind.__qualname__}" for kind in kinds], ROOT_URLCONF=__name__)


# The backend


def test_a_token_is_the_user_of_its_issuer_and_subject(users):
    alice = kept(users)
    with backends(Existing):
        assert authenticate(None, token="alice") == alice
        assert authenticate(RequestFactory().post("/"), token="alice") == alice


def test_so_it_is_on_an_event_loop(users):
    alice = kept(users)
    with backends(Existing):
        assert async_to_sync(aauthenticate)(AsyncRequestFactory().get("/"), token="alice") == alice


def test_somebody_of_the_same_name_or_address_is_nobody(users):
    users.create_user("alice", email="admin@example.com")
    kept(users, issuer="https://other.example")
    with backends(Existing, Creating):
        assert authenticate(None, token="alice") != users.get(username="alice")
        assert users.count() == 3  # made by `Creating` alone


def test_nobody_is_made_unless_asked_for(users):
    with backends(Existing):
        assert authenticate(None, token="alice") is None
    assert users.count() == 0


def test_who_is_made_has_no_password_and_is_found_again(users):
    with backends(Creating):
        made = authenticate(None, token="alice")
        assert made.username == name("alice")
        assert not made.has_usable_password()
        assert (made.email, made.is_staff, made.is_superuser) == ("", False, False)
        assert authenticate(None, token="alice") == made
    assert users.count() == 1


def test_two_requests_at_once_make_one_user(users):
    found, together = [], threading.Barrier(2)

    def ask():
        together.wait(30)
        found.append(Creating().user_of(Principal("alice", issuer=ISSUER)))
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [user.username for user in found] == [name("alice")] * 2
    assert users.count() == 1


def test_a_name_that_somebody_has_taken_with_a_password_is_not_theirs(users):
    kept(users, password="chosen by an attacker")
    with backends(Existing, Creating):
        assert authenticate(None, token="alice") is None


def test_a_user_who_is_not_active_is_nobody(users):
    alice = kept(users, is_active=False)
    with backends(Existing, Creating):
        assert authenticate(None, token="alice") is None
    assert Existing().get_user(alice.pk) is None


def test_a_session_that_the_backend_began_goes_on(users):
    alice = kept(users)
    assert Existing().get_user(alice.pk) == alice
    assert async_to_sync(Existing().aget_user)(alice.pk) == alice
    assert Existing().get_user(alice.pk + 1) is None


def test_bad_tokens_are_nobody(users):
    with backends(Bad):
        for kind, token in MINT.bad().items():
            assert authenticate(None, token=token) is None, kind
        for token in ("", "a b", "a,b", "a\r\nb", None, 5, b"alice", "é"):
            assert authenticate(None, token=token) is None, token


def test_a_token_that_cannot_be_judged_is_never_nobody(users):
    with backends(Outage):
        with pytest.raises(Unavailable) as raised:
            authenticate(None, token="alice")
        with pytest.raises(Unavailable):
            async_to_sync(aauthenticate)(None, token="alice")
    assert raised.value.retry_after == 7


def test_the_token_counts_and_not_what_the_request_bears(users):
    kept(users, "bob")
    request = RequestFactory().post("/", headers=bearer("alice"))
    with backends(Existing):
        assert authenticate(request, token="bob").username == name("bob")


def test_a_password_is_no_business_of_this_backend():
    with backends(Outage):
        assert authenticate(None, username="alice", password="x") is None


def test_names_are_of_one_issuer_and_subject_each():
    several = [("a", "b"), ("a", "B"), ("ab", ""), ("", "ab"), ("a ", "b"), (None, "b"), ("null", "b"), ("a", 'b"]')]
    names = {name(subject or "-", issuer) for issuer, subject in several}
    assert len(names) == len(several)
    assert all(len(one) == 51 and one.isascii() for one in names)


# The middleware


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request):
    def sync(place, headers=None):
        return Client(raise_request_exception=False).get(place, headers=headers or {})

    def on_a_loop(place, headers=None):
        return async_to_sync(AsyncClient(raise_request_exception=False).get)(place, headers=headers or {})

    return sync if request.param == "wsgi" else on_a_loop


def test_the_user_of_a_token_is_the_requests_whoever_has_a_session(ask, users):
    kept(users)
    with middleware(SomebodyByASession, ExistingUsers):
        expected = {"user": name("alice"), "subject": "alice"}
        assert ask("/who", bearer("alice")).json() == expected
        assert ask("/awho", bearer("alice")).json() == expected
        assert ask("/who").json() == {"user": "by-session", "subject": None}


def test_who_is_no_user_here_is_refused_like_a_bad_token(ask):
    with middleware(SomebodyByASession, ExistingUsers):
        stranger, bad = ask("/who", bearer("mallory")), ask("/who", bearer("a.b"))
        assert (stranger.status_code, stranger.content, dict(stranger.headers)) == (401, bad.content, dict(bad.headers))


@pytest.mark.parametrize("line", [*MALFORMED, TWO["authorization"], "Bearer bad"])
def test_a_refusal_is_the_guards_own(ask, line):
    with middleware(BadUsers):
        mine = ask("/who", {"authorization": line})
    with middleware():
        theirs = ask("/plain", {"authorization": line})
    assert mine.status_code in (400, 401)
    assert (mine.status_code, mine.content, dict(mine.headers)) == (theirs.status_code, theirs.content, dict(theirs.headers))


def test_a_token_that_cannot_be_judged_is_503(ask):
    with middleware(OutageUsers):
        answer = ask("/who", bearer("alice"))
    assert (answer.status_code, answer["retry-after"]) == (503, "7")


def test_without_a_middleware_for_sessions_nobody_is_anonymous():
    seen = []

    def view(request):
        seen.append((getattr(request, "user", AnonymousUser()), request.principal))
        return HttpResponse()

    ExistingUsers(view)(RequestFactory().get("/"))
    assert seen[0][0].is_anonymous
    assert seen[0][1] is None


# Wrong settings


def test_what_is_wrong_is_told_when_it_is_built():
    with pytest.raises(ConfigurationError, match="says who is calling"):
        type("Wrong", (TokenBackend,), {"guard": allow_ips("10.0.0.0/8")})
    with pytest.raises(ConfigurationError, match="guard ="):
        type("Without", (TokenBackend,), {})()
    with pytest.raises(ConfigurationError, match="backend is a TokenBackend"):
        UserMiddleware(lambda request: HttpResponse())


def test_a_request_of_another_kind_is_a_mistake():
    with pytest.raises(TypeError, match="Django"):
        Existing().authenticate(Request.build(), token="alice")
