"""Chains: the order in which guards run, what merges, and what never admits."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Deny,
    Guard,
    Principal,
    Request,
    Response,
    Tokens,
    Unavailable,
    chain,
    guard,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit._wrap import mark_of
from authkit.errors import BodyTooLarge, MalformedRequest, SecretNotFound
from authkit.secrets import Environment, Secrets
from tests.parts import AUTH, MINT, Handler, Says, bearer, deny

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


def test_a_host_that_is_not_loaded_calls_nobody():
    program = """
from authkit import Allow, guard
for name in ("flask", "django", "aiohttp"):
    try:
        guard(lambda request: Allow())(lambda *args: print("entered"), host=name)({}, None)
    except TypeError as error:
        assert f"host={name!r}" in str(error), error
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == ""


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

    def __repr__(self):
        return "<equal to anything>"


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


def test_a_secret_that_is_nowhere_is_a_500_without_detail():
    """What a secret shows is configuration, also where it shows at the first request only."""
    tokens = Tokens(Secrets(Environment({}))["SIGNING_KEY"], issuer="https://issuer.example", audience="a")
    handler = Handler()
    response = require_auth(tokens)(handler.fn)(bearer("a.b.c"))
    assert (response.status, b"SIGNING_KEY" in response.body, handler.entered) == (500, False, 0)
    with pytest.raises(SecretNotFound, match="SIGNING_KEY"):
        require_auth(tokens).prepare()


def test_a_chain_that_cannot_be_sealed_admits_nobody_and_says_nothing():
    handler = Handler()
    wrong = chain(require_roles("admin"), AUTH)
    for _ in range(2):
        response = wrong(handler.fn)(bearer(MINT.good(roles=["admin"])))
        assert (response.status, b"require" in response.body) == (500, False)
    with pytest.raises(ConfigurationError, match="require_roles stands above require_auth"):
        wrong.prepare()
    assert handler.entered == 0


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_born_while_a_chain_is_sealed_or_a_state_is_built_seals_and_builds_for_itself():
    """Its parent's thread, which holds the lock, does not exist in it."""
    begun = threading.Event()

    def slow(*_):
        if not begun.is_set():
            begun.set()
            time.sleep(0.3)

    class Slow(Says):
        seal = slow

    @guard(state=slow)
    def built(request, state):
        return Allow()

    for made in (chain(Slow("slow")), built):
        begun.clear()
        guarded = made(lambda request: Response(200))
        thread = threading.Thread(target=guarded, args=(Request.build(),))
        thread.start()
        assert begun.wait(5)
        child = os.fork()
        if child == 0:
            signal.alarm(5)  # which ends a child that hangs
            os._exit(0 if guarded(Request.build()).status == 200 else 1)
        assert os.waitpid(child, 0)[1] == 0
        thread.join()


def test_prepare_says_what_is_unavailable():
    class Cold(Says):
        async def warm(self):
            raise Unavailable("no keys")

    with pytest.raises(Unavailable, match="no keys"):
        Cold("x").prepare()
