"""Django: every kind of view, in its sync stack and its async stack; middleware; and an app-wide guard around it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import django
import httpx
import pytest
from asgiref.sync import async_to_sync

from . import django_project  # noqa: F401  (first: it configures Django)

from django.core.exceptions import ImproperlyConfigured  # isort: skip
from django.core.asgi import get_asgi_application  # isort: skip
from django.core.wsgi import get_wsgi_application  # isort: skip
from django.http import HttpRequest, HttpResponse  # isort: skip
from django.test import AsyncClient, Client, RequestFactory, override_settings  # isort: skip
from django.utils.decorators import method_decorator  # isort: skip
from django.views import View  # isort: skip

from authkit import Allow, chain, current_principal, guard  # isort: skip

from .django_project import security, urls  # isort: skip
from .servers import serving  # isort: skip
from .wsgi_servers import Address, chunked, request, waitress  # isort: skip

ALICE = {"x-user": "alice"}
API = "tests.hosts.django_project.security.api"
FORM = "application/x-www-form-urlencoded"


class Stack:
    """One of Django's two stacks, called in this process; both answer in the same way."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, data: Any = b"", **more: Any
    ) -> Any:
        content_type = more.pop("content_type", "application/octet-stream")
        if self.kind == "wsgi":
            response: Any = Client(**more).generic(method, path, data, content_type, headers=headers or {})
            return response, b"".join(response)
        return async_to_sync(self._asgi)(path, method, headers or {}, data, content_type, more)

    async def _asgi(self, path: str, method: str, headers: dict[str, str], data: Any, content_type: str, more: Any) -> Any:
        response: Any = await AsyncClient(**more).generic(method, path, data, content_type, headers=headers)
        if response.streaming:
            return response, b"".join([part async for part in response])
        return response, response.content


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest) -> Stack:
    return Stack(request.param)


@pytest.fixture(autouse=True)
def fresh() -> None:
    urls.closed.clear()
    security.events.clear()
    security.ran.clear()
    logging.getLogger("django.request").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("path", ["/sync/7", "/async/7"])
def test_a_view_is_entered_with_its_principal_or_not_at_all(ask: Stack, path: str) -> None:
    response, body = ask(path, headers=ALICE)
    assert (response.status_code, body, response["x-added"]) == (201, b"alice alice 7", "1")
    refused, body = ask(path)
    assert (refused.status_code, refused["content-type"], refused["cache-control"]) == (
        401,
        "application/problem+json",
        "no-store",
    )
    assert refused["www-authenticate"] == "Bearer, Basic"
    assert b'"code":"unauthorized"' in body


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "POST", "PROPFIND"])
@pytest.mark.parametrize("path", ["/sync/7", "/async/7", "/by-name", "/async-by-name", "/own-dispatch"])
def test_every_method_is_guarded(ask: Stack, path: str, method: str) -> None:
    """AUZ-05. CSRF is not enforced by the test client."""
    assert ask(path, method)[0].status_code == 401


@pytest.mark.parametrize("path", ["/by-name", "/async-by-name", "/one-method", "/async-one-method", "/own-dispatch"])
def test_class_based_views(ask: Stack, path: str) -> None:
    response, body = ask(path, headers=ALICE)
    assert (response.status_code, body, response["x-added"]) == (200, b"alice", "1")
    assert ask(path)[0].status_code == 401


def test_directly_decorated_methods(ask: Stack) -> None:
    for path in ("/one-method", "/async-one-method"):
        assert ask(path, "POST", ALICE)[1] == b"alice"
        assert ask(path, "POST")[0].status_code == 401
    assert ask("/one-method", "DELETE")[1] == b"open"


def test_method_decorator_on_an_async_method_guards_it_or_django_refuses_the_class() -> None:
    entered = []

    class Mixed(View):
        @method_decorator(urls.guarded)
        async def get(self, request: HttpRequest) -> HttpResponse:
            entered.append(request)
            return HttpResponse()

        async def post(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse()

    if django.VERSION < (5, 2):  # there it is a plain method, and Django wants one kind in a class
        with pytest.raises(ImproperlyConfigured, match="all sync or all async"):
            Mixed.as_view()
    else:
        refused = async_to_sync(Mixed.as_view())(RequestFactory().get("/"))
        assert refused.status_code == 401
    assert entered == []


def test_what_a_guard_remembers_lasts_although_django_decorates_at_every_request(ask: Stack) -> None:
    statuses = [ask("/limited", headers={"x-user": ask.kind})[0].status_code for _ in range(4)]
    assert statuses in ([200, 200, 200, 429], [429, 429, 429, 429])  # the limit is of both stacks together


def test_csrf_exemption_is_kept_and_its_absence_too() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/exempt-outside", headers=ALICE).content == b"alice"
    assert client.post("/exempt-inside", headers=ALICE).content == b"alice"
    assert client.post("/protected", headers=ALICE).status_code == 403


def test_a_views_exception_becomes_djangos_own_response(ask: Stack) -> None:
    assert ask("/raises", headers=ALICE)[0].status_code == 404
    assert ask("/raises")[0].status_code == 401


@pytest.mark.parametrize("path", ["/streamed", "/astreamed"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_streamed_body_has_its_principal_to_the_end_and_no_longer(ask: Stack, path: str) -> None:
    """ADP-07. Django itself turns a body of the other colour into a list."""
    response, body = ask(path, headers=ALICE)
    assert (response.status_code, body, response["x-added"]) == (200, b"alice;alice;alice;", "1")
    assert urls.closed == ["alice"]
    with pytest.raises(LookupError):
        current_principal()


def test_a_stream_that_is_given_up_is_closed_with_its_principal() -> None:
    response: Any = Client().get("/streamed", headers=ALICE)
    assert next(iter(response)) == b"alice;"
    response.close()
    assert urls.closed == ["alice"]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_file_response_stays_one(ask: Stack) -> None:
    response, body = ask("/file", headers=ALICE)
    assert (body, response["x-added"], response["content-length"]) == (b"a file", "1", "6")


def test_cookies_of_a_guard_are_sent_as_written_beside_the_views_own(ask: Stack) -> None:
    response, _ = ask("/cookie", headers=ALICE)
    lines = [cookie.OutputString() for cookie in response.cookies.values()]
    assert lines == ["own=1; HttpOnly; Path=/", "__Host-s=a=b==; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned"]


def test_dropped_headers_are_gone_wherever_a_view_may_look(ask: Stack) -> None:
    response, _ = ask("/dropped", headers={"x-internal": "1", "cookie": "c=1"})
    assert response.json() == {"meta": None, "headers": None, "cookies": {}, "scope": []}


def test_nothing_that_django_has_derived_from_a_dropped_header_is_left() -> None:
    given = RequestFactory().post("/", b"x", content_type="a/b; c=d", headers={"accept": "a/b", "cookie": "a=b", "x_user": "1"})
    assert (given.content_type, [str(kind) for kind in given.accepted_types], given.COOKIES) == ("a/b", ["a/b"], {"a": "b"})
    seen: list[Any] = []
    gone = guard(lambda request: Allow(drop_headers=["content-type", "accept", "cookie", "x_user"]))

    def view(request: HttpRequest) -> HttpResponse:
        kinds = [str(kind) for kind in request.accepted_types]
        seen.append((request.content_type, request.content_params, kinds, request.COOKIES, "X-User" in request.headers))
        return HttpResponse()

    gone(view)(given)
    assert seen == [("", {}, ["*/*"], {}, False)]


def test_a_request_object_that_is_used_again_is_decided_again() -> None:
    given = RequestFactory().get("/", headers=ALICE)
    assert urls.protected(given).status_code == 200
    del given.META["HTTP_X_USER"]
    given.__dict__.pop("headers", None)
    assert urls.protected(given).status_code == 401


def test_a_request_of_no_kind_in_particular_is_guarded_too() -> None:
    given = HttpRequest()
    given.method, given.path_info = "GET", "/"
    assert urls.protected(given).status_code == 401


def test_with_nothing_to_add_the_very_response_is_returned() -> None:
    made = HttpResponse("x")
    assert chain(security.who)(lambda request: made)(RequestFactory().get("/", headers=ALICE)) is made


# Middleware.


@pytest.fixture
def everywhere() -> Iterator[None]:
    with override_settings(MIDDLEWARE=[API]):
        yield


@pytest.mark.usefixtures("everywhere")
def test_middleware_guards_every_path(ask: Stack) -> None:
    """ADP-07: known paths, unknown ones, sync and async views."""
    for path, status in [("/plain", 200), ("/sync/1", 201), ("/async/1", 201), ("/nope", 404), ("/raises", 404)]:
        assert ask(path)[0].status_code == 401
        response, _ = ask(path, headers=ALICE)
        assert (response.status_code, response["x-added"]) == (status, "1")
    assert ask("/plain", headers=ALICE)[1] == b"alice"


@pytest.mark.usefixtures("everywhere")
def test_middleware_and_a_guard_on_the_view_are_one_request(ask: Stack) -> None:
    response, body = ask("/also-guarded", headers=ALICE)
    assert (body, security.ran, response["x-added"]) == (b"alice", ["django"], "1")
    events = [(event["outcome"], event["status"], event["route"], event["host"]) for event in security.events]
    assert events == [("allow", 200, "also-guarded", "django")]


@override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware", API, "django.middleware.csrf.CsrfViewMiddleware"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_middleware_between_others_keeps_streams(ask: Stack) -> None:
    for path in ("/streamed", "/astreamed"):
        assert ask(path, headers=ALICE)[1] == b"alice;alice;alice;"


# Bodies.


@pytest.mark.parametrize("path", ["/body", "/abody", "/stream"])
def test_a_body_that_a_guard_has_read_is_still_there(ask: Stack, path: str) -> None:
    assert ask(path, "POST", {"x-signed": "wire  bytes"}, b"wire  bytes")[1] == b"wire  bytes"
    assert ask(path, "POST", {"x-signed": "other"}, b"wire  bytes")[0].status_code == 401
    assert ask(path, "POST", {"x-signed": ""})[1] == b""


def test_a_form_is_parsed_from_the_body_that_was_judged(ask: Stack) -> None:
    response, _ = ask("/form", "POST", {"x-signed": "a=1&b=2"}, b"a=1&b=2", content_type=FORM)
    assert response.json() == {"post": {"a": "1", "b": "2"}, "body": "a=1&b=2"}


def test_a_body_above_the_guards_or_djangos_limit_is_413(ask: Stack) -> None:
    assert ask("/body", "POST", {"x-signed": "x" * 17}, b"x" * 17)[0].status_code == 413
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=8):
        assert ask("/body", "POST", {"x-signed": "x" * 9}, b"x" * 9)[0].status_code == 413
        assert ask("/body", "POST", {"x-signed": "x" * 8}, b"x" * 8)[0].status_code == 200


def test_a_body_that_was_consumed_before_the_guard_is_the_developers_error(ask: Stack) -> None:
    """WHK-05."""
    response, _ = ask("/consumed", "POST", {"x-signed": ""}, b"wire", raise_request_exception=False)
    assert response.status_code == 500


def test_what_blocks_in_a_guard_of_an_async_view_runs_on_our_threads() -> None:
    response, _ = Stack("asgi")("/ablocking")
    assert response["x-thread"].startswith("authkit-io")


# Under real servers, alone and inside an app-wide guard.


@pytest.fixture(scope="module")
def wsgi() -> Iterator[Address]:
    with waitress(get_wsgi_application()) as address:
        yield address


def test_wsgi_two_authorization_lines_and_underscores(wsgi: Address) -> None:
    """ADP-01."""
    assert wsgi.send("GET", "/protected", [("X-User", "alice"), ("X-User", "bob")]).body in (b"alice, bob", b"alice,bob")
    assert wsgi.send("GET", "/protected", [("X_User", "alice")]).status == 401


def test_wsgi_a_chunked_body(wsgi: Address) -> None:
    """waitress tells Django its length; see the host's refusal for a server that does not."""
    sent = request("POST", "/body", [("Transfer-Encoding", "chunked"), ("x-signed", "in chunks, whole")]) + chunked(
        b"in chunks, whole"
    )
    assert wsgi.raw(sent, "POST").body == b"in chunks, whole"


def test_wsgi_a_chunked_body_that_django_does_not_see_is_refused() -> None:
    """Django reads nothing without a length: an empty body must not be what is verified."""
    given = RequestFactory().generic("POST", "/body", b"", headers={"Transfer-Encoding": "chunked", "x-signed": ""})
    given.META.pop("CONTENT_LENGTH", None)
    assert urls.body(given).status_code == 400


def test_wsgi_an_app_wide_guard_and_one_on_the_view_are_one_request() -> None:
    app = security.api(get_wsgi_application())
    with waitress(app) as server:
        answer = server.get("/also-guarded", x_user="alice")
        assert (answer.body, answer.all("x-added")) == (b"alice", ["1"])
        assert server.get("/nope").status == 401
    assert security.ran[0] == "wsgi"
    assert len(security.ran) == 2
    assert [event["status"] for event in security.events] == [200, 401]


@pytest.fixture(scope="module")
def asgi() -> Iterator[httpx.Client]:
    with serving(get_asgi_application(), lifespan="off") as served:
        yield served.http


def test_asgi_under_uvicorn(asgi: httpx.Client) -> None:
    for path in ("/sync/7", "/async/7", "/async-by-name", "/own-dispatch"):
        assert asgi.get(path).status_code == 401
        assert asgi.get(path, headers=ALICE).text.startswith("alice")
    assert asgi.get("/astreamed", headers=ALICE).text == "alice;alice;alice;"
    assert asgi.get("/protected", headers=[("x-user", "a"), ("x-user", "b")]).text == "a,b"


def test_asgi_a_body_without_a_length_is_read_within_the_limit(asgi: httpx.Client) -> None:
    """ADP-09."""

    def parts(size: int) -> Iterator[bytes]:
        for _ in range(size):
            yield b"x"

    assert asgi.post("/body", content=parts(16), headers={"x-signed": "x" * 16}).text == "x" * 16
    assert asgi.post("/form", content=parts(3), headers={"x-signed": "xxx", "content-type": FORM}).json()["post"] == {"xxx": ""}
    assert asgi.post("/body", content=parts(17), headers={"x-signed": "x" * 17}).status_code == 413
    assert asgi.post("/stream", content=parts(16), headers={"x-signed": "x" * 16}).text == "x" * 16


def test_asgi_an_app_wide_guard_and_one_on_the_view_are_one_request() -> None:
    app = security.api(get_asgi_application())
    with serving(app, lifespan="off") as served:
        answer = served.http.get("/also-guarded", headers=ALICE)
        assert (answer.text, answer.headers["x-added"]) == ("alice", "1")
    assert security.ran == ["asgi"]
    assert len(security.events) == 1


def test_a_chain_in_shadow_hands_on_what_was_too_large_for_it(asgi: httpx.Client) -> None:
    small = guard(body=True, body_limit=4)(lambda request: None)  # type: ignore[arg-type, return-value]
    seen: list[bytes] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.body)
        return HttpResponse("x")

    shadowed = chain(small).shadow()(view)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"far too long for it"}

    async def call() -> None:
        from django.core.handlers.asgi import ASGIHandler

        handler = ASGIHandler()
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}
        body_file = await handler.read_body(receive)
        made, _ = handler.create_request(scope, body_file)
        await asyncio.to_thread(shadowed, made)
        body_file.close()

    asyncio.run(call())
    assert seen == [b"far too long for it"]


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_principals_do_not_mix(kind: str, wsgi: Address, asgi: httpx.Client) -> None:
    """AUZ-14: interleaved requests over real sockets, streams included."""
    wrong: list[Any] = []

    def over_wsgi(path: str, name: str) -> bytes:
        return wsgi.send("GET", path, [("x-user", name)]).body

    def over_asgi(path: str, name: str) -> bytes:
        return asgi.get(path, headers={"x-user": name}).content

    send: Callable[[str, str], bytes] = over_wsgi if kind == "wsgi" else over_asgi

    def many(name: str) -> None:
        for _ in range(15):
            for path in ("/async/1", "/sync/1"):
                if send(path, name) != f"{name} {name} 1".encode():
                    wrong.append((name, path))
            if send("/streamed" if kind == "wsgi" else "/astreamed", name) != f"{name};{name};{name};".encode():
                wrong.append((name, "streamed"))

    threads = [threading.Thread(target=many, args=(f"user{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
