"""`open_routes` does not list our own endpoints, which are open on purpose, and lists what else stands beside them."""

from __future__ import annotations

import django.urls
import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from authkit import Response, public
from authkit.endpoint import endpoint, route
from authkit.oidc import OIDCProvider, ProtectedResource
from authkit.stores import MemoryStore
from authkit.testing import open_routes
from tests.accounts.parts import Service
from tests.conformance.frameworks import _configure

KEY = "a key for sessions: 0123456789abcdefghijk"


@pytest.fixture
def login():
    provider = OIDCProvider("https://issuer.example", audience="web")
    back = "https://site.example/callback"
    return provider.login(client_id="web", redirect_uri=back, session_key=KEY, store=MemoryStore())


@pytest.fixture
def own(login):
    accounts = Service().accounts
    return {
        "/login": login.start,
        "/again": login.start_with(prompt="login"),
        "/callback": login.callback,
        "/logout": login.logout,
        "/backchannel-logout": login.backchannel_logout,
        "/site": login.app,
        "/.well-known/oauth-protected-resource": ProtectedResource("https://api.example", ["https://issuer.example"]),
        "/accounts": accounts.app,
        "/accounts/login": accounts.login,
        "/accounts/refresh": accounts.refresh,
    }


@endpoint(methods=("GET",))
def theirs(request):
    """An endpoint of the program's."""
    return Response(200)


def test_in_fastapi_and_starlette(own):
    for form in ("fastapi", "starlette"):
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None) if form == "fastapi" else Starlette()
        for path, one in own.items():
            app.add_route(path, getattr(one, form), methods=["GET", "POST"])
        app.add_route("/theirs", getattr(theirs, form))
        assert [found.path for found in open_routes(app)] == ["/theirs"]


def test_mounted_as_apps(login):
    mounts = [
        Mount("/a", login.app),
        Mount("/b", login.app.asgi),
        Mount("/c", Service().accounts.app),
        Mount("/d", route({"/": theirs})),
    ]
    assert [found.path for found in open_routes(Starlette(routes=mounts))] == ["/d/{path:path}"]


def test_in_flask(own):
    app = Flask(__name__, static_folder=None)
    for path, one in own.items():
        app.add_url_rule(path, path, one.flask, methods=["GET", "POST"])
    app.add_url_rule("/theirs", view_func=theirs.flask)
    assert [found.path for found in open_routes(app)] == ["/theirs"]


def test_in_django(own):
    _configure()
    patterns = [django.urls.path(path[1:], one.django) for path, one in own.items()]
    patterns.append(django.urls.path("theirs", theirs.django))
    assert [found.path for found in open_routes(patterns)] == ["/theirs"]


def test_an_endpoint_of_the_program_s_own_that_says_so_is_not_listed_either():
    named = public(reason="health check")(endpoint(methods=("GET",))(lambda request: Response(200)))
    app = Starlette(routes=[Route("/theirs", theirs.starlette), Route("/named", named.starlette)])
    assert [found.path for found in open_routes(app)] == ["/theirs"]
