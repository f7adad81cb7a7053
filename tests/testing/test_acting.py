"""`as_principal`: code below a guard sees a principal; a guard never does."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from authkit import Deny, Principal, Request, Response, chain, current_principal, require_auth, require_scopes
from authkit.testing import LambdaContext, TokenMint, as_principal, asgi_scope, lambda_event


def subject():
    principal = current_principal()
    return None if principal is None else principal.subject


def test_it_is_there_inside_and_gone_outside():
    with as_principal("alice", scopes=["a"], roles=["r"], claims={"org": "acme"}, issuer="https://i.example") as alice:
        assert current_principal() is alice
        assert (alice.subject, alice.scopes, alice.roles, alice.claims["org"], alice.issuer) == (
            "alice",
            {"a"},
            {"r"},
            "acme",
            "https://i.example",
        )
        with as_principal(Principal("bob")):
            assert subject() == "bob"
        assert subject() == "alice"
        with as_principal(None):
            assert current_principal() is None
    with pytest.raises(LookupError):
        current_principal()


@as_principal("alice")
def test_it_decorates_a_test():
    assert subject() == "alice"


@as_principal("alice")
async def test_it_decorates_an_async_test():
    await asyncio.sleep(0)
    assert subject() == "alice"


@pytest.mark.parametrize("who", ["a", "b"])
@as_principal("alice")
def test_it_leaves_the_parameters_of_a_test_alone(who):
    assert subject() == "alice"
    assert who in ("a", "b")


def test_one_decorator_may_be_entered_from_many_threads_and_tasks():
    acting = as_principal("alice")
    fn = acting(subject)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(fn())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["alice"] * 20
    assert contextvars.copy_context().run(fn) == "alice"


def test_an_exception_goes_through_and_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError), as_principal("alice"):
        _ = 1 / 0
    with pytest.raises(LookupError):
        current_principal()


def test_a_principal_and_more_is_a_mistake():
    with pytest.raises(TypeError, match="either a Principal"):
        as_principal(Principal("bob"), scopes=["a"])


@pytest.mark.parametrize("thing", [type("T", (), {}), lambda: (yield 1)])
def test_what_would_run_after_it_ended_is_refused(thing):
    with pytest.raises(TypeError, match="context manager"):
        as_principal("alice")(thing)


async def test_it_never_makes_a_guard_pass():
    mint = TokenMint()
    api = chain(require_auth(mint.tokens), require_scopes("a"))
    entered: list[str] = []

    @require_scopes("a")
    def needs(request: Request):
        entered.append("function")

    @api
    def on_lambda(event, context):
        entered.append("lambda")

    async def app(scope, receive, send):
        entered.append("asgi")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[int] = []

    async def send(message):
        sent.append(message.get("status", 0))

    with as_principal("alice", scopes=["a"]):
        response = needs(Request.build())
        assert isinstance(response, Response)
        assert response.status == 401
        assert on_lambda(lambda_event(), LambdaContext())["statusCode"] == 401
        assert isinstance(api.decide(Request.build()), Deny)
        assert isinstance(await api.adecide(Request.build()), Deny)
        await api(app)(asgi_scope(), receive, send)
    assert entered == []
    assert sent[0] == 401
