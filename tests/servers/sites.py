"""The examples that people log in to, behind the servers that they are meant for, and known to a provider."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.oidc_provider import OidcProviderServer

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0


class Site(NamedTuple):
    """An address that is free, and what is there once it runs. `url`: as browsers have it; `paths`: before its endpoints'."""

    url: str
    paths: str = ""

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    @property
    def client(self) -> dict[str, object]:
        """What a provider has to know. One that learns of another client forgets who is logged in: tell it of all at once."""
        return {
            "client_id": f"site-{self.port}",
            "client_secret": f"{self.port}-secret-0123456789abcdef0123456789abcdef",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [f"{self.url}{self.paths}/callback"],
            "post_logout_redirect_uris": [f"{self.url}/"],
            "backchannel_logout_uri": f"{self.url}{self.paths}/backchannel-logout",
            "backchannel_logout_session_required": True,
        }


def site(scheme: str = "http", host: str = "127.0.0.1", paths: str = "") -> Site:
    """A site to be, at a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Site(f"{scheme}://{host}:{free.getsockname()[1]}", paths)


@contextlib.contextmanager
def flask_site(found: Site, op: OidcProviderServer, place: Path, **env: str) -> Iterator[Site]:
    """examples/flask_site.py in two processes of gunicorn."""
    command = ["gunicorn", "-w", "2", "-b", f"127.0.0.1:{found.port}", "examples.flask_site:app"]
    with _running(found, op, command, place, env):
        yield found


@contextlib.contextmanager
def fastapi_spa(
    found: Site, op: OidcProviderServer, place: Path, tls: tuple[Path, Path] | None = None, **env: str
) -> Iterator[Site]:
    """examples/fastapi_spa.py in uvicorn. `tls`: its key and certificate."""
    command = ["uvicorn", "--host", "127.0.0.1", "--port", found.port, "examples.fastapi_spa:app"]
    if tls is not None:
        command += ["--ssl-keyfile", str(tls[0]), "--ssl-certfile", str(tls[1])]
    with _running(found, op, command, place, env):
        yield found


@contextlib.contextmanager
def _running(found: Site, op: OidcProviderServer, command: list[str], place: Path, env: dict[str, str]) -> Iterator[None]:
    """`place`: where its sessions lie, and what the server says."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AUTHKIT_")}
    told = {
        "AUTHKIT_ENV": "test",
        "SITE_URL": found.url,
        "OIDC_ISSUER": op.issuer,
        "OIDC_CLIENT_ID": str(found.client["client_id"]),
        "OIDC_CLIENT_SECRET": str(found.client["client_secret"]),
        "SESSION_KEY": "a key for nothing but these tests, 1 of 1",
        "SESSION_STORE": f"sqlite:///{place}/{found.port}.db",
    }
    log = place / f"{found.port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env={**clean, **told, **env}, stdout=file, stderr=file
        )
    try:
        _wait(found, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(found: Site, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS
    with httpx.Client(trust_env=False, timeout=30, verify=False) as client:  # a certificate of its own making
        while True:
            with contextlib.suppress(httpx.TransportError):
                if client.get(found.url).status_code == 200:
                    return
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
