"""Tokens of a certified OpenID Provider through real servers: uvicorn, gunicorn, and AWS's own Lambda runtime client."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.conformance.exchange import Sent
from tests.conformance.hosts import BUILD, from_lambda
from tests.conformance.servers import LOOPBACK, ROOT
from tests.hosts.wsgi_servers import NO_CONTROL_SOCKET
from tests.servers.oidc_provider import OidcProviderServer, has_node, oidc_provider
from tests.servers.runtime_api import RuntimeApi, lambda_function

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.skipif(not has_node(), reason="oidc-provider needs node and npm")

HOSTS = {
    "uvicorn": ("asgi_app", "starlette_async", "fastapi_async", "fastapi_sync", "django_async"),
    "gunicorn": ("wsgi_app", "flask_sync", "django_sync"),
}
# Workers are forked from a parent that has the app, its guards and its provider already.
COMMANDS = {
    "uvicorn": ["uvicorn", "tests.oidc.served:asgi", "--lifespan", "off", "--log-level", "critical", "--fd"],
    "gunicorn": [
        "gunicorn", "tests.oidc.served:wsgi", "--preload", "--workers", "2", "--log-level", "critical", *NO_CONTROL_SOCKET,
        "--bind",
    ],
}  # fmt: skip
SERVED = [(server, host) for server, hosts in HOSTS.items() for host in hosts]
CLIENTS = ("m2m", "m2m-es256", "m2m-eddsa")  # RS256, ES256, EdDSA


@contextmanager
def serving(name: str, env: Mapping[str, str]) -> Iterator[str]:
    """Where the server is, which accepts from the first request on: its socket listens before it starts."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        number = listening.fileno()
        place = f"http://{LOOPBACK}:{listening.getsockname()[1]}{Sent().path}"
        process = subprocess.Popen(
            [sys.executable, "-m", *COMMANDS[name], str(number) if name == "uvicorn" else f"fd://{number}"],
            cwd=ROOT,
            env={**os.environ, **env, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[number],
        )
    try:
        yield place
    finally:
        process.terminate()
        process.wait(30)


def ask(place: str, row: str, token: str | None) -> tuple[int, bytes]:
    headers = {"X-Row": row, **({} if token is None else {"Authorization": f"Bearer {token}"})}
    try:
        with urllib.request.urlopen(urllib.request.Request(place, headers=headers), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


@pytest.fixture(scope="module")
def op() -> Iterator[OidcProviderServer]:
    with oidc_provider() as server:
        yield server


@pytest.fixture(scope="module")
def tokens(op: OidcProviderServer) -> dict[str, str]:
    return {client: op.access_token(client, scope="read") for client in CLIENTS}


@pytest.fixture(scope="module")
def env(op: OidcProviderServer) -> dict[str, str]:
    return {"OIDC_ISSUER": op.issuer, "OIDC_AUDIENCE": op.audience}


@pytest.fixture(scope="module")
def started(env: dict[str, str]) -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(serving(name, env)) for name in HOSTS}


@pytest.fixture(scope="module")
def function(env: dict[str, str]) -> Iterator[RuntimeApi]:
    with lambda_function("tests/oidc/served.on_lambda", ROOT, env=env, timeout=30) as function:
        yield function


@pytest.mark.parametrize(("server", "host"), SERVED)
def test_its_tokens_enter_behind_every_server(
    op: OidcProviderServer, tokens: dict[str, str], started: dict[str, str], server: str, host: str
) -> None:
    for client, token in tokens.items():
        for _ in range(2):  # the second is recalled, or meets the other worker
            status, body = ask(started[server], f"{host} jwt", token)
            assert (status, json.loads(body)["subject"]) == (200, client)


@pytest.mark.parametrize(("server", "host"), SERVED)
def test_others_do_not(op: OidcProviderServer, tokens: dict[str, str], started: dict[str, str], server: str, host: str) -> None:
    head, _, signature = tokens["m2m"].rpartition(".")
    row = f"{host} jwt"
    assert ask(started[server], row, None)[0] == 401
    assert ask(started[server], row, f"{head}.{signature[::-1]}")[0] == 401
    assert ask(started[server], row, op.access_token("m2m-opaque"))[0] == 401
    assert ask(started[server], row, op.access_token("m2m"))[0] == 403  # without the scope


def test_they_enter_under_the_runtime_client_of_aws(
    op: OidcProviderServer, tokens: dict[str, str], function: RuntimeApi
) -> None:
    def invoked(*headers: tuple[str, str]) -> tuple[int | None, bytes]:
        event = {**BUILD["lambda_http_v2"](Sent(headers=headers)), "row": "jwt"}
        got = from_lambda(function.invoke(event, wait=60).value)
        return got.status, got.body

    for client, token in tokens.items():
        for _ in range(2):
            status, body = invoked(("Authorization", f"Bearer {token}"))
            assert (status, json.loads(body)["subject"]) == (200, client)
    assert invoked()[0] == 401
    for bad in (tokens["m2m"] + "x", op.access_token("m2m-opaque")):
        assert invoked(("Authorization", f"Bearer {bad}"))[0] == 401
    assert invoked(("Authorization", f"Bearer {op.access_token('m2m')}"))[0] == 403


def test_each_process_has_asked_for_the_metadata_once(op: OidcProviderServer) -> None:
    """Whatever came before: uvicorn's one, gunicorn's two workers, and the function."""
    assert 1 <= op.counts()["GET /.well-known/openid-configuration"] <= 4
