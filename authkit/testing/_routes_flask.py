"""Open routes of a Flask app: views, blueprints, class-based views, static files."""

from __future__ import annotations

from ._covering import guards_on, is_public, name_of, open_methods, why_open
from ._routes import OpenRoute, peel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._covering import Cover


def flask_routes(app: Any, prefix: str, covers: list[Cover]) -> Iterator[OpenRoute]:
    covers = peel(app.wsgi_app, prefix, covers)[1]
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is None:  # a rule that nothing serves: 500, whoever asks
            continue
        yield from _view(prefix + rule.rule, _methods(rule), view, covers, prefix)


def _methods(rule: Any) -> tuple[str, ...]:
    automatic = getattr(rule, "provide_automatic_options", False)  # answered by Flask itself, the view is not entered
    return tuple(sorted(name for name in rule.methods or () if name != "OPTIONS" or not automatic))


def _view(path: str, methods: tuple[str, ...], view: Any, covers: list[Cover], prefix: str) -> Iterator[OpenRoute]:
    from flask.views import MethodView

    cls = getattr(view, "view_class", None)
    covers = [*covers, *((guard, prefix) for guard in guards_on(view))]
    if is_public(view) or (cls is not None and is_public(cls)):
        return
    if cls is not None:
        covers += ((guard, prefix) for guard in guards_on(cls.dispatch_request))
    if cls is None or not issubclass(cls, MethodView):
        why = why_open(covers, path)
        if why is not None:
            yield OpenRoute(path=path, methods=methods, endpoint=name_of(cls or view), why=why)
        return

    def handler_of(name: str) -> Any:
        return getattr(cls, name, None) or (getattr(cls, "get", None) if name == "head" else None)

    found = open_methods([name.lower() for name in methods], handler_of, covers, prefix, path)
    for why in dict.fromkeys(found.values()):
        names = tuple(name for name, reason in found.items() if reason == why)
        yield OpenRoute(path=path, methods=names, endpoint=name_of(cls), why=why)
