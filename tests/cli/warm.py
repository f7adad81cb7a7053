"""A process that has loaded everything and forks for each command: a process of its own for each, without the start of Python.

It is run as a program with a socket as its standard input. A request is its length in four bytes, then JSON (`words`, `cwd`,
`env`), with the three standard streams passed beside it; the answer is the exit code in a line.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from typing import Any

SECONDS = 120.0
_own = threading.local()


def run(words: list[str], cwd: str, env: dict[str, str], stdin: bytes | None) -> tuple[int, bytes, bytes]:
    """One command: its exit code, stdout and stderr. `stdin` None: /dev/null."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, _null() as null:
        given.write(stdin or b"")
        given.seek(0)
        request = json.dumps({"words": words, "cwd": cwd, "env": env}).encode()
        server = _server()
        streams = [(null if stdin is None else given).fileno(), out.fileno(), err.fileno()]
        socket.send_fds(server, [struct.pack("!I", len(request))], streams)
        server.sendall(request)
        code = int(_exactly(server, 5))
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def _null() -> Any:
    return open(os.devnull, "rb")


def _server() -> socket.socket:
    """One for each thread of the tests; it ends when this end of its socket is closed."""
    found = getattr(_own, "server", None)
    if found is None:
        found, theirs = socket.socketpair()
        found.settimeout(SECONDS)
        process = subprocess.Popen([sys.executable, "-P", __file__], stdin=theirs)
        theirs.close()
        _own.server = found
        atexit.register(process.wait)
        atexit.register(found.close)  # the last is called first
    return found


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = connection.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _serve(connection: socket.socket) -> None:
    while True:
        header, streams, _, _ = socket.recv_fds(connection, 4, 3)
        if not header:
            return
        request = json.loads(_exactly(connection, *struct.unpack("!I", header)))
        pid = os.fork()
        if pid == 0:
            _become(request, streams)
        for stream in streams:
            os.close(stream)
        connection.sendall(b"%5d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """This process is the command from here on."""
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
    os.closerange(3, 64)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["authkit", *request["words"]]
    from authkit.cli import main

    try:
        code = main()
        sys.stdout.flush()
    finally:
        os._exit(locals().get("code", 99))


if __name__ == "__main__":
    import botocore.session  # noqa: F401
    import click.shell_completion  # noqa: F401
    import httpx  # noqa: F401
    import jwt.algorithms  # noqa: F401

    import authkit.cli._run
    import authkit.secrets.rotation.engine
    import authkit.tokens  # noqa: F401

    _serve(socket.socket(fileno=os.dup(0)))
