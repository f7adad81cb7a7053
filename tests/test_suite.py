"""The suite's own promise: a skip is listed with its reason, and with CI=true it fails the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_passes():
    pass

@pytest.mark.skipif(True, reason="no server here")
def test_is_skipped():
    pass
"""


def run(directory: Path, tests: str, **env: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(Path(__file__).with_name("conftest.py"), directory)
    (directory / "test_it.py").write_text(tests)
    (directory / "pytest.ini").write_text("[pytest]\n")
    clean = {name: value for name, value in os.environ.items() if name not in {"CI", "AUTHKIT_SKIPPED", "PYTEST_ADDOPTS"}}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "."]
    return subprocess.run(command, cwd=directory, env=clean | env, capture_output=True, text=True, check=False)


def test_a_skip_is_listed_with_its_reason(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)
    assert done.returncode == 0
    assert "test_it.py::test_is_skipped: no server here" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        pytest.param(TESTS, "test_it.py::test_is_skipped: no server here", id="skipped test"),
        pytest.param("import pytest\npytest.importorskip('no_such_module')\n", "no_such_module", id="skipped module"),
        pytest.param(
            "import pytest\n@pytest.mark.xfail(reason='some day')\ndef test_x():\n    assert False\n",
            "expected to fail: some day",
            id="expected failure",
        ),
    ],
)
def test_with_ci_nothing_may_be_left_untested(tmp_path: Path, tests: str, expected: str) -> None:
    done = run(tmp_path, "def test_y():\n    pass\n" + tests, CI="true")
    assert done.returncode != 0
    assert expected in done.stdout


def test_a_check_left_out_before_pytest_is_listed_and_fails_with_ci(tmp_path: Path) -> None:
    tests = "def test_passes():\n    pass\n"
    without = run(tmp_path, tests, AUTHKIT_SKIPPED="pyright: no node")
    assert without.returncode == 0
    assert "pyright: no node" in without.stdout
    assert run(tmp_path, tests, AUTHKIT_SKIPPED="pyright: no node", CI="true").returncode == 1


def test_with_ci_a_run_with_nothing_skipped_passes(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_passes():\n    pass\n", CI="true").returncode == 0
