"""A load balancer that has logged somebody in: it signs as AWS does, and its key is where AWS publishes it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from authkit_providers import AlbOidc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authkit import Deny, Request, chain, require_auth
from authkit.tokens import Key
from tests.oidc.issuer import pem

from .world import Told

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

ARN = "arn:aws:elasticloadbalancing:eu-west-1:373508513302:loadbalancer/app/AwsJwt-ALBAE-qBwD8O2QTdcd/a4df45643ccf98ac"
OTHERS = ARN.replace("373508513302", "999999999999")
ISSUER, CLIENT = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_b9VeQUg6y", "3a33a02r5hn3onhtu1mr0dit20"
KID, KEYS = "abb8289f-e3a4-4a34-9472-c2105e2b2482", "https://public-keys.auth.elb.eu-west-1.amazonaws.com"
ALICE = "4b5bef9c-f2b5-40ff-a412-412cba9d0702"
private = ec.generate_private_key(ec.SECP256R1())
key = Key(pem(private))
# What a load balancer really sent for a test user, as published in issue 109 of awslabs/aws-jwt-verify; it expired in 2024.
SEEN = (
    "eyJ0eXAiOiJKV1QiLCJraWQiOiJhYmI4Mjg5Zi1lM2E0LTRhMzQtOTQ3Mi1jMjEwNWUyYjI0ODIiLCJhbGciOiJFUzI1NiIsImlzcyI6Imh0dHBzOi8vY29nb"
    "ml0by1pZHAuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20vZXUtd2VzdC0xX2I5VmVRVWc2eSIsImNsaWVudCI6IjNhMzNhMDJyNWhuM29uaHR1MW1yMGRpdDIwIi"
    "wic2lnbmVyIjoiYXJuOmF3czplbGFzdGljbG9hZGJhbGFuY2luZzpldS13ZXN0LTE6MzczNTA4NTEzMzAyOmxvYWRiYWxhbmNlci9hcHAvQXdzSnd0LUFMQkF"
    "FLXFCd0Q4TzJRVGRjZC9hNGRmNDU2NDNjY2Y5OGFjIiwiZXhwIjoxNzM0OTYxNjQ0fQ==.eyJzdWIiOiI0YjViZWY5Yy1mMmI1LTQwZmYtYTQxMi00MTJjYmE"
    "5ZDA3MDIiLCJlbWFpbF92ZXJpZmllZCI6InRydWUiLCJuYW1lIjoiSm9obiBEb2UgKy89LV8iLCJlbWFpbCI6ImpvaG5kb2VAZXhhbXBsZS5jb20iLCJ1c2Vy"
    "bmFtZSI6IjRiNWJlZjljLWYyYjUtNDBmZi1hNDEyLTQxMmNiYTlkMDcwMiIsImV4cCI6MTczNDk2MTY0NCwiaXNzIjoiaHR0cHM6Ly9jb2duaXRvLWlkcC5l"
    "dS13ZXN0LTEuYW1hem9uYXdzLmNvbS9ldS13ZXN0LTFfYjlWZVFVZzZ5In0=.KrfibN6u7zOXUibDelkutd82MzoSvtCj38woXes0Fdo3o0ulcaBb2XAGouTxqjqWDhW8N-lSp0qpsSJfDCQgpQ=="
)  # fmt: skip


def public_pem(of: ec.EllipticCurvePrivateKey) -> bytes:
    return of.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def padded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw)


class Balancer:
    """One that signs as AWS does, over the padding."""

    def __init__(self, web: World, clock: Clock) -> None:
        self.web, self.clock = web, clock
        web.says(f"{KEYS}/{KID}", Told(body=public_pem(private), headers={"Content-Type": "text/plain"}))

    def sends(self, header: dict[str, Any] | None = None, signed_by: Key = key, encode: Any = padded, **changes: Any) -> str:
        exp = int(self.clock()) + 120
        said = {"typ": "JWT", "kid": KID, "alg": "ES256", "iss": ISSUER, "client": CLIENT, "signer": ARN, "exp": exp}
        claims = {"sub": ALICE, "email_verified": "true", "name": "John Doe +/=-_", "email": "johndoe@example.com",
                  "username": ALICE, "exp": exp, "iss": ISSUER}  # fmt: skip
        parts = [
            {name: value for name, value in members.items() if value is not ...}
            for members in ({**said, **(header or {})}, {**claims, **changes})
        ]
        data = b".".join(encode(json.dumps(part).encode()) for part in parts)
        return f"{data.decode()}.{encode(signed_by.sign(data)).decode()}"


def alb_of(balancer: Balancer, load_balancer: Any = ARN, **settings: Any) -> AlbOidc:
    given = {"transport": balancer.web.transport, "clock": balancer.clock, "monotonic": balancer.clock, "timeout": 30}
    return AlbOidc(load_balancer, **{"client_id": CLIENT, "issuer": ISSUER, **given, **settings})


def decided(alb: Any, *values: str) -> Any:
    request = Request.build(headers=[("x-amzn-oidc-data", value) for value in values])
    decision = chain(require_auth(alb)).decide(request)
    return decision if isinstance(decision, Deny) else decision.principal


def reason(alb: AlbOidc, *values: str) -> str:
    found = decided(alb, *values)
    assert isinstance(found, Deny)
    return found.reason
