"""The neutral request and response: headers in any case and number, bodies read once, nothing that could split a response."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import Headers, Request, Response
from authkit.errors import BodyTooLarge, BodyUnavailable, MalformedRequest
from authkit.http import MAX_BODY, MutableHeaders

# Request headers


def test_names_are_case_insensitive_and_values_stay_as_they_are():
    headers = Headers({"X-One": "A b", "accept": "*/*"})
    assert headers["x-ONE"] == headers.get("X-one") == "A b"
    assert "X-ONE" in headers
    assert "x-two" not in headers
    assert 1 not in headers
    assert sorted(headers) == ["accept", "x-one"]
    assert len(headers) == 2
    assert headers.get("x-two") is None
    assert headers.get("x-two", "d") == "d"
    with pytest.raises(KeyError):
        headers["x-two"]


def test_a_repeated_field_is_joined_so_that_a_second_value_is_seen():
    headers = Headers([("A", "1"), ("a", "2"), ("b", "3")])
    assert headers["a"] == "1, 2"
    assert headers.get_all("A") == ["1", "2"]
    assert headers.get_all("c") == []
    assert list(headers.items()) == [("a", "1"), ("a", "2"), ("b", "3")]


def test_headers_are_equal_whatever_their_order_and_case():
    assert Headers([("A", "1"), ("b", "2")]) == Headers([("B", "2"), ("a", "1")])
    assert Headers({"a": "1"}) != Headers({"a": "2"})
    assert Headers() != 1


def test_what_is_printed_holds_no_values():
    request = Request.build("GET", "/x?token=canary", {"authorization": "Bearer canary"}, b"canary")
    assert "canary" not in repr(request) + repr(request.headers) + repr(Response(200, {"a": "canary"}, "canary"))


# Response headers


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x", "a\nb", "a\rb", "a\0b", "\n", "a\x01", "\x7f", "\u20ac", "\ud800"])
def test_a_value_that_would_split_the_response_is_refused(value):
    response = Response()
    response.headers["x"] = "kept"
    for put in (
        lambda: response.headers.add("x", value),
        lambda: response.headers.__setitem__("x", value),
        lambda: response.headers.setdefault("y", value),
        lambda: Response(200, {"x": value}),
        lambda: MutableHeaders([("x", value)]),
    ):
        with pytest.raises(ValueError, match="line break"):
            put()
    assert list(response.headers.items()) == [("x", "kept")]


@pytest.mark.parametrize("name", ["", " ", "a b", "a:b", "a\r\n", "é", "-", "a\0", "a\nb"])
def test_a_name_that_is_no_token_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        Response(200, {name: "v"})


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_header_whatever_ends_its_line(name, value):
    headers = MutableHeaders()
    try:
        headers.add(name, value)
    except ValueError:
        return
    for key, text in headers.items():
        assert not set(key + text) & {"\r", "\n", "\0"}
        text.encode("latin-1")
        assert key.isascii()


def test_response_headers_are_set_added_and_deleted():
    headers = Response(200, {"A": "1"}).headers
    headers["a"] = "2"
    headers.add("A", "3")
    headers.setdefault("a", "4")
    headers.setdefault("b", "5")
    assert list(headers.items()) == [("a", "2"), ("a", "3"), ("b", "5")]
    del headers["B"]
    with pytest.raises(KeyError):
        del headers["b"]


def test_a_json_response_is_not_stored():
    response = Response.json({"a": [1, "é"]}, 201)
    assert (response.status, response.body) == (201, b'{"a":[1,"\\u00e9"]}')
    assert dict(response.headers.items()) == {"content-type": "application/json", "cache-control": "no-store"}
    assert Response.json(1, headers={"Cache-Control": "public"}).headers["cache-control"] == "public"
    assert Response(body="é").body == "é".encode()


# Requests


def test_a_request_of_your_own():
    request = Request.build("POST", "/a/b?x=1&x=2&y=&z", [("A", "1"), ("a", "2")], b"body", "192.0.2.1")
    assert (request.method, request.path, request.raw_path, request.peer, request.body) == (
        "POST",
        "/a/b",
        "/a/b",
        "192.0.2.1",
        b"body",
    )
    assert request.query == (("x", "1"), ("x", "2"), ("y", ""), ("z", ""))
    assert request.headers["a"] == "1, 2"
    assert request.principal is None
    assert request.params == {}
    assert request.route is None


def test_too_many_query_parameters_are_a_bad_request():
    assert len(Request.build("GET", "/?" + "&".join(["a=1"] * 1000)).query) == 1000
    with pytest.raises(MalformedRequest, match="too_many_parameters"):
        _ = Request.build("GET", "/?" + "&".join(["a=1"] * 1001)).query


def test_cookies_keep_every_value_of_a_repeated_name():
    request = Request.build(headers=[("Cookie", "a=1; b=2=3;c"), ("cookie", 'a="4"; =5')])
    assert request.cookies == {"a": ["1", '"4"'], "b": ["2=3"], "": ["5"]}


class Streamed(Request):
    """A request whose body arrives when somebody asks, as on every host."""

    __slots__ = ("reads",)

    async def _read_body(self, limit):
        self.reads += 1
        return b"x" * 100


def streamed():
    request = Streamed("POST", "/")
    request.reads = 0
    return request


async def test_a_body_is_read_once_and_kept():
    request = streamed()
    with pytest.raises(BodyUnavailable, match=r"@guard\(body=True\)"):
        _ = request.body
    assert await request.load_body() == await request.load_body() == request.body
    assert request.reads == 1


async def test_a_body_past_the_limit_is_refused_also_when_it_was_read_before():
    request = streamed()
    with pytest.raises(BodyTooLarge):
        await request.load_body(99)
    with pytest.raises(BodyUnavailable):
        _ = request.body
    assert len(await request.load_body(100)) == 100
    with pytest.raises(BodyTooLarge):
        await request.load_body(99)
    assert MAX_BODY == 1_048_576


def test_a_clone_differs_in_its_headers_alone():
    request = Request.build("PUT", "/x", {"a": "1"}, b"b", "192.0.2.1")
    other = request.clone(Headers({"b": "2"}))
    assert (other.method, other.path, other.body, other.peer) == ("PUT", "/x", b"b", "192.0.2.1")
    assert list(other.headers.items()) == [("b", "2")]
    assert list(request.headers.items()) == [("a", "1")]
