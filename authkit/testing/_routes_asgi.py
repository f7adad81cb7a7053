"""Open routes of Starlette and FastAPI apps: endpoints, classes, websockets, mounts, included routers, static files."""

from __future__ import annotations

import sys

from starlette.endpoints import HTTPEndpoint
from starlette.routing import Host, Mount

from .._guard import Guard
from ._covering import guards_on, is_public, name_of, open_methods, why_open
from ._routes import OpenRoute, peel, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ._covering import Cover

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")  # as HTTPEndpoint looks for them


def starlette_routes(app: Any, prefix: str, covers: list[Cover]) -> Iterator[OpenRoute]:
    middleware = [item.cls for item in getattr(app, "user_middleware", ())]
    covers = [*covers, *((guard, prefix) for guard in middleware if isinstance(guard, Guard))]
    router = getattr(app, "router", app)
    covers = peel(router.middleware_stack, prefix, covers)[1] if hasattr(router, "middleware_stack") else covers
    overrides: dict[Any, Any] = getattr(app, "dependency_overrides", {})
    for kind, route in _all(router):
        yield from _route(kind, route, prefix, covers, overrides)


def _all(router: Any) -> Iterator[tuple[Any, Any]]:
    """Each route twice: as it was written, and as the app has it, with what the routers on the way add."""
    fastapi = sys.modules.get("fastapi.routing")
    contexts = getattr(fastapi, "iter_route_contexts", None)  # FastAPI keeps included routers whole from some version on
    if contexts is None:
        yield from ((route, route) for route in router.routes)
        return
    for context in contexts(router.routes):
        yield context.original_route, context._effective_route
    for route in getattr(router, "_iter_low_priority_routes", tuple)():
        yield getattr(route, "original_route", route), route


def _route(kind: Any, route: Any, prefix: str, covers: list[Cover], overrides: dict[Any, Any]) -> Iterator[OpenRoute]:
    if isinstance(kind, Mount):
        below = prefix + route.path
        yield from walk(route.app, below, covers)
        return
    if isinstance(kind, Host):
        yield from walk(route.app, prefix, covers)
        return
    covers = [*covers, *((guard, prefix) for guard in _depended_on(getattr(route, "dependant", None), overrides))]
    if not hasattr(route, "endpoint"):  # FastAPI's frontend: static files at low priority
        for part in getattr(kind, "routes", [kind]):
            path = prefix + getattr(route, "frontend_prefix", "") + part.path.rstrip("/") + "/{path:path}"
            yield from _found(path, ("GET", "HEAD"), part.app, covers, prefix)
        return
    path = prefix + route.path
    own = peel(getattr(route, "app", None), prefix, [])[1]  # a route may have middleware of its own
    endpoint = route.endpoint
    if isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint):
        names = [name for name in _METHODS if hasattr(endpoint, name)]
        below = [*covers, *own, *((guard, prefix) for guard in guards_on(endpoint.dispatch))]
        yield from _class(endpoint, names, below, prefix, path)
        return
    methods = tuple(sorted(getattr(route, "methods", None) or ()))
    yield from _found(path, methods, endpoint, [*covers, *own], prefix)


def _class(endpoint: Any, names: Iterable[str], covers: list[Cover], prefix: str, path: str) -> Iterator[OpenRoute]:
    if is_public(endpoint):
        return
    found = open_methods(names, lambda name: getattr(endpoint, name), covers, prefix, path)
    for why in dict.fromkeys(found.values()):
        methods = tuple(name for name, reason in found.items() if reason == why)
        yield OpenRoute(path=path, methods=methods, endpoint=name_of(endpoint), why=why)


def _found(path: str, methods: tuple[str, ...], endpoint: Any, covers: list[Cover], prefix: str) -> Iterator[OpenRoute]:
    handlers = [endpoint] if not isinstance(endpoint, type) else [endpoint, *_websocket_methods(endpoint)]
    own = [(guard, prefix) for handler in handlers for guard in guards_on(handler)]
    why = why_open([*covers, *own], path)
    if why is not None and not is_public(endpoint):
        yield OpenRoute(path=path, methods=methods, endpoint=name_of(endpoint), why=why)


def _websocket_methods(endpoint: type) -> list[Any]:
    """What a websocket class runs before anything else; guards on its later methods come too late."""
    return [found for found in (getattr(endpoint, "dispatch", None),) if found is not None]


def _depended_on(dependant: Any, overrides: dict[Any, Any]) -> Iterator[Guard]:
    """The guards among a route's dependencies, unless the app overrides them."""
    module = sys.modules.get("authkit.hosts._fastapi_dependency")
    if module is None or dependant is None:
        return
    for item in dependant.dependencies:
        if item.call in overrides:
            continue
        if isinstance(item.call, module.Dependency):
            yield item.call._chain
        yield from _depended_on(item, overrides)
