"""`CallingJSON`, for whoever writes a provider: an API that is called as a machine, strictly and in time."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from authkit import ConfigurationError, Unavailable
from authkit.oidc import ClientCredentials
from authkit.oidc.for_providers import CallingJSON

if TYPE_CHECKING:
    from collections.abc import Callable


class Played:
    """An API and its token endpoint, behind httpx's own transport; `answers` in turn, the last one for ever."""

    def __init__(self, *answers: httpx.Response | Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.now = 1_000_000.0
        self.slept: list[float] = []
        self.transport = httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": "canary-token", "token_type": "Bearer", "expires_in": 86_400})
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return (
            answer(request)
            if callable(answer)
            else httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        )

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def api(self, **settings: Any) -> CallingJSON:
        credentials = ClientCredentials(
            "https://api.example.com/token",
            "id",
            "canary-secret",
            transport=self.transport,
            clock=self.clock,
            monotonic=self.clock,
        )
        given = {"clock": self.clock, "monotonic": self.clock, "sleep": self.sleep, "random": bytes, **settings}
        return CallingJSON("https://api.example.com/v2/", credentials, name="Example", transport=self.transport, **given)


def test_what_is_sent_is_json_with_the_token_and_what_is_told_is_read() -> None:
    played = Played(httpx.Response(201, json={"id": 7}))
    api = played.api()
    called = api.call("POST /things/{id}", "/things/a%7Cb", until=api.until(), query={"q": "a b&c"}, json={"x": "\u00e9"})
    assert (called.status, called.said, called.code, repr(called)) == (201, {"id": 7}, "", "<Called 201>")
    [request] = played.asked
    assert (request.method, request.url.raw_path) == ("POST", b"/v2/things/a%7Cb?q=a+b%26c")
    assert (request.headers["authorization"], request.headers["content-type"]) == ("Bearer canary-token", "application/json")
    assert json.loads(request.content) == {"x": "\u00e9"}


def test_without_json_nothing_is_sent() -> None:
    played = Played(httpx.Response(200, json=[]))
    api = played.api()
    assert api.call("GET /things", "/things", until=api.until()).said == []
    assert played.asked[0].content == b""
    assert "content-type" not in played.asked[0].headers


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 499])
def test_a_refusal_is_told_with_its_code_and_not_with_its_words(status: int) -> None:
    api = Played(httpx.Response(status, json={"errorCode": "some_code", "message": "canary"})).api()
    called = api.call("GET /things", "/things", until=api.until())
    assert (called.status, called.code) == (status, "some_code")
    assert "canary" not in repr(called)


@pytest.mark.parametrize("code", ["two words", "x" * 65, "", 7, None, ["a"], "caf\u00e9", "a\nb"])
def test_a_code_is_one_word(code: object) -> None:
    api = Played(httpx.Response(400, json={"errorCode": code})).api()
    assert api.call("GET /things", "/things", until=api.until()).code == ""


@pytest.mark.parametrize(
    "content", [b"", b"7", b'"x"', b"null", b"{", b"<html>", b'{"a": 1, "a": 2}', b"\xef\xbb\xbf{}", b"[NaN]"]
)
def test_a_2xx_that_is_no_json_is_unavailable(content: bytes) -> None:
    api = Played(httpx.Response(200, content=content)).api()
    with pytest.raises(Unavailable, match="one reading"):
        api.call("GET /things", "/things", until=api.until())


@pytest.mark.parametrize("status", [202, 204])
def test_some_answers_have_nothing_to_say(status: int) -> None:
    api = Played(httpx.Response(status)).api()
    called = api.call("DELETE /things/{id}", "/things/1", until=api.until())
    assert (called.status, called.said) == (status, None)


def test_what_would_harm_is_not_asked_twice() -> None:
    for again, times in ((True, 2), (False, 1)):
        played = Played(httpx.Response(502))
        api = played.api()
        with pytest.raises(Unavailable, match="502"):
            api.call("POST /things", "/things", until=api.until(), json={}, again=again)
        assert len(played.asked) == times


def test_429_is_waited_for_whatever_it_would_harm() -> None:
    played = Played(httpx.Response(429, headers={"retry-after": "2"}), httpx.Response(201, json={}))
    api = played.api()
    assert api.call("POST /things", "/things", until=api.until(), json={}, again=False).status == 201
    assert played.slept == [2.0]


def test_waits_without_a_word_for_how_long_grow_and_end() -> None:
    played = Played(httpx.Response(429))
    api = played.api(patience=60)
    with pytest.raises(Unavailable, match="too much"):
        api.call("GET /things", "/things", until=api.until())
    assert played.slept == [0.25, 0.5, 1.0, 2.0, 4.0]


def test_a_time_that_is_over_is_over() -> None:
    played = Played(httpx.Response(200, json={}))
    api = played.api()
    with pytest.raises(Unavailable, match="in time"):
        api.call("GET /things", "/things", until=played.now)
    assert played.asked == []


def test_a_call_takes_no_longer_than_is_left() -> None:
    played = Played(httpx.Response(200, json={}))
    api = played.api(timeout=5)
    for left, most in ((60, 5), (3, 3)):
        api.call("GET /things", "/things", until=played.now + left)
        assert played.asked[-1].extensions["timeout"]["read"] == most


def test_nothing_that_is_sent_or_told_is_in_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for answer in (httpx.Response(500, text="canary"), httpx.Response(200, text="canary"), httpx.Response(401, text="canary")):
        api = Played(answer).api()
        with pytest.raises(Unavailable) as caught:
            api.call("POST /things/{id}", "/things/canary", until=api.until(), query={"q": "canary"}, json={"x": "canary"})
        assert "canary" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    assert "canary" not in caplog.text


async def test_apart_from_an_event_loop() -> None:
    api = Played(httpx.Response(200, json={})).api()
    threads = await asyncio.gather(*(api.apart(threading.get_ident) for _ in range(3)))
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("base", "settings"),
    [("http://api.example.com", {}), ("api.example.com", {}), ("https://api.example.com", {"timeout": 0}),
     ("https://api.example.com", {"patience": -1}), ("https://api.example.com", {"patience": float("inf")})],
)  # fmt: skip
def test_a_wrong_literal_is_refused(base: str, settings: dict[str, Any]) -> None:
    credentials = ClientCredentials("https://api.example.com/token", "id", "secret")
    with pytest.raises(ConfigurationError):
        CallingJSON(base, credentials, name="Example", **settings)
