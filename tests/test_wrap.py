"""What a guarded handler receives, gives back, and stays: its kind, its name, its exceptions, its hooks."""

from __future__ import annotations

import functools
import threading

import pytest

from authkit import (
    Allow,
    Deny,
    Principal,
    Request,
    Response,
    chain,
    current_principal,
    guard,
    require_auth,
)
from tests.parts import AUTH, MINT, Handler, Says, bearer, deny

# What reaches the handler


def test_the_principal_reaches_a_parameter_of_that_name_and_current_principal():
    handler, seen = Handler(), []

    @AUTH
    def reads(request: Request):
        seen.append(current_principal())
        thread = threading.Thread(target=contextful(lambda: seen.append(current_principal())))
        thread.start()
        thread.join()

    AUTH(handler.fn)(bearer(MINT.good("bob")))
    assert handler.principal.subject == "bob"
    reads(bearer(MINT.good("bob")))
    assert [one.subject for one in seen] == ["bob", "bob"]
    with pytest.raises(LookupError):
        current_principal()


def contextful(fn):
    import contextvars

    return functools.partial(contextvars.copy_context().run, fn)


def test_the_client_cannot_fill_in_the_principal():
    seen = []

    @require_auth(MINT.tokens, optional=True)
    def handler(request: Request, *, principal=None):
        seen.append(principal)

    handler(Request.build(), principal=Principal("root"))
    assert seen == [None]


def test_nor_can_it_through_a_decorator_that_tells_nothing_of_what_it_wraps():
    seen = []

    def view(request, principal):
        seen.append(principal)

    def passes_on(fn):
        def inner(*args, **kwargs):
            return fn(*args, **kwargs)

        return inner

    require_auth(MINT.tokens, optional=True)(passes_on(view))(Request.build(), principal="root")
    require_auth(MINT.tokens)(passes_on(view))(bearer(MINT.good("alice")), principal="root")
    assert [None if who is None else who.subject for who in seen] == [None, "alice"]


def test_dropped_headers_are_gone_for_the_handler_and_there_for_the_guards():
    handler, log = Handler(), []

    @guard
    def after(request):
        log.append(request.headers.get("x-secret"))
        return Allow()

    drops = Says("drops", Allow(drop_headers=["X-Secret"]))
    request = Request.build("GET", "/", {"X-Secret": "s", "x-other": "o"})
    chain(drops, after)(handler.fn)(request)
    assert log == ["s"]
    assert "x-secret" not in handler.request.headers
    assert handler.request.headers["x-other"] == "o"


def test_values_fill_the_handler_parameters_that_a_guard_names():
    seen = []

    class Fills(Says):
        fills = ("event",)

    def handler(request: Request, event=None, other=None):
        seen.append((event, other))

    values = Allow(values={"event": 1, "other": 2})
    Fills("a", values)(handler)(Request.build())
    Says("b", values)(handler)(Request.build(), event="the caller's own")
    Fills("c")(handler)(Request.build(), event="the client's word")
    assert seen == [(1, None), ("the caller's own", None), (None, None)]


@pytest.mark.parametrize("value", ["a\r\nset-cookie: x=1", "\x01", "\u041c", "\ud800"])
def test_a_header_that_some_host_could_not_send_is_a_mistake_of_the_guard_on_every_host(value):
    """Where it shows when the response is sent, the handler has run; and one server fails where another one sends "?"."""
    handler = Handler()
    for answer in (Allow(headers={"x": value}), Deny(403, "no", headers={"x": value})):
        with pytest.raises(ValueError, match="x"):
            Says("x", answer)(handler.fn)(Request.build())
    assert handler.entered == 0


def test_headers_of_allow_come_with_every_response():
    adds = Says("adds", Allow(headers={"x-a": "1", "Set-Cookie": "a=1"}))
    more = Says("more", Allow(headers={"x-a": "2", "set-cookie": "b=2"}))
    allowed = chain(adds, more)(Handler().fn)(Request.build())
    assert (allowed.headers.get_all("x-a"), allowed.headers.get_all("set-cookie")) == (["2"], ["a=1", "b=2"])
    assert allowed.headers["x-handler"] == "1"
    denied = chain(adds, Says("no", deny()))(Handler().fn)(Request.build())
    assert (denied.status, denied.headers["x-a"]) == (403, "1")


# The kinds of handlers


class Callable:
    """A callable object."""

    def __call__(self, request: Request, principal=None):
        return principal.subject


class AsyncCallable:
    async def __call__(self, request: Request, principal=None):
        return principal.subject


class Holder:
    def method(self, request: Request, principal=None):
        return principal.subject

    @staticmethod
    def static(request: Request, principal=None):
        return principal.subject


def plain(extra, request: Request, principal=None):
    return f"{principal.subject}{extra}"


async def asynchronous(request: Request, principal=None):
    return principal.subject


@pytest.mark.parametrize(
    "handler",
    [
        Callable(),
        Holder().method,
        Holder.static,
        lambda request, principal: principal.subject,
        functools.partial(Holder.static),
        functools.lru_cache(Holder.static),
    ],
    ids=["object", "method", "static", "lambda", "partial", "built-in wrapper"],
)
def test_any_sync_callable_is_guarded_and_given_its_principal(handler):
    guarded = AUTH(handler)
    if isinstance(handler, functools._lru_cache_wrapper):
        assert guarded(Request.build()).status == 401
        return
    assert guarded(bearer(MINT.good("bob"))) == "bob"
    assert guarded(Request.build()).status == 401


@pytest.mark.parametrize(
    "handler",
    [asynchronous, AsyncCallable(), functools.partial(asynchronous), functools.partial(functools.partial(asynchronous))],
)
async def test_any_async_callable_stays_async(handler):
    guarded = AUTH(handler)
    assert await guarded(bearer(MINT.good("bob"))) == "bob"
    assert (await guarded(Request.build())).status == 401


def test_a_request_by_keyword_is_a_request():
    guarded = AUTH(lambda *, request, principal: (request.path, principal.subject))
    assert guarded(request=bearer(MINT.good("bob"), "/x")) == ("/x", "bob")


def test_a_decorated_function_keeps_its_name_docstring_and_annotations():
    def handler(request: Request) -> int:
        """Says hello."""
        return 1

    guarded = AUTH(handler)
    assert (guarded.__name__, guarded.__doc__, guarded.__wrapped__) == ("handler", "Says hello.", handler)
    assert guarded.__annotations__ == handler.__annotations__
    assert AUTH(Callable()).__name__ == "Callable"
    assert AUTH(Callable()).__doc__ == "A callable object."


def test_a_generator_runs_with_its_principal_until_it_is_exhausted():
    closed = []

    @AUTH
    def handler(request: Request):
        try:
            yield current_principal().subject
            yield current_principal().subject
        finally:
            closed.append(current_principal().subject)

    body = handler(bearer(MINT.good("bob")))
    assert next(body) == "bob"
    with pytest.raises(LookupError):
        current_principal()
    assert list(body) == ["bob"]
    again = handler(bearer(MINT.good("eve")))
    next(again)
    again.close()
    assert closed == ["bob", "eve"]
    assert handler(Request.build()).status == 401


async def test_an_async_generator_that_a_handler_returns_runs_with_its_principal():
    async def stream():
        for _ in range(2):
            yield current_principal().subject

    @AUTH
    async def handler(request: Request):
        return stream()

    body = await handler(bearer(MINT.good("bob")))
    assert [one async for one in body] == ["bob", "bob"]


def test_a_value_passes_through_as_the_same_object():
    value = object()
    assert AUTH(lambda request: value)(bearer(MINT.good())) is value


def test_a_handlers_exception_goes_on():
    class Mine(Exception):
        pass

    @AUTH
    def handler(request: Request):
        raise Mine

    with pytest.raises(Mine):
        handler(bearer(MINT.good()))
    with pytest.raises(LookupError):
        current_principal()


# Hooks


def hook(log, name, failing=False):
    @guard.after
    def after(request, response):
        log.append((name, None if response is None else response.status))
        if failing:
            raise ZeroDivisionError
        if response is not None:
            response.headers[f"x-{name}"] = "1"

    return after


def test_hooks_run_on_both_outcomes_last_guard_first():
    log = []
    made = chain(hook(log, "a"), chain(hook(log, "b")), AUTH, hook(log, "c"))
    assert made(Handler().fn)(bearer(MINT.good())).status == 200
    assert log == [("c", 200), ("b", 200), ("a", 200)]
    log.clear()
    refused = made(Handler().fn)(Request.build())
    assert log == [("c", 401), ("b", 401), ("a", 401)]
    assert {"x-a", "x-b", "x-c"} <= set(refused.headers)


def test_hooks_of_stacked_decorators_run_once_each():
    log = []
    hook(log, "a")(AUTH(hook(log, "b")(Handler().fn)))(bearer(MINT.good()))
    assert log == [("b", 200), ("a", 200)]


def test_where_the_handler_raises_hooks_run_without_a_response():
    log = []

    def handler(request: Request):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        chain(hook(log, "a"), hook(log, "b", failing=True))(handler)(Request.build())
    assert log == [("b", None), ("a", None)], "one that raises keeps neither the others nor the exception"


def test_a_hook_that_raises_on_a_refusal_leaves_it_a_refusal():
    log, handler = [], Handler()
    refused = chain(hook(log, "a", failing=True), AUTH)(handler.fn)(Request.build())
    assert refused.status == 401
    assert handler.entered == 0


def test_a_hook_that_raises_on_a_refusal_takes_nothing_from_the_others():
    log = []

    @guard.after
    def first(request, response):
        log.append(response.status)

    @guard.after
    def raises(request, response):
        raise ValueError("a mistake")

    refused = chain(Says("x", Allow(headers={"x-limit": "1"})), first, raises, Says("no", deny()))
    response = refused(Handler().fn)(Request.build())
    assert (response.status, response.headers["x-limit"], log) == (403, "1", [403])


def test_a_hook_that_raises_on_a_response_is_not_asked_a_second_time():
    log = []

    @guard.after
    def raises(request, response):
        log.append(response)
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        raises(Handler().fn)(Request.build())
    assert len(log) == 1


def test_a_hook_cannot_turn_a_refusal_into_something_else():
    @guard.after
    def flips(request, response):
        response.status = 200

    assert chain(flips, AUTH)(Handler().fn)(Request.build()).status == 401


# render


def test_render_changes_the_look_and_never_the_decision():
    def render(request, response):
        return Response(
            200, {"content-type": "text/html", "www-authenticate": "None", "x-look": "1"}, f"<h1>{response.status}</h1>"
        )

    refused = chain(AUTH, render=render)(Handler().fn)(Request.build())
    assert (refused.status, refused.body) == (401, b"<h1>401</h1>")
    assert refused.headers["content-type"] == "text/html"
    assert refused.headers["x-look"] == "1"
    assert refused.headers["www-authenticate"] == 'Bearer realm="api"'
    assert refused.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "broken", [lambda request, response: None, lambda request, response: 1 / 0, lambda: None, lambda request, response: "x"]
)
def test_a_broken_render_leaves_the_standard_refusal(broken):
    handler = Handler()
    refused = chain(AUTH, render=broken)(handler.fn)(Request.build())
    assert (refused.status, refused.headers["content-type"]) == (401, "application/problem+json")
    assert handler.entered == 0


def test_settings_of_an_inner_chain_hold_for_the_whole():
    def render(request, response):
        return Response(body=b"mine")

    inner = chain(AUTH, render=render)
    for made in (chain(inner, Says("x")), inner.except_for("/x"), chain(inner.except_for("/x")), chain(chain(inner))):
        assert made(Handler().fn)(Request.build()).body == b"mine"
    assert Says("x")(inner(Handler().fn))(Request.build()).body == b"mine"
