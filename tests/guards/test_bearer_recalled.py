"""A token that was found good in a request before: the guard says so without a coroutine, and says nothing else than before."""

from __future__ import annotations

import asyncio

import pytest

from authkit import Allow, Deny, Request, Tokens, chain, current_principal, guard, require_auth, require_roles
from authkit._chain import _recalled_by
from authkit.guards.bearer import RequireAuth
from authkit.testing import lambda_event

SECRET = "tests-of-recalled-tokens-only-5d0a7c93"
ISSUER = "https://api.example.com"


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(clock):
    return Tokens(SECRET, issuer=ISSUER, audience=ISSUER, clock=clock)


def handler(event, context):
    return {"statusCode": 200, "body": current_principal().subject}


def event(token, *more, spelling="authorization", kind="v2"):
    event = lambda_event(kind, "GET", "/orders", headers={"accept": "*/*"})
    for name, value in ((spelling, f"Bearer {token}"), *more):
        event["headers"][name] = value
        if kind == "v1":
            event["multiValueHeaders"][name] = [value]
    return event


class Counting(RequireAuth):
    """How often the coroutine is asked."""

    asked = 0
    _recalled = RequireAuth._recalled

    async def check(self, request):
        self.asked += 1
        return await super().check(request)


def test_the_second_request_asks_no_coroutine_and_is_answered_alike(tokens):
    counting = Counting((tokens,))
    guarded = counting(handler)
    answers = [guarded(event(tokens.issue("alice")), None)]
    token = tokens.issue("bob")
    answers += [guarded(event(token), None) for _ in range(3)]
    assert [answer["body"] for answer in answers] == ["alice", "bob", "bob", "bob"]
    assert counting.asked == 2


def test_so_does_an_async_handler(tokens):
    counting = Counting((tokens,))

    @counting
    async def handler(request: Request):
        return current_principal().subject

    async def main():
        token = tokens.issue("alice")
        request = [Request.build(headers={"authorization": f"Bearer {token}"}) for _ in range(3)]
        return [await handler(one) for one in request]

    assert asyncio.run(main()) == ["alice"] * 3
    assert counting.asked == 1


def test_the_audit_event_is_the_same(tokens, caplog):
    caplog.set_level("INFO", "authkit.audit")
    guarded = require_auth(tokens)(handler)
    token = tokens.issue("alice")
    for _ in range(2):
        guarded(event(token), None)
    first, second = (dict(record.authkit) for record in caplog.records)
    assert first.pop("us") >= 0
    assert second.pop("us") >= 0
    assert first == second


@pytest.mark.parametrize("kind", ["v1", "v2"])
@pytest.mark.parametrize("spelling", ["Authorization", "AUTHORIZATION", "authorizatioN"])
def test_a_second_credential_is_noticed_in_any_spelling(tokens, spelling, kind):
    guarded = require_auth(tokens)(handler)
    token = tokens.issue("alice")
    assert guarded(event(token, kind=kind), None)["statusCode"] == 200
    assert guarded(event(token, (spelling, f"Bearer {token}"), kind=kind), None)["statusCode"] == 400
    assert guarded(event(token, spelling=spelling, kind=kind), None)["statusCode"] == 200
    twice = event(token, kind="v1")
    twice["multiValueHeaders"]["authorization"] *= 2
    assert guarded(twice, None)["statusCode"] == 400


def test_it_is_over_when_the_token_is(tokens, clock):
    guarded = require_auth(tokens)(handler)
    token = tokens.issue("alice", ttl=60)
    assert guarded(event(token), None)["statusCode"] == 200
    clock.now += 600
    assert guarded(event(token), None)["statusCode"] == 401
    clock.now -= 600
    assert guarded(event(token), None)["statusCode"] == 200


def test_headers_of_a_wrong_type_are_400_as_ever(tokens):
    guarded = require_auth(tokens)(handler)
    guarded(event(tokens.issue("alice")), None)
    for wrong in ({"authorization": {"a": 1}}, ["authorization"], {"authorization": [None]}):
        assert guarded({**event("x"), "headers": wrong}, None)["statusCode"] == 400


def test_an_outer_chain_and_an_inner_one_have_one_principal_and_one_event(tokens, caplog):
    caplog.set_level("INFO", "authkit.audit")
    auth = require_auth(tokens)
    inner = auth(handler)

    @chain(auth)
    def outer(event, context):
        return inner(event, context)

    token = tokens.issue("alice")
    assert [outer(event(token), None)["body"] for _ in range(2)] == ["alice"] * 2
    assert len(caplog.records) == 2


def test_hooks_and_looks_of_a_chain_stay(tokens):
    @guard.after
    def stamp(request, response):
        response.headers["x-served-by"] = "authkit"

    token = tokens.issue("alice")
    for guarded in (chain(require_auth(tokens), stamp)(handler), chain(require_auth(tokens)).except_for("/health")(handler)):
        answers = [guarded(event(token), None) for _ in range(2)]
        assert answers[0] == answers[1]


def test_a_check_that_was_overridden_is_not_passed_by(tokens):
    class Stricter(RequireAuth):
        async def check(self, request):
            decision = await super().check(request)
            return decision if isinstance(decision, Deny) or request.path == "/open" else Deny(403, "forbidden")

    class Renamed(RequireAuth):
        pass

    own = RequireAuth((tokens,))
    own.check = Stricter((tokens,)).check
    reading = RequireAuth((tokens,))
    reading.needs_body = True
    assert [_recalled_by(one) is None for one in (Stricter((tokens,)), own, reading)] == [True] * 3
    assert _recalled_by(Renamed((tokens,))) is not None
    guarded = Stricter((tokens,))(handler)
    assert [guarded(event(tokens.issue("alice")), None)["statusCode"] for _ in range(3)] == [403] * 3


def test_no_guard_of_ones_own_is_asked_so(tokens):
    """A method of that name says nothing unless the class's own `check` stands beside it; a chain has none."""

    class Own(RequireAuth):
        async def check(self, request):
            return Deny(403, "forbidden")

        recalled = RequireAuth._recalled

    @guard
    def nobody(request):
        return Deny(403, "forbidden")

    assert _recalled_by(Own((tokens,))) is None
    assert _recalled_by(nobody) is None
    assert _recalled_by(chain(require_auth(tokens))) is None


def test_what_shadows_or_exempts_is_judged_whole(tokens):
    auth = require_auth(tokens)
    token = tokens.issue("alice")
    request = Request.build(headers={"authorization": f"Bearer {token}"})
    for whole in (chain(auth).shadow(), chain(auth).except_for("/x"), chain(chain(auth))):
        whole.prepare()
        assert whole._of_first is None
        assert isinstance(whole.decide(request), Allow)


def test_a_step_up_is_judged_each_time(tokens, clock):
    guarded = RequireAuth((tokens,), max_age=60, clock=clock)(handler)
    token = tokens.issue("alice", claims={"auth_time": int(clock.now)})
    assert guarded(event(token), None)["statusCode"] == 200
    clock.now += 300
    assert tokens.verify(token)
    assert [guarded(event(token), None)["statusCode"] for _ in range(2)] == [401] * 2


def test_before_other_guards_it_is_asked_so_too(tokens):
    counting = Counting((tokens,))
    guarded = chain(counting, require_roles("admin"))(handler)
    admin, guest = tokens.issue("alice", roles=["admin"]), tokens.issue("bob", roles=["guest"])
    answers = [guarded(event(token), None)["statusCode"] for token in (admin, guest, admin, guest)]
    assert answers == [200, 403, 200, 403]
    assert counting.asked == 2
    assert guarded(event("forged"), None)["statusCode"] == 401
    assert guarded(event(admin, ("Authorization", f"Bearer {guest}")), None)["statusCode"] == 400


def test_who_has_been_found_by_an_outer_chain_is_decided_about_anew_by_another_guard(tokens, clock):
    """Two issuers, one behind the other: the inner one's principal counts, and what stood before it is asked again."""
    others = Tokens("another key of these tests, long enough", issuer="https://b", audience=ISSUER, clock=clock)
    token = tokens.issue("alice", roles=["admin"])

    @chain(require_auth(tokens))
    def outer(event, context):
        return inner(event, context)

    inner = chain(require_auth(others), require_roles("admin"))(handler)
    assert [outer(event(token), None)["statusCode"] for _ in range(3)] == [401] * 3
    inner = chain(require_auth(tokens), require_roles("guest"))(handler)
    assert [outer(event(token), None)["statusCode"] for _ in range(3)] == [403] * 3
