"""The same decision, bytes and audit event from real servers: what their sockets say, and what their processes tell."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.runtime_api import RuntimeApi, lambda_function

from .cases import CASES, Case
from .exchange import Got, Sent
from .hosts import BUILD, from_lambda
from .hosts import HOSTS as CALLS
from .judging import Heard, judge
from .servers import ROOT, Server, serving
from .sessions import SCRIPTS, START, play, world_of

HOSTS = {
    "uvicorn": ("asgi_app", "starlette_async", "fastapi_async", "django_async"),
    "gunicorn": ("wsgi_app", "flask_sync"),
    "waitress": ("wsgi_app", "django_sync"),
}
EVENTS = ("lambda_rest_v1", "lambda_http_v2", "lambda_alb")
PLACED = [pytest.param(place, case, id=case.name) for place, case in enumerate(CASES)]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """All of them at once, each once for all its cases."""
    try:
        socket.create_server((Sent().peer or "", 0)).close()
    except OSError:
        pytest.skip("this system has one loopback address only, and the table's clients have several")
    directory = tmp_path_factory.mktemp("s")  # a Unix socket's path is at most 107 bytes
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(serving(name, directory)) for name in HOSTS}


@pytest.fixture(scope="module")
def function() -> Iterator[RuntimeApi]:
    with lambda_function("tests/conformance/served.on_lambda", ROOT) as function:
        yield function


def _judge(case: Case, got: Got, report: dict[str, Any]) -> None:
    assert report["case"] == case.name, "the server's table is this one"
    if report["raised"] is not None:
        assert got.status == 500, "what a guard or a handler raises is the server's own 500"
        got = Got(status=None, error=report["raised"])
    judge(case, got, report["entered"], report["heard"])


# waitress serves either ports or Unix sockets, and on a port every client has an address.
BEHIND = [
    pytest.param(server, host, place, case, id=f"{server}-{host}-{case.name}")
    for server, hosts in HOSTS.items()
    for host in hosts
    for place, case in enumerate(CASES)
    if not (server == "waitress" and case.sent[-1].peer is None)
]


@pytest.mark.parametrize(("server", "host", "place", "case"), BEHIND)
def test_the_same_behind_every_server(started: dict[str, Server], server: str, host: str, place: int, case: Case) -> None:
    row = f"{host} {place}"
    for sent in case.sent[:-1]:
        assert started[server].send(sent, row).status == 200
        started[server].report()
    got = started[server].send(case.sent[-1], row)
    _judge(case, got, started[server].report())


def _played_here(script: str) -> list[tuple[object, ...]]:
    world = world_of(script)

    def ask(at: float, sent: Sent) -> tuple[Got, list[str]]:
        world.clock.now = START + at
        heard = Heard()
        try:
            return CALLS["function_sync"].call(world.accounts.app, sent), heard.lines
        finally:
            heard.leave()

    return play(script, ask)


SESSIONS = [(server, host) for server, hosts in HOSTS.items() for host in hosts]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("server", "host"), SESSIONS)
def test_a_session_is_the_same_behind_every_server(started: dict[str, Server], server: str, host: str, script: str) -> None:
    def ask(at: float, sent: Sent) -> tuple[Got, list[str]]:
        got = started[server].send(sent, f"{host} {script} {at}")
        return got, started[server].report()["heard"]

    assert play(script, ask) == _played_here(script)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("kind", EVENTS)
def test_a_session_is_the_same_under_awslambdaric(function: RuntimeApi, kind: str, script: str) -> None:
    def ask(at: float, sent: Sent) -> tuple[Got, list[str]]:
        answer = function.invoke({**BUILD[kind](sent), "row": f"{kind} {script} {at}"})
        return from_lambda(answer.value), function.invoke({"row": "report"}).value["heard"]

    assert play(script, ask) == _played_here(script)


@pytest.mark.parametrize(("place", "case"), PLACED)
@pytest.mark.parametrize("kind", EVENTS)
def test_the_same_under_awslambdaric(function: RuntimeApi, kind: str, place: int, case: Case) -> None:
    for sent in case.sent[:-1]:
        assert from_lambda(function.invoke({**BUILD[kind](sent), "row": f"{kind} {place}"}).value).status == 200
        function.invoke({"row": "report"})
    answer = function.invoke({**BUILD[kind](case.sent[-1]), "row": f"{kind} {place}"})
    report = function.invoke({"row": "report"}).value
    got = Got(status=None, error=answer.value["errorType"]) if answer.failed else from_lambda(answer.value)
    assert report["case"] == case.name, "the function's table is this one"
    judge(case, got, report["entered"], report["heard"])
