"""What a guard adds to a Django request with a token seen before, beside what people use instead.

Every subject has an urlconf of its own, so that none is further down a list of patterns than another. Views of Django REST
framework are compared with a view of it that authenticates nobody; its tokens are those of no database (stateless users).
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

import django
from django.conf import settings

from authkit import Principal, require_auth

from . import _peers, _wsgi
from ._table import Table, beside_peers
from ._timing import AUDIENCE, ISSUER, SECRET, Batch, added


def _configure() -> None:
    settings.configure(
        SECRET_KEY="benchmark-" * 6, ALLOWED_HOSTS=["*"], MIDDLEWARE=[], ROOT_URLCONF="", USE_TZ=True, DATABASES={},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
        SIMPLE_JWT={"ALGORITHM": "HS256", "SIGNING_KEY": SECRET, "ISSUER": ISSUER, "AUDIENCE": AUDIENCE},
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
    )  # fmt: skip
    django.setup()


def _by_hand(view: Any) -> Any:
    from django.http import HttpResponse

    @functools.wraps(view)
    def guarded(request: Any, *args: Any, **kwargs: Any) -> Any:
        claims = _peers.by_hand(request.headers.get("Authorization"))
        if claims is None:
            return HttpResponse(status=401)
        request.claims = claims
        return view(request, *args, **kwargs)

    return guarded


def _rest_views() -> tuple[Any, Any, str]:
    """A view of Django REST framework that authenticates nobody, one with simplejwt, and its token."""
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
    from rest_framework_simplejwt.tokens import AccessToken

    class Open(APIView):
        authentication_classes: Any = ()
        permission_classes: Any = ()

        def get(self, request: Any) -> Any:
            return Response({"orders": 1})

    class Guarded(Open):
        authentication_classes = (JWTStatelessUserAuthentication,)
        permission_classes = (IsAuthenticated,)

    token = AccessToken()
    token["user_id"] = "user-1"
    return Open.as_view(), Guarded.as_view(), str(token)


def _module(name: str, view: Any) -> str:
    from django.urls import path

    module = ModuleType(f"benchmarks.urls_{name}")
    module.urlpatterns = [path("orders", view)]  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return module.__name__


def tables(seconds: float) -> list[Table]:
    _configure()
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse

    app = WSGIHandler()
    auth = require_auth(_peers.tokens())
    token = _peers.token()

    def orders(request: Any) -> Any:
        return HttpResponse("orders")

    @auth
    def with_principal(request: Any, principal: Principal) -> Any:
        return HttpResponse("orders")

    def batch(name: str, view: Any, sent: str, unguarded: bool = False) -> Batch:
        module = _module(name, view)

        def ready() -> None:
            settings.ROOT_URLCONF = module

        ready()
        assert _wsgi.status(app, _wsgi.environ(sent)) == 200
        assert unguarded or _wsgi.status(app, _wsgi.environ(None)) == 401
        return _wsgi.batch(app, sent, ready)

    bare = batch("bare", orders, token, unguarded=True)
    rest_open, rest_guarded, rest_token = _rest_views()
    rest_bare = batch("rest_bare", rest_open, rest_token, unguarded=True)
    pairs = {
        "authkit": (batch("authkit", auth(orders), token), bare),
        "authkit, principal": (batch("principal", with_principal, token), bare),
        "PyJWT by hand": (batch("by_hand", _by_hand(orders), token), bare),
        "simplejwt": (batch("simplejwt", rest_guarded, rest_token), rest_bare),
    }
    found = added(pairs, seconds=seconds)
    return [beside_peers("Django", found)]
