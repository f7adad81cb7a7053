"""Signature Version 4 of AWS: what is signed of a request, and the headers that carry it. The signature is botocore's."""

from __future__ import annotations

from .._botocore import REGION
from .._needs import needs
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

INSTALL = "authkit-middleware[aws]"
UNSIGNED = "UNSIGNED-PAYLOAD"
UNRESERVED = "-_.~"
_CLOUDFRONTS = "x-amz-cf-"  # of what it says of itself it writes its own after whoever signs
_WHOLE_PATH = ("s3", "s3-object-lambda", "s3-outposts")  # whose paths are neither normalised nor encoded once more
# What a service reads as part of who asks is signed; what proxies on the way add or change is not: "via", say.
_NEVER = frozenset((
    "authorization", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "x-forwarded-for",
    "x-amzn-trace-id", "traceparent", "tracestate", "baggage",
))  # fmt: skip


class Scope:
    """Of which region and service a signature is, and which headers it covers.

    Beyond the host, `x-amz-*` but CloudFront's own, and the content-type, which are always signed: `headers`. Raises:
    `ConfigurationError`.
    """

    __slots__ = ("region", "service", "headers")

    def __init__(self, region: str, service: str, headers: Iterable[str]) -> None:
        if not isinstance(region, str) or REGION.fullmatch(region) is None:
            raise ConfigurationError("region is the name of an AWS region, like 'eu-west-1'")
        if not isinstance(service, str) or not service or not service.replace("-", "").isalnum() or not service.isascii():
            raise ConfigurationError("service is the name by which AWS signs for it, like 'lambda' or 'execute-api'")
        names = None if isinstance(headers, str) else [name.lower() if isinstance(name, str) else "" for name in headers]
        if names is None or "" in names or not _NEVER.isdisjoint(names):
            raise ConfigurationError("headers is a list of header names, none of them one that proxies change")
        self.region = region
        self.service = service
        self.headers = frozenset(names)

    def covered(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of these headers those that are signed."""
        found = [(name.lower(), value) for name, value in headers]
        return [
            (name, value)
            for name, value in found
            if name == "content-type"
            or (name.startswith("x-amz-") and not name.startswith(_CLOUDFRONTS))
            or name in self.headers
        ]


def stamp(seconds: float) -> str:
    """Epoch seconds as x-amz-date has them."""
    import time

    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def canonical_query(query: str) -> str:
    """`query` in the one spelling that AWS signs, in the order in which it came: every name and value encoded, a `+` as the
    space that it stands for, and nothing for "&&"."""
    from urllib.parse import quote, unquote_to_bytes

    pairs = []
    for pair in query.split("&"):
        if pair:
            parts = (quote(unquote_to_bytes(part.replace("+", "%20")), safe=UNRESERVED) for part in pair.split("=", 1))
            pairs.append("=".join(parts))
    return "&".join(pairs)


def canonical(keys: Any, scope: Scope, method: str, path: str, query: str, headers: Iterable[tuple[str, str]]) -> Any:
    """botocore's signer and request, for exactly these headers, of which x-amz-date and x-amz-content-sha256 are two.

    `path`: as it is sent; `query`: as `canonical_query` has it.
    """
    auth = needs("botocore.auth", INSTALL)
    request = needs("botocore.awsrequest", INSTALL).AWSRequest(method=method, url=f"https://signed{path}?{query}")
    for name, value in headers:
        request.headers[name] = value  # a name that is there already gets one more value
        if name.lower() == "x-amz-date":
            request.context["timestamp"] = value
    kind = auth.S3SigV4Auth if scope.service in _WHOLE_PATH else auth.SigV4Auth
    return kind(keys, scope.service, scope.region), request


def authorization(keys: Any, scope: Scope, method: str, path: str, query: str, headers: Iterable[tuple[str, str]]) -> str:
    """The value of the Authorization header. `keys`: of botocore, frozen. What is signed is as in `canonical`.

    Not by botocore's `add_auth`: that goes by its own clock, and writes the session token to its log at DEBUG.
    """
    signer, request = canonical(keys, scope, method, path, query, headers)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    names = signer.signed_headers(signer.headers_to_sign(request))
    made = signer.signature(text, request)
    return f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={made}"


def signed_headers(
    keys: Any,
    scope: Scope,
    now: float,
    method: str,
    host: str,
    path: str,
    query: str,
    headers: Iterable[tuple[str, str]],
    body: bytes | None,
) -> dict[str, str]:
    """The headers that sign a request, by name in lower case; `headers`: those that it has. `body` None: it is not signed.

    What it has of these names already is to be replaced by them.
    """
    if body is None:
        digest = UNSIGNED
    else:
        from hashlib import sha256

        digest = sha256(body).hexdigest()
    made = {"x-amz-date": stamp(now), "x-amz-content-sha256": digest}
    if keys.token:
        made["x-amz-security-token"] = keys.token
    kept = [(name, value) for name, value in scope.covered(headers) if name not in made and name != "x-amz-security-token"]
    covered = [("host", host), *kept, *made.items()]
    made["authorization"] = authorization(keys, scope, method, path, canonical_query(query), covered)
    return made
