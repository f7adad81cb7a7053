"""Whatever fails, and wherever: nobody gets in who would not have got in, and nobody is told that they may not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import Request, Unavailable
from authkit.accounts import Cookies, MemoryUsers
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore
from authkit.testing import Clock, LambdaContext, lambda_event

from .parts import FORM, JSON, Service, tokens_of


class Switch:
    """Counts calls, and fails one of them."""

    def __init__(self):
        self.calls, self.at, self.error = 0, None, None

    def call(self):
        self.calls += 1
        if self.calls == self.at:
            raise self.error


class FailingStore(MemoryStore):
    def __init__(self, switch, clock):
        super().__init__(clock=clock, wall=clock)
        self.switch = switch

    def _do(self, name, *arguments):
        self.switch.call()
        return getattr(super(), name)(*arguments)

    def get(self, *arguments):
        return self._do("get", *arguments)

    def add(self, *arguments):
        return self._do("add", *arguments)

    def swap(self, *arguments):
        return self._do("swap", *arguments)

    def look(self, *arguments):
        return self._do("look", *arguments)


class FailingUsers(MemoryUsers):
    def __init__(self, switch):
        super().__init__()
        self.switch = switch

    def find(self, username):
        self.switch.call()
        return super().find(username)

    def update(self, old, new):
        self.switch.call()
        return super().update(old, new)


def world():
    switch, clock = Switch(), Clock(1_800_000_000.0)
    service = Service(users=FailingUsers(switch), tokens=tokens_of(clock, FailingStore(switch, clock)), store=MemoryStore())
    service.clock = clock
    service.switch = switch
    return service


REFUSED = ["a wrong password", "nobody", "disabled", "used", "logged out", "gone"]


def prepared(what):
    """A service, and a request that it refuses."""
    service = world()
    if what == "a wrong password":
        return service, lambda: service.login(password="wrong")
    if what == "nobody":
        return service, lambda: service.login("nobody")
    pair = service.pair()
    if what == "disabled":
        service.accounts.disable("alice")
        return service, service.login
    if what == "used":
        service.refresh(pair["refresh_token"])
        service.clock.now += 60
        return service, lambda: service.refresh(pair["refresh_token"])
    if what == "logged out":
        service.send("/logout", {"refresh_token": pair["refresh_token"]})
        return service, lambda: service.verify(pair["access_token"])
    service.users.remove("alice")
    return service, lambda: service.refresh(pair["refresh_token"])


@pytest.mark.parametrize(
    "error", [StoreUnavailable("down"), Unavailable("down"), LookupError("a mistake"), MemoryError()], ids=repr
)
@pytest.mark.parametrize("what", REFUSED)
def test_a_fault_at_any_call_lets_nobody_in(what, error):
    """AVL-01: at the first call, at the second, and so on to the last."""
    at = 1
    while True:
        service, request = prepared(what)
        service.switch.calls, service.switch.at, service.switch.error = 0, at, error
        try:
            status = request().status
        except (LookupError, MemoryError):  # a mistake in a table goes up to the host, whose 500 it is
            status = 500
        if service.switch.calls < at:
            assert status == 401, "without a fault it is refused"
            assert at > 1, "something was asked"
            return
        assert status in (500, 503), "a fault is no refusal"
        service.switch.at = None
        assert request().status == 401, "and afterwards it is refused as ever"
        at += 1


def test_a_fault_at_any_call_of_a_refresh_costs_nobody_the_session():
    """REF-03: the same token may be tried again, and is then exchanged once."""
    at = 1
    while True:
        service = world()
        token = service.pair()["refresh_token"]
        service.switch.calls, service.switch.at, service.switch.error = 0, at, StoreUnavailable("down")
        status = service.refresh(token).status
        fallen = service.switch.calls >= at
        service.switch.at = None
        assert status == (503 if fallen else 200)
        again = service.refresh(token)
        assert again.status == 200
        assert service.refresh(json.loads(again.body)["refresh_token"]).status == 200
        if not fallen:
            return
        at += 1


TEXT = st.text(st.characters(max_codepoint=255, exclude_categories=("Cc",)), max_size=30)
HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "content-type", "cookie", "origin", "sec-fetch-site", "host", "x-forwarded-for"]), TEXT
)
PATHS = st.sampled_from(["/login", "/verify", "/refresh", "/logout", "/.well-known/jwks.json", "/password", "/x", ""])
ANYBODY = [Service(), Service(cors=["https://app.example"])]


@given(PATHS, st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "x"]), HEADERS, st.binary(max_size=60), st.booleans())
def test_any_request_is_answered(path, method, headers, body, listed):
    """LOG-05: no foreign exception, no 5xx, and nobody is let in."""
    answer = ANYBODY[listed].accounts.app(Request.build(method, path, headers, body, "203.0.113.5"))
    assert answer.status in (200, 204, 400, 401, 403, 404, 405, 413, 415)
    assert answer.status != 200 or path.endswith("jwks.json")


@given(
    PATHS,
    st.sampled_from([JSON, FORM]),
    st.dictionaries(st.sampled_from(["username", "password", "token", "refresh_token"]), TEXT),
)
def test_any_members_are_answered(path, kind, members):
    from urllib.parse import urlencode

    body = (json.dumps(members) if kind is JSON else urlencode(members)).encode()
    answer = ANYBODY[0].accounts.app(Request.build("POST", path, kind, body, "203.0.113.5"))
    assert answer.status in (204, 400, 401, 404, 405, 429)


LISTS = st.lists(st.integers() | st.text(max_size=3), max_size=2)
JUNK = st.none() | st.text(max_size=5) | st.integers() | LISTS | st.just({"a": {}})
NAMES = ["Origin", "ORIGIN", "content-type", "Cookie", "authorization", "x-forwarded-for"]
FIELDS = st.dictionaries(st.sampled_from(NAMES), JUNK)
CHANGES = st.dictionaries(
    st.sampled_from(["headers", "multiValueHeaders", "body", "isBase64Encoded", "cookies", "path", "rawPath", "httpMethod"]),
    JUNK | FIELDS,
    max_size=3,
)
ON_LAMBDA = Service(cors=["https://app.example"], cookies=Cookies())


@given(st.sampled_from(["v1", "v2", "alb", "lattice", "edge"]), st.sampled_from(["POST", "OPTIONS"]), CHANGES)
def test_any_event_of_lambda_is_answered(kind, method, changes):
    """ADP-05: what is missing or of another kind is no 500, and nobody is let in."""
    event = lambda_event(kind, method=method, path="/login", headers={"content-type": "application/json"}, body="{}")
    target = event["Records"][0]["cf"]["request"] if kind == "edge" else event
    target.update(changes)
    try:
        answer = ON_LAMBDA.accounts.app(event, LambdaContext())
    except TypeError:  # it is no request of any kind
        return
    assert int(answer.get("statusCode") or answer["status"]) in (204, 400, 403, 404, 405, 413, 415)
