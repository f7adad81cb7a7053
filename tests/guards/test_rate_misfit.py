"""The warning where a limit in one process's memory is not the limit that was written."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
import types

import pytest

from authkit.guards._rate_misfit import misfit
from tests.hosts.wsgi_servers import LISTENING, NO_CONTROL_SOCKET, ROOT, Address, gunicorn


def places(*argv, modules=None, **environ):
    return misfit(environ, list(argv), modules or {})


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        ((), {"AWS_LAMBDA_FUNCTION_NAME": "api"}),
        ((), {"WEB_CONCURRENCY": "4"}),
        (("/usr/bin/uvicorn", "app:app", "--workers", "4"), {}),
        (("/usr/bin/gunicorn", "-w", "2", "app:app"), {}),
        (("/usr/bin/gunicorn", "-w2", "app:app"), {}),
        (("C:\\py\\Scripts\\uvicorn.exe", "--workers=3", "app:app"), {}),
        (("/lib/uvicorn/__main__.py", "app:app", "--workers", "2"), {}),
    ],
    ids=str,
)
def test_it_shows(argv, environ):
    assert places(*argv, **environ) is not None


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        ((), {}),
        ((), {"WEB_CONCURRENCY": "1"}),
        ((), {"WEB_CONCURRENCY": "many"}),
        ((), {"AWS_LAMBDA_FUNCTION_NAME": ""}),
        (("/usr/bin/uvicorn", "app:app"), {}),
        (("/usr/bin/uvicorn", "app:app", "--workers"), {}),
        (("/usr/bin/uvicorn", "app:app", "--workers", "1"), {}),
        (("/usr/bin/gunicorn", "-w", "1", "app:app"), {"WEB_CONCURRENCY": "4"}),
        (("/srv/train.py", "--workers", "8"), {}),
        (("pytest", "-w", "8"), {"GUNICORN_CMD_ARGS": "--workers 4"}),
    ],
    ids=str,
)
def test_it_does_not(argv, environ):
    assert places(*argv, **environ) is None


def test_what_only_a_servers_own_module_shows():
    arbiter = types.SimpleNamespace(Arbiter=types.SimpleNamespace(WORKERS={7: object()}))
    assert places(modules={"gunicorn.arbiter": arbiter}) is not None
    assert places(modules={"uwsgi": types.SimpleNamespace(numproc=4)}) is not None
    assert places(modules={"gunicorn": object()}, GUNICORN_CMD_ARGS="--bind :80 --workers 4") is not None
    arbiter.Arbiter.WORKERS.clear()
    assert places(modules={"gunicorn.arbiter": arbiter, "uwsgi": types.SimpleNamespace(numproc=1)}) is None


PROGRAM = """
import logging, sys
logging.basicConfig(format="%(message)s", stream=sys.stdout)
from authkit import Request, rate_limit
from authkit.stores import MemoryStore
for guard in (rate_limit("5/second"), rate_limit("5/second", store=MemoryStore())):
    for _ in range(3):
        guard.decide(Request.build(peer="203.0.113.5"))
"""


@pytest.mark.parametrize(("environ", "lines"), [({"WEB_CONCURRENCY": "4"}, 1), ({"AWS_LAMBDA_FUNCTION_NAME": "f"}, 1), ({}, 0)])
def test_it_is_said_once_a_process(environ, lines):
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": str(ROOT), **environ}, capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    said = [line for line in found.stdout.splitlines() if "counts by itself" in line]
    assert len(said) == lines


def app(environ, start_response):
    """What gunicorn runs below: the answer says what this worker makes of its place."""
    import os

    start_response("200 OK", [])
    return [(misfit(os.environ, sys.argv, sys.modules) or "alone").encode()]


def test_under_a_real_gunicorn_of_one_worker():
    """Its command line says so, which is what it goes by, whatever the variables say."""
    with gunicorn("tests.guards.test_rate_misfit:app", GUNICORN_CMD_ARGS="--workers 4", WEB_CONCURRENCY="4") as server:
        assert server.get("/").body == b"alone"


def test_under_a_real_gunicorn_whose_file_says_three(tmp_path):
    """All workers but the first see that there is another."""
    (tmp_path / "conf.py").write_text("workers = 3\n")
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "-c", str(tmp_path / "conf.py"), *NO_CONTROL_SOCKET]
    process = subprocess.Popen(
        [*command, "tests.guards.test_rate_misfit:app"], cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    try:
        port = next(int(found[1]) for line in process.stderr if (found := LISTENING.search(line)))
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        server = Address(socket.AF_INET, ("127.0.0.1", port))
        deadline = time.monotonic() + 20
        while b"several" not in (said := server.get("/").body):
            assert said == b"alone"
            assert time.monotonic() < deadline
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        drain.join(10)
        process.stderr.close()
