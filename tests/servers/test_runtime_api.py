"""The Runtime API that stands in for AWS's: what the Lambda tests rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.runtime_api import ARN, lambda_function

if TYPE_CHECKING:
    from pathlib import Path

APP = """
calls = 0

def handler(event, context):
    global calls
    calls += 1
    if event.get("boom"):
        raise ValueError("boom")
    return {"calls": calls, "echo": event, "left": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn}
"""


def test_a_function_runs_under_aws_own_client_and_keeps_its_process(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with lambda_function("app.handler", tmp_path, timeout=3.0) as function:
        first = function.invoke({"a": 1}).value
        assert (first["calls"], first["echo"], first["arn"]) == (1, {"a": 1}, ARN)
        assert 0 < first["left"] <= 3000

        failure = function.invoke({"boom": True})
        assert failure.failed
        assert (failure.value["errorType"], failure.value["errorMessage"]) == ("ValueError", "boom")

        assert function.invoke({}).value["calls"] == 3


def test_a_function_that_cannot_be_imported_says_so(tmp_path: Path) -> None:
    with lambda_function("missing.handler", tmp_path) as function, pytest.raises(RuntimeError, match="missing"):
        function.invoke({})
