"""One audit event per request, with the documented fields, bounded, and without anything that is a secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Deny,
    Principal,
    Request,
    Response,
    Unavailable,
    chain,
    guard,
    rate_limit,
    require,
    require_auth,
    require_roles,
    require_scopes,
)
from authkit.testing import LambdaContext, TokenMint, lambda_event
from tests.parts import Says, deny

MINT = TokenMint()
AUTH = require_auth(MINT.tokens)
FIELDS = [
    "event",
    "outcome",
    "status",
    "guard",
    "reason",
    "principal",
    "issuer",
    "client",
    "method",
    "route",
    "host",
    "us",
    "shadow",
]
CANARY = "canary-5f1d"


def ok(request: Request):
    return Response(200)


def bearer(token, path="/x?q=1", method="GET"):
    return Request.build(method, path, {"authorization": f"Bearer {token}"}, peer="192.0.2.7")


def listened(*guards, handler=ok, request=None, **settings):
    """The events of one request."""
    events = []
    try:
        chain(*guards, audit=events.append, **settings)(handler)(request or bearer(MINT.good("bob")))
    except Exception as error:
        events.append(error)
    return events


# The fields


def test_an_event_has_the_documented_fields_in_order():
    [event] = listened(AUTH)
    assert list(event) == FIELDS
    assert {**event, "us": 0} == {
        "event": "request",
        "outcome": "allow",
        "status": 200,
        "guard": None,
        "reason": None,
        "principal": "bob",
        "issuer": MINT.issuer,
        "client": "192.0.2.7",
        "method": "GET",
        "route": None,
        "host": "function",
        "us": 0,
        "shadow": None,
    }
    assert isinstance(event["us"], int)
    assert 0 <= event["us"] < 10_000_000


@pytest.mark.parametrize(
    ("guards", "request_", "outcome", "status", "name", "reason", "principal"),
    [
        ((AUTH,), Request.build(), "deny", 401, "require_auth", "no_credential", None),
        ((AUTH,), bearer("x"), "deny", 401, "require_auth", "token_malformed", None),
        ((AUTH, require_scopes("a")), None, "deny", 403, "require_scopes", "scope_missing", "bob"),
        ((AUTH, require_roles("a")), None, "deny", 403, "require_roles", "role_missing", "bob"),
        ((AUTH, require(lambda p, r: False)), None, "deny", 403, "require", "<lambda> said no", "bob"),
        ((Says("mine", deny("nope")),), None, "deny", 403, "mine", "nope", None),
        ((AUTH, Says("store", Unavailable("down"))), None, "unavailable", 503, "store", "unavailable", "bob"),
        ((AUTH, chain(Says("inner", Unavailable("down")))), None, "unavailable", 503, "inner", "unavailable", "bob"),
        ((Says("wrong", ConfigurationError("x")),), None, "deny", 500, "wrong", "configuration_error", None),
    ],
)
def test_a_refusal_names_its_guard_and_its_reason(guards, request_, outcome, status, name, reason, principal):
    [event] = listened(*guards, request=request_)
    assert (event["outcome"], event["status"], event["guard"], event["reason"], event["principal"]) == (
        outcome,
        status,
        name,
        reason,
        principal,
    )


def test_where_the_handler_or_a_guard_raises_there_is_an_event_too():
    def fails(request: Request):
        raise LookupError

    for guards, handler in (((AUTH,), fails), ((AUTH, Says("x", LookupError())), ok)):
        event, error = listened(*guards, handler=handler)
        assert isinstance(error, LookupError)
        assert (event["outcome"], event["status"], event["principal"]) == ("error", None, "bob")


@pytest.mark.parametrize("answer", [None, True])
def test_a_guard_that_returns_no_decision_leaves_an_event(answer):
    """AUZ-11."""
    wrong = Says("x")
    wrong.answer = answer
    event, error = listened(wrong)
    assert event["outcome"] == "error"
    assert isinstance(error, TypeError)


def test_a_shadow_says_what_it_would_have_done():
    [event] = listened(chain(AUTH, require_scopes("a")).shadow())
    assert (event["outcome"], event["shadow"], event["reason"], event["guard"], event["principal"]) == (
        "allow",
        "require_scopes:scope_missing",
        None,
        None,
        None,
    )
    [event] = listened(Says("x", ValueError(CANARY)).shadow())
    assert event["shadow"] == "error:ValueError"
    [event] = listened(AUTH.shadow())
    assert event["shadow"] is None


# One event


def test_two_chains_in_one_request_write_one_event_when_the_outermost_ends():
    events, order = [], []

    @chain(AUTH, audit=lambda event: events.append(("inner", event)))
    def handler(request: Request):
        order.append(len(events))

    @chain(Says("a"), audit=lambda event: events.append(("outer", event)))
    def app(request: Request):
        handler(request)
        order.append(len(events))

    app(bearer(MINT.good()))
    assert order == [0, 0]
    assert [name for name, _ in events] == ["outer", "inner"]
    assert events[0][1] is events[1][1]
    assert events[0][1]["principal"] == "alice"


def test_stacked_decorators_with_listeners_of_their_own_are_all_heard():
    first, second, both = [], [], []
    chain(Says("a"), audit=first.append)(chain(Says("b"), audit=second.append)(ok))(Request.build())
    chain(chain(Says("c"), audit=both.append), chain(Says("d"), audit=both.append))(ok)(Request.build())
    assert [len(one) for one in (first, second)] == [1, 1]
    assert len(both) == 1, "a callback is called once a request, however often it is named"


async def test_a_decision_without_a_host_writes_one_event():
    events = []
    made = chain(AUTH, audit=events.append)
    made.decide(bearer(MINT.good()))
    await made.adecide(Request.build())
    assert [(event["outcome"], event["status"]) for event in events] == [("allow", None), ("deny", 401)]


async def test_every_kind_of_handler_writes_one_event():
    events = []
    made = chain(AUTH, audit=events.append)

    @made
    async def asynchronous(request: Request):
        return Response(201)

    @made
    def generator(request: Request):
        yield 1

    await asynchronous(bearer(MINT.good()))
    list(generator(bearer(MINT.good())))
    await asynchronous(Request.build())
    assert [event["outcome"] for event in events] == ["allow", "allow", "deny"]
    assert events[0]["status"] == 201


def test_a_callback_that_raises_changes_nothing(caplog):
    def raises(event):
        raise ZeroDivisionError(CANARY)

    heard = []
    made = chain(chain(AUTH, audit=heard.append), audit=raises)
    assert made(ok)(bearer(MINT.good())).status == 200
    assert made(ok)(Request.build()).status == 401
    assert len(heard) == 2
    assert "an audit callback raised ZeroDivisionError" in caplog.text
    assert CANARY not in caplog.text


def test_a_log_filter_that_raises_changes_nothing(caplog):
    def raises(record):
        raise ZeroDivisionError(CANARY)

    log = logging.getLogger("authkit.audit")
    log.addFilter(raises)
    try:
        with caplog.at_level(logging.INFO, "authkit.audit"):
            assert AUTH(ok)(bearer(MINT.good())).status == 200
            assert AUTH(ok)(Request.build()).status == 401
    finally:
        log.removeFilter(raises)
    assert "writing an audit event raised ZeroDivisionError" in caplog.text
    assert CANARY not in caplog.text


def test_a_refusal_further_in_that_the_program_puts_up_with_is_no_reason_of_the_answer():
    refused = Says("no", deny())(ok)

    def tries(request: Request):
        refused(request)
        return Says("yes")(ok)(request)

    [event] = listened(AUTH, handler=tries)
    assert (event["outcome"], event["guard"], event["reason"]) == ("allow", None, None)


# The log


def test_the_record_is_the_event_as_json(caplog):
    with caplog.at_level(logging.INFO, "authkit.audit"):
        chain(AUTH)(ok)(bearer(MINT.good("bob")))
        chain(AUTH)(ok)(Request.build())
    allowed, refused = caplog.records
    assert (allowed.name, allowed.levelname, refused.levelname) == ("authkit.audit", "INFO", "WARNING")
    assert json.loads(allowed.getMessage()) == allowed.authkit
    assert list(allowed.authkit) == FIELDS
    assert "\n" not in allowed.getMessage()


def test_an_allowed_request_that_nobody_listens_to_is_not_written(caplog):
    with caplog.at_level(logging.WARNING, "authkit.audit"):
        chain(AUTH)(ok)(bearer(MINT.good()))
        assert caplog.records == []
        chain(AUTH, require_scopes("a")).shadow()(ok)(bearer(MINT.good()))
        chain(AUTH)(ok)(Request.build())
    assert [record.authkit["outcome"] for record in caplog.records] == ["allow", "deny"]


def test_a_program_without_logging_gets_none_and_prints_nothing():
    program = (
        "import sys, authkit\n"
        "from authkit import Request, require_roles\n"
        "assert require_roles('x').decide(Request.build()).status == 401\n"
        "assert 'logging' not in sys.modules\n"
        "import logging\n"
        "require_roles('x').decide(Request.build())\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What is never in it


@pytest.mark.parametrize("field", ["subject", "issuer", "method", "reason", "peer", "code"])
def test_every_field_is_at_most_256_bytes(field):
    """LOG-02."""
    huge = "é" * 1_000_000
    principal = Principal(huge if field == "subject" else "a", issuer=huge if field == "issuer" else None)
    refusal = Deny(403, huge if field == "code" else "no", reason=huge if field == "reason" else None)
    request = Request(huge if field == "method" else "GET", "/" + huge, peer=huge if field == "peer" else None)
    [event] = listened(Says("a", Allow(principal)), Says("b", refusal), request=request)
    assert all(len(str(value).encode()) <= 256 for value in event.values())
    assert len(json.dumps(event)) < 2000


def test_a_field_of_no_valid_text_is_written_all_the_same():
    [event] = listened(Says("a", Allow(Principal("a\ud800b\n\x1b[31m"))), request=Request("G\r\nET", "/"))
    json.dumps(event).encode()
    assert event["principal"] == "a\\ud800b\n\x1b[31m"
    assert "\n" not in json.dumps(event)


def test_no_canary_in_any_log_or_answer(caplog):
    """LOG-01: tokens, claims, the query, cookies, bodies and other headers, at DEBUG, whatever the outcome."""

    @guard(body=True)
    def raises(request):
        raise LookupError(CANARY)

    def broken(principal, request):
        raise ValueError(CANARY)

    def wrong(principal, request):
        return CANARY

    token = MINT.good("bob", claims={"email": CANARY, "org": {"id": CANARY}})
    forged = MINT.forge({**MINT.header(), "kid": CANARY}, {**MINT.claims(), "iss": CANARY, "aud": CANARY, "x": CANARY})
    guards = [
        chain(AUTH),
        chain(AUTH, require_scopes("a")),
        chain(AUTH, require(broken)),
        chain(AUTH, require(wrong)),
        chain(AUTH).shadow(),
        chain(AUTH, rate_limit("1/hour", key="principal")),
        chain(AUTH, raises.shadow()),
        require_auth(MINT.tokens, cookie="sid"),
        chain(AUTH, Says("x", Unavailable("the store is down"))),
    ]
    events, bodies = [], []
    with caplog.at_level(logging.DEBUG):
        for made in guards:
            for sent in (token, token, forged, token[:-3] + "abc", CANARY, f"{CANARY} {CANARY}"):
                request = Request.build(
                    "POST",
                    f"/x?token={CANARY}",
                    {"authorization": f"Bearer {sent}", "cookie": f"a={CANARY}; sid={CANARY}", "x-key": CANARY},
                    CANARY.encode(),
                )
                response = chain(made, audit=events.append)(ok)(request)
                bodies.append(repr(list(response.headers.items())) + repr(response.body))
    text = caplog.text + repr([record.__dict__ for record in caplog.records]) + repr(events) + repr(bodies)
    assert len(events) == len(guards) * 6
    assert CANARY not in text
    assert token not in text
    assert token.rpartition(".")[2] not in text


# hash_ids


def test_ids_can_be_hashed_under_a_key():
    """LOG-01: the same subject is the same hash, and nobody without the key can tell whose."""
    [plain] = listened(AUTH)
    [one], [two], [other] = (listened(AUTH, hash_ids=key) for key in (b"key", b"key", b"other"))
    [random] = listened(AUTH, hash_ids=True)
    assert plain["principal"] == "bob"
    assert one["principal"] == two["principal"]
    assert len({one["principal"], other["principal"], random["principal"], "bob"}) == 4
    assert len(one["principal"]) == 32


def test_a_hash_asked_for_anywhere_is_kept_everywhere():
    made = chain(AUTH, hash_ids=b"key")
    for whole in (
        chain(made),
        chain(made, require_scopes("a")),
        made.except_for("/y"),
        made.shadow(),
        chain(chain(made), Says("x")),
    ):
        [event] = listened(whole)
        assert event["principal"] != "bob"
    events = []
    chain(Says("a"), audit=events.append)(made(ok))(bearer(MINT.good("bob")))
    assert events[0]["principal"] not in ("bob", None)


def test_the_key_may_be_a_setting(monkeypatch):
    monkeypatch.setenv("AUTHKIT_AUDIT_KEY", "key")
    [event] = listened(AUTH, hash_ids=True)
    assert [event["principal"]] == [one["principal"] for one in listened(AUTH, hash_ids=b"key")]


@pytest.mark.parametrize("wrong", [b"", "key", "", None, 1, 0, []])
def test_a_key_that_is_none_is_a_configuration_error(wrong):
    with pytest.raises(ConfigurationError, match="hash_ids"):
        chain(AUTH, hash_ids=wrong)


def test_a_listener_of_a_chain_further_in_is_told_the_status_too() -> None:
    """The event is the outermost chain's, which had nobody listening when the request came."""
    told: list[Mapping[str, Any]] = []

    @guard
    def outer(request: Request) -> Allow:
        return Allow()

    @guard
    def inner(request: Request) -> Allow:
        return Allow()

    @chain(inner, audit=told.append)
    def handler(event: Any, context: Any) -> dict[str, int]:
        return {"statusCode": 201}

    @outer
    def entrance(event: Any, context: Any) -> Any:
        return handler(event, context)

    entrance(lambda_event("v2"), LambdaContext())
    assert [event["status"] for event in told] == [201]


def test_a_request_is_answered_while_another_thread_still_imports_logging_and_asyncio():
    """Of a module that is being imported, others see as much as is there by then."""
    script = """
import sys, types
import authkit._run
from authkit import Deny, Request, Response, guard
for name, there in (("logging", "getLogger"), ("asyncio", "sleep")):
    part = sys.modules[name] = types.ModuleType(name)
    setattr(part, there, None)
page = guard(lambda request: Deny(403, "forbidden") if request.path == "/no" else __import__("authkit").Allow())
answers = [page(lambda request: Response(200))(Request.build("GET", path)).status for path in ("/", "/no")]
called = []
authkit._run.aside(lambda: called.append(1))
print(answers, called)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[200, 403] [1]\n", done.stderr
