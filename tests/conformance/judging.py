"""Whether what came of a case is what its row says, in no host's form."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from .cases import Case
from .exchange import Got, seen


class Heard(logging.Handler):
    """Every audit event of this process, as it was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        log = logging.getLogger("authkit.audit")
        self._before = log, log.level
        log.setLevel(logging.INFO)
        log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        assert record.authkit == json.loads(line)  # type: ignore[attr-defined]
        self.lines.append(line)

    def leave(self) -> None:
        log, level = self._before
        log.removeHandler(self)
        log.setLevel(level)


def judge(case: Case, got: Got, entered: int, heard: Sequence[str]) -> None:
    """`entered`: how often the handler was, for the last request. `heard`: what was logged of it."""
    assert got.error == case.error
    assert got.status == case.status
    assert entered == (1 if case.entered else 0)
    for name, value in case.headers.items():
        assert (", ".join(got.headers[name]) if name in got.headers else None) == value, name
    if case.code is not None and case.sent[-1].method != "HEAD":
        assert json.loads(got.body)["code"] == case.code
    if case.entered:
        saw = seen(got.body)
        assert {name: saw[name] for name in case.handler} == case.handler

    (line,) = heard
    event = json.loads(line)
    assert (event["outcome"], event["shadow"]) == (case.outcome, case.shadow)
    if case.outcome != "error":
        assert event["status"] == case.status
    if case.reason is not None:
        assert event["reason"] == case.reason
    if case.by is not None:
        assert event["guard"] == case.by
    for name, value in case.sent[-1].headers:
        if name in ("Authorization", "X-API-Key") and len(value) > 40:
            assert value.split(" ", 1)[-1] not in line
