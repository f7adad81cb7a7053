"""Tokens of others as users type them: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from typing import assert_type

from authkit import Principal, Request, Response, require_auth
from authkit.oidc import JWKS, Discovery, KeySet, OIDCProvider, TokenProfile
from authkit.oidc.static_keys import StaticKeys
from authkit.testing import Clock

ISSUER = "https://i.example"
provider = OIDCProvider(ISSUER, audience=["https://a.example"], token_type="JWT", leeway=5, clock=Clock())


def of_providers() -> None:
    assert_type(provider.verify("t"), Principal)
    assert_type(provider.recall("t"), Principal | None)
    assert_type(provider.export(), str | None)
    assert_type(provider.restore("saved"), bool)
    assert_type(provider.keys, JWKS | StaticKeys)
    OIDCProvider(ISSUER, audience="a", jwks_uri=ISSUER + "/jwks", stale=600, background=False)
    OIDCProvider(ISSUER)  # type: ignore[call-arg]
    OIDCProvider(ISSUER, audience="a", algorithms=["RS256"])  # type: ignore[call-arg]


def of_profiles() -> None:
    profile = TokenProfile(
        types=["JWT", ""], required={"use": ["a", "b"], ("https://x.example/v",): 1}, roles=["a.b", ("c.d",)]
    )
    OIDCProvider(ISSUER, audience="a", profile=profile)
    TokenProfile(["JWT"])  # type: ignore[call-arg]


async def of_keys() -> None:
    assert_type(await provider.averify("t"), Principal)
    assert_type(await JWKS(Discovery(ISSUER)).load(), KeySet)
    assert_type(JWKS("https://i.example/jwks").at_hand(), KeySet | None)


@require_auth(provider, OIDCProvider("https://other.example", audience="a"))
def handler(request: Request) -> Response:
    return Response(200)


assert_type(handler(Request.build()), Response)
