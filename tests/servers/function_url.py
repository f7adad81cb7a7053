"""A Lambda Function URL with AWS_IAM, on loopback: it recomputes each signature from the bytes that came, and is strict.

    with function_url(handler, keys={"AKID": Caller(secret, arn)}) as url:
        httpx.get(url, auth=...)

What is signed is canonicalised here by itself, as AWS describes it; only the HMACs are botocore's. Refused are: a header
`x-amz-*` or a content-type that is not signed, a digest that is not the body's, a time that is more than 300 s off, another
region or service, and keys of a session without their token. The handler gets the event that Lambda would make of it.
"""

from __future__ import annotations

import base64
import calendar
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from botocore.auth import SigV4Auth as Hmacs
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from authkit.testing import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "abcdefghijklmnop.lambda-url.eu-west-1.on.aws"


class Caller(NamedTuple):
    secret: str
    arn: str
    token: str | None = None
    account: str = "111122223333"


class Refused(Exception):
    pass


def function_url_event(method: str, target: str, headers: list[tuple[str, str]], body: bytes, iam: Any) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": dict(parse_qsl(query, keep_blank_values=True)),
        "headers": {name.lower(): value for name, value in headers},
        "requestContext": {
            "accountId": "111122223333",
            "apiId": HOST.partition(".")[0],
            "authorizer": {"iam": iam},
            "domainName": HOST,
            "domainPrefix": HOST.partition(".")[0],
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"},
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def checked(
    method: str,
    target: str,
    lines: list[tuple[str, str]],
    body: bytes,
    keys: dict[str, Caller],
    *,
    region: str = "eu-west-1",
    service: str = "lambda",
    now: float,
) -> dict[str, Any]:
    """Who has signed, as `requestContext.authorizer.iam` says it. Raises: `Refused`."""
    headers: dict[str, list[str]] = {}
    for name, value in lines:
        headers.setdefault(name.lower(), []).append(value)
    words = headers.get("authorization", [])
    if len(words) != 1 or not words[0].startswith("AWS4-HMAC-SHA256 "):
        raise Refused("Missing Authentication Token")
    parts = dict(part.split("=", 1) for part in words[0].removeprefix("AWS4-HMAC-SHA256 ").split(", "))
    key, day, *scope = parts["Credential"].split("/")
    if scope != [region, service, "aws4_request"]:
        raise Refused("Credential should be scoped to a valid region and to the correct service")
    caller = keys.get(key)
    if caller is None or headers.get("x-amz-security-token", [None]) != [caller.token]:
        raise Refused("The security token included in the request is invalid.")
    covered = parts["SignedHeaders"].split(";")
    ours = [name for name in headers if name.startswith("x-amz-") and not name.startswith("x-amz-cf-")]  # those CloudFront adds
    wanted = [*ours, *(name for name in headers if name in ("host", "content-type"))]
    if covered != sorted(covered) or not {"host", "x-amz-date", *wanted}.issubset(covered):
        raise Refused("There were headers present in the request which were not signed")
    when = headers["x-amz-date"][0]
    if when[:8] != day or abs(calendar.timegm(time.strptime(when, "%Y%m%dT%H%M%SZ")) - now) > 300:
        raise Refused(f"Signature expired: {when} is now earlier than {int(now) - 300}")
    digest = hashlib.sha256(body).hexdigest()
    if headers.get("x-amz-content-sha256", [digest]) != [digest]:
        raise Refused("The request signature we calculated does not match the signature you provided: the body")
    path, _, query = target.partition("?")
    pairs = sorted(
        tuple(quote(unquote_to_bytes(half), safe="-_.~") for half in (one.partition("=")[0], one.partition("=")[2]))
        for one in (query.split("&") if query else [])
    )
    canonical = "\n".join([
        method,
        quote(path, safe="/-_.~"),  # what is encoded once as it is sent, once more
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{','.join(' '.join(value.split()) for value in headers.get(name, ['']))}" for name in covered),
        "",
        ";".join(covered),
        digest,
    ])  # fmt: skip
    hmacs = Hmacs(ReadOnlyCredentials(key, caller.secret, caller.token), service, region)
    request = AWSRequest(method=method, url="https://signed/")
    request.context["timestamp"] = when
    if not hmac.compare_digest(hmacs.signature(hmacs.string_to_sign(request, canonical), request), parts["Signature"]):
        raise Refused("The request signature we calculated does not match the signature you provided.")
    return {
        "accessKey": key,
        "accountId": caller.account,
        "callerId": "AIDA",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": "AIDA",
    }


@contextlib.contextmanager
def function_url(
    handler: Callable[[Any, Any], Any], keys: dict[str, Caller], clock: Callable[[], float] = time.time, **scope: str
) -> Iterator[str]:
    class Answering(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self._body()
            lines = list(self.headers.items())
            try:
                iam = checked(self.command, self.path, lines, body, keys, now=clock(), **scope)
            except Refused as error:
                self._say(403, {"content-type": "application/json"}, json.dumps({"message": str(error)}).encode())
                return
            told = handler(function_url_event(self.command, self.path, lines, body, iam), LambdaContext())
            self._say(told["statusCode"], told.get("headers", {}), told.get("body", "").encode())

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            self.send_header("date", self.date_time_string(clock()))
            for name, value in headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
