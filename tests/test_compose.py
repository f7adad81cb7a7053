"""`@guard`, `@guard.after`, `any_of`, `@public`: the small ways to make guards, and what they refuse to be."""

from __future__ import annotations

import asyncio
import functools
import os
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
    Unavailable,
    any_of,
    chain,
    guard,
    public,
    rate_limit,
    require_auth,
    require_roles,
)
from authkit.testing import TokenMint

ONE, TWO = TokenMint(issuer="https://one.example"), TokenMint(issuer="https://two.example")


def bearer(token):
    return Request.build(headers={"authorization": f"Bearer {token}"})


class Knows(Guard):
    """Identifies as it was told to."""

    identifies = True

    def __init__(self, answer, name="knows"):
        self.answer, self.name, self.asked = answer, name, 0

    async def check(self, request):
        self.asked += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def nobody(realm="api"):
    return Deny(401, "unauthorized", challenge=f'Bearer realm="{realm}"', no_credential=True)


ALICE, BOB = Allow(Principal("alice")), Allow(Principal("bob"))
BAD, FORBIDDEN = Deny(401, "invalid_token"), Deny(403, "csrf_failed")


# any_of


def decide(*answers):
    guards = [Knows(answer, f"g{place}") for place, answer in enumerate(answers)]
    decision = any_of(*guards).decide(Request.build())
    return decision, [item.asked for item in guards]


def test_the_first_that_allows_wins():
    decision, asked = decide(nobody(), ALICE, BOB)
    assert decision.principal.subject == "alice"
    assert asked == [1, 1, 0]


@pytest.mark.parametrize("bad", [BAD, FORBIDDEN, Deny(400, "invalid_request")])
def test_a_credential_that_was_sent_and_is_bad_refuses_with_no_fall_through(bad):
    decision, asked = decide(nobody(), bad, ALICE)
    assert decision == bad
    assert asked == [1, 1, 0]


def test_without_any_credential_it_is_401_with_every_challenge():
    decision, _ = decide(nobody("one"), nobody("two"), nobody("one"))
    assert (decision.status, decision.code, decision.no_credential) == (401, "unauthorized", True)
    assert [str(one) for one in decision.challenge] == ['Bearer realm="one"', 'Bearer realm="two"']


@pytest.mark.parametrize("others", [[nobody(), nobody()], [nobody(), BAD], [BAD]])
def test_where_one_could_not_decide_and_none_allows_it_is_503(others):
    """S503: a 401 would make clients throw away good tokens."""
    decision, _ = decide(Unavailable("x", retry_after=7), *others)
    assert (decision.status, decision.headers["retry-after"]) == (503, "7")


def test_a_bad_credential_refuses_before_anybody_else_is_asked():
    decision, asked = decide(BAD, Unavailable())
    assert decision == BAD
    assert asked == [1, 0]


def test_one_that_could_not_decide_does_not_keep_the_next_from_allowing():
    decision, _ = decide(Unavailable(), ALICE)
    assert decision.principal.subject == "alice"


def test_who_is_anonymous_for_one_may_be_known_to_the_next():
    assert decide(Allow(), ALICE)[0].principal.subject == "alice"
    assert decide(nobody(), Allow())[0].principal is None
    assert decide(Allow(), Unavailable())[0].status == 503
    assert decide(Allow(), BAD)[0] == BAD


@pytest.mark.parametrize("wrong", [None, True, "alice", Principal("alice"), object()])
def test_what_is_no_decision_admits_nobody(wrong):
    """AUZ-11."""
    with pytest.raises(TypeError, match="must return Allow or Deny"):
        decide(wrong, ALICE)


def test_an_exception_goes_up():
    with pytest.raises(ZeroDivisionError):
        decide(ZeroDivisionError(), ALICE)


def test_verifiers_behind_any_of_need_a_token_of_theirs():
    """Two guards of one kind of credential: the first judges the token, as it says. One guard with both chooses by issuer."""
    either = any_of(require_auth(ONE.tokens), require_auth(TWO.tokens, cookie="sid"))
    assert either.decide(bearer(ONE.good())).principal.issuer == ONE.issuer
    assert either.decide(bearer(TWO.good())).status == 401
    cookie = Request.build(headers={"cookie": f"sid={TWO.good()}"})
    assert either.decide(cookie).principal.issuer == TWO.issuer
    assert either.decide(Request.build()).no_credential


class ByHeader:
    """A credential of another kind."""

    async def authenticate(self, request):
        return Principal("key") if "x-key" in request.headers else None


@pytest.mark.parametrize("optional", [False, True])
def test_who_takes_no_bearer_tokens_leaves_them_to_the_next(optional):
    """By itself it refuses them as it does bad ones, also where nobody need be known."""
    keys = require_auth(ByHeader(), optional=optional)
    assert keys.decide(bearer(ONE.good())).code == "invalid_token"
    for either in (any_of(keys, require_auth(ONE.tokens)), any_of(require_auth(ONE.tokens), keys)):
        assert either.decide(bearer(ONE.good())).principal.issuer == ONE.issuer
        assert either.decide(bearer("bad")).status == 401
        assert either.decide(Request.build(headers={"x-key": "1"})).principal.subject == "key"
    both = Request.build(headers={"x-key": "1", "authorization": f"Bearer {ONE.good()}"})
    assert keys.decide(both).code == "invalid_request"


def test_a_chain_may_be_an_alternative():
    staff = chain(require_auth(ONE.tokens), require_roles("staff"))
    either = any_of(staff, require_auth(TWO.tokens, cookie="sid"))
    assert either.decide(bearer(ONE.good(roles=["staff"]))).principal.subject == "alice"
    assert either.decide(bearer(ONE.good())).status == 403
    assert either.decide(Request.build(headers={"cookie": f"sid={TWO.good()}"})).principal.issuer == TWO.issuer


@pytest.mark.parametrize(
    "guards",
    [
        [],
        [Knows(ALICE)],
        [Knows(ALICE), require_roles("x")],
        [Knows(ALICE), object()],
        [Knows(ALICE), Knows(BOB).shadow()],
        [Knows(ALICE), Knows(BOB).except_for("/x")],
        [Knows(ALICE), chain(chain(Knows(BOB)).except_for("/x"))],
    ],
)
def test_what_would_admit_everybody_or_identifies_nobody_is_no_alternative(guards):
    with pytest.raises(ConfigurationError, match="any_of"):
        any_of(*guards)


async def test_alternatives_are_sealed_and_warmed_as_if_they_stood_alone():
    class Warm(Knows):
        warmed = sealed = 0

        async def warm(self):
            self.warmed += 1

        def seal(self, before, after):
            self.sealed += 1

    one, two = Warm(ALICE), Warm(BOB)
    either = any_of(one, chain(two))
    await either.aprepare()
    assert (one.warmed, two.warmed, one.sealed, two.sealed) == (1, 1, 1, 1)
    with pytest.raises(ConfigurationError, match="stands above require_auth"):
        chain(require_roles("x"), either).prepare()


def test_an_alternative_that_failed_has_named_nobody():
    """A chain may say who it is before it refuses: that is not who the next alternative lets in."""
    for failing in (Knows(Unavailable()), Knows(nobody())):
        either = any_of(chain(Knows(ALICE), failing), chain(require_auth(TWO.tokens, optional=True)))
        decision = either.decide(Request.build())
        assert isinstance(decision, Deny) or decision.principal is None


def test_the_guards_of_an_alternative_know_what_stands_above_them():
    limit = rate_limit("9/second", key="principal")
    any_of(chain(require_auth(ONE.tokens), limit), require_auth(TWO.tokens)).prepare()
    with pytest.raises(ConfigurationError, match="stands above require_auth"):
        any_of(chain(require_roles("x"), require_auth(ONE.tokens)), require_auth(TWO.tokens)).prepare()


def test_hooks_and_settings_of_an_alternative_hold():
    log, events = [], []

    @guard.after
    def stamp(request, response):
        log.append(response.status)

    one = chain(require_auth(ONE.tokens), stamp, hash_ids=b"key", audit=events.append)
    handler = any_of(one, require_auth(TWO.tokens, cookie="sid"))(lambda request: Response(200))
    handler(bearer(ONE.good("alice")))
    handler(Request.build())
    assert log == [200, 401]
    assert [event["principal"] is None for event in events] == [False, True]
    assert events[0]["principal"] != "alice"


# @guard


async def test_a_guard_is_made_of_a_function_sync_or_async():
    @guard
    def sync_one(request):
        return Deny(403, "no") if request.path == "/x" else Allow()

    @guard
    async def async_one(request):
        return Deny(403, "no") if request.path == "/x" else Allow()

    for made in (sync_one, async_one):
        assert made.name in ("sync_one", "async_one")
        assert made.decide(Request.build("GET", "/x")).status == 403
        assert isinstance(await made.adecide(Request.build()), Allow)


async def test_whatever_is_called_like_a_coroutine_function_is_awaited():
    async def check(answer, request):
        await asyncio.sleep(0)
        return answer

    class Object:
        async def __call__(self, request):
            return Deny(403, "no")

    assert (await guard(functools.partial(check, Deny(403, "no"))).adecide(Request.build())).status == 403
    assert (await guard(Object()).adecide(Request.build())).status == 403
    for hook in (functools.partial(check, None), Object()):
        with pytest.raises(ConfigurationError, match="sync function"):
            guard.after(hook)


async def test_a_blocking_guard_runs_on_a_thread_where_there_is_a_loop():
    @guard(blocking=True)
    def where(request):
        return Allow(Principal(threading.current_thread().name))

    assert (await where.adecide(Request.build())).principal.subject.startswith("authkit-io")
    assert (await asyncio.to_thread(where.decide, Request.build())).principal.subject.startswith("asyncio")


def test_an_async_guard_that_needs_the_loop_is_refused_on_a_sync_handler():
    @guard
    async def sleeps(request):
        await asyncio.sleep(0)
        return Allow()

    entered = []

    @sleeps
    def handler(request: Request):
        entered.append(1)

    with pytest.raises(TypeError, match="needs an event loop"):
        handler(Request.build())
    assert entered == []


def test_a_guard_that_reads_the_body_says_so():
    @guard(body=True, body_limit=4)
    def reads(request):
        return Allow() if request.body == b"1234" else Deny(403, "no")

    @guard
    def forgot(request):
        return Allow() if request.body else Deny(403, "no")

    assert isinstance(reads.decide(Request.build(body=b"1234")), Allow)
    assert reads.decide(Request.build(body=b"12345")).status == 413
    with pytest.raises(Exception, match=r"@guard\(body=True\)"):
        forgot.decide(Request("POST", "/"))


def test_state_is_built_once_per_process():
    built = []

    def build():
        built.append(os.getpid())
        return {"count": 0}

    @guard(state=build, name="counts")
    def counts(request, state):
        state["count"] += 1
        return Allow(Principal(str(state["count"])))

    assert built == []
    assert [counts.decide(Request.build()).principal.subject for _ in range(3)] == ["1", "2", "3"]
    assert built == [os.getpid()]
    assert counts.name == "counts"


def test_what_is_no_check_is_refused_when_it_is_made():
    async def coroutine(request):
        return Allow()

    with pytest.raises(ConfigurationError, match="is for a sync function"):
        guard(blocking=True)(coroutine)
    with pytest.raises(ConfigurationError, match="sync function"):
        guard.after(coroutine)
    for wrong in (42, Principal, "x"):
        with pytest.raises(ConfigurationError):
            guard(wrong)
        with pytest.raises(ConfigurationError):
            guard()(wrong)
        if wrong is not Principal:
            with pytest.raises(ConfigurationError):
                guard.after(wrong)


def test_a_hook_lets_everything_through():
    @guard.after
    def stamp(request, response):
        response.headers["x"] = "1"

    assert isinstance(stamp.decide(Request.build()), Allow)


# @public


def test_public_is_a_mark_and_never_switches_a_guard_off():
    @public(reason="health check")
    @require_auth(ONE.tokens)
    def handler(request: Request):
        raise AssertionError("not entered")

    assert handler(Request.build()).status == 401

    @require_auth(ONE.tokens)
    @public(reason="health check")
    def other(request: Request):
        raise AssertionError("not entered")

    response = other(Request.build())
    assert isinstance(response, Response)
    assert response.status == 401


@pytest.mark.parametrize("reason", ["", "  ", None, 1])
def test_public_wants_a_reason(reason):
    with pytest.raises(ConfigurationError, match="why"):
        public(reason=reason)


def test_a_guard_of_ones_own_that_identifies_may_stand_in_any_of() -> None:
    @guard(identifies=True)
    def by_key(request: Request) -> Allow | Deny:
        if request.headers.get("x-key") == "k":
            return Allow(Principal("key holder", method="api_key"))
        return Deny(401, "unauthorized", no_credential=True)

    @guard(identifies=True)
    def by_badge(request: Request) -> Allow | Deny:
        return Deny(401, "unauthorized", no_credential=True)

    either = any_of(by_badge, by_key)
    decision = either.decide(Request.build(headers={"x-key": "k"}))
    assert isinstance(decision, Allow)
    assert decision.principal is not None
    assert decision.principal.subject == "key holder"
    refused = either.decide(Request.build())
    assert isinstance(refused, Deny)
    assert refused.status == 401


def test_state_is_built_once_however_many_threads_ask_first() -> None:
    built: list[int] = []
    started = threading.Barrier(8)

    def build() -> object:
        built.append(1)
        time.sleep(0.02)
        return object()

    @guard(state=build)
    def counted(request: Request, state: object) -> Allow | Deny:
        return Allow()

    def ask() -> None:
        started.wait()
        counted.decide(Request.build())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [1]
