"""`sign_origin`: a Lambda@Edge function that signs what CloudFront sends to a Function URL with AWS_IAM."""

from __future__ import annotations

import re
import time

from .._run import run
from ..errors import ConfigurationError
from ._aws_keys import keys_of
from ._sigv4 import Scope, canonical_query, signed_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]+")
# What edge functions may neither add nor change in origin requests: "Restrictions on all edge functions" of CloudFront.
_FIXED = frozenset((
    "accept-encoding", "cdn-loop", "content-length", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
    "transfer-encoding", "via", "authorization", "host", "connection", "expect", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "proxy-connection", "trailer", "upgrade", "x-cache", "x-forwarded-proto", "x-real-ip",
))  # fmt: skip
_FIXED_BEGINNINGS = ("x-amz-", "x-amzn-", "x-edge-", "x-accel-", "cloudfront-")
_TOO_LARGE = {"status": "413", "statusDescription": "Content Too Large"}


def sign_origin(
    region: str,
    service: str = "lambda",
    credentials: Any = None,
    *,
    domains: Iterable[str] | None = None,
    headers: Iterable[str] = (),
    bearer_in: str | None = None,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Callable[[Any, Any], dict[str, Any]]:
    """The handler of an origin-request function: `handler = sign_origin("eu-west-1")`, with "Include body".

    It signs with the function's own role, for the origin's domain, path, query and body; `region`: the origin's. `domains`:
    exactly which origins are signed for; by default every Function URL of that region. `headers`: names of further headers to
    sign: only those that CloudFront sends as the event has them. Never those that are added or changed on the way to the
    origin (Via, X-Forwarded-For).

    The viewer's own Authorization header is replaced by the signature; `bearer_in` is the header in which a bearer token in it
    goes on to the origin, "x-viewer-token" say, and in which nothing else that a viewer sends gets there. `x-amz-*` of a viewer
    are dropped. A body that CloudFront has cut (over 1 MB) is refused with 413: what is not seen whole cannot be signed.

    Lambda@Edge has no environment variables for settings: say it in code. Raises: `ConfigurationError`, also at an event that
    is no origin request to one of `domains` over https, or hides a body; CloudFront then answers 502.
    """
    keys, wrong = keys_of(credentials, None, clock, monotonic)
    del credentials  # what is raised below may be shown with its locals
    if keys is None:
        raise ConfigurationError(f"sign_origin: {wrong}")
    scope = Scope(region, service, headers)
    named = None if domains is None else frozenset(() if isinstance(domains, str) else domains)
    if named is not None and (not named or not all(isinstance(one, str) and _DOMAIN.fullmatch(one) for one in named)):
        raise ConfigurationError("sign_origin: domains is a list of host names in lower case")
    if bearer_in is not None and (
        not isinstance(bearer_in, str)
        or _NAME.fullmatch(bearer_in) is None
        or bearer_in in _FIXED
        or bearer_in.startswith(_FIXED_BEGINNINGS)
    ):
        raise ConfigurationError("sign_origin: bearer_in is a header's name in lower case, and none of CloudFront's")
    function_url = re.compile(rf"[a-z0-9]+\.lambda-url\.{region}\.on\.aws")

    def handler(event: Any, context: Any = None) -> dict[str, Any]:
        request = _request(event)
        origin = request["origin"]["custom"]
        domain = str(origin.get("domainName")).lower()
        if domain not in named if named is not None else function_url.fullmatch(domain) is None:
            raise ConfigurationError("sign_origin: the origin is none that is signed for: see region and domains")
        if origin.get("protocol") != "https":
            raise ConfigurationError("sign_origin: the origin's protocol is https only")
        body = _body(request)
        if body is None:
            return dict(_TOO_LARGE)
        sent = request["headers"]
        _clear(sent, bearer_in)
        sent["host"] = [{"key": "Host", "value": domain}]
        request["uri"] = _visible(request["uri"])
        request["querystring"] = canonical_query(request.get("querystring") or "")
        path = (origin.get("path") or "") + request["uri"]
        flat = [(name, entry["value"]) for name, entries in sent.items() for entry in entries]
        made = signed_headers(
            run(keys.load()), scope, clock(), request["method"], domain, path, request["querystring"], flat, body
        )
        for name, value in made.items():
            sent[name] = [{"key": name, "value": value}]
        return request

    return handler


def _request(event: Any) -> dict[str, Any]:
    try:
        found = event["Records"][0]["cf"]
        if found["config"]["eventType"] == "origin-request" and isinstance(found["request"]["origin"]["custom"], dict):
            request: dict[str, Any] = found["request"]
            return request
    except (KeyError, IndexError, TypeError):
        pass
    raise ConfigurationError("sign_origin: it is an origin-request function of CloudFront, for a custom origin") from None


def _body(request: dict[str, Any]) -> bytes | None:
    """What is sent as the body; None: it is not all here."""
    about = request.get("body")
    if about is None:
        lengths = [entry.get("value") for entry in request["headers"].get("content-length", ())]
        if "transfer-encoding" in request["headers"] or any(length != "0" for length in lengths):
            raise ConfigurationError("sign_origin: the trigger is without 'Include body', and the body is not seen")
        return b""
    if about.get("inputTruncated") is not False:
        return None
    if about.get("encoding") == "text":
        return str(about.get("data") or "").encode()
    from base64 import b64decode

    return b64decode(about.get("data") or "", validate=True)


def _clear(sent: dict[str, Any], bearer_in: str | None) -> None:
    """What a viewer may not say to the origin goes."""
    viewers = sent.pop("authorization", None)
    for name in [name for name in sent if name.startswith("x-amz-") and not name.startswith("x-amz-cf-")]:
        del sent[name]
    if bearer_in is not None:
        sent.pop(bearer_in, None)
        scheme, _, token = viewers[0]["value"].partition(" ") if viewers and len(viewers) == 1 else ("", "", "")
        if scheme.lower() == "bearer" and token and " " not in token:
            sent[bearer_in] = [{"key": bearer_in, "value": token}]


def _visible(uri: str) -> str:
    """`uri` with what is no visible ASCII encoded: the rest stays as the viewer has spelled it."""
    from urllib.parse import quote

    return quote(uri, safe="%!\"$&'()*+,/:;<=>@[\\]^`{|}~-._")
