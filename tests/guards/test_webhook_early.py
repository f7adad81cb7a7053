"""Cheap checks come first: a delivery that no body can make good is refused before a byte of its body is read."""

from __future__ import annotations

import asyncio
import time

import pytest

from authkit import Request, Response, chain, verify_webhook
from authkit.errors import BodyTooLarge, SecretNotFound
from authkit.secrets import Secrets, SecretSource
from authkit.testing import LambdaContext, lambda_event
from authkit.webhooks import Scheme, sign
from tests.hosts.servers import raw, serving

from .webhook_parts import SECRET, Handler

BODY = b'{"n": 1}'
DAY = 86_400  # what is signed here may be sent much later, at the end of a long run
GOOD = sign("slack", SECRET, BODY)
STALE = sign("slack", SECRET, BODY, timestamp=int(time.time()) - 3 * DAY)
SOON = sign("slack", SECRET, BODY, timestamp=int(time.time()) + 3 * DAY)
HOPELESS = {
    "signature_missing": {key: value for key, value in GOOD.items() if "ignature" not in key},
    "signature_malformed": {**GOOD, "X-Slack-Signature": "nothing that Slack writes"},
    "timestamp_missing": {key: value for key, value in GOOD.items() if "imestamp" not in key},
    "timestamp_malformed": {**GOOD, "X-Slack-Request-Timestamp": "yesterday"},
    "timestamp_too_old": STALE,
    "timestamp_in_future": SOON,
}


class Unread(Request):
    """Notes that its body was asked for."""

    reads = 0

    async def _read_body(self, limit):
        self.reads += 1
        return self.native


class Nothing(SecretSource):
    def fetch(self, name):
        raise SecretNotFound(name)


def unread(headers, body=BODY, method="POST", path="/hook"):
    built = Request.build(method, path, headers)
    return Unread(method, path, query_string=built.query_string, headers=built.headers, native=body)


@pytest.mark.parametrize("reason", HOPELESS)
def test_a_hopeless_delivery_is_refused_unread(reason):
    events = []
    guard = verify_webhook("slack", secret=SECRET, tolerance=DAY)
    request = unread(HOPELESS[reason])
    handler = Handler()
    answer = handler.sync(chain(guard, audit=events.append))(request)
    assert (answer.status, request.reads, handler.entered) == (401, 0, 0)
    assert events[0]["reason"] == reason


def test_what_may_be_good_is_read_once():
    handler = Handler()
    hook = handler.sync(verify_webhook("slack", secret=SECRET, tolerance=DAY))
    for headers, body, status in ((GOOD, BODY, 200), (GOOD, b"forged", 401)):
        request = unread(headers, body)
        assert (hook(request).status, request.reads) == (status, 1)


@pytest.mark.parametrize(("url", "is_signed"), [("/fixed", "/fixed"), (lambda request: str(len(request.body)), str(len(BODY)))])
def test_a_url_that_is_made_of_the_body_is_made_when_it_is_there(url, is_signed):
    scheme = Scheme("own", signature="X-Sig", signed="{url}{body}")
    hook = verify_webhook(scheme, secret=SECRET, url=url)(lambda request: Response(204))
    request = unread(sign(scheme, SECRET, BODY, url=is_signed))
    assert (hook(request).status, request.reads) == (204, 1)
    request = unread({})
    assert (hook(request).status, request.reads) == (401, 0)


def test_a_handshake_without_a_body_is_answered_unread():
    """Okta asks by GET and signs nothing; whoever sends a delivery without a signature is refused, unread too."""
    hook = verify_webhook("okta", secret=SECRET)(lambda request: Response(204))
    asked = unread({"X-Okta-Verification-Challenge": "abc"}, method="GET")
    assert (hook(asked).status, asked.reads) == (200, 0)
    forged = unread({})
    assert (hook(forged).status, forged.reads) == (401, 0)


def test_a_handshake_that_stands_in_an_unsigned_body_is_read():
    """Notion hands over the secret in a body that nobody signed."""
    offered = []
    scheme = Scheme("own", signature="X-Notion-Signature", handshake="notion")
    secret = Secrets(Nothing())["HOOK"]
    hook = verify_webhook(scheme, secret=secret, handshake=lambda value: offered.append(value) or True)(lambda request: None)
    request = unread({}, b'{"verification_token": "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}')
    assert (hook(request).status, request.reads, len(offered)) == (200, 1, 1)


def asgi(guard):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return guard(app)


def head(headers, length, *more):
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(["POST /hook HTTP/1.1", "Host: h.example", f"Content-Length: {length}", *lines, *more, "", ""]).encode()


def test_uvicorn_never_asks_for_the_body_of_a_hopeless_delivery():
    """`Expect: 100-continue`: the client waits to be told to send. It is told 401, and a good one to go on."""
    with serving(asgi(verify_webhook("slack", secret=SECRET, tolerance=DAY)), http="h11") as served:
        for headers in HOPELESS.values():
            answer = raw(served.port, head(headers, 1_000_000, "Expect: 100-continue", "Connection: close"))
            assert answer.startswith(b"HTTP/1.1 401")
        good = sign("slack", SECRET, BODY)
        answer = raw(served.port, head(good, len(BODY), "Expect: 100-continue", "Connection: close"), BODY)
        assert answer.startswith(b"HTTP/1.1 100 Continue")
        assert b"HTTP/1.1 200" in answer


@pytest.mark.parametrize("size", [100, 200_000], ids=["small", "larger than what a server takes in at once"])
def test_what_stands_in_a_body_that_nobody_read_is_no_request(size):
    """The connection is kept: what follows is read from where the body ends."""
    good = sign("slack", SECRET, BODY)
    inside = head(good, len(BODY)) + BODY
    body = inside + b"x" * size
    forged = head(HOPELESS["signature_malformed"], len(body)) + body
    with serving(asgi(verify_webhook("slack", secret=SECRET, tolerance=DAY))) as served:
        answer = raw(served.port, forged, head(good, len(BODY), "Connection: close") + BODY)
    assert answer.startswith(b"HTTP/1.1 401")
    assert (answer.count(b"HTTP/1.1 "), answer.count(b"HTTP/1.1 200")) == (2, 1)


class Untouched:
    def read(self, *_):
        raise AssertionError("nobody needs this body")


@pytest.mark.parametrize("reason", HOPELESS)
def test_wsgi_never_reads_the_input_of_a_hopeless_delivery(reason):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b""]

    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/hook", "SERVER_NAME": "h", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": "1000000", "wsgi.url_scheme": "https", "wsgi.input": Untouched(), "wsgi.version": (1, 0),
        **{"HTTP_" + key.upper().replace("-", "_"): value for key, value in HOPELESS[reason].items()},
    }  # fmt: skip
    statuses = []
    verify_webhook("slack", secret=SECRET, tolerance=DAY)(app)(environ, lambda status, headers: statuses.append(status))
    assert statuses == ["401 Unauthorized"]


def test_on_lambda_nothing_is_decoded_for_a_hopeless_delivery():
    hook = verify_webhook("slack", secret=SECRET, tolerance=DAY)(lambda event, context: {"statusCode": 200})
    event = {**lambda_event("v2", "POST", "/hook"), "body": "no base64!", "isBase64Encoded": True}
    assert hook(event, LambdaContext())["statusCode"] == 401
    signed = lambda_event("v2", "POST", "/hook", headers=GOOD)
    assert hook({**signed, "body": "no base64!", "isBase64Encoded": True}, LambdaContext())["statusCode"] == 400


def test_a_body_without_an_end_is_refused_at_the_part_that_is_too_much():
    """Chunked, with no length declared: read as far as the limit goes, and no part further."""
    received = []

    async def receive():
        received.append(1000)
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/hook", "raw_path": b"/hook", "query_string": b"", "scheme": "https",
        "client": ("203.0.113.7", 5), "headers": [(k.lower().encode(), v.encode()) for k, v in GOOD.items()],
    }  # fmt: skip
    asyncio.run(asgi(verify_webhook("slack", secret=SECRET, tolerance=DAY, max_body=10_000))(scope, receive, send))
    assert (sent[0]["status"], sum(received)) == (413, 11_000)
    received.clear()
    scope["headers"] = []
    scope.pop("authkit", None)
    asyncio.run(asgi(verify_webhook("slack", secret=SECRET, tolerance=DAY, max_body=10_000))(scope, receive, send))
    assert (sent[2]["status"], received) == (401, [])


def test_too_much_is_refused_for_its_size_only_if_the_headers_may_be_right():
    class Endless(Request):
        async def _read_body(self, limit):
            raise BodyTooLarge

    hook = verify_webhook("slack", secret=SECRET, tolerance=DAY)(lambda request: Response(204))
    for headers, status in ((GOOD, 413), ({}, 401)):
        built = Request.build("POST", "/hook", headers)
        assert hook(Endless("POST", "/hook", headers=built.headers)).status == status
