"""What CloudFront sends to a Function URL, signed by an origin-request function, and recomputed at the origin."""

from __future__ import annotations

import copy
import time
from base64 import b64encode
from typing import Any

import pytest
from botocore.credentials import Credentials

from authkit import Principal, Tokens, require_auth
from authkit.errors import ConfigurationError
from authkit.oidc import ApiGateway, TokenInHeader
from authkit.signatures import sign_origin
from authkit.testing import lambda_event
from tests.servers.function_url import HOST, Caller, Refused, checked, function_url_event

SECRET, TOKEN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEBYaD//////////EXAMPLE=="
EDGE = "arn:aws:sts::111122223333:assumed-role/Edge/us-east-1.edge"
KEYS = {"ASIAEDGE": Caller(SECRET, EDGE, TOKEN)}
SIGN = sign_origin("eu-west-1", credentials=Credentials("ASIAEDGE", SECRET, TOKEN))


@require_auth(ApiGateway.iam(accounts=["111122223333"], arns=["arn:aws:iam::111122223333:role/Edge"]))
def handler(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    return {"statusCode": 200, "body": principal.subject, "headers": dict(event["headers"])}


def edge(
    method: str = "GET", path: str = "/", headers: Any = (), body: bytes | None = None, base: str = "", **origin: Any
) -> dict[str, Any]:
    event = lambda_event("edge_origin", method, path, headers, body)
    request = event["Records"][0]["cf"]["request"]
    request["headers"]["x-forwarded-for"] = [{"key": "X-Forwarded-For", "value": "203.0.113.178"}]
    request["headers"]["via"] = [{"key": "Via", "value": "2.0 2afae0d44e2540f4.cloudfront.net (CloudFront)"}]
    request["origin"]["custom"].update({"domainName": HOST, "path": base, **origin})
    return event


def at_the_origin(request: dict[str, Any], body: bytes = b"") -> dict[str, Any]:
    """What the Function URL's handler answers; what CloudFront adds and changes on the way is done here. Raises: `Refused`."""
    lines = [(entry["key"], entry["value"]) for entries in request["headers"].values() for entry in entries]
    lines = [(name, "another" if name in ("Via", "X-Forwarded-For", "User-Agent") else value) for name, value in lines]
    target = request["origin"]["custom"]["path"] + request["uri"]
    if request["querystring"]:
        target += "?" + request["querystring"]
    iam = checked(request["method"], target, lines, body, KEYS, now=time.time())
    answer: dict[str, Any] = handler(function_url_event(request["method"], target, lines, body, iam), None)
    return answer


@pytest.mark.parametrize(
    ("method", "path", "body", "origin"),
    [
        ("GET", "/", None, ""),
        ("GET", "/a%20b/(c)?q=[x]&z=a+b&y=c:d&k", None, ""),
        ("POST", "/orders", b'{"n": 1}', ""),
        ("PUT", "/orders/7", b"\x00\xff", "/v1"),
        ("DELETE", "/é?ü=é", None, "/v1/deep"),
        ("POST", "/empty", b"", ""),
    ],
)
def test_the_origin_knows_the_function_at_the_edge(method: str, path: str, body: bytes | None, origin: str) -> None:
    headers = {"content-type": "application/json"} if body else {}
    request = SIGN(edge(method, path, headers, body, origin), None)
    answer = at_the_origin(request, body or b"")
    assert (answer["statusCode"], answer["body"]) == (200, "arn:aws:sts::111122223333:assumed-role/Edge")


def test_the_host_is_the_origins() -> None:
    request = SIGN(edge(headers={"host": "www.example.com"}), None)
    assert request["headers"]["host"] == [{"key": "Host", "value": HOST}]


def test_what_may_not_be_changed_stays_as_it_is() -> None:
    event = edge("POST", "/", {"accept-encoding": "gzip", "content-length": "1", "if-none-match": '"x"'}, b"x")
    before = copy.deepcopy(event["Records"][0]["cf"]["request"])
    request = SIGN(event, None)
    for name in ("accept-encoding", "content-length", "if-none-match", "via", "x-forwarded-for"):
        assert request["headers"][name] == before["headers"][name]
    assert request["body"] == before["body"]
    assert set(request["headers"]) - set(before["headers"]) == {
        "authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
    }  # fmt: skip


def test_a_viewers_own_signature_headers_go_nowhere() -> None:
    sent = {"authorization": "AWS4-HMAC-SHA256 Credential=x", "x-amz-date": "20150830T123600Z", "x-amz-source-arn": "arn:aws:x",
            "x-amz-security-token": "theirs"}  # fmt: skip
    request = SIGN(edge(headers=sent), None)
    assert at_the_origin(request)["statusCode"] == 200
    assert "x-amz-source-arn" not in request["headers"]
    assert "theirs" not in str(request)


def test_what_cloudfront_says_of_itself_is_not_signed() -> None:
    """A distribution in front of another one sends an id, and the second writes its own in its place."""
    request = SIGN(edge(headers={"x-amz-cf-id": "of the first"}), None)
    assert request["headers"]["x-amz-cf-id"][0]["value"] == "of the first"
    request["headers"]["x-amz-cf-id"][0]["value"] = "of the second"
    assert at_the_origin(request)["statusCode"] == 200


class TestTheViewersToken:
    sign = staticmethod(
        sign_origin("eu-west-1", credentials=Credentials("ASIAEDGE", SECRET, TOKEN), bearer_in="x-viewer-token")
    )

    def test_it_goes_on_in_the_header_that_was_named(self) -> None:
        answer = at_the_origin(self.sign(edge(headers={"authorization": "Bearer abc"}), None))
        assert answer["headers"]["x-viewer-token"] == "abc"

    def test_a_guard_at_the_origin_judges_it(self) -> None:
        tokens = Tokens("only here: 0f1e2d3c4b5a69788796a5b4", issuer="https://i.example", audience="https://a.example")

        @require_auth(TokenInHeader(tokens, "x-viewer-token"))
        def viewers(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
            return {"statusCode": 200, "body": principal.subject}

        def status(headers: Any) -> Any:
            request = self.sign(edge(headers=headers), None)
            lines = [(entry["key"], entry["value"]) for entries in request["headers"].values() for entry in entries]
            event: Any = function_url_event("GET", "/", lines, b"", None)
            answer: Any = viewers(event, None)  # type: ignore[call-arg]
            return answer["statusCode"], answer["body"] if answer["statusCode"] == 200 else None

        assert status({"authorization": f"Bearer {tokens.issue('alice')}"}) == (200, "alice")
        assert status({"authorization": "Bearer abc"})[0] == 401
        assert status({"x-viewer-token": tokens.issue("alice")})[0] == 401

    def test_a_viewer_cannot_write_that_header(self) -> None:
        planted = {"X-Viewer-Token": "planted"}
        assert "planted" not in str(self.sign(edge(headers=planted), None))
        both = self.sign(edge(headers={**planted, "authorization": "Bearer abc"}), None)
        assert [entry["value"] for entry in both["headers"]["x-viewer-token"]] == ["abc"]

    @pytest.mark.parametrize("sent", ["Basic abc", "Bearer", "Bearer ", "Bearer a b", "Bearer  a", "abc", ""])
    def test_what_is_no_bearer_token_ends_at_the_edge(self, sent: str) -> None:
        assert "x-viewer-token" not in self.sign(edge(headers={"authorization": sent}), None)["headers"]
        twice = edge(headers=[("authorization", "Bearer a"), ("authorization", "Bearer b")])
        assert "x-viewer-token" not in self.sign(twice, None)["headers"]

    def test_otherwise_it_ends_at_the_edge(self) -> None:
        assert "Bearer abc" not in str(SIGN(edge(headers={"authorization": "Bearer abc"}), None))


def test_a_body_that_was_cut_is_refused() -> None:
    event = edge("POST", "/", {}, b"x")
    event["Records"][0]["cf"]["request"]["body"]["inputTruncated"] = True
    assert SIGN(event, None) == {"status": "413", "statusDescription": "Content Too Large"}


def test_a_body_that_another_function_has_replaced_is_signed_as_it_is_sent() -> None:
    for encoding, data in (("text", "héllo"), ("base64", b64encode("héllo".encode()).decode())):
        event = edge("POST", "/", {}, b"x")
        event["Records"][0]["cf"]["request"]["body"].update(encoding=encoding, data=data, action="replace")
        assert at_the_origin(SIGN(event, None), "héllo".encode())["statusCode"] == 200


def test_a_changed_request_is_refused_at_the_origin() -> None:
    for change in ({"uri": "/admin"}, {"querystring": "a=2"}, {"method": "POST"}):
        request = {**SIGN(edge(path="/a?a=1"), None), **change}
        with pytest.raises(Refused):
            at_the_origin(request)


@pytest.mark.parametrize(
    "event",
    [
        lambda_event("edge"),
        lambda_event("function_url"),
        {},
        None,
        edge(domainName="origin.example"),
        edge(domainName=f"{HOST}.evil.example"),
        edge(domainName=HOST.replace("eu-west-1", "us-east-1")),
        edge(protocol="http"),
        edge("POST", headers={"content-length": "7"}),
        edge("POST", headers={"transfer-encoding": "chunked"}),
    ],
)
def test_what_is_not_to_be_signed_is_an_error(event: Any) -> None:
    with pytest.raises(ConfigurationError):
        SIGN(event, None)


def test_an_s3_origin_is_not_signed() -> None:
    event = edge()
    event["Records"][0]["cf"]["request"]["origin"] = {"s3": {"domainName": "bucket.s3.amazonaws.com"}}
    with pytest.raises(ConfigurationError):
        SIGN(event, None)


def test_other_origins_are_those_that_are_named() -> None:
    keys = Credentials("ASIAEDGE", SECRET, TOKEN)
    sign = sign_origin("eu-west-1", "execute-api", keys, domains=["abc.execute-api.eu-west-1.amazonaws.com"])
    request = sign(edge(domainName="abc.execute-api.eu-west-1.amazonaws.com", path="/prod"), None)
    assert "/eu-west-1/execute-api/aws4_request" in request["headers"]["authorization"][0]["value"]
    with pytest.raises(ConfigurationError):
        sign(edge(), None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "*"},
        {"region": ".*"},
        {"domains": []},
        {"domains": "abc.example"},
        {"domains": ["*.example"]},
        {"headers": ["via"]},
        {"headers": ["x-forwarded-for"]},
        {"bearer_in": "Authorization"},
        {"bearer_in": "authorization"},
        {"bearer_in": "x-amz-viewer"},
        {"bearer_in": ""},
        {"credentials": "AKID"},
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        sign_origin(**{"region": "eu-west-1", **wrong})


def test_a_guard_at_the_edge_lets_nobody_else_through_to_be_signed() -> None:
    tokens = Tokens("only here: 0f1e2d3c4b5a69788796a5b4", issuer="https://i.example", audience="https://a.example")
    guarded: Any = require_auth(tokens)(
        sign_origin("eu-west-1", credentials=Credentials("ASIAEDGE", SECRET, TOKEN), bearer_in="x-viewer-token")
    )
    token = tokens.issue("alice")
    request = guarded(edge("POST", "/orders?q=a+b", {"authorization": f"Bearer {token}"}, b"{}"), None)
    answer = at_the_origin(request, b"{}")
    assert (answer["statusCode"], answer["headers"]["x-viewer-token"]) == (200, token)
    for refused in ({}, {"authorization": "Bearer abc"}):
        answered = guarded(edge("POST", "/orders", refused, b"{}"), None)
        assert answered["status"] == "401"
        assert "ASIAEDGE" not in str(answered)
