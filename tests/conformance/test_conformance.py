"""The same decision, the same bytes and the same audit event on every host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from authkit import ConfigurationError, Guard

from . import frameworks as frameworks  # adds its hosts to the table
from .cases import CASES, Case
from .exchange import Handler
from .hosts import HOSTS
from .judging import Heard, judge


@pytest.fixture(scope="module")
def audit() -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.leave()


def _guarded(host: str, guard: Callable[[], Guard]) -> tuple[Any, Handler]:
    handler = Handler()
    return HOSTS[host].make(guard(), handler), handler


_shared = cache(_guarded)  # as in a service, one guard answers many requests; and frameworks are slow to set up


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("host", sorted(HOSTS))
def test_the_same_on_every_host(host: str, case: Case, audit: Heard) -> None:
    if host == "fastapi_dependency" and case.guard().needs_handler:  # a dependency is over before there is a response
        with pytest.raises(ConfigurationError, match="response"):
            HOSTS[host].make(case.guard(), Handler())
        return
    guarded, handler = (_guarded if case.remembers else _shared)(host, case.guard)
    call = HOSTS[host].call
    for sent in case.sent[:-1]:
        assert call(guarded, sent).status == 200
    handler.entered = 0
    audit.lines.clear()

    got = call(guarded, case.sent[-1])

    judge(case, got, handler.entered, audit.lines)


def test_the_table_is_run_on_every_kind_of_host() -> None:
    kinds = {"function", "lambda", "asgi", "wsgi", "starlette", "fastapi", "flask", "django", "aiohttp"}
    assert {name.partition("_")[0] for name in HOSTS} == kinds


def test_refusals_are_the_same_bytes_everywhere() -> None:
    bodies = {}
    case = next(case for case in CASES if case.name.startswith("bad token"))
    for name, host in HOSTS.items():
        bodies[name] = host.call(host.make(case.guard(), Handler()), case.sent[-1]).body
    assert len(set(bodies.values())) == 1, bodies
