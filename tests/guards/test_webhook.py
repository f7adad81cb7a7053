"""`verify_webhook` as a guard: the raw body or none, its limits, the URL from us alone, and options judged when it is built."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest

from authkit import ConfigurationError, Request, Response, verify_webhook
from authkit.errors import BodyUnavailable
from authkit.testing import LambdaContext, lambda_event
from authkit.webhooks import Scheme, sign

from .webhook_parts import SECRET, Handler, delivery


def test_odd_bodies_are_handed_on_as_they_came():
    """Spaces, order, escapes, duplicate keys, invalid UTF-8, nothing, and a megabyte: bytes, and no text."""
    handler = Handler()
    hook = handler.sync(verify_webhook("github", secret=SECRET))
    bodies = [b"", b" \n{}", b'{"b":1,"a":2}', b'{"a":"\\u00e9\\/"}', b'{"a":1,"a":2}', b"\xff\xfe\x00", b"x" * 1_048_576]
    for body in bodies:
        request = delivery(body)
        assert hook(request).status == 200
        assert handler.events[-1].body is request.body  # not even a copy
    assert handler.entered == len(bodies)


def test_a_body_that_is_gone_is_a_mistake_and_no_empty_body():
    """The signature of an empty body does not let in a request whose body somebody has consumed."""

    class Consumed(Request):
        async def _read_body(self, limit):
            raise BodyUnavailable("read before")

    handler = Handler()
    hook = handler.sync(verify_webhook("github", secret=SECRET))
    built = delivery(b"")
    request = Consumed("POST", "/hook", headers=built.headers)
    with pytest.raises(BodyUnavailable):
        hook(request)
    assert handler.entered == 0


@pytest.mark.parametrize(("size", "status"), [(63, 200), (64, 200), (65, 413)])
def test_a_body_above_the_limit_is_413_before_anything_is_hashed(size, status):
    handler = Handler()
    hook = handler.sync(verify_webhook("github", secret=SECRET, max_body=64))
    answer = hook(delivery(b"x" * size))
    assert answer.status == status
    forged = Request.build("POST", "/hook", {"x-hub-signature-256": "sha256=" + "0" * 64}, b"x" * size)
    assert hook(forged).status == (401 if status == 200 else 413)


def test_the_limit_is_the_schemes_own_unless_said():
    scheme = Scheme("own", signature="X-Sig", max_body=10)
    hook = verify_webhook(scheme, secret=SECRET)(lambda request: Response(200))
    assert hook(delivery(b"x" * 11, scheme)).status == 413
    assert hook(delivery(b"x" * 10, scheme)).status == 200


SIGNS_URL = Scheme("own", signature="X-Sig", signed="{url}{body}")
HERE = "https://api.example/hook?a=1"


@pytest.mark.parametrize("url", [HERE, lambda request: HERE])
def test_the_url_is_what_we_say(url):
    hook = verify_webhook(SIGNS_URL, secret=SECRET, url=url)(lambda request: Response(200))
    assert hook(delivery(b"{}", SIGNS_URL, url=HERE)).status == 200
    elsewhere = delivery(b"{}", SIGNS_URL, url="https://other.example/hook")
    elsewhere.headers._map["host"] = ["other.example"]
    elsewhere.headers._map["x-forwarded-host"] = ["other.example"]
    assert hook(elsewhere).status == 401


def test_a_scheme_that_signs_the_url_is_not_built_without_one():
    with pytest.raises(ConfigurationError, match="url="):
        verify_webhook(SIGNS_URL, secret=SECRET)


def test_a_token_in_the_url_is_read_from_the_request():
    """Path and query are what the client asked for; nothing else is taken from the request."""
    scheme = Scheme("own", signature="query:token", algorithm="token", signed="", encoding="text")
    hook = verify_webhook(scheme, secret="s3cret token")(lambda request: Response(200))
    ask = {"s3cret+token": 200, "s3cret%20token": 200, "s3cret": 401, "": 401, "s3cret+token&token=x": 401}
    assert {said: hook(Request.build("POST", f"/hook?token={said}", {}, b"a=b")).status for said in ask} == ask
    assert hook(Request.build("POST", "/hook", {"token": "s3cret token"}, b"token=s3cret+token")).status == 401


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_body": 0}, "max_body"), ({"max_body": True}, "max_body"), ({"max_body": "1"}, "max_body"),
        ({"tolerance": 0}, "tolerance"), ({"url": 7}, "url"), ({"secrte": "x"}, "secrte"), ({"topic_arn": "x"}, "topic_arn"),
    ],
)  # fmt: skip
def test_a_wrong_literal_is_refused_when_the_guard_is_built(options, named):
    with pytest.raises(ConfigurationError, match=named):
        verify_webhook("github", secret=SECRET, **options)


@pytest.mark.parametrize("wrong", [None, "", " ", b"", [], [""]])
def test_no_secret_is_no_guard(wrong):
    with pytest.raises(ConfigurationError, match="secret"):
        verify_webhook("github", secret=wrong)


def test_what_the_handler_gets():
    found = []

    @verify_webhook("github", secret=["another", SECRET])
    def handler(request: Request, webhook):
        found.append((webhook.scheme, webhook.id, webhook.timestamp, webhook.version, webhook.json(), request.body))
        return Response(204)

    request = delivery(b'{"n":  1}')
    request.headers._map["x-github-delivery"] = ["72d3162e"]
    assert handler(request).status == 204
    assert found == [("github", "72d3162e", None, 1, {"n": 1}, b'{"n":  1}')]


def test_a_form_is_read_by_the_event():
    found = []
    hook = verify_webhook("github", secret=SECRET)

    @hook
    async def handler(request: Request, webhook):
        found.append(webhook.form())
        return Response(204)

    body = b"payload=%7B%7D&a=1&a=2"
    request = Request.build(
        "POST", "/hook", {**sign("github", SECRET, body), "content-type": "application/x-www-form-urlencoded"}, body
    )
    assert asyncio.run(handler(request)).status == 204
    assert found == [{"payload": ["{}"], "a": ["1", "2"]}]


def test_in_shadow_mode_it_records_and_lets_through():
    handler = Handler()
    hook = handler.sync(verify_webhook("github", secret=SECRET).shadow())
    assert hook(Request.build("POST", "/hook", {}, b"{}")).status == 200
    assert handler.events == [None]


@pytest.mark.parametrize("kind", ["v1", "v2", "function_url", "alb", "alb_multi", "lattice"])
@pytest.mark.parametrize("body", [b'{"a":  "\xc3\xa9"}', b"\xff\x00 no text", b""])
def test_on_lambda_the_flag_says_what_the_body_is(kind, body):
    """A body as text, in base64, and in base64 that nobody says it is."""
    handler = Handler()
    found = []

    @verify_webhook("github", secret=SECRET)
    def hook(event, context, webhook):
        found.append(handler.next(webhook))
        return {"statusCode": 200}

    event = lambda_event(kind, "POST", headers=sign("github", SECRET, body))
    encoded = {**event, "body": b64encode(body).decode(), "isBase64Encoded": True}
    assert hook(encoded, LambdaContext())["statusCode"] == 200
    assert handler.events[0].body == body
    if body:
        assert hook({**encoded, "isBase64Encoded": False}, LambdaContext())["statusCode"] == 401
        assert hook({**encoded, "body": encoded["body"] + "!"}, LambdaContext())["statusCode"] == 400
    if body.isascii() or body.startswith(b"{"):
        plain = {**event, "body": body.decode(), "isBase64Encoded": False}
        assert hook(plain, LambdaContext())["statusCode"] == 200
        assert handler.events[-1].body == body
