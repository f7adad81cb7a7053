"""DynamoDB on loopback: the npm package dynalite, where node is; another implementation than moto's.

with dynalite() as endpoint: ...

The package is fetched once for a machine, into build/ (or the system's temporary directory, where build/ is none of ours).
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
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
