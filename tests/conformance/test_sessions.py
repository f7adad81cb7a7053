"""A session is the same on every host: the same bytes, cookies and audit events, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from tests.accounts.test_endpoints import NOT_JSON
from tests.accounts.test_forms import WRONG

from . import frameworks
from .exchange import Got, Sent
from .hosts import HOSTS
from .judging import Heard
from .sessions import NAMES, SCRIPTS, START, World, on_host, play, shown, world_of


@pytest.fixture(scope="module")
def audit() -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.leave()


def _played(host: str, script: str, audit: Heard) -> list[tuple[object, ...]]:
    world = world_of(script)
    app = on_host(host, world.accounts.app)

    def ask(at: float, sent: Sent) -> tuple[Got, list[str]]:
        world.clock.now = START + at
        audit.lines.clear()
        got = HOSTS[host].call(app, sent)
        return got, list(audit.lines)

    return play(script, ask)


_first: dict[str, list[tuple[object, ...]]] = {}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("host", NAMES)
def test_a_session_is_the_same_on_every_host(host: str, script: str, audit: Heard) -> None:
    if script not in _first:
        _first[script] = _played("function_sync", script, audit)
    assert _played(host, script, audit) == _first[script]


def test_they_are_played_on_every_kind_of_host() -> None:
    kinds = {"function", "lambda", "asgi", "wsgi", "starlette", "fastapi", "flask", "django", "aiohttp"}
    assert {name.partition("_")[0] for name in NAMES} == kinds


@cache
def _unlimited() -> World:
    return world_of("bodies")


@pytest.mark.parametrize("host", NAMES)
def test_no_body_confuses_any_host(host: str, audit: Heard) -> None:
    """PWD-14: more than 80 bodies, the same 400 for each of them."""
    app = on_host(host, _unlimited().accounts.app)
    answers = set()
    for kind, bodies in (("application/json", NOT_JSON), ("application/x-www-form-urlencoded", WRONG)):
        for body in bodies:
            sent = Sent(method="POST", path="/auth/login", headers=(("Content-Type", kind),), body=body)
            answers.add(repr(shown(sent, HOSTS[host].call(app, sent))))
    assert len(answers) == 1
    assert answers.pop().startswith("(400, ")
    assert len(NOT_JSON) + len(WRONG) >= 80


def test_djangos_own_csrf_check_leaves_them_alone() -> None:
    """It wants a token of a page that a login from anywhere else cannot have; they look at where a request comes from."""
    frameworks._configure()
    from django.middleware.csrf import CsrfViewMiddleware
    from django.test import RequestFactory

    accounts = world_of("bodies").accounts
    request = RequestFactory(enforce_csrf_checks=True).post("/auth/login")
    middleware = CsrfViewMiddleware(lambda request: None)
    for view in (accounts.login, accounts.login.django, accounts.app, accounts.app.django):
        assert middleware.process_view(request, view, (), {}) is None
    refused = middleware.process_view(request, lambda request: None, (), {})
    assert refused is not None
    assert refused.status_code == 403
