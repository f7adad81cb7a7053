"""Django REST framework with a guard as its authentication class: real views, real permissions."""

from __future__ import annotations

import pytest

from tests.hosts import django_project  # noqa: F401  (first: it configures Django)

from django.contrib.auth import get_user_model  # isort: skip
from django.core.management import call_command  # isort: skip
from django.db import connections  # isort: skip
from django.test import Client, override_settings  # isort: skip
from django.urls import path  # isort: skip
from rest_framework.authentication import BaseAuthentication  # isort: skip
from rest_framework.permissions import AllowAny, DjangoModelPermissions, IsAuthenticated  # isort: skip
from rest_framework.renderers import JSONRenderer  # isort: skip
from rest_framework.response import Response  # isort: skip
from rest_framework.throttling import UserRateThrottle  # isort: skip
from rest_framework.views import APIView  # isort: skip

from authkit import ConfigurationError, Principal, allow_ips, chain, require_auth, require_roles  # isort: skip
from authkit.adapters.django import TokenBackend, username_of  # isort: skip
from authkit.adapters.drf import GuardAuthentication, PrincipalUser  # isort: skip
from authkit.oidc import DPoP, DPoPKey, ProtectedResource  # isort: skip
from authkit.stores import MemoryStore  # isort: skip
from authkit.tokens import Tokens as Tokens_  # isort: skip

from .parts import MALFORMED, MINT, TWO, Down, Named, bearer  # isort: skip

METADATA = ProtectedResource("https://api.example.com/", "https://issuer.example")


class Tokens(GuardAuthentication):
    guard = require_auth(MINT.tokens, realm="orders", resource=METADATA)


class Admins(GuardAuthentication):
    guard = chain(require_auth(MINT.tokens), require_roles("admin"))


class Outage(GuardAuthentication):
    guard = Down()


BOUND = Tokens_("0123456789abcdefghijklmnopqrstuv-k", issuer="us", audience="us", access_ttl=86_400)
NONCE = "a-secret-for-nonces-of-32-bytes-at-least"


class Bound(GuardAuthentication):
    guard = require_auth(DPoP(BOUND, url="https://api.example.com", replay=MemoryStore(), nonce=NONCE))


class People(TokenBackend):
    guard = Named()


class OfPeople(GuardAuthentication):
    guard = Named()
    users = People


class OfNames(GuardAuthentication):
    guard = Named()


class Once(UserRateThrottle):
    rate = "1/day"


class OfModel(DjangoModelPermissions):
    def _queryset(self, view):
        return get_user_model()._default_manager.all()


class Nobody(BaseAuthentication):
    """Another class, which has no challenge: alone the framework would answer 403."""

    def authenticate(self, request):
        return None


def view(*classes, permission=IsAuthenticated, throttles=()):
    class View(APIView):
        authentication_classes = classes
        throttle_classes = throttles
        permission_classes = [permission]
        renderer_classes = [JSONRenderer]

        def get(self, request):
            user, principal = request.user, request.auth
            return Response({"user": user.username, "subject": None if principal is None else principal.subject})

        def post(self, request):
            return Response({"sent": request.data})

    return View.as_view()


urlpatterns = [
    path("tokens", view(Tokens)),
    path("open", view(Tokens, permission=AllowAny)),
    path("admins", view(Admins)),
    path("outage", view(Outage)),
    path("people", view(OfPeople)),
    path("second", view(Nobody, Tokens)),
    path("bound", view(Bound)),
    path("limited", view(OfNames, throttles=(Once,))),
    path("model", view(Tokens, permission=OfModel)),
]


@pytest.fixture(scope="module", autouse=True)
def database():
    call_command("migrate", run_syncdb=True, verbosity=0)
    with override_settings(ROOT_URLCONF=__name__):
        yield
    connections.close_all()


def ask(place, headers=None, method="GET", data=b""):
    return Client().generic(method, place, data, "application/json", headers=headers or {})


def test_a_good_token_is_a_user_and_its_principal():
    answer = ask("/tokens", bearer(MINT.good("alice")))
    assert (answer.status_code, answer.json()) == (200, {"user": "alice", "subject": "alice"})


def test_nothing_sent_is_401_with_the_guards_challenge_and_not_403():
    answer = ask("/tokens")
    assert answer.status_code == 401
    assert answer["www-authenticate"] == f'Bearer realm="orders", resource_metadata="{METADATA.metadata_url}"'
    assert ask("/open").status_code == 200


def test_every_bad_token_is_401_wherever_the_class_stands_and_if_nobody_need_be_known():
    for place in ("/tokens", "/open", "/second"):
        for name, token in MINT.bad().items():
            answer = ask(place, bearer(token))
            assert answer.status_code == 401, name
            expected = f'Bearer error="invalid_token", resource_metadata="{METADATA.metadata_url}"'
            assert answer["www-authenticate"] == expected
            assert token not in answer.content.decode()


@pytest.mark.parametrize("line", [*MALFORMED, TWO["authorization"]])
def test_the_header_is_read_as_the_guard_reads_it(line):
    answer = ask("/open", {"authorization": line})
    assert (answer.status_code, answer["www-authenticate"]) == (400, 'Bearer error="invalid_request"')


def test_a_token_that_cannot_be_judged_is_503():
    answer = ask("/outage", bearer("abc"))
    assert (answer.status_code, answer["retry-after"]) == (503, "7")


def test_what_a_chain_refuses_is_refused_as_by_the_chain():
    assert ask("/admins", bearer(MINT.good(roles=["staff"]))).status_code == 403
    assert ask("/admins", bearer(MINT.good(roles=["admin"]))).status_code == 200


def test_a_client_that_is_asked_for_a_nonce_is_given_one():
    key = DPoPKey()
    token = BOUND.issue("alice", claims={"cnf": {"jkt": key.thumbprint}})
    asked = ask("/bound", key.headers("GET", "https://api.example.com/bound", token))
    assert (asked.status_code, asked["cache-control"]) == (401, "no-store")
    assert 'error="use_dpop_nonce"' in asked["www-authenticate"]
    again = ask("/bound", key.headers("GET", "https://api.example.com/bound", token, asked["dpop-nonce"]))
    assert (again.status_code, again.json()["user"]) == (200, "alice")


def test_a_body_is_there_after_the_guard_has_looked():
    answer = ask("/tokens", bearer(MINT.good()), "POST", b'{"a":1}')
    assert answer.json() == {"sent": {"a": 1}}


def test_people_are_found_by_issuer_and_subject():
    users = get_user_model()._default_manager
    alice = users.create_user(username_of(Principal("alice", issuer="https://issuer.example")))
    users.create_user("bob", email="admin@example.com")
    try:
        assert ask("/people", bearer("alice")).json() == {"user": alice.username, "subject": "alice"}
        unknown = ask("/people", bearer("bob"))
        assert (unknown.status_code, unknown["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
        assert unknown.content == ask("/people", bearer("a.b")).content
    finally:
        users.all().delete()


def test_who_is_no_row_has_no_rights_of_one():
    alice = Principal("alice", issuer="https://issuer.example")
    user = PrincipalUser(alice)
    assert user.is_authenticated
    assert (user.is_staff, user.is_superuser, user.is_anonymous) == (False, False, False)
    assert (user.has_perm("x.add_y"), user.has_perms(["x.add_y"]), user.has_module_perms("x")) == (False, False, False)
    assert (user.get_username(), str(user)) == ("alice", "alice")
    assert user.pk == user.id == username_of(alice)


def test_a_view_of_a_model_is_closed_to_who_is_no_row():
    """As to any user without permissions: what asks for none, as reading does by the framework's own rule, is open."""
    token = bearer(MINT.good("alice"))
    assert [ask("/model", token, method).status_code for method in ("GET", "POST")] == [200, 403]


def test_what_is_limited_by_user_is_limited_by_issuer_and_subject():
    """With one `pk` for all, the first would use up the limit of everybody; and None is that of a row without an owner."""
    statuses = [ask("/limited", bearer(token)).status_code for token in ("carol", "carol", "dave", "carol")]
    assert statuses == [200, 429, 200, 429]


def test_what_is_wrong_is_told_when_it_is_built():
    with pytest.raises(ConfigurationError):
        type("Wrong", (GuardAuthentication,), {"guard": allow_ips("10.0.0.0/8")})
    with pytest.raises(ConfigurationError, match="guard ="):
        GuardAuthentication()
