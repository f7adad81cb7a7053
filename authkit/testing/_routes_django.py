"""Open routes of a Django project: views, class-based views, included URLconfs, middleware."""

from __future__ import annotations

from .._guard import Guard
from ._covering import guards_on, is_public, name_of, open_methods, why_open
from ._routes import OpenRoute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._covering import Cover


def django_routes(urlconf: Any, covers: list[Cover], prefix: str = "") -> Iterator[OpenRoute]:
    from django.conf import settings
    from django.urls import URLResolver, get_resolver
    from django.urls.resolvers import RegexPattern
    from django.utils.module_loading import import_string

    middleware = [import_string(name) for name in settings.MIDDLEWARE]
    covers = [*covers, *((guard, prefix) for item in middleware for guard in _guards_of(item))]
    resolver = URLResolver(RegexPattern(r"^/"), urlconf) if isinstance(urlconf, (list, tuple)) else get_resolver(urlconf)
    for path, callback in _patterns(resolver, prefix + "/"):
        yield from _view(path, callback, covers, prefix)


def _guards_of(middleware: Any) -> list[Guard]:
    return [middleware] if isinstance(middleware, Guard) else []


def _patterns(resolver: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        if hasattr(pattern, "url_patterns"):
            yield from _patterns(pattern, path)
        else:
            yield path, pattern.callback


def _view(path: str, view: Any, covers: list[Cover], prefix: str) -> Iterator[OpenRoute]:
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)  # the second: Django REST framework
    covers = [*covers, *((guard, prefix) for guard in guards_on(view))]
    if is_public(view) or (cls is not None and is_public(cls)):
        return
    if cls is None:
        why = why_open(covers, path)
        if why is not None:
            yield OpenRoute(path=path, methods=(), endpoint=name_of(view), why=why)
        return
    covers += ((guard, prefix) for guard in guards_on(cls.dispatch))
    actions: dict[str, str] = getattr(view, "actions", None) or {}
    names = [name for name in cls.http_method_names if hasattr(cls, name) or name in actions]
    served = [name for name in names if name != "options" or cls.options.__module__ != "django.views.generic.base"]

    found = open_methods(served, lambda name: getattr(cls, actions.get(name, name), None), covers, prefix, path)
    for why in dict.fromkeys(found.values()):
        methods = tuple(name for name, reason in found.items() if reason == why)
        yield OpenRoute(path=path, methods=methods, endpoint=name_of(cls), why=why)
