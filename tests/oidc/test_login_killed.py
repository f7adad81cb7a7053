"""Processes that are killed at any moment: a logout that was answered is never lost, and no session is broken (AVL-06)."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from authkit.stores import SqliteStore
from tests.oidc.login_parts import BACK, CLIENT, KEY, SECRET, Browser, login_at

SESSIONS = 40
_PROCESS = """
import sys
from authkit import Request
from authkit.oidc import OIDCProvider
from authkit.stores import SqliteStore
url, path, client, secret, back, key = sys.argv[1:]
login = OIDCProvider(url, audience="x").login(
    client_id=client, client_secret=secret, redirect_uri=back, session_key=key, store=SqliteStore(path, timeout=30))
headers = {"accept": "*/*", "origin": "https://site.example"}
print("ready", flush=True)
for number, line in enumerate(sys.stdin):
    answer = login.logout(Request.build("POST", "/logout", {**headers, "cookie": line.strip()}))
    print(number if answer.status == 204 else "failed", flush=True)
"""


def _round(path: str, seed: int) -> int:
    """How many logouts were answered before the kill."""
    with login_at(time.time) as op:
        settings = {"monotonic": time.monotonic, "store": SqliteStore(path, timeout=30)}
        login = op.login(**settings)
        browsers = []
        for _ in range(SESSIONS):
            browser = Browser(login)
            browser.log_in(op)
            browsers.append(browser)
        command = [sys.executable, "-c", _PROCESS, op.url, path, CLIENT, SECRET, BACK, KEY]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        answered = []
        try:
            process.stdin.write("".join(f"{login.cookie_name}={browser.session}\n" for browser in browsers))
            process.stdin.flush()
            for _ in range(random.Random(seed).randrange(1, SESSIONS)):
                answered.append(process.stdout.readline().strip())
        finally:
            process.kill()
            answered += [line.strip() for line in process.stdout if line.endswith("\n")]
            process.wait(30)
            process.stdin.close()
            process.stdout.close()
        assert "failed" not in answered
        later = op.login(**{**settings, "store": SqliteStore(path, timeout=30)})
        for number, browser in enumerate(browsers):
            own = Browser(later)
            own.cookies = browser.cookies
            seen = own.whoami()
            assert seen == 303 if str(number) in answered else seen in ("alice", 303)
        return len(answered)


@pytest.mark.parametrize("rounds", [3, pytest.param(300, marks=pytest.mark.soak)])
def test_a_logout_that_was_answered_holds_whenever_the_process_is_killed(tmp_path, rounds):
    assert sum(_round(str(tmp_path / f"{number}.db"), number) for number in range(rounds))
