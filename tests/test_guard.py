"""Chains: their order, what never admits, what merges, what is left open on purpose, and what reaches the handler."""

from __future__ import annotations

import functools
import threading

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Deny,
    Guard,
    Principal,
    Request,
    Response,
    Unavailable,
    chain,
    current_principal,
    guard,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit._guard import Chain
from authkit._wrap import mark_of
from authkit.errors import BodyTooLarge, MalformedRequest
from authkit.testing import TokenMint

MINT = TokenMint()
AUTH = require_auth(MINT.tokens)


class Says(Guard):
    """Answers as it was told to, and remembers that it was asked."""

    def __init__(self, name, answer=None, log=None):
        self.name, self.answer, self.log = name, answer if answer is not None else Allow(), log if log is not None else []

    async def check(self, request):
        self.log.append(self.name)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Handler:
    """A plain function's stand-in that counts how often it was entered."""

    def __init__(self):
        self.entered = 0

        def handler(request: Request, principal: Principal | None = None):
            self.entered += 1
            self.request, self.principal = request, principal
            return Response(200, {"x-handler": "1"}, b"ok")

        self.fn = handler


def bearer(token, path="/"):
    return Request.build("GET", path, {"authorization": f"Bearer {token}"})


def deny(name="no"):
    return Deny(403, name)


# Order


def test_guards_run_in_the_order_written_until_one_refuses():
    log = []
    a, b, c = Says("a", log=log), Says("b", deny(), log), Says("c", log=log)
    assert chain(a, b, c).decide(Request.build()).code == "no"
    assert log == ["a", "b"]


def test_stacked_decorators_run_from_the_top_as_one_chain():
    log, handler = [], Handler()
    a, b, c, d = (Says(name, log=log) for name in "abcd")
    guarded = a(chain(b, c)(d(handler.fn)))
    assert guarded(Request.build()).status == 200
    assert log == ["a", "b", "c", "d"]
    mark = mark_of(guarded)
    assert mark is not None
    assert mark.handler is handler.fn
    assert [item.name for item in mark.chain.flat()] == ["a", "b", "c", "d"]


def test_a_foreign_decorator_between_two_guards_keeps_its_place():
    """`functools.wraps` copies our marker: the guards below it must not be taken for merged, nor be run twice."""
    log, handler, refused = [], Handler(), []

    def foreign(fn):
        @functools.wraps(fn)
        def around(*args, **kwargs):
            log.append("foreign")
            if refused:
                return Response(418)
            return fn(*args, **kwargs)

        return around

    guarded = Says("a", log=log)(foreign(Says("b", log=log)(handler.fn)))
    assert guarded(Request.build()).status == 200
    assert log == ["a", "foreign", "b"]
    refused.append(1)
    assert guarded(Request.build()).status == 418
    assert handler.entered == 1

    below = Says("a", log=log)(foreign(Says("b", deny(), log)(handler.fn)))
    refused.clear()
    assert below(Request.build()).status == 403
    above = Says("a", deny(), log)(foreign(Says("b", log=log)(handler.fn)))
    assert above(Request.build()).status == 403
    assert handler.entered == 1


def test_a_chain_is_a_guard_and_a_guard_is_a_chain():
    log = []
    inner = chain(Says("a", log=log), Says("b", log=log))
    assert isinstance(chain(inner, Says("c", log=log)).decide(Request.build()), Allow)
    assert log == ["a", "b", "c"]
    single = Says("x")
    assert single.as_chain() is single.as_chain()


def test_chain_takes_the_bare_name_of_a_guard():
    built = chain(require_auth, require_scopes("a"))
    assert [item.name for item in built.flat()] == ["require_auth", "require_scopes"]


@pytest.mark.parametrize("wrong", [[], [None], [lambda request: True], [require_scopes], ["AUTH"], [Guard]])
def test_what_is_no_guard_is_refused_when_the_chain_is_made(wrong):
    with pytest.raises(ConfigurationError):
        chain(*wrong)


@pytest.mark.parametrize("wrong", [None, 42, Says("x"), Principal, type("View", (), {})])
def test_what_is_no_handler_is_refused_when_it_is_decorated(wrong):
    with pytest.raises(ConfigurationError, match="decorates a handler"):
        AUTH(wrong)


def test_an_async_generator_function_cannot_be_guarded():
    async def stream(request: Request):
        yield 1

    with pytest.raises(ConfigurationError, match="async generator"):
        AUTH(stream)


def test_a_host_that_does_not_exist_is_refused_when_it_is_named():
    with pytest.raises(ConfigurationError, match="'pigeon' is not one of"):
        AUTH(lambda request: None, host="pigeon")


@pytest.mark.parametrize("call", [(), (42,), ({"Records": [{"eventSource": "aws:sqs"}]}, None), ("x", "y", "z")])
def test_a_call_that_no_host_recognises_never_runs_unguarded(call):
    handler = Handler()
    guarded = AUTH(handler.fn)
    with pytest.raises(TypeError, match="host="):
        guarded(*call)
    assert handler.entered == 0


# What never admits


async def _coroutine():
    return Allow()


class _Truthy:
    def __bool__(self):
        return True

    def __eq__(self, other):
        return True

    __hash__ = None


RETURNED = [None, True, False, 1, "allow", (), [Allow()], {}, Allow, Principal("x"), _Truthy(), Response(200)]


@pytest.mark.parametrize("answer", RETURNED, ids=repr)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_what_is_neither_allow_nor_deny_admits_nobody(answer, place):
    """AUZ-11, in place, on a thread, in a coroutine."""
    handler = Handler()

    @guard
    def in_place(request):
        return answer

    @guard(blocking=True)
    def on_thread(request):
        return answer

    @guard
    async def coroutine(request):
        return answer

    made = [in_place, on_thread, coroutine][place]
    with pytest.raises(TypeError, match="must return Allow or Deny"):
        chain(Says("before"), made, Says("after"))(handler.fn)(Request.build())

    async def asynchronous(request: Request):
        handler.entered += 1

    with pytest.raises(TypeError, match="must return Allow or Deny"):
        await made(asynchronous)(Request.build())
    assert handler.entered == 0


def test_a_coroutine_that_nobody_awaits_admits_nobody():
    handler, made = Handler(), []

    def returns_one(request):
        made.append(_coroutine())
        return made[-1]

    with pytest.raises(TypeError, match="not coroutine"):
        guard(returns_one)(handler.fn)(Request.build())
    made[0].close()
    assert handler.entered == 0


FAILURES = [
    ValueError("x"),
    KeyError("x"),
    RecursionError(),
    UnicodeError(),
    MemoryError(),
    AssertionError(),
    StopIteration(),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("k", range(5))
@pytest.mark.parametrize(
    "error", [*FAILURES, Unavailable(), MalformedRequest(), BodyTooLarge(), ConfigurationError("x")], ids=repr
)
async def test_an_exception_at_any_guard_admits_nobody(k, error):
    """AVL-01: at the k-th of five."""
    handler = Handler()
    guards = [Says(str(place), error if place == k else Allow(Principal("x"))) for place in range(5)]

    async def asynchronous(request: Request):
        handler.entered += 1

    statuses = []
    for run in (
        lambda: chain(*guards)(handler.fn)(Request.build()),
        lambda: functools.reduce(lambda fn, one: one(fn), guards[::-1], handler.fn)(Request.build()),
    ):
        try:
            statuses.append(run().status)
        except BaseException as raised:
            statuses.append(type(raised))
    try:
        statuses.append((await chain(*guards)(asynchronous)(Request.build())).status)
    except BaseException as raised:
        statuses.append(type(raised))
    answered = {Unavailable: 503, MalformedRequest: 400, BodyTooLarge: 413, ConfigurationError: 500}
    raised_as = RuntimeError if isinstance(error, StopIteration) else type(error)
    assert set(statuses) == {answered.get(type(error), raised_as)}
    assert handler.entered == 0


@pytest.mark.parametrize("part", ["seal", "_read_body", "refuse"])
def test_an_exception_around_the_guards_admits_nobody(part):
    handler = Handler()

    class Broken(Says):
        needs_body = True

        def seal(self, before, after):
            if part == "seal":
                raise ZeroDivisionError

    class Torn(Request):
        __slots__ = ()

        async def _read_body(self, limit):
            raise ZeroDivisionError

    request = Torn("POST", "/") if part == "_read_body" else Request.build()
    answer = Deny(403, "no", headers={"x": "a\r\nb"}) if part == "refuse" else Allow()
    with pytest.raises((ZeroDivisionError, ValueError)):
        Broken("x", answer)(handler.fn)(request)
    assert handler.entered == 0


def test_unavailable_is_503_with_retry_after():
    """S503."""
    response = Says("x", Unavailable("redis://secret@host is down", retry_after=3))(Handler().fn)(Request.build())
    assert (response.status, response.headers["retry-after"]) == (503, "3")
    assert b"redis" not in response.body
    assert "www-authenticate" not in response.headers


def test_a_chain_that_cannot_be_sealed_admits_nobody_and_says_nothing():
    handler = Handler()
    wrong = chain(require_roles("admin"), AUTH)
    for _ in range(2):
        response = wrong(handler.fn)(bearer(MINT.good(roles=["admin"])))
        assert (response.status, b"require" in response.body) == (500, False)
    with pytest.raises(ConfigurationError, match="require_roles stands above require_auth"):
        wrong.prepare()
    assert handler.entered == 0


# except_for

EXEMPT = ["/health", "/public/a", "/public/a/b", "/public/a.b", "/public/é", "/deep/x/y"]
SPELLINGS = [
    "//health",
    "/health/",
    "/health//",
    "/./health",
    "/health/.",
    "/../health",
    "/x/../health",
    "/health/..",
    "/Health",
    "/HEALTH",
    "/healt",
    "/healthz",
    "/health.",
    "/health;x",
    "/health;",
    ";/health",
    "/health%00",
    "/health\0",
    "/health%2f",
    "/%68ealth",
    "/health%20",
    "\\health",
    "/health\\",
    "/%2e/health",
    "/health ",
    " /health",
    "health",
    "",
    "/",
    "/health?",
    "/heal%74h",
    "/health%3b",
    "/public",
    "/public/",
    "/public//",
    "/public//a",
    "/public/../admin",
    "/public/..",
    "/public/./a",
    "/public/a/../../admin",
    "/public/%2e%2e/admin",
    "/public/..;/admin",
    "/public/..\\admin",
    "/public/a;x=1",
    "/public/a%2fb",
    "/public/a%5cb",
    "/public/a%252fb",
    "/public/a\\b",
    "/public/\0",
    "/public/%00",
    "/public/a%00",
    "/PUBLIC/a",
    "/public.a",
    "/publica",
    "/publicx/a",
    "/./public/a",
    "//public/a",
    "/x/public/a",
    "/public/%",
    "/public/a/.",
    "/public/a/..",
    "/deep",
    "/deep/x",
    "/deep/x/",
    "/deep/../deep/x/y",
]


@pytest.mark.parametrize("path", EXEMPT)
def test_an_exempt_path_needs_no_credential(path):
    handler = Handler()
    open_ones = AUTH.except_for("/health", "/public/*", "/deep/x/*")
    assert open_ones(handler.fn)(Request.build("GET", path)).status == 200
    assert handler.principal is None


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_other_spelling_is_exempt(path):
    """AUZ-07."""
    handler = Handler()
    open_ones = AUTH.except_for("/health", "/public/*", "/deep/x/*")
    request = Request("GET", path, raw_path=path)
    assert open_ones(handler.fn)(request).status == 401
    assert handler.entered == 0


@pytest.mark.parametrize(
    "raw", ["/x%2f..%2fhealth", "/%68ealth%00", "/health%25", "/a/../health", "//health", "/health;x", "/HEALTH%2e"]
)
def test_a_path_whose_original_spelling_was_another_is_not_exempt(raw):
    """A server that decodes and tidies first may show the router `/health`."""
    assert AUTH.except_for("/health")(Handler().fn)(Request("GET", "/health", raw_path=raw)).status == 401


def test_the_sixty_spellings_are_sixty():
    assert len(set(SPELLINGS)) >= 60


@pytest.mark.parametrize(
    "header", ["x-original-url", "x-forwarded-uri", "x-rewrite-url", "x-forwarded-path", "host", "x-original-uri"]
)
def test_no_header_makes_a_path_exempt(header):
    """AUZ-09."""
    request = Request.build("GET", "/private", {header: "/health"})
    assert AUTH.except_for("/health")(Handler().fn)(request).status == 401


@pytest.mark.parametrize(
    "path",
    ["/login*", "health", "", "/*", "/a*b", "/a/*/b", "*", "/a//b", "/a/../b", "/a;b", "/a%2fb", "/a\\b", "/**", 1, None],
)
def test_a_path_that_names_no_segments_is_refused(path):
    with pytest.raises(ConfigurationError, match="except_for"):
        AUTH.except_for(path)


def test_except_for_wants_a_path_and_makes_a_new_guard():
    with pytest.raises(ConfigurationError):
        AUTH.except_for()
    AUTH.except_for("/x")
    assert AUTH.decide(Request.build("GET", "/x")).status == 401
    both = chain(AUTH).except_for("/x").except_for("/y")
    assert [both.decide(Request.build("GET", path)).__class__ for path in ("/x", "/y", "/z")] == [Allow, Allow, Deny]


# shadow


def test_a_shadow_decides_and_never_blocks():
    handler, log = Handler(), []
    assert Says("x", deny(), log).shadow()(handler.fn)(Request.build()).status == 200
    assert log == ["x"]


@pytest.mark.parametrize(
    "answer", [deny(), Unavailable(), ValueError("x"), None, True, ConfigurationError("x"), BodyTooLarge()]
)
def test_a_shadow_survives_whatever_its_guard_does(answer):
    handler = Handler()
    shadowed = Says("x")
    shadowed.answer = answer
    assert chain(shadowed).shadow()(handler.fn)(Request.build()).status == 200
    assert handler.entered == 1


def test_a_principal_that_a_shadow_would_have_refused_is_none():
    handler = Handler()
    shadow = chain(AUTH, require_scopes("missing")).shadow()
    shadow(handler.fn)(bearer(MINT.good()))
    assert handler.principal is None


def test_a_shadow_in_front_of_guards_leaves_them_as_they_are():
    handler = Handler()
    guarded = chain(AUTH, require_scopes("missing")).shadow()(AUTH(handler.fn))
    assert guarded(bearer("bad")).status == 401
    assert guarded(bearer(MINT.good())).status == 200
    assert handler.principal.subject == "alice", "what a refused shadow has decided does not count"


def test_a_shadow_with_exempt_paths_and_the_other_way_round():
    for made in (AUTH.except_for("/x").shadow(), AUTH.shadow().except_for("/x")):
        assert isinstance(made.decide(Request.build("GET", "/y")), Allow)


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


def test_values_fill_handler_parameters_by_name():
    seen = []

    @chain(Says("a", Allow(values={"webhook": 1, "other": 2})))
    def handler(request: Request, webhook=None, other=None):
        seen.append((webhook, other))

    handler(Request.build())
    assert seen == [(1, None)]


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


# decide, prepare


async def test_decide_needs_no_host():
    made = chain(AUTH, require_scopes("a"), Says("x", Allow(headers={"x": "1"}, drop_headers=["y"], values={"z": 1})))
    for decision in (made.decide(bearer(MINT.good(scopes=["a"]))), await made.adecide(bearer(MINT.good(scopes=["a"])))):
        assert isinstance(decision, Allow)
        assert decision.principal.subject == "alice"
        assert (dict(decision.headers), decision.drop_headers, dict(decision.values)) == ({"x": "1"}, ("y",), {"z": 1})
    assert made.decide(bearer(MINT.good())).code == "insufficient_scope"
    assert (await made.adecide(Request.build())).status == 401
    assert chain(Says("x", Unavailable())).decide(Request.build()).status == 503
    with pytest.raises(ZeroDivisionError):
        chain(Says("x", ZeroDivisionError())).decide(Request.build())


async def test_prepare_seals_once_and_warms_every_guard():
    class Warm(Says):
        def __init__(self):
            super().__init__("warm")
            self.calls = []

        def seal(self, before, after):
            self.calls.append(("seal", [one.name for one in before], [one.name for one in after]))

        async def warm(self):
            self.calls.append("warm")

    one = Warm()
    made = chain(Says("a"), chain(one), Says("b"))
    made.prepare()
    await made.aprepare()
    made.decide(Request.build())
    assert one.calls == [("seal", ["a"], ["b"]), "warm", "warm"]


def test_many_first_requests_seal_once():
    class Slow(Says):
        sealed = 0

        def seal(self, before, after):
            self.sealed += 1

    slow, barrier = Slow("slow"), threading.Barrier(8)
    made = chain(slow)

    def ask():
        barrier.wait()
        made.decide(Request.build())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow.sealed == 1


def test_prepare_says_what_is_unavailable():
    class Cold(Says):
        async def warm(self):
            raise Unavailable("no keys")

    with pytest.raises(Unavailable, match="no keys"):
        Cold("x").prepare()


# Two chains in one request


def nested(outer, inner, handler):
    """An app-wide chain around code that calls a handler with a chain of its own."""
    guarded = inner(handler)

    def app(request: Request):
        return guarded(request)

    return outer(app)


def test_a_guard_that_has_decided_is_not_asked_again():
    log, handler = [], Handler()
    a, b = Says("a", log=log), Says("b", log=log)
    nested(chain(a, b), chain(b, a, Says("c", log=log)), handler.fn)(Request.build())
    assert log == ["a", "b", "c"]


def test_the_inner_chain_continues_with_the_principal_and_its_headers_come_too():
    handler = Handler()
    outer = chain(AUTH, Says("x", Allow(headers={"x-outer": "1"})))
    inner = chain(require_scopes("a"), Says("y", Allow(headers={"x-inner": "1"})))
    response = nested(outer, inner, handler.fn)(bearer(MINT.good(scopes=["a"])))
    assert handler.principal.subject == "alice"
    assert (response.headers["x-outer"], response.headers["x-inner"]) == ("1", "1")
    assert nested(outer, inner, handler.fn)(bearer(MINT.good())).status == 403
    assert handler.entered == 1


OTHER = TokenMint(issuer="https://other.example")


@pytest.mark.parametrize("shape", ["flat", "in a chain", "in a chain in a chain"])
def test_where_the_inner_chain_says_that_it_is_somebody_else_access_is_asked_again(shape):
    """What was decided about one principal does not count for another."""
    handler, admins = Handler(), require_roles("admin")
    second = require_auth(OTHER.tokens, cookie="sid")

    @guard
    def to_the_cookie(request):
        decision = second.decide(Request.build(headers={"cookie": request.headers["cookie"]}))
        assert isinstance(decision, Allow)
        return decision

    wrapped = {"flat": to_the_cookie, "in a chain": chain(to_the_cookie), "in a chain in a chain": chain(chain(to_the_cookie))}[
        shape
    ]
    app = nested(chain(AUTH, admins), chain(wrapped, admins), handler.fn)
    headers = {"authorization": f"Bearer {MINT.good('root', roles=['admin'])}", "cookie": f"sid={OTHER.good('mallory')}"}
    assert app(Request.build(headers=headers)).status == 403
    assert handler.entered == 0


def test_a_path_left_open_outside_is_not_decided_for_the_inside():
    handler, but = Handler(), AUTH.except_for("/x")
    for inner in (AUTH, chain(AUTH), chain(chain(AUTH))):
        for outer in (but, chain(but), chain(Says("x"), chain(but))):
            assert nested(outer, inner, handler.fn)(Request.build("GET", "/x")).status == 401
    assert handler.entered == 0
    assert nested(chain(but), chain(but), handler.fn)(Request.build("GET", "/x")).status == 200


def test_a_request_object_used_again_is_another_request():
    log, handler = [], Handler()
    request = bearer(MINT.good())
    guarded = chain(Says("a", log=log), AUTH)(handler.fn)
    guarded(request)
    guarded(request)
    assert log == ["a", "a"]


def test_requests_do_not_see_each_others_principal(rng):
    """AUZ-14, a hundredth of the scale of `make soak`."""
    seen = []

    @AUTH
    def handler(request: Request, principal):
        seen.append((request.path, principal.subject, current_principal().subject))

    def many(names):
        for name in names:
            handler(bearer(MINT.good(name), name))

    names = [f"/{rng.random()}" for _ in range(100)]
    threads = [threading.Thread(target=many, args=(names[place::4],)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 100
    assert all(path == one == two for path, one, two in seen)
