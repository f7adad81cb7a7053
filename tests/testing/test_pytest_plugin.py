"""The pytest plugin, found by the entry point of what is installed: each run is a project and a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

FIXTURES = ("authkit_as", "authkit_clock", "authkit_issuer", "authkit_mint", "authkit_webhooks")
STRICT = ("-p", "no:cacheprovider", "--strict-markers", "--strict-config", "-W", "error")

SUITE = """
import pytest
from authkit import current_principal, require_auth, verify_webhook
from authkit.testing import FakeIssuer, LambdaContext, lambda_event


def call(guard, token):
    handler = guard(lambda event, context: {"statusCode": 200})
    return handler(lambda_event("v2", headers={"authorization": f"Bearer {token}"}), LambdaContext())["statusCode"]


def test_a_token_of_the_issuer_expires_when_the_clock_says_so(authkit_issuer, authkit_clock):
    guard = require_auth(authkit_issuer.provider())
    token = authkit_issuer.token("alice", ttl=60)
    assert call(guard, token) == 200
    authkit_clock.advance(90)
    assert call(guard, token) == 401
    assert {call(guard, bad) for bad in list(authkit_issuer.bad().values())[:5]} == {401}


def test_the_present_time_is_where_the_clock_begins(authkit_mint, authkit_clock):
    import time
    assert abs(authkit_clock() - time.time()) < 3600
    assert call(require_auth(authkit_mint.tokens), authkit_mint.good()) == 200


@pytest.mark.authkit(audience="https://orders.example", alg="EdDSA")
class TestMarked:
    def test_by_the_class(self, authkit_mint, authkit_issuer):
        assert (authkit_mint.audience, authkit_mint.alg) == ("https://orders.example", "EdDSA")
        assert authkit_issuer.provider().verify(authkit_issuer.token()).claims["aud"] == "https://orders.example"

    @pytest.mark.authkit(alg="ES256", path="/tenant")
    def test_and_nearer_by_the_test(self, authkit_issuer):
        assert (authkit_issuer.alg, authkit_issuer.audience) == ("ES256", "https://orders.example")
        assert authkit_issuer.url.endswith("/tenant")


def test_a_webhook_of_the_same_clock(authkit_webhooks, authkit_clock):
    sender = authkit_webhooks("stripe")
    sent = sender.deliver(b"{}")
    assert sender.verifier().verify(sent.headers, sent.body).timestamp == int(authkit_clock())
    assert authkit_webhooks("github", "s-1").known == "s-1"


def test_code_below_a_guard(authkit_as):
    with authkit_as("alice", roles=["admin"]):
        assert current_principal().roles == {"admin"}
    with pytest.raises(LookupError):
        current_principal()
"""

BARE = """
import sys

def test_nothing_of_ours_was_loaded_that_nobody_asked_for():
    ours = {name for name in sys.modules if name.partition(".")[0] in ("authkit", "authkit_providers")}
    assert ours == {"authkit", "authkit.testing", "authkit.testing.pytest_plugin"}
    assert not {"cryptography", "jwt", "httpx", "boto3", "click", "argon2"} & set(sys.modules)
"""

WRONG = """
import pytest

@pytest.mark.authkit(audiense="x")
def test_it(authkit_mint):
    pass
"""

OWN = """
import pytest
from authkit.testing import TokenMint

@pytest.fixture
def authkit_mint(authkit_clock):
    return TokenMint(issuer="https://mine.example", clock=authkit_clock)

def test_it(authkit_mint):
    assert authkit_mint.issuer == "https://mine.example"
"""


def run(tmp_path: Path, suite: str, *options: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_suite.py").write_text(suite)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHKIT", "PYTEST"))}
    env["COLUMNS"] = "200"
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of all that this machine has: ours is named
    command = [sys.executable, "-P", "-m", "pytest", "-q", *options, "-p", _name(), str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120, check=False)


def _name() -> str:
    [found] = [entry for entry in entry_points(group="pytest11") if entry.name == "authkit"]
    return found.value


def test_what_is_installed_tells_pytest_where_it_is() -> None:
    assert _name() == "authkit.testing.pytest_plugin"


@pytest.mark.parametrize("options", [(), STRICT, ("--import-mode=importlib",)], ids=["plain", "strict", "importlib"])
def test_the_fixtures_and_the_mark_do_what_the_page_says(options: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, SUITE, *options)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_a_suite_that_does_not_use_it_loads_next_to_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, BARE, *STRICT)
    assert done.returncode == 0, done.stdout


def test_a_setting_that_there_is_none_of_is_told_by_its_name(tmp_path: Path) -> None:
    done = run(tmp_path, WRONG)
    assert done.returncode == 1
    assert "pytest.mark.authkit takes alg, audience," in done.stdout


def test_a_suite_may_have_a_fixture_of_that_name_its_own_way(tmp_path: Path) -> None:
    assert run(tmp_path, OWN, *STRICT).returncode == 0


def test_every_fixture_is_ours_by_its_name_and_explained(tmp_path: Path) -> None:
    done = run(tmp_path, "", "--fixtures", "-v")
    told = [line for line in done.stdout.splitlines() if "pytest_plugin.py" in line]
    assert sorted(line.partition(" ")[0] for line in told) == list(FIXTURES)
    assert "no docstring available" not in done.stdout
    assert "@pytest.mark.authkit(**settings):" in run(tmp_path, "", "--markers").stdout


def test_without_it_a_suite_runs_as_ever(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_it():\n    pass\n", "-p", "no:authkit")
    assert done.returncode == 0, done.stdout
