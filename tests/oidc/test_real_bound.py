"""A certified provider's opaque and DPoP-bound tokens, in process and behind uvicorn, gunicorn and AWS's runtime client."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from authkit import InvalidToken, Request, Response, require_auth
from authkit.oidc import DPoP, DPoPKey, Introspection, OIDCProvider
from authkit.stores import MemoryStore
from authkit.testing import lambda_event
from tests.conformance.exchange import Sent
from tests.conformance.hosts import BUILD, from_lambda
from tests.conformance.servers import ROOT
from tests.oidc.issuer import ec_key
from tests.oidc.test_real_hosts import HOSTS, SERVED, serving
from tests.servers.oidc_provider import OidcProviderServer, has_node, oidc_provider
from tests.servers.runtime_api import lambda_function

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not has_node(), reason="oidc-provider needs node and npm")

SECRET = "rs-secret-0123456789abcdef0123456789abcdef"
API = "https://api.example.test"
KEY = DPoPKey()


@pytest.fixture(scope="module")
def op() -> Iterator[OidcProviderServer]:
    with oidc_provider() as server:
        yield server


@pytest.fixture(scope="module")
def env(op: OidcProviderServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place: Path = tmp_path_factory.mktemp("replay") / "replay.db"
    return {"OIDC_ISSUER": op.issuer, "OIDC_AUDIENCE": op.audience, "OIDC_REPLAY": str(place)}


@pytest.fixture(scope="module")
def started(env: dict[str, str]) -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(serving(name, env)) for name in HOSTS}


@pytest.fixture(scope="module")
def tokens(op: OidcProviderServer) -> dict[str, str]:
    """An opaque one, and one of each format that is bound to our key."""
    proof = {"DPoP": KEY.proof("POST", op.issuer + "/token")}
    again = {"DPoP": KEY.proof("POST", op.issuer + "/token")}
    return {
        "opaque": op.access_token("m2m-opaque"),
        "bound": op.access_token("m2m", proof),
        "bound-opaque": op.access_token("m2m-opaque", again),
    }


def ask(place: str, row: str, headers: dict[str, str]) -> tuple[int, bytes, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(place, headers={"X-Row": row, **headers}), timeout=60) as answer:
            return answer.status, answer.read(), ""
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(), ", ".join(refused.headers.get_all("www-authenticate", []))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(place: str, token: str, method: str = "GET") -> dict[str, str]:
    return KEY.headers(method, API + urlsplit(place).path, token)


# The provider itself


def test_each_way_to_show_who_asks_is_taken(op: OidcProviderServer) -> None:
    key = ec_key("rs-key")
    op.add_clients(
        {"client_id": "rs-post", "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post",
         "grant_types": [], "redirect_uris": [], "response_types": []},
        {"client_id": "rs-jwt", "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
         "jwks": {"keys": [key.public_jwk()]}, "grant_types": [], "redirect_uris": [], "response_types": []},
    )  # fmt: skip
    provider = OIDCProvider(op.issuer, audience=op.audience)
    token = op.access_token("m2m-opaque")
    for verifier in (
        Introspection(provider, "rs", SECRET, clients=["m2m-opaque"], timeout=30),
        Introspection(provider, "rs-post", SECRET, send="client_secret_post", clients=["m2m-opaque"], timeout=30),
        Introspection(provider, "rs-jwt", key=key, clients=["m2m-opaque"], timeout=30),
    ):
        found = verifier.verify(token)
        assert (found.subject, found.issuer, found.roles) == ("m2m-opaque", op.issuer, frozenset({"service"}))
        with pytest.raises(InvalidToken):
            verifier.verify(token + "x")


def test_a_token_that_is_revoked_is_refused_when_it_is_next_asked_about(op: OidcProviderServer) -> None:
    token = op.access_token("m2m-opaque")
    verifier = Introspection(op.issuer + "/token/introspection", "rs", SECRET, clients=["m2m-opaque"], ttl=0, timeout=30)
    assert verifier.verify(token).subject == "m2m-opaque"
    op.revoke(token, "m2m-opaque")
    with pytest.raises(InvalidToken):
        verifier.verify(token)


def test_its_bound_tokens_are_bound_to_our_key_and_refused_without_it(op: OidcProviderServer, tokens: dict[str, str]) -> None:
    provider = OIDCProvider(op.issuer, audience=op.audience)
    opaque = Introspection(provider, "rs", SECRET, clients=["m2m-opaque"], timeout=30)
    handler = require_auth(DPoP(provider, opaque, url=API, replay=MemoryStore()))(_plain)

    def status(headers: dict[str, str]) -> int:
        return handler(Request.build("GET", "/", headers)).status

    other = DPoPKey()
    for name in ("bound", "bound-opaque"):
        token = tokens[name]
        assert status(KEY.headers("GET", API + "/", token)) == 200
        assert status(bearer(token)) == 401
        assert status(other.headers("GET", API + "/", token)) == 401
    assert status(bearer(tokens["opaque"])) == 200
    assert status(KEY.headers("GET", API + "/", tokens["opaque"])) == 401


def _plain(request: Request) -> Response:
    return Response(200)


def test_an_event_as_it_comes(op: OidcProviderServer, tokens: dict[str, str]) -> None:
    provider = OIDCProvider(op.issuer, audience=op.audience)

    @require_auth(DPoP(provider, url=API, replay=MemoryStore()))
    def handler(event: dict[str, object], context: object) -> dict[str, object]:
        return {"statusCode": 200, "body": ""}

    event = lambda_event("v2", path="/orders", headers=KEY.headers("GET", API + "/orders", tokens["bound"]))
    assert handler(event, None)["statusCode"] == 200
    assert handler(event, None)["statusCode"] == 401  # a replay


# Real servers


@pytest.mark.parametrize(("server", "host"), SERVED)
def test_they_enter_behind_every_server(tokens: dict[str, str], started: dict[str, str], server: str, host: str) -> None:
    place = started[server]
    for _ in range(2):
        status, body, _ = ask(place, f"{host} opaque", bearer(tokens["opaque"]))
        assert (status, json.loads(body)["subject"]) == (200, "m2m-opaque")
    for name, subject in (("bound", "m2m"), ("bound-opaque", "m2m-opaque")):
        headers = signed(place, tokens[name])
        status, body, _ = ask(place, f"{host} dpop", headers)
        assert (status, json.loads(body)["subject"]) == (200, subject)
        again, _, challenge = ask(place, f"{host} dpop", headers)
        assert (again, 'DPoP error="invalid_dpop_proof"' in challenge) == (401, True)


@pytest.mark.parametrize(("server", "host"), SERVED)
def test_others_do_not(tokens: dict[str, str], started: dict[str, str], server: str, host: str) -> None:
    place = started[server]
    assert ask(place, f"{host} opaque", bearer(tokens["opaque"] + "x"))[0] == 401
    for name in ("bound", "bound-opaque"):
        status, _, challenge = ask(place, f"{host} dpop", bearer(tokens[name]))
        assert (status, 'Bearer error="invalid_token"' in challenge, "DPoP algs=" in challenge) == (401, True, True)
        assert ask(place, f"{host} opaque", bearer(tokens[name]))[0] == 401
    assert ask(place, f"{host} dpop", signed(place + "/x", tokens["bound"]))[0] == 401
    assert ask(place, f"{host} dpop", signed(place, tokens["bound"], "POST"))[0] == 401


def test_of_many_parallel_replays_at_two_workers_exactly_one_passes(tokens: dict[str, str], started: dict[str, str]) -> None:
    headers = signed(started["gunicorn"], tokens["bound"])
    with ThreadPoolExecutor(16) as pool:
        found = [answer[0] for answer in pool.map(lambda _: ask(started["gunicorn"], "flask_sync dpop", headers), range(50))]
    assert (found.count(200), found.count(401)) == (1, 49)


def test_while_the_server_does_not_answer_nobody_new_enters_and_it_is_no_401(op: OidcProviderServer) -> None:
    provider = OIDCProvider(op.issuer, audience=op.audience)
    opaque = Introspection(provider, "rs", SECRET, clients=["m2m-opaque"], timeout=30)
    handler = require_auth(provider, opaque)(_plain)
    known, other = op.access_token("m2m-opaque"), op.access_token("m2m-opaque")

    def status(token: str) -> int:
        return handler(Request.build("GET", "/", bearer(token))).status

    assert status(known) == 200
    try:
        for fault in ({"status": 503}, {"drop": True}, {"status": 200, "body": "garbage"}, {"status": 401}):
            op.faults([{"path": "/token/introspection", **fault}])
            assert [status(known), status(other), status("unknown")] == [200, 503, 503]
    finally:
        op.faults([])
    assert [status(other), status("unknown")] == [200, 401]


def test_they_enter_under_the_runtime_client_of_aws(tokens: dict[str, str], env: dict[str, str]) -> None:
    with lambda_function("tests/oidc/served.on_lambda", ROOT, env=env, timeout=30) as function:

        def invoked(row: str, headers: dict[str, str]) -> int | None:
            event = {**BUILD["lambda_http_v2"](Sent(headers=tuple(headers.items()))), "row": row}
            return from_lambda(function.invoke(event, wait=60).value).status

        assert invoked("opaque", bearer(tokens["opaque"])) == 200
        assert invoked("opaque", bearer(tokens["opaque"] + "x")) == 401
        for name in ("bound", "bound-opaque"):
            headers = signed("http://lambda" + Sent().path, tokens[name])
            assert [invoked("dpop", headers), invoked("dpop", headers)] == [200, 401]
            assert invoked("dpop", bearer(tokens[name])) == 401
