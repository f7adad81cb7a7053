"""The frameworks as hosts: sync and async endpoints, and each framework's own way to put middleware over an app."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import aiohttp.web
import django.conf
import fastapi
import flask
import starlette.applications
import starlette.middleware
import starlette.requests
import starlette.responses
import starlette.routing

from authkit import Guard, Principal, current_principal

from . import asgi_client, wsgi_client
from .exchange import Got, Handler, Sent
from .hosts import host

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _starlette(endpoint: Any, **settings: Any) -> starlette.applications.Starlette:
    return starlette.applications.Starlette(
        routes=[starlette.routing.Route("/{rest:path}", endpoint, methods=METHODS)], **settings
    )


@host(asgi_client.call)
def starlette_async(guard: Guard, handler: Handler) -> Any:
    @guard
    async def endpoint(request: starlette.requests.Request, principal: Principal | None) -> starlette.responses.Response:
        return starlette.responses.JSONResponse(handler.sees(principal, dict(request.headers), await request.body()))

    return _starlette(endpoint)


@host(asgi_client.call)
def starlette_sync(guard: Guard, handler: Handler) -> Any:
    import anyio.from_thread

    @guard
    def endpoint(request: starlette.requests.Request, principal: Principal | None) -> starlette.responses.Response:
        body = anyio.from_thread.run(request.body)
        return starlette.responses.JSONResponse(handler.sees(principal, dict(request.headers), body))

    return _starlette(endpoint)


@host(asgi_client.call)
def starlette_middleware(guard: Guard, handler: Handler) -> Any:
    async def endpoint(request: starlette.requests.Request) -> starlette.responses.Response:
        return starlette.responses.JSONResponse(handler.sees(current_principal(), dict(request.headers), await request.body()))

    app = _starlette(endpoint)
    app.add_middleware(guard)
    return app


@host(asgi_client.call)
def fastapi_async(guard: Guard, handler: Handler) -> Any:
    app = fastapi.FastAPI(openapi_url=None)

    @app.api_route("/{rest:path}", methods=METHODS)
    @guard
    async def endpoint(request: fastapi.Request, rest: str, principal: Principal | None) -> dict[str, Any]:
        return handler.sees(principal, dict(request.headers), await request.body())

    return app


@host(asgi_client.call)
def fastapi_sync(guard: Guard, handler: Handler) -> Any:
    import anyio.from_thread

    app = fastapi.FastAPI(openapi_url=None)

    @app.api_route("/{rest:path}", methods=METHODS)
    @guard
    def endpoint(request: fastapi.Request, principal: Principal | None) -> dict[str, Any]:
        return handler.sees(principal, dict(request.headers), anyio.from_thread.run(request.body))

    return app


@host(asgi_client.call)
def fastapi_dependency(guard: Guard, handler: Handler) -> Any:
    app = fastapi.FastAPI(openapi_url=None)
    depends = fastapi.Depends(guard.dependency)

    @app.api_route("/{rest:path}", methods=METHODS)
    async def endpoint(request: fastapi.Request, who: Principal | None = depends) -> dict[str, Any]:
        return handler.sees(who, dict(request.headers), await request.body())

    return app


@host(asgi_client.call)
def fastapi_app(guard: Guard, handler: Handler) -> Any:
    app = fastapi.FastAPI(openapi_url=None)

    @app.api_route("/{rest:path}", methods=METHODS)
    async def endpoint(request: fastapi.Request) -> dict[str, Any]:
        return handler.sees(current_principal(), dict(request.headers), await request.body())

    return guard(app)


def _flask(view: Any) -> flask.Flask:
    app = flask.Flask("conformance")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.add_url_rule("/<path:rest>", view_func=view, methods=METHODS, provide_automatic_options=False)
    return app


@host(wsgi_client.call)
def flask_sync(guard: Guard, handler: Handler) -> Any:
    @guard
    def view(rest: str, principal: Principal | None) -> Any:
        return handler.sees(
            principal, dict(flask.request.headers.to_wsgi_list()) | _lower(flask.request.headers), flask.request.get_data()
        )

    return _flask(view)


@host(wsgi_client.call)
def flask_async(guard: Guard, handler: Handler) -> Any:
    @guard
    async def view(rest: str, principal: Principal | None) -> Any:
        await asyncio.sleep(0)
        return handler.sees(principal, _lower(flask.request.headers), flask.request.get_data())

    return _flask(view)


@host(wsgi_client.call)
def flask_app(guard: Guard, handler: Handler) -> Any:
    def view(rest: str) -> Any:
        return handler.sees(current_principal(), _lower(flask.request.headers), flask.request.get_data())

    app = _flask(view)
    app.wsgi_app = guard(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


# Django is configured once in a process: each of its apps puts its own view and middleware there while it is called.

_django: dict[str, Any] = {}


@cache
def _configure() -> None:
    if not django.conf.settings.configured:
        django.conf.settings.configure(
            SECRET_KEY="conformance only", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, DEBUG=False, MIDDLEWARE=[],
            DEBUG_PROPAGATE_EXCEPTIONS=True, USE_TZ=True, APPEND_SLASH=False,
        )  # fmt: skip
    django.setup()


class _MiddlewareUnderTest:
    """Stands where a project would name its guard: `MIDDLEWARE = ["project.security.api"]`."""

    sync_capable = async_capable = True

    def __call__(self, get_response: Any) -> Any:
        return _django["guard"](get_response)


django_guard = _MiddlewareUnderTest()


class _Project:
    """A project of one view. Its middleware is loaded at the first request, as a server would."""

    def __init__(self, view: Any, middleware: Guard | None) -> None:
        from django.urls import re_path

        self.urlpatterns = [re_path(r"^.*$", view)]
        self.guard = middleware
        self.handler: Any = None

    @contextmanager
    def settings(self, handler: type) -> Iterator[Any]:
        names = [] if self.guard is None else [f"{__name__}.django_guard"]
        wanted = {"ROOT_URLCONF": self, "MIDDLEWARE": names, "DEBUG_PROPAGATE_EXCEPTIONS": True}
        before = {name: getattr(django.conf.settings, name) for name in wanted}
        try:
            for name, value in wanted.items():
                setattr(django.conf.settings, name, value)
            if self.handler is None:
                _django["guard"] = self.guard
                self.handler = handler()
            yield self.handler
        finally:
            for name, value in before.items():
                setattr(django.conf.settings, name, value)


def _django_answer(handler: Handler, request: Any, principal: Principal | None) -> Any:
    from django.http import JsonResponse

    return JsonResponse(handler.sees(principal, _lower(request.headers), request.body))


def _under_wsgi(view: Any, middleware: Guard | None = None) -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    project = _Project(view, middleware)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        with project.settings(WSGIHandler) as handler:
            return handler(environ, start_response)

    return app


def _under_asgi(view: Any, middleware: Guard | None = None) -> Any:
    from django.core.handlers.asgi import ASGIHandler

    project = _Project(view, middleware)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with project.settings(ASGIHandler) as handler:
            await handler(scope, receive, send)

    return app


@host(wsgi_client.call)
def django_sync(guard: Guard, handler: Handler) -> Any:
    _configure()

    @guard
    def view(request: Any, principal: Principal | None) -> Any:
        return _django_answer(handler, request, principal)

    return _under_wsgi(view)


@host(asgi_client.call)
def django_async(guard: Guard, handler: Handler) -> Any:
    _configure()

    @guard
    async def view(request: Any, principal: Principal | None) -> Any:
        await asyncio.sleep(0)
        return _django_answer(handler, request, principal)

    return _under_asgi(view)


@host(wsgi_client.call)
def django_class(guard: Guard, handler: Handler) -> Any:
    _configure()
    from django.utils.decorators import method_decorator
    from django.views import View

    @method_decorator(guard, name="dispatch")
    class Orders(View):
        def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            return _django_answer(handler, request, current_principal())

    return _under_wsgi(Orders.as_view())


@host(wsgi_client.call)
def django_middleware(guard: Guard, handler: Handler) -> Any:
    _configure()

    def view(request: Any) -> Any:
        return _django_answer(handler, request, current_principal())

    return _under_wsgi(view, guard)


@host(asgi_client.call)
def django_middleware_async(guard: Guard, handler: Handler) -> Any:
    _configure()

    async def view(request: Any) -> Any:
        return _django_answer(handler, request, current_principal())

    return _under_asgi(view, guard)


# aiohttp has no in-process call: its own server on loopback, whose peer a middleware sets as its docs show for proxies.


@aiohttp.web.middleware
async def _peer(request: aiohttp.web.Request, handler: Any) -> Any:
    return await handler(request.clone(remote=request.headers["x-test-peer"]))


async def _aiohttp(endpoint: Any, sent: Sent) -> Got:
    raised: list[Exception] = []

    async def watched(request: aiohttp.web.Request) -> Any:
        try:
            return await endpoint(request)
        except Exception as error:
            raised.append(error)
            raise

    app = aiohttp.web.Application(middlewares=[_peer])
    app.router.add_route("*", "/{rest:.*}", watched)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    try:
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        got = await _raw_http(port, sent)
    finally:
        await runner.cleanup()
    return Got(status=None, error=type(raised[0]).__name__) if raised else got


@host(lambda endpoint, sent: asgi_client.on_loop(_aiohttp(endpoint, sent)))
def aiohttp_server(guard: Guard, handler: Handler) -> Any:
    @guard
    async def endpoint(request: aiohttp.web.Request, principal: Principal | None) -> aiohttp.web.Response:
        return aiohttp.web.json_response(handler.sees(principal, _lower(request.headers), await request.read()))

    return endpoint


async def _raw_http(port: int, sent: Sent) -> Got:
    """One HTTP/1.1 exchange, every header line exactly as given."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [
        f"{sent.method} {sent.path}{'?' + sent.query if sent.query else ''} HTTP/1.1",
        "Host: api.example",
        "Connection: close",
    ]
    lines += [f"{name}: {value}" for name, value in sent.headers]
    lines += [f"X-Test-Peer: {sent.peer or ''}", f"Content-Length: {len(sent.body)}", "", ""]
    writer.write("\r\n".join(lines).encode("latin-1") + sent.body)
    await writer.drain()
    raw = await reader.read()
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in rest:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    if not body and headers.get("content-type") == ["application/octet-stream"]:
        del headers["content-type"]  # aiohttp's own word for nothing, before its version 3.11
    return Got(status=int(first.split(" ")[1]), headers=headers, body=body)
