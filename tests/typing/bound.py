"""Opaque and bound tokens as users type them: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from typing import Any, assert_type

from authkit import Principal, Request, Response, require_auth
from authkit.oidc import Asking, ClientCertificate, DPoP, DPoPKey, Introspection, MutualTLS, OIDCProvider
from authkit.secrets import Secret
from authkit.stores import MemoryStore

API = "https://api.example.com"
provider = OIDCProvider("https://i.example", audience=API)
opaque = Introspection(provider, "api", Secret.of("secret"), audience=[API], ttl=10)
mutual = MutualTLS(provider, certificate=ClientCertificate.api_gateway(), required=True)


class Sessions(Asking):
    def ask(self, token: str) -> dict[str, Any] | None:
        return {"sub": "alice"} if token == "t" else None


def url_of(request: Request) -> str:
    return API + request.path


def of_verifiers() -> None:
    assert_type(opaque.verify("t"), Principal)
    assert_type(Sessions(ttl=5).recall("t"), Principal | None)
    assert_type(mutual.verify("t"), Principal)
    Introspection("https://i.example/introspect", "api", key={"kty": "EC"}, clients=["web"])
    MutualTLS(provider)  # type: ignore[call-arg]
    MutualTLS(provider, certificate=lambda request: b"0")
    DPoP(provider, url=API)  # type: ignore[call-arg]
    DPoP(mutual, opaque, url=url_of, replay=MemoryStore(), nonce=Secret.of("n" * 32))


def of_keys() -> None:
    key = DPoPKey()
    assert_type(key.proof("GET", API, "token", nonce=None), str)
    assert_type(key.headers("GET", API, "token"), dict[str, str])
    assert_type(key.thumbprint, str)


@require_auth(DPoP(provider, url=API, replay=MemoryStore()), opaque, acr=["phr"])
def handler(request: Request) -> Response:
    return Response(200)


@require_auth(mutual, Sessions())
def other(request: Request) -> Response:
    return Response(200)


assert_type(handler(Request.build()), Response)
