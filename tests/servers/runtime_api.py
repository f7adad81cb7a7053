"""A minimal AWS Lambda Runtime API on loopback, to run a handler under AWS's own client, `awslambdaric`.

    with lambda_function("app.handler", directory) as function:
        answer = function.invoke({"version": "2.0"})
        answer.value, answer.failed

Serves the four calls of the Runtime API (version 2018-06-01): next, response, error, init error.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ARN = "arn:aws:lambda:us-east-1:123456789012:function:test"


class Answer(NamedTuple):
    """What the runtime posted for one invocation."""

    failed: bool
    body: bytes
    headers: Mapping[str, str]

    @property
    def value(self) -> Any:
        """What the handler returned; of a failure: errorType, errorMessage, stackTrace."""
        return json.loads(self.body)


class RuntimeApi(http.server.ThreadingHTTPServer):
    """The server. `timeout`: seconds the function is told it has for an invocation."""

    daemon_threads = True

    def __init__(self, timeout: float = 3.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds = timeout
        self.todo: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.done: dict[str, queue.Queue[Answer]] = {}
        self.init_error: bytes | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._serving = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._serving.start()

    def handle_error(self, *_: object) -> None:
        """The runtime was killed while it polled."""

    def invoke(self, event: object, wait: float = 20) -> Answer:
        """Hand `event` to the function and return what it answered. Raises `RuntimeError` if it ended or never started."""
        request_id = str(uuid.uuid4())
        answers = self.done[request_id] = queue.Queue()
        self.todo.put((request_id, json.dumps(event).encode()))
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            try:
                return answers.get(timeout=0.2)
            except queue.Empty:
                if self.init_error is not None:
                    raise RuntimeError(f"the function did not start: {self.init_error.decode()}") from None
                if self.process is not None and self.process.poll() is not None:
                    raise RuntimeError(f"the function ended with exit code {self.process.returncode}") from None
        raise RuntimeError(f"no answer within {wait} s")

    def close(self) -> None:
        """Stop serving and release the port."""
        self.shutdown()
        self._serving.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write a response: Nagle with delayed ACK would cost 40 ms a call

    def do_GET(self) -> None:
        request_id, body = self.server.todo.get()
        deadline = int((time.time() + self.server.seconds) * 1000)
        self._answer(
            200,
            body,
            {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
                "Content-Type": "application/json",
            },
        )

    def do_POST(self) -> None:
        body = self._body()
        *_, what, kind = self.path.strip("/").split("/")
        if (what, kind) == ("init", "error"):
            self.server.init_error = body
        else:
            self.server.done[what].put(Answer(kind == "error", body, dict(self.headers)))
        self._answer(202)

    def _answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def lambda_function(
    handler: str, directory: Path | str, *, env: Mapping[str, str] | None = None, timeout: float = 3.0
) -> Iterator[RuntimeApi]:
    """A Lambda function that runs `handler` ("module.name") from `directory` in a process of its own."""
    api = RuntimeApi(timeout)
    setting = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "test",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_REGION": "us-east-1",
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": str(directory),
    }
    command = [sys.executable, "-m", "awslambdaric", handler]
    api.process = subprocess.Popen(command, cwd=directory, env={**os.environ, **setting, **(env or {})})
    try:
        yield api
    finally:
        api.process.kill()
        api.process.wait(5)
        api.close()
