"""DynamoDB on loopback: the npm package dynalite, where node is; another implementation than moto's.

with dynalite() as endpoint: ...
with between(endpoint) as aws: ...                   a proxy in front of any DynamoDB: counts its calls, with faults on order

aws.fail("UpdateItem", "ThrottlingException", times=2)
aws.drop("PutItem", after=True)                      done, and the connection closed without an answer
aws.unprocessed(times=2)                             a BatchGetItem gets nothing but what to ask again
aws.slow("GetItem", 0.3); aws.html("GetItem"); aws.forgets_items = True

The package is fetched once for a machine, into build/ (or the system's temporary directory, where build/ is none of ours).
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "4.0.0"
_PLACE = Path(__file__).resolve().parents[2] / "build" / f"dynalite-{VERSION}"


def has_node() -> bool:
    return shutil.which("node") is not None and shutil.which("npm") is not None


def fetched() -> Path:
    """The program, fetched if need be. Two that fetch at the same time do not meet."""
    program = _PLACE / "node_modules" / "dynalite" / "cli.js"
    if not program.exists():
        import tempfile

        _PLACE.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_PLACE.parent) as made:
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", made, f"dynalite@{VERSION}"]
            subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
            with contextlib.suppress(OSError):  # another was quicker
                Path(made).rename(_PLACE)
                Path(made).mkdir()
    return program


@contextlib.contextmanager
def dynalite() -> Iterator[str]:
    """Its address; in memory, and gone at the end."""
    program = fetched()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["node", str(program), "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            assert process.poll() is None, "dynalite ended at once"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


class Between(http.server.ThreadingHTTPServer):
    """The proxy. `calls`: how often each action was asked; `forgets_items`: a failed condition tells no item."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urllib.parse.urlsplit(endpoint).netloc
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.calls: collections.Counter[str] = collections.Counter()
        self.forgets_items = False
        self._faults: list[tuple[str, str, str, bool, list[int]]] = []

    def fail(self, action: str, code: str, *, times: int = 1 << 30, after: bool = False) -> None:
        """HTTP 400 with that code (500 for Internal...). `after`: it is carried out all the same."""
        self._faults.append((action, "fail", code, after, [times]))

    def drop(self, action: str, *, times: int = 1 << 30, after: bool = False) -> None:
        self._faults.append((action, "drop", "", after, [times]))

    def slow(self, action: str, seconds: float, *, times: int = 1 << 30) -> None:
        self._faults.append((action, "slow", str(seconds), True, [times]))

    def html(self, action: str, *, times: int = 1 << 30) -> None:
        self._faults.append((action, "html", "", False, [times]))

    def unprocessed(self, *, times: int = 1 << 30) -> None:
        self._faults.append(("BatchGetItem", "unprocessed", "", False, [times]))

    def mend(self) -> None:
        self._faults.clear()

    def fault(self, action: str) -> tuple[str, str, bool] | None:
        for name, kind, detail, after, left in self._faults:
            if name == action and left[0] > 0:
                left[0] -= 1
                return kind, detail, after
        return None

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Between
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.server.calls[action] += 1
        kind, detail, after = self.server.fault(action) or ("", "", True)
        status, answer = self._asked(body) if after else (200, b"")
        if kind == "slow":
            time.sleep(float(detail))
        elif kind == "drop":
            self.close_connection = True
            return
        elif kind == "unprocessed":
            answer = json.dumps({"Responses": {}, "UnprocessedKeys": json.loads(body)["RequestItems"]}).encode()
        elif kind == "html":
            answer = b"<html>Please log in</html>"
        elif kind == "fail":
            status = 500 if detail.startswith("Internal") else 400
            answer = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{detail}", "message": "no"}).encode()
        if status == 400 and self.server.forgets_items:
            answer = json.dumps({name: part for name, part in json.loads(answer).items() if name != "Item"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if kind == "html" else "application/x-amz-json-1.0")
        if kind != "html":
            self.send_header("x-amzn-RequestId", "0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _asked(self, body: bytes) -> tuple[int, bytes]:
        behind = http.client.HTTPConnection(self.server.behind, timeout=10)
        try:
            behind.request("POST", "/", body, {name: value for name, value in self.headers.items() if name != "Expect"})
            answer = behind.getresponse()
            return answer.status, answer.read()
        finally:
            behind.close()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def between(endpoint: str) -> Iterator[Between]:
    """A `Between` in front of `endpoint`, closed at the end."""
    server = Between(endpoint)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield server
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
