"""A certified OpenID Provider on loopback: the npm package oidc-provider, where node is.

with oidc_provider() as op:
    op.issuer, op.audience
    op.access_token("m2m-es256", scope="read")           client credentials: m2m RS256, m2m-es256, m2m-eddsa, m2m-opaque
    op.faults([{"path": "/jwks", "status": 503}]); op.add_keys(); op.replace_keys(); op.counts()

The package is fetched once for a machine, into build/. The program ends when its standard input is closed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "9.13.3"
_PLACE = Path(__file__).resolve().parents[2] / "build" / f"oidc-provider-{VERSION}"
_PROGRAM = Path(__file__).with_suffix(".mjs")


def has_node() -> bool:
    return shutil.which("node") is not None and shutil.which("npm") is not None


def fetched() -> Path:
    """The folder with the program in it, fetched if need be. Two that fetch at the same time do not meet."""
    if not (_PLACE / "node_modules" / "oidc-provider" / "package.json").exists():
        import tempfile

        _PLACE.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_PLACE.parent) as made:
            command = [
                "npm",
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
                made,
                f"oidc-provider@{VERSION}",
            ]
            subprocess.run(command, check=True, timeout=180, stdout=subprocess.DEVNULL)
            with contextlib.suppress(OSError):  # another was quicker
                Path(made).rename(_PLACE)
                Path(made).mkdir()
    program = _PLACE / "op.mjs"  # beside its node_modules, where node looks for them
    if not program.exists() or program.read_bytes() != _PROGRAM.read_bytes():
        shutil.copy(_PROGRAM, program)
    return program


class OidcProviderServer:
    """`issuer`, and `audience`: of the access tokens that are JWTs."""

    def __init__(self, told: dict[str, str]) -> None:
        self.issuer = told["issuer"]
        self.audience = told["audience"]
        self._control = told["control"]

    def access_token(self, client: str = "m2m", headers: dict[str, str] | None = None, **form: str) -> str:
        found: str = _json(self._as_client("/token", client, headers, grant_type="client_credentials", **form))["access_token"]
        return found

    def revoke(self, token: str, client: str) -> None:
        urllib.request.urlopen(self._as_client("/token/revocation", client, None, token=token), timeout=30).close()

    def _as_client(self, path: str, client: str, headers: dict[str, str] | None, **form: str) -> urllib.request.Request:
        secret = base64.b64encode(f"{client}:{client}-secret-0123456789abcdef0123456789abcdef".encode()).decode()
        data = urllib.parse.urlencode(form).encode()
        return urllib.request.Request(self.issuer + path, data, {"Authorization": f"Basic {secret}", **(headers or {})})

    def counts(self) -> dict[str, int]:
        """How often each was asked for: {"GET /jwks": 1}."""
        found: dict[str, int] = _json(urllib.request.Request(self._control + "/counts"))
        return found

    def faults(self, faults: list[dict[str, Any]]) -> None:
        self._order("/faults", faults)

    def add_keys(self) -> None:
        """Sign with new keys, and publish the old ones still."""
        self._order("/keys/add")

    def replace_keys(self) -> None:
        self._order("/keys/replace")

    def add_clients(self, *clients: dict[str, Any]) -> None:
        self._order("/clients", clients)

    def _order(self, path: str, body: Any = None) -> None:
        _json(urllib.request.Request(self._control + path, json.dumps(body or []).encode()))


def _json(asked: urllib.request.Request) -> Any:
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


@contextlib.contextmanager
def oidc_provider(*options: str) -> Iterator[OidcProviderServer]:
    process = subprocess.Popen(
        ["node", str(fetched()), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "oidc-provider ended at once"
        yield OidcProviderServer(json.loads(line))
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
