"""What uploads cost a server: one copy of each body, and nothing for those that are refused by their headers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from authkit.webhooks import sign

from .webhook_app import SECRET

MIB = 1_048_576
UPLOADS = 40
BODY = b"x" * MIB
HERE = Path(__file__).parent


class Server:
    def __init__(self, process, port):
        self.process = process
        self.port = port

    def rss(self):
        """Bytes in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def begin(self, headers, body):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = ["POST /hook HTTP/1.1", "Host: h.example", f"Content-Length: {MIB}", "Connection: close", *lines, "", ""]
        connection.sendall("\r\n".join(head).encode())
        try:
            connection.sendall(body)
        except ConnectionError:  # refused, and closed, while we were still sending
            pass
        return connection

    def settled(self, least=0):
        """What is in memory when it has stopped growing, and is that much."""
        deadline = time.monotonic() + 60
        before, now = 0, self.rss()
        while now < least and time.monotonic() < deadline:
            time.sleep(0.05)
            now = self.rss()
        while now != before:
            time.sleep(0.3)
            before, now = now, self.rss()
        return now


@contextmanager
def uvicorn():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    command = [sys.executable, "-P", "-m", "uvicorn", "webhook_app:app", "--app-dir", str(HERE), "--fd", str(listener.fileno())]
    process = subprocess.Popen([*command, "--log-level", "error", "--http", "h11"], pass_fds=[listener.fileno()])
    try:
        yield Server(process, listener.getsockname()[1])
    finally:
        process.terminate()
        process.wait(30)
        listener.close()


def answered(connection):
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def test_forty_uploads_at_once_take_one_copy_each_and_forged_ones_none():
    with uvicorn() as server, ExitStack() as stack:
        good = sign("slack", SECRET, BODY)
        with server.begin(good, BODY) as first:
            assert answered(first).endswith(b"\r\n\r\n" + str(MIB).encode())
        base = server.settled()
        forged = [stack.enter_context(server.begin({}, b"")) for _ in range(UPLOADS)]
        assert {answered(connection)[:12] for connection in forged} == {b"HTTP/1.1 401"}  # before a byte of any body was sent
        assert server.settled() - base < 8 * MIB
        held = [stack.enter_context(server.begin(good, BODY[:-1])) for _ in range(UPLOADS)]
        least = base + UPLOADS * MIB * 0.9
        assert least < server.settled(least) < base + UPLOADS * MIB * 1.3 + 8 * MIB
        for connection in held:
            connection.sendall(BODY[-1:])
        assert all(answered(connection).startswith(b"HTTP/1.1 200") for connection in held)
