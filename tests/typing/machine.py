"""Programs that call programs: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from typing import Any, assert_type

import httpx

from authkit.oidc import ClientCredentials, DPoPKey, ExchangedToken, GrantRefused, OIDCProvider, OnBehalfOf, TokenExchange
from authkit.secrets import Secret
from authkit.signatures import SigV4Auth, sign_origin
from authkit.tokens import Key

provider = OIDCProvider("https://i.example", audience="https://a.example")
auth = ClientCredentials(provider, "id", Secret.of("only here"), audience="https://a.example", scopes=["a"], dpop=DPoPKey())
keyed = ClientCredentials("https://i.example/token", "id", key=Key("..."), resource=["https://a.example"], dpop=True)
assert_type(auth.token(), str)
client = httpx.Client(auth=auth)
asyncs = httpx.AsyncClient(auth=keyed)
exchange = TokenExchange(provider, "id", "only here", audience="https://a.example")
assert_type(exchange.exchange("token", "id_token", scopes=["a"]), ExchangedToken)
assert_type(OnBehalfOf(provider, "id", "only here").exchange("token").expires_at, float | None)


async def visit() -> None:
    assert_type(await auth.atoken(), str)
    assert_type(await exchange.aexchange("token"), ExchangedToken)


try:
    pass
except GrantRefused as refused:
    assert_type(refused.error, str)

signing = httpx.Client(auth=SigV4Auth("eu-west-1", "execute-api", headers=["x-tenant"]))
handler = sign_origin("eu-west-1", domains=["a.example"], bearer_in="x-viewer-token")
assert_type(handler({}, None), dict[str, Any])
SigV4Auth()  # type: ignore[call-arg]
ClientCredentials(provider)  # type: ignore[call-arg]
