"""What a captured request is read from: HTTP text, JSON, events of every platform, HAR, curl. None of it is shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authkit.cli._capture import Captured, Unreadable, parsed
from authkit.cli._exits import Wrong
from authkit.testing import lambda_event

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(__file__).parents[1] / "vectors"
BODY = b'{"a": "\xc3\xa9"}'
BODILESS = ("websocket",)
KINDS = ("v1", "v2", "function_url", "alb", "alb_multi", "edge", "lattice", "lattice1", "websocket", "netlify")
TEXT = b"POST /hook?x=1 HTTP/1.1\r\nHost: shop.example\r\nX-Sig: one\r\nX-Sig: two\r\n\r\n" + BODY


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_an_http_request_is_read_byte_for_byte() -> None:
    found = parsed(TEXT)
    assert (found.form, found.method, found.url, found.body) == ("HTTP request", "POST", "https://shop.example/hook?x=1", BODY)
    assert found.headers.get_all("x-sig") == ["one", "two"]
    assert parsed(TEXT.replace(b"\r\n", b"\n")) == found
    assert parsed(TEXT.replace(BODY, b"\xff\r\n\r\n\x00")).body == b"\xff\r\n\r\n\x00"


def test_what_an_editor_put_behind_the_body_is_cut_off_by_its_length() -> None:
    framed = TEXT.replace(b"X-Sig: one", b"Content-Length: %d" % len(BODY))
    assert parsed(framed + b"\n").body == BODY
    assert "cut off" in parsed(framed + b"\n").notes[0]
    assert parsed(framed + b"more").body == BODY + b"more"


def test_chunks_are_put_together() -> None:
    chunked = TEXT.replace(b"X-Sig: one", b"Transfer-Encoding: chunked").replace(BODY, b'3\r\n{"a\r\n2;x=y\r\n":\r\n0\r\n\r\n')
    assert parsed(chunked).body == b'{"a":'


@pytest.mark.parametrize(
    "document",
    [
        {"method": "post", "url": "https://a.example/", "headers": {"X-Sig": ["one", "two"]}, "body": BODY.decode()},
        {"headers": [["X-Sig", "one"], ["X-Sig", "two"]], "body_base64": base64.b64encode(BODY).decode()},
        {"headers": [{"name": "X-Sig", "value": "one"}, {"name": "x-sig", "value": "two"}], "body": BODY.decode()},
    ],
)  # fmt: skip
def test_json_with_headers_and_body_is_read(document: dict[str, Any]) -> None:
    found = parsed(as_json(document))
    assert (found.method, found.url, found.body) == ("POST", document.get("url"), BODY)
    assert found.headers.get_all("X-Sig") == ["one", "two"]


def test_a_body_that_the_capture_has_parsed_is_told() -> None:
    assert "can hardly hold" in parsed(as_json({"headers": {}, "body": {"a": 1}})).notes[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [BODY, b"\xff\x00"])
def test_an_event_of_every_platform_is_read_as_the_guards_read_it(kind: Any, body: bytes) -> None:
    event = lambda_event(kind, "POST", "/hook", {"X-Sig": "one", "Host": "shop.example"}, body, query="x=1")
    found = parsed(as_json(event))
    assert found.headers.get("x-sig") == "one"
    assert found.body == (b"" if kind in BODILESS else body)
    if kind not in BODILESS:
        assert (found.method, "/hook" in str(found.url)) == ("POST", True)


EVENTS = sorted(path.name for path in (VECTORS / "aws-events").glob("*.json") if path.name != "expected.json")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_a_platform_has_published_is_read_or_said_to_be_none(name: str) -> None:
    raw = (VECTORS / "aws-events" / name).read_bytes()
    if "sns" in name.lower():
        with pytest.raises(Wrong):
            parsed(raw)
        return
    if "noVersionAuth" in name:  # it says that its body is base64, and it is not
        with pytest.raises(Unreadable):
            parsed(raw)
        return
    assert parsed(raw).form in ("Lambda event", "authorizer event")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"isBase64Encoded": True, "body": '{"a": 1}'}, "body_not_base64"),
        ({"isBase64Encoded": "false", "body": "x"}, "malformed_event"),
        ({"body": {"a": 1}}, "body_not_text"),
    ],
)
def test_an_event_that_no_guard_reads_is_explained(change: dict[str, Any], reason: str) -> None:
    event = {**lambda_event("v2", "POST", "/hook", {}, BODY), **change}
    with pytest.raises(Unreadable) as refused:
        parsed(as_json(event))
    assert refused.value.reason == reason
    assert "platform made it" in refused.value.mend


def test_a_body_that_nobody_reads_does_not_hide_a_token() -> None:
    event = {**lambda_event("v2", "GET", "/me", {"Authorization": "Bearer a.b.c"}), "isBase64Encoded": True, "body": "{}"}
    found = parsed(as_json(event))
    assert (found.body, "body_not_base64" in found.notes[0]) == (b"", True)


def test_the_token_of_an_authorizer_event_is_its_authorization() -> None:
    found = parsed(as_json({"type": "TOKEN", "methodArn": "arn:aws:x", "authorizationToken": "Bearer a.b.c"}))
    assert found.headers.get("authorization") == "Bearer a.b.c"


def test_one_entry_of_a_har_file_is_read() -> None:
    entry = {
        "startedDateTime": "2021-02-25T15:15:30Z",
        "request": {
            "method": "POST", "url": "https://a.example/h",
            "headers": [{"name": ":authority", "value": "a.example"}, {"name": "X-Sig", "value": "one"}],
            "postData": {"mimeType": "application/json", "text": BODY.decode()},
        },
    }  # fmt: skip
    for document in (entry, {"log": {"entries": [entry]}}):
        found = parsed(as_json(document))
        assert (found.form, found.body, found.received) == ("har", BODY, 1614266130.0)
        assert list(found.headers.names()) == ["x-sig"]
    with pytest.raises(Wrong):
        parsed(as_json({"log": {"entries": [entry, entry]}}))


def test_what_curl_says_of_a_request_is_read() -> None:
    said = b"* Connected to a\n> GET /me HTTP/1.1\n> Host: a.example\n> Authorization: Bearer a.b.c\n>\n< HTTP/1.1 401\n"
    found = parsed(said)
    assert (found.method, found.headers.get("authorization"), found.body) == ("GET", "Bearer a.b.c", b"")


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"", lambda: b"  \n", lambda: b"hello", lambda: b"{", lambda: b"[]", lambda: b"[1, 2]", lambda: b"{}",
        lambda: b"\xff\xfe\x00", lambda: b"POST", lambda: b"POST / HTTP/1.1\r\nno colon\r\n\r\n", lambda: b"{" * 90_000,
        lambda: b'{"headers": 5, "body": 1}', lambda: b'{"headers": {}, "body_base64": "!"}', lambda: b'{"headers": [[1, 2]]}',
        lambda: b'{"request": {"headers": [], "postData": {"encoding": "base64", "text": "!"}}}', lambda: b"> \n", lambda: b"*",
        lambda: b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 600 + b"\r\n",
    ],
)  # fmt: skip
def test_what_is_no_capture_is_refused_and_not_repeated(make: Callable[[], bytes]) -> None:
    with pytest.raises(Wrong) as refused:
        parsed(make())
    assert "hello" not in str(refused.value.message)


def test_a_capture_shows_nothing_of_itself() -> None:
    found = parsed(TEXT)
    assert repr(found) == str(found) == "<Captured HTTP request>"
    assert isinstance(found, Captured)
