"""`open_routes`: which routes of an app stand open."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ._covering import is_public, layers, name_of, why_open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._covering import Cover


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoute:
    """A route that anybody may call. `methods`: those that are open, in order; empty: every method, or a websocket.

    `path` is the pattern as the framework writes it, mounts included. `endpoint`: module and name of what is called.
    """

    path: str
    methods: tuple[str, ...]
    endpoint: str
    why: str

    def __str__(self) -> str:
        return " ".join([",".join(self.methods) or "*", self.path, "->", self.endpoint]) + f": {self.why}"


def open_routes(app: Any = None) -> list[OpenRoute]:
    """Every route of a FastAPI, Starlette, Flask or Django app that no guard covers and no `@public` names.

    `app`: the app, also wrapped in middleware; for Django a URLconf (a module, its name, or a list of patterns), or None for
    `settings.ROOT_URLCONF`. Guards count on handlers, as FastAPI dependencies, and as middleware; a guard in shadow mode, or
    one whose `except_for` may name the path, does not. A guard above the route decorator guards nothing, and shows here.

    What it does not check: what the guard asks (`optional=True`, a rate limit and an address list are guards too).
    Raises: `TypeError` for an app of another kind: it never says that nothing is open where it could not look.
    """
    return list(walk(app, "", [], mounted=False))


def walk(app: Any, prefix: str, covers: list[Cover], *, mounted: bool = True) -> Iterator[OpenRoute]:
    """The open routes of an app at `prefix`, behind `covers`."""
    if not mounted and (app is None or isinstance(app, (str, list, tuple)) or _is_module(app)):
        from ._routes_django import django_routes

        yield from django_routes(app, covers)
        return
    found, covers = peel(app, prefix, covers)
    if _is_a(found, "starlette.applications", "Starlette") or _is_a(found, "starlette.routing", "Router"):
        from ._routes_asgi import starlette_routes

        yield from starlette_routes(found, prefix, covers)
    elif _is_a(found, "flask", "Flask"):
        from ._routes_flask import flask_routes

        yield from flask_routes(found, prefix, covers)
    elif _is_a(found, "django.core.handlers.base", "BaseHandler"):
        from ._routes_django import django_routes

        yield from django_routes(None, covers, prefix)
    elif not mounted:
        raise TypeError(f"open_routes takes a FastAPI, Starlette, Flask or Django app, not {type(app).__name__}")
    else:
        path = f"{prefix}/{{path:path}}"
        why = why_open(covers, path)
        if why is not None and not is_public(found):
            yield OpenRoute(path=path, methods=(), endpoint=name_of(found), why=f"a mounted app: {why}")


def peel(app: Any, base: str, covers: list[Cover]) -> tuple[Any, list[Cover]]:
    """The app inside guards and other middleware, and the guards on the way to it."""
    covers = list(covers)
    for _ in range(100):
        for layer in layers(app):
            covers.extend((guard, base) for guard in _guard_at(layer))
            app = layer
        if _known(app):
            break
        inner = getattr(app, "app", None) or getattr(app, "wsgi_app", None) or getattr(app, "application", None)
        if inner is None or not callable(inner):
            break
        app = inner
    return app, covers


def _guard_at(layer: Any) -> list[Any]:
    from .._wrap import mark_of

    mark = mark_of(layer)
    return [] if mark is None else [mark.chain]


def _known(app: Any) -> bool:
    kinds = (("starlette.applications", "Starlette"), ("starlette.routing", "Router"), ("flask", "Flask"),
             ("django.core.handlers.base", "BaseHandler"))  # fmt: skip
    return any(_is_a(app, module, name) for module, name in kinds)


def _is_a(app: Any, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(app, getattr(loaded, name))


def _is_module(app: Any) -> bool:
    return isinstance(app, type(sys))
