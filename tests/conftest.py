"""What the whole suite shares: skips are listed and never hidden, randomness is fixed."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

    from tests.servers.aws import MotoServer, StrictAws

# The property tests try the same inputs on every run of `make test`, and new ones on every run of `make soak`.
settings.register_profile("test", derandomize=True, database=None, max_examples=100, deadline=None)
settings.register_profile(
    "soak", max_examples=5000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("AUTHKIT_PROFILE", "test"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness for tests that want inputs at random: the same on every run, another for each test."""
    return random.Random(request.node.nodeid)


@pytest.fixture(scope="session")
def _moto() -> Iterator[MotoServer]:
    from tests.servers.aws import MotoServer

    server = MotoServer()
    yield server
    server.close()


@pytest.fixture
def moto(_moto: MotoServer, aws_env: None) -> str:
    """The address of moto's AWS, with nothing in it."""
    _moto.reset()
    return _moto.endpoint


@pytest.fixture
def strict_aws(aws_env: None) -> Iterator[StrictAws]:
    """Secrets Manager, Parameter Store and STS without moto's liberties, and with faults on order."""
    from tests.servers.aws import strict

    with strict() as server:
        yield server


@pytest.fixture
def aws_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and a region in the environment, and nothing of this machine's own."""
    from tests.servers.aws import AWS_ENV

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in AWS_ENV.items():
        monkeypatch.setenv(name, value)


def _without_a_verdict(reporter: TerminalReporter) -> list[str]:
    """What was skipped or expected to fail, with the reason; also what `make test` had to leave out before pytest began."""
    lines = [line for line in os.environ.get("AUTHKIT_SKIPPED", "").splitlines() if line]
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        lines.append(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")
    lines += [f"{report.nodeid}: expected to fail: {report.wasxfail}" for report in reporter.stats.get("xfailed", [])]
    return lines


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI=true everything must have been tested."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and _in_ci() and _without_a_verdict(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """List what was not tested, last before the closing line."""
    lines = _without_a_verdict(terminalreporter)
    if lines:
        failing = _in_ci()
        title = "not tested, and CI=true allows no skip" if failing else "not tested"
        terminalreporter.write_sep("=", title, red=failing, yellow=not failing)
        for line in lines:
            terminalreporter.write_line(line)
