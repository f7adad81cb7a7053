"""The same decision, the same bytes and the same audit event on every host."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from . import frameworks as frameworks  # adds its hosts to the table
from .cases import CASES, Case
from .exchange import Handler, seen
from .hosts import HOSTS


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def audit() -> Any:
    log, heard = logging.getLogger("authkit.audit"), Heard()
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(heard)
    yield heard
    log.removeHandler(heard)
    log.setLevel(level)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("host", sorted(HOSTS))
def test_the_same_on_every_host(host: str, case: Case, audit: Heard) -> None:
    handler = Handler()
    send = HOSTS[host](case.guard(), handler)
    for sent in case.sent[:-1]:
        assert send(sent).status == 200
    before, heard = handler.entered, len(audit.records)

    got = send(case.sent[-1])

    assert got.error == case.error
    assert got.status == case.status
    assert handler.entered - before == (1 if case.entered else 0)
    for name, value in case.headers.items():
        assert (", ".join(got.headers[name]) if name in got.headers else None) == value, name
    if case.code is not None and case.sent[-1].method != "HEAD":
        assert json.loads(got.body)["code"] == case.code
    if case.entered:
        saw = seen(got.body)
        assert {name: saw[name] for name in case.handler} == case.handler

    (record,) = audit.records[heard:]
    event = record.authkit  # type: ignore[attr-defined]
    assert event == json.loads(record.getMessage())
    assert (event["outcome"], event["shadow"]) == (case.outcome, case.shadow)
    if case.outcome != "error":
        assert event["status"] == case.status
    if case.reason is not None:
        assert event["reason"] == case.reason
    if case.by is not None:
        assert event["guard"] == case.by
    for secret in (
        value.split(" ", 1)[-1] for name, value in case.sent[-1].headers if name == "Authorization" and len(value) > 40
    ):
        assert secret not in record.getMessage()


def test_the_table_is_run_on_every_kind_of_host() -> None:
    kinds = {"function", "lambda", "asgi", "wsgi", "starlette", "fastapi", "flask", "django", "aiohttp"}
    assert {name.partition("_")[0] for name in HOSTS} == kinds


def test_refusals_are_the_same_bytes_everywhere() -> None:
    bodies = {}
    case = next(case for case in CASES if case.name.startswith("bad token"))
    for name, make in HOSTS.items():
        bodies[name] = make(case.guard(), Handler())(case.sent[-1]).body
    assert len(set(bodies.values())) == 1, bodies
