"""Machines and a certified provider: secrets, key pairs, bound tokens with nonces of both servers, and an exchange."""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from authkit import Principal, Request, Response, require_auth
from authkit.errors import ConfigurationError, Unavailable
from authkit.oidc import ClientCredentials, DPoP, DPoPKey, GrantRefused, OIDCProvider, TokenExchange
from authkit.secrets import Secret
from authkit.stores import MemoryStore
from authkit.tokens import Key
from tests.servers.loopback import Asked, Loopback, loopback
from tests.servers.oidc_provider import OidcProviderServer, has_node, oidc_provider

from .issuer import ec_key

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not has_node(), reason="oidc-provider needs node and npm")

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
MACHINE = {"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []}
KEY = ec_key("machine-key")


def secret(client: str) -> str:
    return f"{client}-secret-0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module", params=["", "--require-dpop-nonce"], ids=["plain", "nonces"])
def op(request: pytest.FixtureRequest) -> Iterator[OidcProviderServer]:
    with oidc_provider(*([request.param] if request.param else [])) as server:
        public = {**(KEY.public_jwk() or {}), "use": "sig"}
        jwt = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [public]}}
        exchanging = {**MACHINE, "grant_types": [EXCHANGE]}
        server.add_clients(
            {"client_id": "m2m-jwt", **jwt, **MACHINE},
            {"client_id": "m2m-post", "client_secret": secret("m2m-post"), "token_endpoint_auth_method": "client_secret_post",
             **MACHINE},
            {"client_id": "m2m:odd +&%", "client_secret": "odd: +&%\"~".ljust(40, "x"), **MACHINE},
            {"client_id": "m2m-dpop", "client_secret": secret("m2m-dpop"), "dpop_bound_access_tokens": True, **MACHINE},
            {"client_id": "service", "client_secret": secret("service"), **exchanging},
        )  # fmt: skip
        yield server


@pytest.fixture
def provider(op: OidcProviderServer) -> OIDCProvider:
    return OIDCProvider(op.issuer, audience=op.audience, timeout=30)


@pytest.fixture
def api(provider: OIDCProvider) -> Iterator[Loopback]:
    """An API whose guard takes tokens of that provider, and bound ones with a nonce of its own."""
    made: list[Any] = []

    def serve(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        answer = made[0](Request.build(asked.method, asked.target, asked.headers, asked.body))
        return answer.status, dict(answer.headers.items()), answer.body

    with loopback(serve) as server:
        nonced = DPoP(provider, url=server.url, replay=MemoryStore(), nonce="nonce key: 0f1e2d3c4b5a69788796a5b4c3d2e1f0")

        @require_auth(nonced)
        def orders(request: Request, principal: Principal) -> Response:
            return Response(200, body=f"{principal.claims['client_id']} {' '.join(sorted(principal.scopes))}")

        made.append(orders)
        yield server


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        ("m2m", {"client_secret": secret("m2m")}),
        ("m2m-es256", {"client_secret": Secret.of(secret("m2m-es256"))}),
        ("m2m-post", {"client_secret": secret("m2m-post"), "method": "client_secret_post"}),
        ("m2m-jwt", {"key": KEY}),
        ("m2m:odd +&%", {"client_secret": 'odd: +&%"~'.ljust(40, "x")}),
    ],
)
def test_a_machine_calls_an_api(provider: OIDCProvider, api: Loopback, client: str, shown: dict[str, Any]) -> None:
    auth = ClientCredentials(provider, client, scopes=["read", "write"], timeout=30, **shown)
    with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as http:
        assert http.get(f"{api.url}/orders").text == f"{client} read write"
        assert http.post(f"{api.url}/orders", content=b"x").status_code == 200


@pytest.mark.parametrize("client", ["m2m", "m2m-dpop"])
def test_a_bound_token_is_proved_with_the_nonces_of_both_servers(
    provider: OIDCProvider, api: Loopback, op: OidcProviderServer, client: str
) -> None:
    auth = ClientCredentials(provider, client, secret(client), scopes=["read"], dpop=DPoPKey(), timeout=30)
    with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as http:
        assert [http.get(f"{api.url}/orders?n={n}").text for n in range(3)] == [f"{client} read"] * 3
    assert len(api.asked) == 4  # once without the API's nonce


def test_an_async_client_is_served_the_same(provider: OIDCProvider, api: Loopback) -> None:
    auth = ClientCredentials(provider, "m2m-jwt", key=KEY, dpop=True, timeout=30)

    async def visit() -> set[int]:
        async with httpx.AsyncClient(auth=auth, timeout=30, verify=NO_TLS) as http:
            return {answer.status_code for answer in await asyncio.gather(*(http.get(f"{api.url}/") for _ in range(20)))}

    assert asyncio.run(visit()) == {200}


def test_a_hundred_calls_on_a_cold_start_are_one_token_request(
    provider: OIDCProvider, api: Loopback, op: OidcProviderServer
) -> None:
    before = op.counts().get("POST /token", 0)
    auth, gate = ClientCredentials(provider, "m2m", secret("m2m"), timeout=30), threading.Barrier(50)

    def call(http: httpx.Client) -> int:
        gate.wait(30)
        return http.get(f"{api.url}/").status_code

    async def calls() -> set[int]:
        async with httpx.AsyncClient(auth=auth, timeout=30, verify=NO_TLS) as http:
            return {answer.status_code for answer in await asyncio.gather(*(http.get(f"{api.url}/") for _ in range(50)))}

    with httpx.Client(auth=auth, timeout=30, verify=NO_TLS) as http, ThreadPoolExecutor(51) as pool:
        tasks = pool.submit(lambda: asyncio.run(calls()))
        assert set(pool.map(call, [http] * 50)) == tasks.result(60) == {200}
    assert op.counts()["POST /token"] == before + 1


def test_who_is_not_known_gets_no_token(provider: OIDCProvider) -> None:
    with pytest.raises(Unavailable, match="does not know us"):
        ClientCredentials(provider, "m2m", "not the secret of m2m", timeout=30).token()
    with pytest.raises(Unavailable, match="does not know us"):
        ClientCredentials(provider, "m2m-jwt", key=ec_key("machine-key"), timeout=30).token()


def test_a_grant_that_is_not_the_clients_is_refused(provider: OIDCProvider) -> None:
    with pytest.raises(ConfigurationError, match="gives no token"):
        ClientCredentials(provider, "service", secret("service"), timeout=30).token()
    two = ["https://a.example", "https://b.example"]
    with pytest.raises(ConfigurationError, match="invalid_target"):
        ClientCredentials(provider, "m2m", secret("m2m"), resource=two, timeout=30).token()


class TestExchange:
    def test_a_token_is_exchanged_for_one_of_the_next_api(self, provider: OIDCProvider, op: OidcProviderServer) -> None:
        exchange = TokenExchange(provider, "service", secret("service"), audience=op.audience, scopes=["read"], timeout=30)
        given = exchange.exchange(op.access_token("m2m-opaque"))
        assert (given.token_type, given.issued_token_type) == ("Bearer", "urn:ietf:params:oauth:token-type:access_token")
        assert given.scopes == {"read"}
        assert given.expires_at is not None
        principal = provider.verify(given.access_token)
        assert (principal.claims["client_id"], principal.scopes) == ("service", {"read"})
        assert asyncio.run(exchange.aexchange(op.access_token("m2m-opaque"), scopes=["write"])).scopes == {"write"}

    def test_what_the_provider_refuses_is_said_in_its_word(self, provider: OIDCProvider, op: OidcProviderServer) -> None:
        exchange = TokenExchange(provider, "service", secret("service"), audience=op.audience, timeout=30)
        for token, asked, word in (
            ("nobodys", {}, "invalid_request"),
            (op.access_token("m2m-opaque"), {"audience": "https://unknown.example"}, "invalid_target"),
            (op.access_token("m2m-opaque"), {"subject_token_type": "id_token"}, "invalid_request"),
        ):
            with pytest.raises(GrantRefused) as refused:
                exchange.exchange(token, **asked)
            assert refused.value.error == word


def test_keys_of_a_client_may_be_of_every_algorithm(op: OidcProviderServer, provider: OIDCProvider) -> None:
    from .issuer import ed_key, rsa_pem

    for name, key in (("rsa", Key(rsa_pem(), kid="rsa")), ("ed", ed_key("ed"))):
        client = f"m2m-{name}-key"
        public = {**(key.public_jwk() or {}), "use": "sig"}
        op.add_clients(
            {"client_id": client, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [public]}, **MACHINE}
        )
        assert provider.verify(ClientCredentials(provider, client, key=key, timeout=30).token()).claims["client_id"] == client
