"""Keys are replaced while two workers serve: no good token is refused on the way, and no retired one is accepted afterwards."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TTL = 1.0  # seconds; also what a worker may need to hear of a retirement
PASSWORD = "correct horse battery staple"
ROUNDS = [pytest.param(2, 200, id="2x200"), pytest.param(10, 2_500, id="10x2500", marks=pytest.mark.soak)]


class Worker:
    """One process of the example service."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            self.port: int = listener.getsockname()[1]
            command = [sys.executable, "-m", "uvicorn", "examples.rotating_service:app", "--fd", str(listener.fileno())]
            self.process = subprocess.Popen(
                [*command, "--log-level", "warning", "--no-access-log"],
                cwd=directory,
                env=_environment(SECRETS_TTL=str(TTL)),
                pass_fds=[listener.fileno()],
            )

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, path: str, token: str) -> tuple[int, Any]:
        with closing(self.connect()) as connection:
            return _exchange(connection, "GET", path, token)

    def login(self) -> str:
        body = json.dumps({"username": "alice", "password": PASSWORD})
        with closing(self.connect()) as connection:
            status, answer = _exchange(connection, "POST", "/login", None, body)
        assert status == 200, answer
        return str(answer["access_token"])


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHKIT_")}
    return {**kept, "AUTHKIT_ENV": "test", "PYTHONPATH": str(ROOT), **more}


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, token: str | None, body: str | None = None
) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} if body else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


class Load:
    """Clients that never stop: each sends good tokens to the workers in turn, and beside them bad ones that no worker knows."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers
        self.tokens: list[str] = []  # replaced as a whole, read by every client
        self.answers: Counter[tuple[str, int]] = Counter()
        self.failures: list[BaseException] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(index,)) for index in range(4)]

    def _send(self, index: int) -> None:
        connections = [worker.connect() for worker in self.workers]
        try:
            for turn in itertools.count(index):
                if self._stop.is_set():
                    return
                token = self.tokens[turn % len(self.tokens)]
                kind = "good"
                if turn % 10 == 0:
                    kind, token = "forged", _forged(token)
                status, _ = _exchange(connections[turn // 2 % len(connections)], "GET", "/private", token)
                with self._lock:
                    self.answers[kind, status] += 1
        except BaseException as error:
            self.failures.append(error)
        finally:
            for connection in connections:
                connection.close()

    def sent(self) -> int:
        return sum(self.answers.values())

    def wait_for(self, more: int) -> None:
        until, deadline = self.sent() + more, time.monotonic() + 120
        while self.sent() < until and not self.failures:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def _forged(token: str) -> str:
    """The same claims, with a signature of nobody's."""
    return token.rpartition(".")[0] + "." + secrets.token_urlsafe(32)


def authkit(directory: Path, *arguments: str) -> dict[str, Any]:
    """The command, as an operator runs it beside the service."""
    command = [sys.executable, "-m", "authkit.cli", "secrets", *arguments, "--json"]
    found = subprocess.run(command, cwd=directory, env=_environment(), capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


@contextmanager
def service(directory: Path) -> Iterator[list[Worker]]:
    env = directory / ".env"
    env.touch(0o600)
    env.write_text(f"# of the example\nJWT_SECRET={secrets.token_hex(32)}\nPEPPER={secrets.token_hex(32)}\n")
    workers = [Worker(directory), Worker(directory)]
    try:
        for worker in workers:
            deadline = time.monotonic() + 30
            while True:
                try:
                    assert worker.get("/health", "none")[0] == 200
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    assert worker.process.poll() is None
                    time.sleep(0.05)
        yield workers
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.wait(30)


@pytest.mark.parametrize(("rotations", "requests"), ROUNDS)
def test_a_token_key_is_rotated_under_load_and_no_good_request_is_refused(
    rotations: int, requests: int, tmp_path: Path
) -> None:
    """Each round: rotate, serve old and new tokens alike, log in anew, retire, and see every worker refuse the old token."""
    accepted_when_retired = 0
    with service(tmp_path) as workers:
        load = Load(workers)
        load.tokens = [worker.login() for worker in workers]
        with load:
            load.wait_for(requests // 4)
            for _ in range(rotations):
                before = load.tokens
                authkit(tmp_path, "rotate", "JWT_SECRET")
                load.wait_for(requests // 4)
                load.tokens = before + [worker.login() for worker in workers]  # both keys in use
                load.wait_for(requests // 2)
                time.sleep(TTL)  # whoever logs in now gets a token of the new key, also from a worker nobody asked meanwhile
                load.tokens = [worker.login() for worker in workers]
                load.wait_for(requests // 4)
                authkit(tmp_path, "retire", "JWT_SECRET")
                time.sleep(TTL + 0.2)
                accepted_when_retired += sum(worker.get("/private", token)[0] != 401 for worker in workers for token in before)
    assert load.failures == []
    assert accepted_when_retired == 0
    assert set(load.answers) == {("good", 200), ("forged", 401)}, load.answers
    assert load.sent() >= rotations * requests


def test_a_pepper_is_rotated_and_passwords_stay_good(tmp_path: Path) -> None:
    """Each login moves its hash to the new pepper, so the old one can be retired."""
    with service(tmp_path) as workers:
        token = workers[0].login()
        authkit(tmp_path, "rotate", "PEPPER")
        time.sleep(TTL)
        for worker in workers:
            worker.login()
        uses = [worker.get("/usage", token)[1]["PEPPER"] for worker in workers]
        assert [use["previous"] for use in uses] == [1, 1]
        authkit(tmp_path, "retire", "PEPPER")
        time.sleep(TTL + 0.2)
        for worker in workers:
            worker.login()
        uses = [worker.get("/usage", token)[1]["PEPPER"] for worker in workers]
        assert [use["previous"] for use in uses] == [1, 1]
