"""WSGI apps under gunicorn and waitress, and what only a server of our own making can be made to do."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from authkit import Allow, Deny, Principal, Request, Response, chain, current_principal, guard
from authkit.errors import BodyTooLarge, BodyUnavailable, MalformedRequest
from authkit.hosts.wsgi import EnvironHeaders, read_input

from . import wsgi_app
from .wsgi_servers import Address, chunked, gunicorn, read, request, waitress

TOKEN = ("Authorization", f"Bearer {wsgi_app.GOOD}")


@pytest.fixture(scope="module", params=["gunicorn", "waitress"])
def server(request: pytest.FixtureRequest) -> Iterator[Address]:
    with gunicorn("tests.hosts.wsgi_app:main") if request.param == "gunicorn" else waitress(wsgi_app.main) as address:
        yield address


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        request.getfixturevalue("server").get("/counts")


def told(server: Address) -> tuple[dict[str, int], list[Any]]:
    answer = server.get("/counts").json()
    return answer["counts"], answer["events"]


# Under real servers.


def test_a_request_with_a_token_reaches_the_app_and_one_without_does_not(server: Address) -> None:
    answer = server.send("GET", "/x", [TOKEN])
    assert (answer.status, answer.json()["principal"]) == (200, "alice")
    refused = server.send("GET", "/x")
    assert refused.status == 401
    assert refused.all("www-authenticate") == ['Bearer realm="api"']
    assert refused.all("content-type") == ["application/problem+json"]
    assert refused.all("cache-control") == ["no-store"]
    assert refused.json()["code"] == "unauthorized"
    counts, events = told(server)
    assert counts["entered"] == 1
    assert [(event["outcome"], event["status"], event["host"]) for event in events] == [
        ("allow", 200, "wsgi"),
        ("deny", 401, "wsgi"),
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"])
def test_every_method_is_guarded(server: Address, method: str) -> None:
    """AUZ-05. A server may refuse an odd method itself."""
    answer = server.send(method, "/x")
    assert answer.status in ((401,) if method.isupper() else (400, 401))
    assert "entered" not in told(server)[0]


def test_a_refused_head_has_the_length_of_get_and_no_body(server: Address) -> None:
    got, head = server.send("GET", "/x"), server.send("HEAD", "/x")
    assert head.all("content-length") == got.all("content-length") == [str(len(got.body))]
    assert head.body == b""


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(("Bearer alice.token", "Bearer alice.token"), id="good twice"),
        pytest.param(("Bearer alice.token", "Bearer bad"), id="good and bad"),
        pytest.param(("Bearer bad", "Bearer alice.token"), id="bad and good"),
        pytest.param(("Bearer alice.token", "Basic eDp5"), id="bearer and basic"),
    ],
)
def test_two_authorization_lines_are_400(server: Address, values: tuple[str, ...]) -> None:
    """ADP-01: gunicorn and waitress join them with a comma, which is no token68."""
    answer = server.send("GET", "/x", [("Authorization", value) for value in values])
    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")
    assert "entered" not in told(server)[0]


@pytest.mark.parametrize(
    "value",
    [
        "Bearer", "Bearer ", "Bearer  alice.token",
        "Bearer\talice.token", "Bearer alice.token,", "Bearer alice.token, x",
        'Bearer "alice.token"', "Bearer Bearer alice.token", "Bearer alice.token extra", "Bearer alice.tok\xe9n",
        "Bearer alice.token\x0b",
        "Bearer: alice.token", "Bearer=alice.token", "Bearer alice.token;",
        "B\xe9arer alice.token", "\xff", "Bearer \xa0alice.token",
    ],
)  # fmt: skip
def test_a_header_that_is_no_bearer_credential_never_enters(server: Address, value: str) -> None:
    """ADP-02: 400 or 401, from us or from the server, and never a 500."""
    assert server.send("GET", "/x", [("Authorization", value)]).status in (400, 401)
    assert "entered" not in told(server)[0]


@pytest.mark.parametrize("value", ["bearer alice.token", "BEARER alice.token", "Bearer alice.token  ", "  Bearer alice.token"])
def test_the_scheme_has_no_case_and_space_around_a_header_value_is_not_part_of_it(server: Address, value: str) -> None:
    assert server.send("GET", "/x", [("Authorization", value)]).status == 200


def test_names_with_underscores_do_not_become_the_header(server: Address) -> None:
    """gunicorn and waitress drop them."""
    assert server.raw(b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization_: x\r\nConnection: close\r\n\r\n").status in (400, 401)
    answer = server.raw(request("GET", "/x", [TOKEN, ("X_Internal_Too", "1"), ("Content_Length", "5")]))
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert not any("INTERNAL" in name or name.startswith("CONTENT") for name in answer.json()["headers"])


def test_the_app_does_not_see_dropped_headers(server: Address) -> None:
    seen = server.send("GET", "/x", [TOKEN, ("X-Internal", "1"), ("X-Other", "2")]).json()["headers"]
    assert "HTTP_X_OTHER" in seen
    assert not {"HTTP_X_INTERNAL", "HTTP_AUTHORIZATION"} & set(seen)


def test_headers_and_hooks_reach_the_response_and_leave_its_own_alone(server: Address) -> None:
    answer = server.send("GET", "/x?secret=1", [TOKEN])
    assert answer.all("x-one") == ["1"]
    assert answer.all("vary") == ["authorization"]
    assert answer.all("x-path") == ["/x"]
    assert answer.all("x-peer") == ["127.0.0.1"]
    assert answer.all("x-raw") == ["/x"]
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert ("X-Spelled-So", "kept") in answer.lines


def test_a_path_of_utf8_is_text_and_raw_as_sent(server: Address) -> None:
    answer = server.send("GET", "/caf%C3%A9/%F0%9F%90%8D", [TOKEN])
    assert answer.all("x-path") == ["/caf\\xe9/\\U0001f40d"]
    assert answer.all("x-raw") == ["/caf%C3%A9/%F0%9F%90%8D"]
    assert server.send("GET", "/%ff%fe", [TOKEN]).all("x-path") == ["/\\ufffd\\ufffd"]


@pytest.mark.parametrize(
    "target",
    [
        "//open", "/./open", "/x/../open", "/%6fpen%2f", "/open%00", "/open;x", "/open/",
        "/OPEN", "/open.", "/%2e/open", "/open%2f", "/open%252f", "/op\\en",
    ],
)  # fmt: skip
def test_only_the_exempt_path_itself_is_open(server: Address, target: str) -> None:
    """AUZ-07, as far as the server passes the path on."""
    assert server.send("GET", "/open").status == 200
    assert server.send("GET", target).status in (400, 401)
    assert told(server)[0]["entered"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "x/open?")], [("X-Forwarded-Uri", "/open")], [("X-Original-URL", "/open")], [("X-Rewrite-URL", "/open")],
        [("X-Forwarded-Path", "/open")], [("X-Forwarded-Prefix", "/open")], [("X-HTTP-Method-Override", "GET")],
    ],
)  # fmt: skip
def test_no_header_moves_the_path(server: Address, headers: list[tuple[str, str]]) -> None:
    """AUZ-09."""
    assert server.send("GET", "/private", headers).status in (400, 401)
    assert "entered" not in told(server)[0]


def test_the_path_of_an_absolute_target_is_its_path(server: Address) -> None:
    """AUZ-09: whatever the authority says."""
    assert server.send("GET", "http://open/open?/private").status == 200
    assert server.send("GET", "http://api.example/open").status == 200
    assert server.send("GET", "http://open/private").status == 401
    assert server.send("GET", "http://open?/open").status in (400, 401)
    assert server.send("GET", "http://x/private", [TOKEN]).all("x-raw")[0].endswith("/private")


def test_a_streamed_body_has_its_principal_to_the_end(server: Address) -> None:
    answer = server.send("GET", "/streamed", [TOKEN])
    assert answer.body == b"alice;alice;alice;"
    assert told(server)[0]["closed for alice"] == 1


def test_an_app_that_starts_while_it_is_iterated_is_one_event_with_its_status(server: Address) -> None:
    answer = server.send("GET", "/lazy", [TOKEN])
    assert (answer.status, answer.body, answer.all("x-one")) == (202, b"alice;alice;", ["1"])
    counts, events = told(server)
    assert [event["status"] for event in events] == [202]
    assert counts["hook 202"] == 1


def test_a_file_goes_out_as_the_server_sends_files(server: Address) -> None:
    answer = server.send("GET", "/file", [TOKEN])
    assert (answer.status, answer.body) == (200, b"a file's bytes")


def test_write_works(server: Address) -> None:
    answer = server.send("GET", "/write", [TOKEN])
    assert (answer.body, answer.all("x-one")) == (b"written, returned", ["1"])


def test_the_apps_exception_goes_on_to_the_server(server: Address) -> None:
    assert server.send("GET", "/raises", [TOKEN]).status == 500
    counts, events = told(server)
    assert counts["hook without response"] == 1
    assert [event["outcome"] for event in events] == ["error"]


# Bodies.


def test_a_body_that_a_guard_has_read_is_still_there(server: Address) -> None:
    answer = server.send("POST", "/body", body=b"wire \xff bytes")
    assert (answer.status, answer.all("x-guard-saw")) == (200, ["12"])
    assert answer.json()["body"] == "wire \xff bytes"


def test_a_chunked_body_is_read_whole_and_handed_on_with_its_length(server: Address) -> None:
    sent = request("POST", "/body", [("Transfer-Encoding", "chunked")]) + chunked(b"in several chunks, one body")
    answer = server.raw(sent, "POST")
    assert answer.json()["body"] == "in several chunks, one body"
    assert "CONTENT_LENGTH" in answer.json()["headers"]
    assert "HTTP_TRANSFER_ENCODING" not in answer.json()["headers"]


def test_a_body_above_the_limit_is_413_with_or_without_a_length(server: Address) -> None:
    """ADP-09."""
    big = b"x" * (wsgi_app.LIMIT + 1)
    assert server.send("POST", "/body", body=big).status == 413
    assert server.raw(request("POST", "/body", [("Transfer-Encoding", "chunked")]) + chunked(big), "POST").status == 413
    assert server.send("POST", "/body", body=big[:-1]).status == 200
    assert told(server)[0]["entered"] == 1


def test_no_body_is_an_empty_body(server: Address) -> None:
    assert server.send("GET", "/body").all("x-guard-saw") == ["0"]
    assert server.send("POST", "/body", [("Content-Length", "0")]).all("x-guard-saw") == ["0"]


@pytest.mark.parametrize("length", ["-1", "+5", "1_0", "0x5", "5, 6", "\u0665".encode().decode("latin-1"), "9" * 30, "5 5"])
def test_a_content_length_that_is_no_number_never_enters(server: Address, length: str) -> None:
    """ADP-09."""
    answer = server.raw(request("POST", "/body", [("Content-Length", length)]) + b"12345", "POST")
    assert 400 <= answer.status < 500 or (answer.status == 501)
    assert "entered" not in told(server)[0]


def test_a_refused_body_is_not_taken_for_the_next_request(server: Address) -> None:
    """ADP-09: on a kept connection the body of the refused request must not be parsed as a request."""
    smuggled = request("GET", "/open")
    with server.connect() as connection:
        connection.sendall(request("POST", "/private", [("Content-Length", str(len(smuggled)))], close=False) + smuggled)
        assert read(connection, "POST").status == 401
        rest = b""
        try:
            connection.sendall(request("GET", "/private"))
            while part := connection.recv(65_536):
                rest += part
        except OSError:
            pass  # closed by the server: as good
    assert b" 200 " not in rest
    assert "entered" not in told(server)[0]


def test_on_a_unix_socket_there_is_no_peer(tmp_path: Any) -> None:
    with gunicorn("tests.hosts.wsgi_app:main", bind=f"unix:{tmp_path}/s") as server:
        assert server.send("GET", "/x", [TOKEN]).all("x-peer") == ["None"]


# In this process: what those two servers do not do, or what they hide.


def environ(path: str = "/", **variables: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1", "SCRIPT_NAME": "", **variables}
    setup_testing_defaults(made)
    return made


def call(app: Any, given: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    """One call, through the standard library's WSGI validator on the server's side."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started[:] = [status, headers]
        return lambda data: None

    given.setdefault("QUERY_STRING", "")
    body = validator(app)(given, start_response)
    try:
        parts = b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]
    return started[0], started[1], parts


@guard
def who(request: Request) -> Allow | Deny:
    name = request.headers.get("x-user")
    return Deny(401, "unauthorized", challenge="Bearer") if name is None else Allow(Principal(name))


@guard
def adds(request: Request) -> Allow:
    return Allow(headers={"x-added": "1"})


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    principal = current_principal()
    return [(principal.subject if principal else "-").encode()]


def test_guarded_and_refused_calls_are_valid_wsgi() -> None:
    app = chain(who, adds)(echo)
    assert call(app, environ(HTTP_X_USER="a")) == ("200 OK", [("Content-Type", "text/plain"), ("x-added", "1")], b"a")
    status, headers, body = call(app, environ())
    assert (status, json.loads(body)["status"], dict(headers)["content-length"]) == ("401 Unauthorized", 401, str(len(body)))


def test_with_nothing_to_add_the_very_list_of_the_app_is_returned() -> None:
    body = [b"x"]

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return body

    assert chain(who)(app)(environ(HTTP_X_USER="a"), lambda status, headers: None) is body


def test_a_file_wrapper_is_returned_as_it_is() -> None:
    made = FileWrapper(io.BytesIO(b"x"))

    def app(environ: dict[str, Any], start_response: Any) -> FileWrapper:
        start_response("200 OK", [])
        return made

    given = environ(HTTP_X_USER="a", **{"wsgi.file_wrapper": FileWrapper})
    assert chain(who)(app)(given, lambda status, headers: None) is made


def test_nested_guarded_apps_are_one_request_and_each_adds_its_headers_once() -> None:
    events: list[Any] = []

    @guard
    def more(request: Request) -> Allow:
        return Allow(headers={"x-more": "1", "vary": "x-user"})

    app = chain(who, adds, audit=events.append)(chain(who, more)(echo))
    _, headers, body = call(app, environ(HTTP_X_USER="a"))
    assert sorted(headers) == [("Content-Type", "text/plain"), ("vary", "x-user"), ("x-added", "1"), ("x-more", "1")]
    assert body == b"a"
    assert len(events) == 1


def test_a_refusal_inside_an_app_that_starts_late_is_in_the_one_event() -> None:
    events: list[Any] = []
    inner = chain(who)(echo)

    def late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        yield from inner(environ, start_response)

    status, _, _ = call(chain(adds, audit=events.append)(late), environ())
    assert status == "401 Unauthorized"
    assert [(event["outcome"], event["guard"], event["status"]) for event in events] == [("deny", "who", 401)]


def test_an_app_that_fails_before_it_starts_late_is_an_error_in_the_event() -> None:
    events: list[Any] = []
    hooked: list[Any] = []

    def late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        raise RuntimeError("late")
        yield b""

    app = chain(adds, guard.after(lambda request, response: hooked.append(response)), audit=events.append)(late)
    with pytest.raises(RuntimeError, match="late"):
        list(app(environ(), lambda status, headers: None))  # type: ignore[call-overload]
    assert [event["outcome"] for event in events] == ["error"]
    assert hooked == [None]


def test_an_environ_that_is_used_again_is_decided_again() -> None:
    app = chain(who)(echo)
    given = environ(HTTP_X_USER="a")
    assert call(app, given)[2] == b"a"
    del given["HTTP_X_USER"]
    assert call(app, given)[0] == "401 Unauthorized"


def test_a_replaced_response_is_hooked_too() -> None:
    seen: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError as error:
            start_response("500 Oops", [], (ValueError, error, error.__traceback__))
        return [b""]

    started: list[Any] = []
    hook = guard.after(lambda request, response: seen.append(response.status if response else 0))
    chain(adds, hook)(app)(environ(), lambda *given: started.append(given))
    assert seen == [200, 500]
    assert [(len(given), given[1]) for given in started] == [(2, [("x-added", "1")]), (3, [("x-added", "1")])]


def test_a_method_that_is_an_app_may_be_decorated() -> None:
    class App:
        @chain(who)
        def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
            return echo(environ, start_response)

    assert App()(environ(HTTP_X_USER="a"), lambda status, headers: None) == [b"a"]


def test_a_parameter_named_principal_is_filled_in() -> None:
    def app(environ: dict[str, Any], start_response: Any, principal: Principal) -> list[bytes]:
        start_response("200 OK", [])
        return [principal.subject.encode()]

    assert chain(who)(app)(environ(HTTP_X_USER="a"), lambda status, headers: None) == [b"a"]


def test_the_principal_is_gone_after_the_call_and_after_the_stream() -> None:
    """AUZ-14."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        return (current_principal().subject.encode() for _ in range(2))  # type: ignore[union-attr]

    body = chain(who)(app)(environ(HTTP_X_USER="a"), lambda status, headers: None)
    for lookup in range(2):
        with pytest.raises(LookupError):
            current_principal()
        assert next(body) == b"a", lookup
    with pytest.raises(LookupError):
        current_principal()


def test_headers_are_looked_up_whatever_their_case_and_never_by_an_underscore() -> None:
    headers = EnvironHeaders(
        {"HTTP_X_USER": "a", "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "", "HTTP_CONTENT_TYPE": "evil"}
    )
    assert headers["X-User"] == headers["x-user"] == "a"
    assert headers.get("x_user") is None
    assert headers["Content-Type"] == "text/plain"
    assert "content-length" not in headers
    assert headers.get("content-length", "none") == "none"
    assert sorted(headers.items()) == [("content-type", "text/plain"), ("x-user", "a")]
    assert headers.get_all("x-other") == []


class Stingy(io.BytesIO):
    """An input that gives at most three bytes at a time, and fails if it is read past what was declared."""

    def __init__(self, data: bytes, allowed: int) -> None:
        super().__init__(data)
        self.allowed = allowed

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert 0 <= size <= self.allowed - self.tell()
        return super().read(min(size, 3))


def test_input_is_never_read_past_its_declared_length() -> None:
    given = environ(CONTENT_LENGTH="5", **{"wsgi.input": Stingy(b"12345GET / HTTP/1.1", 5)})
    assert read_input(given, 100) == b"12345"
    assert given["wsgi.input"].read() == b"12345"


def test_input_above_the_limit_is_not_touched_when_its_length_says_so() -> None:
    given = environ(CONTENT_LENGTH="101", **{"wsgi.input": Stingy(b"", 0)})
    with pytest.raises(BodyTooLarge):
        read_input(given, 100)


@pytest.mark.parametrize(
    ("variables", "body", "error"),
    [
        pytest.param({"CONTENT_LENGTH": "10"}, b"12345", MalformedRequest, id="shorter than declared"),
        pytest.param({"CONTENT_LENGTH": "10"}, b"", BodyUnavailable, id="consumed before"),
        pytest.param({"CONTENT_LENGTH": "ten"}, b"", MalformedRequest, id="no number"),
        pytest.param({"CONTENT_LENGTH": "\u0665"}, b"12345", MalformedRequest, id="Arabic digit"),
        pytest.param({"CONTENT_LENGTH": "9" * 5000}, b"", BodyTooLarge, id="more digits than int() takes"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked"}, b"12345", MalformedRequest, id="chunked, end not told"),
        pytest.param(
            {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
            b"",
            MalformedRequest,
            id="chunked, consumed before",
        ),
    ],
)
def test_a_body_that_is_not_there_as_declared_is_never_taken_for_an_empty_one(
    variables: dict[str, Any], body: bytes, error: type[Exception]
) -> None:
    """WHK-05, ADP-09."""
    with pytest.raises(error):
        read_input(environ(**variables, **{"wsgi.input": io.BytesIO(body)}), 100)


def test_a_chain_in_shadow_hands_on_what_was_too_large_for_it() -> None:
    @guard(body=True, body_limit=4)
    def small(request: Request) -> Allow:
        return Allow()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    given = environ(
        REQUEST_METHOD="POST", HTTP_TRANSFER_ENCODING="chunked",
        **{"wsgi.input": io.BytesIO(b"far too long for it"), "wsgi.input_terminated": True},
    )  # fmt: skip
    assert chain(small).shadow()(app)(given, lambda status, headers: None) == [b"far too long for it"]


def test_a_hook_may_remove_a_header() -> None:
    @guard.after
    def quiet(request: Request, response: Response | None) -> None:
        assert response is not None
        del response.headers["content-type"]

    started: list[Any] = []
    chain(who, quiet)(echo)(environ(HTTP_X_USER="a"), lambda *given: started.append(given))
    assert started == [("200 OK", [])]


def test_a_call_that_is_no_wsgi_call_does_not_run() -> None:
    app = chain(who)(echo)
    for given in [({}, lambda status, headers: None), (environ(), "not callable"), (environ(),)]:
        with pytest.raises(TypeError, match="no host recognises"):
            app(*given)  # type: ignore[arg-type]
