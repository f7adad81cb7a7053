"""Flask views: functions, blueprints, class-based views, `async def`; alone and under an app-wide guard."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask import Blueprint, Flask, Response, abort, request, stream_with_context
from flask.testing import FlaskClient
from flask.views import MethodView, View
from werkzeug.exceptions import NotFound

import authkit
from authkit import Allow, Deny, Principal, Request, chain, current_principal, guard
from authkit.errors import BodyUnavailable, ConfigurationError

from .wsgi_servers import waitress

ALICE = {"x-user": "alice"}


@guard
def who(request: Request) -> Allow | Deny:
    name = request.headers.get("x-user")
    return Deny(401, "unauthorized", challenge="Bearer") if name is None else Allow(Principal(name))


@guard
def adds(request: Request) -> Allow:
    return Allow(headers={"x-added": "1"})


@guard(body=True, body_limit=16)
def reads(request: Request) -> Allow | Deny:
    return Deny(401, "bad_body") if request.body != request.headers.get("x-signed", "").encode() else Allow()


def subject() -> str:
    principal = current_principal()
    return principal.subject if principal else "-"


def made(view: Any, rule: str = "/", **options: Any) -> FlaskClient:
    app = Flask("app")
    app.testing = True
    app.add_url_rule(rule, view_func=view, **options)
    return app.test_client()


def test_a_view_is_entered_with_its_principal_or_not_at_all() -> None:
    entered: list[str] = []

    @chain(who)
    def view(number: int, principal: Principal) -> dict[str, Any]:
        entered.append(principal.subject)
        return {"number": number}

    client = made(view, "/<int:number>")
    answer = client.get("/7", headers=ALICE)
    assert (answer.status_code, answer.json, entered) == (200, {"number": 7}, ["alice"])
    refused = client.get("/7")
    assert (refused.status_code, refused.content_type) == (401, "application/problem+json")
    assert refused.headers.getlist("www-authenticate") == ["Bearer"]
    assert refused.headers["cache-control"] == "no-store"
    assert entered == ["alice"]


def test_a_path_parameter_named_principal_is_not_the_clients_word() -> None:
    @chain(who)
    def view(principal: Principal) -> str:
        return principal.subject

    assert made(view, "/<principal>").get("/mallory", headers=ALICE).text == "alice"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_every_method_of_a_route_is_guarded(method: str) -> None:
    """AUZ-05."""

    @chain(who)
    def view() -> str:
        raise AssertionError("entered")

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
    assert made(view, methods=methods).open("/", method=method).status_code == 401


def test_flasks_own_answer_to_options_does_not_enter_the_view() -> None:
    """AUZ-05: Flask answers before any view is called; under an app-wide guard it does not even do that."""

    @chain(who)
    def view() -> str:
        raise AssertionError("entered")

    client = made(view)
    assert client.options("/").status_code == 200
    client.application.wsgi_app = chain(who)(client.application.wsgi_app)  # type: ignore[method-assign]
    assert client.options("/").status_code == 401


def test_the_endpoint_keeps_its_name_and_attributes() -> None:
    @chain(who)
    def orders() -> str:
        """The orders."""
        return flask.url_for("orders")

    assert (orders.__name__, orders.__doc__) == ("orders", "The orders.")
    assert made(orders, "/o").get("/o", headers=ALICE).text == "/o"


@pytest.mark.parametrize(
    "value",
    [
        "text", b"bytes", {"a": 1}, [1, 2], ("text", 201), ("text", {"x-own": "1"}), ("text", 201, {"x-own": "1"}),
        ("text", "202 Fine"),
        ({"a": 1}, 201, [("x-own", "1"), ("x-own", "2")]),
    ],
)  # fmt: skip
def test_every_kind_of_value_gets_the_headers_and_is_otherwise_what_it_was(value: Any) -> None:
    plain = made(lambda: value).get("/")
    answer = made(chain(who, adds)(lambda: value)).get("/", headers=ALICE)
    assert answer.headers.pop("x-added") == "1"
    assert (answer.status, answer.data, list(answer.headers)) == (plain.status, plain.data, list(plain.headers))


def test_with_nothing_to_add_a_value_passes_as_the_same_object_heard_or_not() -> None:
    for audit in (None, lambda event: None):
        for value in ("text", {"a": 1}, ("text", 201), Response("x")):
            view = chain(who, audit=audit)(lambda value=value: value)
            with Flask("app").test_request_context("/", headers=ALICE):
                assert view() is value


def test_status_and_route_are_in_the_event() -> None:
    events: list[Any] = []

    def view(number: int) -> tuple[str, int]:
        return "made", 201

    made(chain(who, audit=events.append)(view), "/n/<int:number>").get("/n/1", headers=ALICE)
    assert [(e["status"], e["route"], e["host"], e["client"], e["outcome"]) for e in events] == [
        (201, "/n/<int:number>", "flask", "127.0.0.1", "allow")
    ]


def test_a_wsgi_app_as_a_value_runs_once() -> None:
    ran: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        ran.append(1)
        start_response("404 Not Found", [])
        return [b"inner"]

    answer = made(chain(who, audit=lambda event: None)(lambda: app)).get("/", headers=ALICE)
    assert (answer.status_code, answer.data, ran) == (404, b"inner", [1])
    assert made(chain(who, adds)(lambda: NotFound())).get("/", headers=ALICE).status_code == 404


@pytest.mark.parametrize("kind", ["generator", "tuple", "response", "with context", "iterable"])
def test_a_streamed_body_has_its_principal_to_the_end_and_no_longer(kind: str) -> None:
    """ADP-07."""
    closed: list[str] = []

    class Parts:
        def __iter__(self) -> Iterator[str]:
            return parts()

    def parts() -> Iterator[str]:
        try:
            for _ in range(3):
                yield subject() + ";"
        finally:
            closed.append(subject())

    @chain(who)
    def view() -> Any:
        match kind:
            case "generator":
                return parts()
            case "tuple":
                return parts(), 200
            case "response":
                return Response(parts())
            case "iterable":
                return Response(Parts())
            case _:
                return stream_with_context(parts())

    answer = made(view).get("/", headers=ALICE)
    assert (answer.text, closed) == ("alice;alice;alice;", ["alice"])
    with pytest.raises(LookupError):
        current_principal()


def test_a_stream_that_is_given_up_is_closed_with_its_principal() -> None:
    closed: list[str] = []

    def parts() -> Iterator[str]:
        try:
            while True:
                yield subject()
        finally:
            closed.append(subject())

    answer = made(chain(who)(parts)).get("/", headers=ALICE, buffered=False)
    answer.close()
    assert closed in ([], ["alice"])  # a generator that never started has nothing to close
    answer = made(chain(who)(parts)).get("/", headers=ALICE, buffered=False)
    next(iter(answer.response))
    answer.close()
    assert closed[-1] == "alice"


def test_a_file_is_sent_as_flask_sends_files(tmp_path: Any) -> None:
    (tmp_path / "f.txt").write_text("a file")
    seen: list[Response] = []
    client = made(chain(who, adds)(lambda: flask.send_file(tmp_path / "f.txt")))
    client.application.after_request(lambda response: (seen.append(response), response)[1])
    with client.get("/", headers=ALICE) as answer:
        assert (answer.text, answer.headers["x-added"], seen[0].direct_passthrough) == ("a file", "1", True)


def test_async_views() -> None:
    @chain(who, adds)
    async def view(principal: Principal) -> tuple[str, int]:
        return f"{principal.subject} {subject()}", 201

    client = made(view)
    answer = client.get("/", headers=ALICE)
    assert (answer.status_code, answer.text, answer.headers["x-added"]) == (201, "alice alice", "1")
    assert client.get("/").status_code == 401


def test_class_based_views_by_decorators_and_by_method() -> None:
    class All(MethodView):
        decorators = [chain(who)]

        def get(self) -> str:
            return subject()

        async def post(self) -> str:
            return "async " + subject()

    class One(MethodView):
        @chain(who)
        def get(self, principal: Principal) -> str:
            return principal.subject

        def post(self) -> str:
            return "open"

    class Plain(View):
        decorators = [chain(who)]

        def dispatch_request(self) -> str:
            return subject()

    for kind in (All, One, Plain):
        client = made(kind.as_view("view"))
        assert client.get("/", headers=ALICE).text == "alice"
        assert client.get("/").status_code == 401
    assert made(All.as_view("view")).post("/", headers=ALICE).text == "async alice"
    assert made(All.as_view("view")).post("/").status_code == 401
    assert made(One.as_view("view")).post("/").text == "open"


def test_a_nested_blueprint_and_its_parameters() -> None:
    seen: list[Any] = []

    @guard
    def looks(request: Request) -> Allow:
        seen.append((request.path, dict(request.params), request.route, request.query, request.method))
        return Allow()

    inner, outer, app = Blueprint("inner", "x"), Blueprint("outer", "y"), Flask("app")
    inner.get("/<name>")(chain(looks)(lambda name: name))
    outer.register_blueprint(inner, url_prefix="/in")
    app.register_blueprint(outer, url_prefix="/out")
    assert app.test_client().get("/out/in/caf%C3%A9?a=1&a=2").text == "café"
    assert seen == [("/out/in/café", {"name": "café"}, "/out/in/<name>", (("a", "1"), ("a", "2")), "GET")]


def test_nothing_that_werkzeug_has_derived_from_a_dropped_header_is_left() -> None:
    """Whatever ran before may have looked, and Werkzeug keeps what it has parsed."""
    sent = {
        "authorization": "Bearer x", "cookie": "a=b", "accept": "a/b", "accept-language": "de", "accept-encoding": "gzip",
        "range": "bytes=0-1", "pragma": "no", "content-type": "a/b; c=d", "user-agent": "u", "if-match": "x",
        "cache-control": "no-cache", "x_internal": "1",
    }  # fmt: skip
    names = ("authorization", "cookies", "accept_mimetypes", "accept_languages", "accept_encodings", "range", "pragma",
             "mimetype", "mimetype_params", "content_type", "user_agent", "if_match", "cache_control")  # fmt: skip

    @guard
    def drops(request: Request) -> Allow:
        return Allow(drop_headers=list(sent))

    app = Flask("app")
    app.before_request(lambda: ([getattr(request, name) for name in names], None)[1])

    @app.post("/")
    @drops
    def view() -> dict[str, Any]:
        return {"left": [name for name in names if getattr(request, name)], "headers": list(request.headers.keys())}

    assert app.test_client().post("/", headers=sent, data=b"x").json == {
        "left": [], "headers": ["Host", "Content-Length"],
    }  # fmt: skip


def test_dropped_headers_are_gone_for_the_view_and_still_there_for_hooks() -> None:
    seen: list[Any] = []

    @guard
    def drops(request: Request) -> Allow:
        return Allow(drop_headers=["Authorization", "Cookie"])

    @guard.after
    def after(request: Request, response: authkit.Response | None) -> None:
        seen.append(request.headers.get("authorization"))

    @chain(drops, after)
    def view() -> dict[str, Any]:
        return {
            "seen": [
                request.headers.get("authorization"),
                request.authorization,
                request.cookies.get("c"),
                "HTTP_COOKIE" in request.environ,
            ]
        }

    app = Flask("app")
    app.before_request(lambda: (request.cookies, None)[1])  # Werkzeug keeps what it has parsed
    app.add_url_rule("/", view_func=view)
    client = app.test_client()
    client.set_cookie("c", "1")
    assert client.get("/", headers={"Authorization": "Bearer x"}).json == {"seen": [None, None, None, False]}
    assert seen == ["Bearer x"]


# An app-wide guard and one on the view.


def test_an_app_wide_guard_and_one_on_the_view_are_one_request() -> None:
    events: list[Any] = []
    ran: list[str] = []

    @guard
    def counted(request: Request) -> Allow:
        ran.append(request.host)
        return Allow(Principal("alice"), headers={"x-outer": "1"})

    client = made(chain(counted, adds)(lambda: subject()))
    app: Any = client.application
    app.wsgi_app = chain(counted, audit=events.append)(app.wsgi_app)
    answer = client.get("/")
    assert (answer.text, ran) == ("alice", ["wsgi"])
    assert (answer.headers.getlist("x-outer"), answer.headers.getlist("x-added")) == (["1"], ["1"])
    assert [(event["outcome"], event["principal"], event["status"]) for event in events] == [("allow", "alice", 200)]


def test_a_refusal_by_the_view_under_an_app_wide_guard_is_one_event_of_both() -> None:
    events: list[Any] = []

    @guard
    def never(request: Request) -> Deny:
        return Deny(403, "forbidden", reason="never")

    client = made(chain(never)(lambda: "x"))
    app: Any = client.application
    app.wsgi_app = chain(who, adds, audit=events.append)(app.wsgi_app)
    answer = client.get("/", headers=ALICE)
    assert (answer.status_code, answer.headers["x-added"]) == (403, "1")
    assert [(e["outcome"], e["reason"], e["guard"], e["status"], e["principal"]) for e in events] == [
        ("deny", "never", "never", 403, "alice")
    ]


def test_not_found_static_and_error_handlers_under_an_app_wide_guard(tmp_path: Any) -> None:
    """ADP-07."""
    (tmp_path / "s.txt").write_text("static")
    app = Flask("app", static_folder=str(tmp_path), static_url_path="/static")
    app.get("/fails")(lambda: abort(418))
    app.register_error_handler(404, lambda error: (f"none for {subject()}", 404))
    app.register_error_handler(418, lambda error: (f"tea for {subject()}", 418))
    app.wsgi_app = chain(who)(app.wsgi_app)  # type: ignore[method-assign]
    client = app.test_client()
    for path, text in [("/nope", "none for alice"), ("/fails", "tea for alice"), ("/static/s.txt", "static")]:
        assert client.get(path).status_code == 401
        with client.get(path, headers=ALICE) as answer:
            assert answer.text == text


def test_a_views_exception_goes_to_flasks_error_handlers_and_the_principal_is_gone() -> None:
    class Mine(Exception):
        pass

    @chain(who)
    def view() -> str:
        raise Mine

    app = Flask("app")
    app.get("/")(view)
    app.register_error_handler(Mine, lambda error: ("handled", 500))
    left: list[bool] = []

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        try:
            current_principal()
        except LookupError:
            left.append(True)

    assert app.test_client().get("/", headers=ALICE).text == "handled"
    assert left == [True]


# Bodies.


def test_a_body_that_a_guard_has_read_is_still_there_in_every_form() -> None:
    @chain(reads)
    def view() -> dict[str, Any]:
        if request.mimetype == "application/json":
            return {"got": request.json, "data": request.get_data(as_text=True)}
        return {"got": request.form.to_dict(), "data": ""}

    client = made(view, methods=["POST"])
    sent = '{"a": 1 }'
    assert client.post("/", data=sent, content_type="application/json", headers={"x-signed": sent}).json == {
        "got": {"a": 1},
        "data": sent,
    }
    assert client.post("/", data={"a": "1"}, headers={"x-signed": "a=1"}).json == {"got": {"a": "1"}, "data": ""}
    assert client.post("/", data="other", headers={"x-signed": "a=1"}).status_code == 401


def test_a_stream_read_by_the_view_itself_is_whole() -> None:
    view = chain(reads)(lambda: request.stream.read())
    assert made(view, methods=["POST"]).post("/", data="wire", headers={"x-signed": "wire"}).data == b"wire"


def test_a_body_above_the_guards_or_flasks_limit_is_413() -> None:
    view = chain(reads)(lambda: request.get_data())
    client = made(view, methods=["POST"])
    assert client.post("/", data="x" * 17, headers={"x-signed": "x" * 17}).status_code == 413
    assert client.post("/", data="x" * 16, headers={"x-signed": "x" * 16}).status_code == 200
    client.application.config["MAX_CONTENT_LENGTH"] = 8
    assert client.post("/", data="x" * 9, headers={"x-signed": "x" * 9}).status_code == 413


@pytest.mark.parametrize("consume", ["form", "stream", "form, then get_data"])
def test_a_body_that_was_consumed_before_the_guard_is_the_developers_error(consume: str) -> None:
    """WHK-05: an empty body is not verified in its place."""

    def before() -> None:
        if consume == "stream":
            request.stream.read()
        else:
            assert request.form.to_dict() == {"a": "1"}
        if consume.endswith("get_data"):
            assert request.get_data() == b""

    client = made(chain(reads)(lambda: "entered"), methods=["POST"])
    client.application.before_request(before)
    with pytest.raises(BodyUnavailable):
        client.post("/", data={"a": "1"}, headers={"x-signed": ""})


def test_a_body_that_was_kept_before_the_guard_is_the_one_it_judges() -> None:
    client = made(chain(reads)(lambda: request.get_data()), methods=["POST"])
    client.application.before_request(lambda: (request.get_data(), None)[1])
    assert client.post("/", data="wire", headers={"x-signed": "wire"}).data == b"wire"


def test_a_body_read_by_an_app_wide_guard_is_the_one_the_views_guard_judges() -> None:
    client = made(chain(reads)(lambda: request.get_data()), methods=["POST"])
    app: Any = client.application
    again = guard(body=True)(lambda request: Allow(headers={"x-length": str(len(request.body))}))
    app.wsgi_app = chain(again)(app.wsgi_app)
    answer = client.post("/", data="wire", headers={"x-signed": "wire"})
    assert (answer.data, answer.headers["x-length"]) == (b"wire", "4")


# Mistakes.


def test_a_foreign_decorator_between_two_guards_keeps_its_say() -> None:
    import functools

    def refuses(view: Any) -> Any:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return abort(403)

        return wrapper

    view = chain(adds)(refuses(chain(who)(lambda: "entered")))
    assert made(view).get("/", headers=ALICE).status_code == 403


def test_outside_of_a_request_a_guarded_view_does_not_run() -> None:
    with pytest.raises(TypeError, match="no host recognises"):
        chain(who)(lambda: "entered")()


def test_a_view_class_is_not_decorated() -> None:
    with pytest.raises(ConfigurationError):
        chain(who)(MethodView)


def test_principals_do_not_mix_under_a_threaded_server() -> None:
    """AUZ-14: interleaved requests over real sockets, streams included."""
    app = Flask("app")

    @app.get("/<name>")
    @chain(who)
    def view(name: str, principal: Principal) -> Any:
        assert principal.subject == name

        def parts() -> Iterator[str]:
            for _ in range(3):
                yield subject() + ";"

        return parts()

    wrong: list[Any] = []
    with waitress(app) as server:

        def ask(name: str) -> None:
            for _ in range(25):
                answer = server.send("GET", f"/{name}", [("x-user", name)])
                if answer.body != f"{name};{name};{name};".encode():
                    wrong.append((name, answer.status, answer.body))

        threads = [threading.Thread(target=ask, args=(f"user{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_two_authorization_lines_reach_the_guard_as_one_value() -> None:
    """ADP-01, as Werkzeug's and every WSGI server's environ has them."""
    seen: list[Any] = []

    @guard
    def looks(request: Request) -> Allow:
        seen.append(request.headers.get_all("authorization"))
        return Allow()

    app = Flask("app")
    app.get("/")(chain(looks)(lambda: "x"))
    with waitress(app) as server:
        server.send("GET", "/", [("Authorization", "Bearer a"), ("Authorization", "Bearer b")])
    assert seen == [["Bearer a, Bearer b"]]


def test_a_dropped_body_stream_is_not_needed_by_views_without_a_body_guard() -> None:
    app = Flask("app")
    app.post("/")(chain(who)(lambda: request.stream.read()))
    answer = app.test_client().post("/", input_stream=io.BytesIO(b"streamed"), content_length=8, headers=ALICE)
    assert answer.data == b"streamed"
