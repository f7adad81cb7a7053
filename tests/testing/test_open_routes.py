"""`open_routes`: what stands open is found, on every framework, and nothing else is listed."""

import functools
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from flask import Blueprint, Flask
from flask.views import MethodView, View
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from werkzeug.middleware.proxy_fix import ProxyFix

from authkit import any_of, chain, guard, public, require_auth
from authkit.testing import OpenRoute, TokenMint, open_routes

MINT = TokenMint()
api = chain(require_auth(MINT.tokens))


@guard.after
def stamp(request, response):
    if response is not None:
        response.headers["x-stamp"] = "1"


def foreign(fn):
    @functools.wraps(fn)
    def around(*args, **kwargs):
        return fn(*args, **kwargs)

    return around


def paths(app):
    return {route.path for route in open_routes(app)}


def quiet(**settings):
    """FastAPI without the routes of its own."""
    return FastAPI(docs_url=None, redoc_url=None, openapi_url=None, **settings)


# FastAPI


def fastapi_app():
    app = quiet()

    @app.get("/open")
    def is_open():
        return 1

    @app.get("/guarded")
    @api
    def guarded():
        return 1

    @app.post("/guarded-async")
    @api
    async def guarded_async():
        return 1

    @app.get("/named")
    @public(reason="health check")
    def named():
        return 1

    @api
    @app.get("/above")
    def above():
        return 1

    @app.get("/depends", dependencies=[Depends(api.dependency)])
    def depends():
        return 1

    @app.get("/parameter")
    def parameter(principal: Annotated[object, Depends(api.dependency)]):
        return 1

    def nested(principal: Annotated[object, Depends(api.dependency)]):
        return principal

    @app.get("/nested")
    def below(who: Annotated[object, Depends(nested)]):
        return 1

    @app.get("/wrapped")
    @foreign
    @api
    def wrapped():
        return 1

    @app.get("/shadowed")
    @api.shadow()
    def shadowed():
        return 1

    @app.get("/hooked")
    @stamp
    def hooked():
        return 1

    @app.get("/both")
    @api.shadow()
    @api
    def both():
        return 1

    return app


def test_fastapi_every_open_route_is_found_and_nothing_else():
    assert paths(fastapi_app()) == {"/open", "/above", "/shadowed", "/hooked"}


def test_what_is_listed_answers_a_stranger_and_what_is_not_listed_refuses_him():
    app = fastapi_app()
    listed, client = paths(app), TestClient(app)
    for route in app.routes:
        method = min(route.methods - {"HEAD"})
        answer = client.request(method, route.path)
        assert (answer.status_code == 200) == (route.path in listed or route.path == "/named"), route.path


def test_a_route_says_what_it_is_and_why_it_is_open():
    [found] = [route for route in open_routes(fastapi_app()) if route.path == "/shadowed"]
    assert isinstance(found, OpenRoute)
    assert found.methods == ("GET",)
    assert found.endpoint.endswith("fastapi_app.<locals>.shadowed")
    assert found.why == "its guard is only a shadow"
    assert str(found).startswith("GET /shadowed -> ")


def test_fastapi_lists_its_own_documents_unless_something_covers_them():
    own = {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
    assert paths(FastAPI()) == own
    assert paths(FastAPI(dependencies=[Depends(api.dependency)])) == own, "dependencies are not asked for these"
    app = FastAPI()
    app.add_middleware(api)
    assert paths(app) == set()


def test_dependencies_of_routers_and_of_the_app_cover_what_is_below_them():
    inner, outer, bare = APIRouter(), APIRouter(prefix="/outer"), APIRouter()
    for router, name in ((inner, "inner"), (outer, "o"), (bare, "bare")):
        router.add_api_route(f"/{name}", lambda: 1)
    outer.include_router(inner, prefix="/sub")
    app = quiet()
    app.include_router(outer, dependencies=[Depends(api.dependency)])
    app.include_router(bare, prefix="/x")
    assert paths(app) == {"/x/bare"}
    assert paths(api(app)) == set()
    covered = quiet(dependencies=[Depends(api.dependency)])
    covered.include_router(bare)
    assert paths(covered) == set()


def test_a_dependency_that_the_app_overrides_covers_nothing():
    app = quiet()
    app.add_api_route("/x", lambda: 1, dependencies=[Depends(api.dependency)])
    app.dependency_overrides[api.dependency] = lambda: None
    assert paths(app) == {"/x"}


def test_websocket_routes_are_routes():
    app = quiet()

    @app.websocket("/open")
    async def is_open(socket: WebSocket):
        await socket.accept()

    @app.websocket("/guarded")
    @api
    async def guarded(socket: WebSocket):
        await socket.accept()

    @app.websocket("/depends")
    async def depends(socket: WebSocket, principal: Annotated[object, Depends(api.dependency)]):
        await socket.accept()

    assert open_routes(app) == [
        OpenRoute(path="/open", methods=(), endpoint=open_routes(app)[0].endpoint, why="no guard covers it")
    ]


# Starlette


def page(request):
    return PlainTextResponse("page")


def test_middleware_covers_all_but_the_paths_that_except_for_may_name():
    routes = [
        Route("/health", page), Route("/health/", page), Route("/public/{name}", page), Route("/public", page),
        Route("/items/{id:int}", page),
        Route("/{any}", page), Route("/deep/{rest:path}", page), Route("/public/a/b", page),
    ]  # fmt: skip
    but = api.except_for("/health", "/public/*", "/deep/x", "/items/new")
    expected = {"/health", "/public/{name}", "/{any}", "/deep/{rest:path}", "/public/a/b"}
    assert paths(Starlette(routes=routes, middleware=[Middleware(but)])) == expected
    assert paths(but(Starlette(routes=routes))) == expected
    assert paths(CORSMiddleware(but(Starlette(routes=routes)), allow_origins=["*"])) == expected
    assert paths(but.shadow()(Starlette(routes=routes))) == {route.path for route in routes}
    assert {route.why for route in open_routes(but(Starlette(routes=routes)))} == {"except_for leaves it open"}
    twice = Starlette(routes=[Route("/health", api(page)), Route("/public/{name}", page)], middleware=[Middleware(but)])
    assert paths(twice) == {"/public/{name}"}


def test_mounts_are_looked_into_and_their_guards_see_paths_below_the_mount():
    sub = Starlette(routes=[Route("/a", page), Route("/health", page), Route("/g", api(page))])
    guarded = Starlette(routes=[Route("/a", page), Route("/health", page)], middleware=[Middleware(api.except_for("/health"))])
    app = Starlette(
        routes=[
            Mount("/sub", sub), Mount("/guarded", guarded), Mount("/wrapped", api(sub)),
            Mount("/files", StaticFiles(directory=".")), Mount("/router", Router([Route("/r", page)])),
            Mount("/middle", routes=[Route("/m", page)], middleware=[Middleware(api)]),
            Mount("/covered", api(StaticFiles(directory="."))), Host("b.example", Starlette(routes=[Route("/hosted", page)])),
            Route("/own", page, middleware=[Middleware(api)]),
        ]
    )  # fmt: skip
    assert paths(app) == {"/sub/a", "/sub/health", "/guarded/health", "/files/{path:path}", "/router/r", "/hosted"}
    outer = Starlette(routes=app.routes, middleware=[Middleware(api.except_for("/sub/health"))])
    assert paths(outer) == {"/sub/health"}


class Page(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("get")

    @api
    async def post(self, request):
        return PlainTextResponse("post")

    @public(reason="anybody may delete it")
    async def delete(self, request):
        return PlainTextResponse("delete")


class Socket(WebSocketEndpoint):
    pass


def test_methods_of_an_endpoint_class_are_judged_one_by_one():
    app = Starlette(routes=[Route("/page", Page), WebSocketRoute("/socket", Socket)])
    found = {route.path: route.methods for route in open_routes(app)}
    assert found == {"/page": ("GET",), "/socket": ()}


# Flask


def flask_app():
    app = Flask(__name__)

    @app.get("/open")
    def is_open():
        return "1"

    @app.route("/guarded", methods=["GET", "POST"])
    @api
    def guarded():
        return "1"

    @api
    @app.get("/above")
    def above():
        return "1"

    @app.get("/named")
    @public(reason="health check")
    def named():
        return "1"

    blueprint = Blueprint("b", __name__, url_prefix="/b")

    @blueprint.get("/open")
    def below():
        return "1"

    @blueprint.get("/wrapped")
    @foreign
    @api
    def wrapped():
        return "1"

    app.register_blueprint(blueprint)

    class Methods(MethodView):
        def get(self):
            return "1"

        @api
        def post(self):
            return "1"

    class Decorated(MethodView):
        decorators = [api]

        def get(self):
            return "1"

    class Plain(View):
        def dispatch_request(self):
            return "1"

    class Dispatched(View):
        @api
        def dispatch_request(self):
            return "1"

    for cls in (Methods, Decorated, Plain, Dispatched):
        app.add_url_rule(f"/{cls.__name__.lower()}", view_func=cls.as_view(cls.__name__))
    return app


def test_flask_every_open_route_is_found_and_answers_a_stranger():
    app = flask_app()
    found = {route.path: route.methods for route in open_routes(app)}
    get = ("GET", "HEAD")
    assert found == {
        "/static/<path:filename>": get, "/open": get, "/above": get, "/b/open": get, "/methods": get, "/plain": get,
    }  # fmt: skip
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            assert (client.get(rule.rule).status_code == 200) == (rule.rule in found or rule.rule == "/named"), rule.rule


def test_flask_a_guard_around_the_whole_app_covers_it():
    app = flask_app()
    app.wsgi_app = ProxyFix(api.except_for("/open", "/b/*")(app.wsgi_app))
    assert paths(app) == {"/open", "/b/open"}
    assert paths(api(flask_app().wsgi_app).__wrapped__.__self__) == paths(flask_app())


# What it cannot look into


@pytest.mark.parametrize("app", [object(), lambda scope, receive, send: None, 42, StaticFiles(directory=".")])
def test_an_app_of_another_kind_is_an_error_and_never_an_empty_list(app):
    with pytest.raises(TypeError, match="open_routes takes"):
        open_routes(app)


def test_any_of_and_an_optional_guard_are_guards():
    other = TokenMint(issuer="https://other.example")
    either = any_of(require_auth(MINT.tokens), require_auth(other.tokens))
    maybe = require_auth(MINT.tokens, optional=True)
    assert paths(Starlette(routes=[Route("/x", either(page)), Route("/y", maybe(page))])) == set()
