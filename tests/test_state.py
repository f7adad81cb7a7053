"""Shadows, and two chains in one request: what has been decided, about whom, and for whom it counts."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Guard,
    Principal,
    Request,
    Unavailable,
    chain,
    current_principal,
    guard,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit.errors import BodyTooLarge
from authkit.testing import TokenMint
from tests.parts import AUTH, MINT, Handler, Says, bearer, deny

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


class Knows(Guard):
    """Says who is calling."""

    identifies = True

    def __init__(self, who):
        self.who = Principal(who, roles=["admin"] if who == "root" else [])

    async def check(self, request):
        return Allow(self.who)


def test_what_was_decided_about_somebody_else_never_counts_again():
    """Also for a chain further in than the one that said who it is now, and where one chain knew both."""
    root, mallory, admins = Knows("root"), Knows("mallory"), require_roles("admin")
    for outer, inner in (
        (chain(root, admins), lambda handler: nested(mallory, admins, handler)),
        (chain(root, admins), lambda handler: nested(chain(Says("x"), chain(mallory)), chain(admins), handler)),
        (chain(root, admins, mallory), admins),
        (chain(chain(root, admins), chain(mallory)), admins),
    ):
        handler = Handler()
        assert nested(outer, inner, handler.fn)(Request.build()).status == 403
        assert handler.entered == 0


def test_what_was_decided_before_anybody_was_known_is_not_asked_again_further_in():
    log, handler = [], Handler()
    limit = Says("limit", log=log)
    for api in (chain(limit, Knows("root"), Says("last", log=log)), chain(chain(limit), chain(Knows("root")))):
        for inner in (api, chain(api), chain(chain(api), require_roles("admin")), limit):
            log.clear()
            assert nested(api, inner, handler.fn)(Request.build()).status == 200
            assert log.count("limit") == 1


def test_a_guard_that_equals_one_that_has_decided_is_asked_all_the_same():
    log = []

    @dataclasses.dataclass
    class Own(Guard):
        role: str
        asks: object = dataclasses.field(compare=False)

        async def check(self, request):
            log.append(self.asks)
            return Allow()

    handler = Handler()
    nested(Own("a", 1), chain(Own("a", 2)), handler.fn)(Request.build())
    Own("a", 3)(Own("a", 4)(handler.fn))(Request.build())
    assert log == [1, 2, 3, 4]


def test_merged_doors_ask_a_guard_once():
    log, handler = [], Handler()

    class Counted(Knows):
        async def check(self, request):
            log.append("asked")
            return Allow(self.who)

    counted = Counted("root")
    chain(counted)(chain(counted, require_roles("admin"))(handler.fn))(Request.build())
    assert (log, handler.entered) == (["asked"], 1)


def test_a_chain_that_holds_one_with_exempt_paths_has_not_decided_where_they_let_through():
    handler = Handler()
    held = chain(AUTH.except_for("/open"))

    def mounted(request: Request):  # an app below sees its own path
        request.path = "/secret"
        return chain(held, Says("x"))(handler.fn)(request)

    assert chain(held)(mounted)(Request.build("GET", "/open")).status == 401
    assert handler.entered == 0


def test_what_a_refused_shadow_has_said_is_forgotten():
    handler = Handler()
    says = Says("x", Allow(headers={"x-shadow": "1"}, drop_headers=["x-kept"], values={"webhook": "forged"}))
    response = chain(says, Says("no", deny())).shadow()(handler.fn)(Request.build(headers={"x-kept": "1"}))
    assert "x-shadow" not in response.headers
    assert handler.request.headers["x-kept"] == "1"


def test_decide_beside_a_handler_leaves_both_as_they_are():
    """A request that `decide` was asked about is a new one for a handler, and inside a handler it stays what it was."""
    log, events, handler = [], [], Handler()
    limit = Says("limit", log=log)
    api = chain(AUTH, limit, audit=events.append)
    request = bearer(MINT.good(scopes=["a"]))
    assert isinstance(api.decide(request), Allow)
    assert api(handler.fn)(request).status == 200
    assert (log, len(events)) == (["limit"] * 2, 2)

    refused = bearer(MINT.good(scopes=["a"]))
    assert chain(AUTH, Says("no", deny())).decide(refused).status == 403
    assert require_scopes("a")(handler.fn)(refused).status == 401, "who was refused there is nobody here"

    def asks(request: Request):
        assert Knows("mallory").decide(request).principal.subject == "mallory"
        return require_scopes("a")(handler.fn)(request)

    assert AUTH(asks)(bearer(MINT.good("alice", scopes=["a"]))).status == 200
    assert handler.principal.subject == "alice"


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
