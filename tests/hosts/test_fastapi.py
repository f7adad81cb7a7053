"""FastAPI endpoints and dependencies: what FastAPI reads from a guarded endpoint, and what a guard answers through it."""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import fastapi
import httpx
import pytest
import websockets.exceptions
import websockets.sync.client
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    FastAPI,
    Form,
    HTTPException,
    Request,
    Response,
    Security,
    WebSocket,
)
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from authkit import (
    Allow,
    ConfigurationError,
    Deny,
    Guard,
    Principal,
    any_of,
    chain,
    current_principal,
    guard,
    require_api_key,
    require_auth,
    require_signature,
)
from authkit import Request as Seen
from authkit.apikeys import ApiKeys, MemoryKeys
from authkit.signatures.gateway import REQUESTS
from authkit.testing import TokenMint

from .local_annotations import build
from .servers import PROBLEM_401, Served, Who, serving

ALICE = {"x-user": "alice"}
VERSION = tuple(int(part) for part in fastapi.__version__.split(".")[:2])
events: list[dict[str, Any]] = []
entered: list[str] = []
later: list[str] = []


@guard
def adds(request: Seen) -> Allow:
    return Allow(headers={"x-guard": "1", "set-cookie": "guard=1"}, drop_headers=["x-secret"])


@guard.after
def stamp(request: Seen, response: Any) -> None:
    if response is not None:
        response.headers["x-status"] = str(response.status)


@guard(body=True, body_limit=1000)
def signed(request: Seen) -> Allow | Deny:
    return Allow(headers={"x-signed": request.body.decode("latin-1")[:20]})


api = chain(Who(), adds, stamp, audit=lambda event: events.append(dict(event)))
other = chain(Who(), audit=lambda event: events.append(dict(event)))
signed_api = chain(Who(), signed)


def name() -> str:
    user = current_principal()
    return "nobody" if user is None else user.subject


def remember(what: str) -> None:
    later.append(f"{what} {name()}")


class Item(BaseModel):
    name: str


def make_app() -> FastAPI:
    class Local(BaseModel):  # a model that only this function knows
        name: str

    app = FastAPI()

    @app.get("/async")
    @api
    async def asynchronous(principal: Principal) -> list[str]:
        entered.append("async")
        return [principal.subject, name()]

    @app.get("/sync", status_code=201)
    @api
    def synchronous(principal: Principal) -> list[str]:
        entered.append("sync")
        return [principal.subject, name()]

    @app.get("/named/{principal}")
    @api
    def path_parameter(principal: Any) -> str:
        return principal.subject  # type: ignore[no-any-return]

    @app.post("/local")
    @api
    async def local(item: Local, tag: str = "none") -> list[str]:
        return [item.name, tag, name()]

    @app.get("/response")
    @api
    def response() -> Response:
        return PlainTextResponse("own")

    @app.get("/stream")
    @api
    def stream() -> StreamingResponse:
        return StreamingResponse(name() + " " for _ in range(3))

    @app.get("/tasks")
    @api
    async def tasks(tasks: BackgroundTasks) -> str:
        tasks.add_task(remember, "injected")
        return "ok"

    @app.post("/signed")
    @signed_api
    async def signed_async(item: Annotated[Item, Body()]) -> str:
        return item.name

    @app.post("/signed-sync")
    @signed_api
    def signed_sync(request: Request) -> str:
        return "read by the guard alone"

    @app.post("/form")
    @signed_api
    def form(name: Annotated[str, Form()]) -> str:
        return name

    @app.get("/missing")
    @api
    def missing() -> None:
        raise HTTPException(404, "not here")

    def foreign(handler: Any) -> Any:
        @functools.wraps(handler)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if "foreign" in kwargs.get("tag", ""):
                return PlainTextResponse("the foreign decorator's answer", 418)
            return handler(*args, **kwargs)

        return wrapper

    @app.get("/sandwich")
    @api
    @foreign
    @signed_api
    def sandwich(principal: Principal, tag: str = "") -> list[str]:
        entered.append("sandwich")
        return [principal.subject, tag]

    @app.get("/secret")
    @api
    def secret(request: Request) -> list[Any]:
        return [request.headers.get("x-secret"), request.cookies]

    @app.get("/dependency")
    async def dependency(principal: Annotated[Principal, Depends(api.dependency)]) -> list[str]:
        entered.append("dependency")
        return [principal.subject, name()]

    @app.get("/dependency-sync", dependencies=[Depends(api.dependency)])
    def dependency_sync() -> list[str]:
        entered.append("dependency")
        return [name(), name()]

    @app.get("/dependency-stream")
    async def dependency_stream(principal: Annotated[Principal, Depends(api.dependency)]) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            for _ in range(3):
                yield name() + " "

        return StreamingResponse(parts())

    @app.get("/dependency-scopes")
    async def scopes(principal: Annotated[Principal, Security(other.dependency, scopes=["orders:read"])]) -> str:
        return principal.subject

    @app.get("/dependency-fails")
    async def dependency_fails(principal: Annotated[Principal, Depends(other.dependency)]) -> str:
        raise HTTPException(404, "not here")

    @app.get("/twice", dependencies=[Depends(api.dependency)])
    @api
    async def twice(principal: Annotated[Principal, Depends(api.dependency)]) -> str:
        return name()

    @api
    def guarded_value(request: Request) -> str:
        return name()

    @app.get("/guarded-value")
    def with_guarded_value(value: Annotated[Any, Depends(guarded_value)]) -> str:
        entered.append("guarded-value")
        return str(value)

    async def database() -> AsyncIterator[str]:
        try:
            yield "connection"
        except HTTPException:
            raise
        except Exception:
            raise HTTPException(500, "taken for a fault") from None

    @app.get("/with-yield")
    def with_yield(db: Annotated[str, Depends(database)], principal: Annotated[Principal, Depends(api.dependency)]) -> str:
        return db

    @app.websocket("/socket")
    @api
    async def socket(websocket: WebSocket, principal: Principal) -> None:
        entered.append("socket")
        await websocket.accept()
        await websocket.send_text(f"{principal.subject} {name()}")
        await websocket.receive()  # until the client goes

    @app.websocket("/dependency-socket")
    async def dependency_socket(websocket: WebSocket, principal: Annotated[Principal, Depends(api.dependency)]) -> None:
        entered.append("socket")
        await websocket.accept()
        await websocket.send_text(f"{principal.subject} {name()}")
        await websocket.receive()  # until the client goes

    @app.get("/open")
    async def open_to_all() -> str:
        try:
            return name()
        except LookupError:
            return "nobody is known here"

    router = APIRouter(prefix="/router", dependencies=[Depends(other.dependency)])

    @router.get("/a")
    def in_router() -> str:
        return name()

    app.include_router(router)
    whole = FastAPI(dependencies=[Depends(other.dependency)])
    whole.get("/a")(in_router)
    app.mount("/whole", whole)
    behind = FastAPI()
    behind.add_middleware(chain(Who(), stamp).except_for("/open"))
    behind.get("/a")(in_router)
    behind.get("/open")(open_to_all)
    app.mount("/behind", behind)
    app.mount("/text", build(api))

    @app.exception_handler(401)
    async def of_status(request: Request, error: Exception) -> Response:
        return PlainTextResponse("the app's own look", 401)

    @app.exception_handler(HTTPException)
    async def of_class(request: Request, error: HTTPException) -> Response:
        return PlainTextResponse(f"the app's own {error.status_code}", error.status_code)

    return app


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return make_app()


@pytest.fixture(scope="module")
def served(app: FastAPI) -> Iterator[Served]:
    with serving(app) as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh() -> None:
    for seen in (events, entered, later):
        seen.clear()


def soon(seen: list[Any], count: int = 1) -> list[Any]:
    deadline = time.monotonic() + 2
    while len(seen) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    return seen


DECORATED = ["/async", "/sync", "/sandwich", "/response", "/text/own"]
DEPENDING = [
    "/dependency",
    "/dependency-sync",
    "/twice",
    "/guarded-value",
    "/with-yield",
    "/router/a",
    "/whole/a",
    "/dependency-scopes",
]


class TestRefusals:
    @pytest.mark.parametrize("path", DECORATED + DEPENDING + ["/behind/a"])
    def test_the_same_bytes_from_a_decorator_a_dependency_and_a_middleware(self, served: Served, path: str) -> None:
        """Whatever exception handlers the app has for 401 and for HTTPException."""
        response = served.http.get(path)
        assert (response.status_code, response.content) == (401, PROBLEM_401)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-length"] == str(len(PROBLEM_401))
        assert response.headers["www-authenticate"] == 'Bearer realm="api"'
        assert not entered

    def test_a_refusal_is_one_event(self, served: Served) -> None:
        for number, path in enumerate(("/async", "/dependency", "/guarded-value", "/router/a"), 1):
            served.http.get(path)
            event = soon(events, number)[-1]
            assert (event["outcome"], event["status"], event["guard"], event["reason"]) == ("deny", 401, "who", "no_credential")
            assert event["route"] is None or event["route"].endswith(path)
        assert len(events) == 4

    def test_the_apps_own_exceptions_keep_their_handlers(self, served: Served) -> None:
        assert served.http.get("/missing", headers=ALICE).text == "the app's own 404"
        assert served.http.get("/dependency-fails", headers=ALICE).text == "the app's own 404"
        assert [event["outcome"] for event in soon(events, 2)] == ["error", "error"]

    def test_a_route_that_is_not_there_stays_404(self, served: Served) -> None:
        assert served.http.get("/nowhere").status_code == 404

    @pytest.mark.parametrize("path", ["/socket", "/dependency-socket", "/behind/socket"])
    def test_a_websocket_is_refused_before_it_is_accepted(self, served: Served, path: str) -> None:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught, websockets.sync.client.connect(served.ws(path)):
            pass
        assert (caught.value.response.status_code, caught.value.response.body) == (401, PROBLEM_401)
        assert not entered


class TestEndpoints:
    @pytest.mark.parametrize(("path", "status"), [("/async", 200), ("/sync", 201)])
    def test_a_value_gets_the_chains_headers(self, served: Served, path: str, status: int) -> None:
        response = served.http.get(path, headers=ALICE)
        assert (response.status_code, response.json()) == (status, ["alice", "alice"])
        assert (response.headers["x-guard"], response.headers["x-status"]) == ("1", str(status))
        event = soon(events)[0]
        assert (event["outcome"], event["status"], event["route"], event["host"]) == ("allow", status, path, "starlette")

    def test_a_response_of_its_own_gets_them_too(self, served: Served) -> None:
        response = served.http.get("/response", headers=ALICE)
        assert (response.text, response.headers["x-guard"], response.headers["set-cookie"]) == ("own", "1", "guard=1")

    def test_an_endpoint_that_names_request_and_response_keeps_them(self, served: Served) -> None:
        response = served.http.get("/text/own", headers=ALICE)
        assert (response.status_code, response.json(), response.headers["x-own"]) == (202, "alice", "/text/own")
        assert (response.headers["x-guard"], response.headers["x-status"]) == ("1", "202")

    def test_annotations_as_text(self, served: Served) -> None:
        response = served.http.post("/text/orders/7?q=abc&size=3", headers={**ALICE, "x-trace": "t"}, json={"item": "tea"})
        assert response.json() == {
            "shop": "7", "order": {"item": "tea", "count": 1}, "who": "alice", "size": 3, "q": "abc", "trace": "t",
        }  # fmt: skip
        assert served.http.post("/text/orders/7?q=abcdef", headers=ALICE, json={"item": "tea"}).status_code == 422
        assert served.http.get("/text/unknown-names", headers=ALICE).json() == "alice"

    def test_a_model_that_only_a_function_knows(self, served: Served) -> None:
        assert served.http.post("/local?tag=x", headers=ALICE, json={"name": "n"}).json() == ["n", "x", "alice"]
        assert served.http.post("/local", headers=ALICE, json={"name": "n"}).json() == ["n", "none", "alice"]

    def test_no_client_can_write_the_principal(self, served: Served) -> None:
        assert served.http.get("/named/mallory?principal=mallory", headers=ALICE).json() == "alice"
        assert served.http.get("/async?principal=mallory", headers=ALICE).json() == ["alice", "alice"]
        assert served.http.request("GET", "/sync", headers=ALICE, json={"principal": "mallory"}).json() == ["alice", "alice"]

    def test_a_foreign_decorator_between_two_guards(self, served: Served) -> None:
        assert served.http.get("/sandwich?tag=x", headers=ALICE).json() == ["alice", "x"]
        assert served.http.get("/sandwich?tag=foreign", headers=ALICE).status_code == 418
        assert entered == ["sandwich"]

    def test_dropped_headers_are_gone_from_the_request_object(self, served: Served) -> None:
        assert served.http.get("/secret", headers={**ALICE, "x-secret": "1", "cookie": "a=b"}).json() == [None, {"a": "b"}]

    def test_the_principal_is_there_in_streams_and_injected_tasks(self, served: Served) -> None:
        assert served.http.get("/stream", headers=ALICE).text == "alice alice alice "
        assert served.http.get("/tasks", headers=ALICE).json() == "ok"
        assert soon(later) == ["injected alice"]

    def test_no_principal_is_left_for_the_next_request(self, served: Served) -> None:
        for path in ("/async", "/dependency", "/stream"):
            served.http.get(path, headers=ALICE)
            assert served.http.get("/open").json() == "nobody is known here"

    def test_bodies(self, served: Served) -> None:
        assert served.http.post("/signed", headers=ALICE, json={"name": "n"}).json() == "n"
        assert served.http.post("/signed-sync", headers=ALICE, content=iter([b"a", b"b"])).headers["x-signed"] == "ab"
        assert served.http.post("/signed-sync", headers=ALICE, content=iter([b"a" * 600] * 2)).status_code == 413

    def test_a_form_that_fastapi_has_consumed_admits_nobody(self, served: Served) -> None:
        assert served.http.post("/form", headers=ALICE, data={"name": "n"}).status_code == 500

    def test_websockets(self, served: Served) -> None:
        for path in ("/socket", "/dependency-socket"):
            with websockets.sync.client.connect(served.ws(path), additional_headers=ALICE) as client:
                assert client.response is not None
                assert (client.response.headers["x-guard"], client.response.headers["x-status"]) == ("1", "101")
                assert client.recv() == "alice alice"


class TestDependencies:
    @pytest.mark.parametrize("path", ["/dependency", "/dependency-sync"])
    def test_it_gives_the_principal_headers_and_hooks(self, served: Served, path: str) -> None:
        response = served.http.get(path, headers=ALICE)
        assert response.json() == ["alice", "alice"]
        assert (response.headers["x-guard"], response.headers["set-cookie"], response.headers["x-status"]) == (
            "1",
            "guard=1",
            "200",
        )

    def test_asked_twice_it_decides_once_and_writes_one_event(self, served: Served) -> None:
        response = served.http.get("/twice", headers=ALICE)
        assert (response.json(), response.headers.get_list("set-cookie")) == ("alice", ["guard=1"])
        assert len(soon(events)) == 1

    @pytest.mark.parametrize("path", ["/router/a", "/whole/a", "/behind/a"])
    def test_routers_apps_and_middleware(self, served: Served, path: str) -> None:
        assert served.http.get(path, headers=ALICE).json() == "alice"

    def test_a_stream_below_a_dependency(self, served: Served) -> None:
        """FastAPI ends its dependencies after the response since 0.118; before that, a decorator is needed."""
        if VERSION >= (0, 118):
            assert served.http.get("/dependency-stream", headers=ALICE).text == "alice alice alice "
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                served.http.get("/dependency-stream", headers=ALICE)

    def test_scopes_that_are_named_are_required(self, served: Served) -> None:
        response = served.http.get("/dependency-scopes", headers=ALICE)
        assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
        assert response.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="orders:read"'
        assert served.http.get("/dependency-scopes", headers={**ALICE, "x-scope": "orders:read"}).json() == "alice"

    def test_it_is_the_same_object_each_time_so_that_overrides_find_it(self) -> None:
        app = FastAPI()

        @app.get("/")
        def endpoint(who: Annotated[str, Depends(api.dependency)]) -> str:
            return who

        app.dependency_overrides[api.dependency] = lambda: "somebody for this test"
        assert asyncio.run(_get(app, "/")).json() == "somebody for this test"

    def test_openapi_names_the_scheme(self, app: FastAPI) -> None:
        document = app.openapi()
        assert document["components"]["securitySchemes"]["HTTPBearer"] == {
            "type": "http", "scheme": "bearer", "description": "A bearer token (RFC 6750).",
        }  # fmt: skip
        for path in ("/dependency", "/dependency-sync", "/router/a"):
            operation = document["paths"][path]["get"]
            assert operation["security"] == [{"HTTPBearer": []}]
            assert "parameters" not in operation

    def test_openapi_names_the_header_of_an_api_key(self) -> None:
        keys = ApiKeys(MemoryKeys())
        made = keys.new("robot", scopes=["orders:read"])
        keyed, either = require_api_key(keys, header="X-Service-Key"), require_auth(TokenMint().tokens, keys)
        app = FastAPI()
        app.get("/keyed")(_says_who(Depends(chain(adds, keyed).dependency)))
        app.get("/scoped")(_says_who(Security(keyed.dependency, scopes=["orders:write"])))
        app.get("/either")(_says_who(Depends(either.dependency)))
        document = app.openapi()
        schemes = document["components"]["securitySchemes"]
        assert schemes["APIKeyHeader-x-service-key"] == {
            "type": "apiKey", "in": "header", "name": "x-service-key", "description": "An API key.",
        }  # fmt: skip
        assert document["paths"]["/keyed"]["get"]["security"] == [{"APIKeyHeader-x-service-key": []}]
        assert document["paths"]["/either"]["get"]["security"] == [{"HTTPBearer": []}]
        sent = {"x-service-key": made.reveal()}
        assert asyncio.run(_get(app, "/keyed", headers=sent)).json() == "robot"
        assert asyncio.run(_get(app, "/keyed")).headers["www-authenticate"] == 'ApiKey realm="api"'
        assert asyncio.run(_get(app, "/scoped", headers=sent)).status_code == 403

    def test_openapi_says_bearer_only_of_a_bearer_token(self) -> None:
        keys, signed = ApiKeys(MemoryKeys()), require_signature({"a": "s" * 32}, authority="api.example.com")
        tokens = TokenMint().tokens
        found = {}
        for name, each in {
            "key": require_auth(keys), "at": require_auth(keys.at("x-own"), signed), "tokens": require_auth(tokens, signed),
            "any": any_of(require_auth(tokens), require_api_key(keys)), "chain": any_of(chain(require_auth(tokens)), signed),
            "signed": signed, "alone": require_auth(signed),
        }.items():  # fmt: skip
            app = FastAPI()
            app.get("/")(_says_who(Depends(each.dependency)))
            schemes = app.openapi().get("components", {}).get("securitySchemes", {})
            found[name] = [(scheme["type"], scheme.get("name")) for scheme in schemes.values()]
        key, bearer = ("apiKey", "x-api-key"), ("http", None)
        assert found == {
            "key": [key], "at": [("apiKey", "x-own")], "tokens": [bearer], "any": [bearer], "chain": [bearer],
            "signed": [("apiKey", "signature")], "alone": [],
        }  # fmt: skip

    def test_guards_of_several_headers_are_several_schemes(self) -> None:
        keys, secrets = ApiKeys(MemoryKeys()), {"a": "s" * 32}
        guards = {
            "APIKeyHeader": require_api_key(keys), "APIKeyHeader-x-one": require_api_key(keys, header="X-One"),
            "APIKeyHeader-x-two": require_auth(keys.at("x-two")), "RequestSignature": require_signature(secrets, authority="a"),
            "RequestSignature-x-signature": chain(require_signature(secrets, scheme=REQUESTS)),
        }  # fmt: skip
        app = FastAPI()
        for name, each in guards.items():
            app.get(f"/{name}")(_says_who(Depends(each.dependency)))
        document = app.openapi()
        for name in guards:
            assert document["paths"][f"/{name}"]["get"]["security"] == [{name: []}]
        schemes = document["components"]["securitySchemes"]
        named = {name: scheme["name"] for name, scheme in schemes.items()}
        assert named == {
            "APIKeyHeader": "x-api-key", "APIKeyHeader-x-one": "x-one", "APIKeyHeader-x-two": "x-two",
            "RequestSignature": "signature", "RequestSignature-x-signature": "x-signature",
        }  # fmt: skip
        assert "signature over the request" in schemes["RequestSignature"]["description"]

    def test_a_guard_that_identifies_nobody_names_no_scheme(self) -> None:
        app = FastAPI(dependencies=[Depends(adds.dependency)])
        app.get("/")(lambda: 1)
        assert "components" not in app.openapi()
        assert asyncio.run(_get(app, "/")).headers["x-guard"] == "1"


def _says_who(dependency: Any) -> Any:
    def who(principal: Any = dependency) -> str:
        return str(principal.subject)

    return who


async def _get(app: Any, path: str, **settings: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        return await client.get(path, **settings)


class TestSignatures:
    def test_openapi_shows_the_endpoints_own_parameters_only(self, app: FastAPI) -> None:
        paths = app.openapi()["paths"]
        assert "parameters" not in paths["/async"]["get"]
        assert [parameter["name"] for parameter in paths["/local"]["post"]["parameters"]] == ["tag"]
        assert paths["/signed"]["post"]["requestBody"]["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/Item"
        }

    @pytest.mark.parametrize("parameter", ["default", "annotated", "router"])
    def test_a_guard_itself_is_no_dependency(self, parameter: str) -> None:
        app = FastAPI()
        with pytest.raises(ConfigurationError, match=r"Depends\(guard\.dependency\)"):
            if parameter == "default":
                app.get("/")(_default)
            elif parameter == "annotated":
                app.websocket("/")(_annotated)
            else:
                app.get("/", dependencies=[Depends(Who())])(lambda: 1)

    def test_a_guard_above_the_route_decorator_is_refused_at_start_up(self) -> None:
        app = FastAPI()
        with pytest.raises(ConfigurationError, match=r"below @app\.get"):

            @api
            @app.get("/")
            def above(principal: Principal) -> str:
                return principal.subject

    def test_an_endpoint_that_yields_is_sent_to_the_dependency(self) -> None:
        app = FastAPI()
        with pytest.raises(ConfigurationError, match=r"Depends\(guard\.dependency\)"):

            @app.get("/")
            @api
            def parts() -> Any:
                yield "part"

    def test_a_plain_starlette_route_and_other_calls_still_work(self) -> None:
        from starlette.applications import Starlette
        from starlette.routing import Route

        @api
        async def endpoint(request, principal):  # type: ignore[no-untyped-def]
            return PlainTextResponse(principal.subject)

        @Who()
        def function(request: Seen, more: int = 1) -> str:
            return f"{name()} {more}"

        got = asyncio.run(_get(Starlette(routes=[Route("/", endpoint)]), "/", headers=ALICE))
        assert got.text == "alice"
        assert function(Seen.build(headers=ALICE), 2) == "alice 2"

    def test_methods_partials_and_catch_alls(self) -> None:
        class View:
            def method(self, number: int, principal: Principal) -> list[Any]:
                return [number, principal.subject]

        def partly(greeting: str, number: int) -> list[Any]:
            return [greeting, number]

        app = FastAPI()
        app.get("/method/{number}")(api(View().method))
        app.get("/partial/{number}")(api(functools.partial(partly, greeting="hello")))
        assert asyncio.run(_get(app, "/method/3", headers=ALICE)).json() == [3, "alice"]
        assert asyncio.run(_get(app, "/partial/3?greeting=hi", headers=ALICE)).json() == ["hi", 3]
        assert asyncio.run(_get(app, "/method/3")).status_code == 401

    def test_a_whole_app_is_guarded_by_calling(self) -> None:
        app = FastAPI()
        app.get("/")(lambda: name())
        guarded: Guard = Who()
        with serving(guarded(app)) as server:
            assert server.http.get("/", headers=ALICE).json() == "alice"
            assert server.http.get("/").content == PROBLEM_401
            assert server.http.get("/openapi.json").status_code == 401


def _default(who: Any = Depends(api)) -> None: ...  # FastAPI's older way to name a dependency


def _annotated(websocket: WebSocket, who: Annotated[Any, Depends(api)]) -> None: ...


def test_nothing_was_logged_that_a_client_sent(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "authkit"):
        served.http.get("/async?token=hunter2", headers={"authorization": "Bearer hunter2"})
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("context", [None, {}, {"aws_request_id": "x"}])
async def test_a_body_that_looks_like_a_lambda_event_is_not_the_request(context: Any) -> None:
    """Parameters named event and context are filled by the client, who must not write what the guards judge."""
    app = FastAPI()

    @app.post("/hook")
    @Who().except_for("/health")
    async def hook(event: dict[str, Any], context: dict[str, Any] | None = None) -> Any:
        return event["rawPath"]

    written = {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/health", "headers": ALICE}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        body = {"event": written, "context": context}
        assert (await client.post("/hook", json=body)).status_code == 401
        admitted = await client.post("/hook", json=body, headers=ALICE)
        assert (admitted.status_code, admitted.json()) == (200, "/health")
