"""AVL-01: an exception at any line of the library never opens a handler to a request that it refuses."""

from __future__ import annotations

import json
import linecache
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from types import FrameType
from typing import Any

import pytest

import authkit
from authkit import (
    Guard,
    Unavailable,
    allow_ips,
    any_of,
    chain,
    deny_ips,
    rate_limit,
    require,
    require_auth,
    require_scopes,
    verify_webhook,
)
from authkit.access import role
from authkit.address import ClientAddress, Networks
from authkit.oidc import OIDCProvider, TokenProfile
from authkit.stores import MemoryStore
from tests.conformance import cases, frameworks
from tests.conformance.exchange import Got, Handler, Sent
from tests.conformance.hosts import HOSTS

assert frameworks  # adds its hosts
OURS = os.path.dirname(authkit.__file__) + os.sep
# Those that code is tempted to catch: each of them has been the "not found" of some parser, and StopIteration is how the driver
# of a coroutine is told of its end.
FAULTS: tuple[type[BaseException], ...] = (
    RuntimeError, KeyError, IndexError, ValueError, TypeError, AttributeError, LookupError, UnicodeError, OSError, MemoryError,
    RecursionError, ArithmeticError, AssertionError, NotImplementedError, TimeoutError,
    StopIteration, Unavailable,
)  # fmt: skip
SIGNALS: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, GeneratorExit)
PEER = ClientAddress.peer()
HOOK = Sent(
    method="POST",
    headers=(("Content-Type", "application/json"), ("X-Hub-Signature-256", "sha256=" + "0" * 64)),
    body=b"{}",
)


def _is_with(frame: FrameType) -> bool:
    """At the end of its block a `with` line runs once more, and an exception just there, which only a signal could raise,
    would keep `__exit__` from being called."""
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with ")


class Faults:
    """Counts the lines of authkit that this thread runs, and raises at the one that it is told."""

    def __init__(self) -> None:
        self.lines = 0
        self._at = 0
        self._error: type[BaseException] = RuntimeError
        self.raised = ""

    @contextmanager
    def at(self, place: int, error: type[BaseException] = RuntimeError) -> Iterator[None]:
        """While this lasts, the line that runs as number `place` raises; 0: none does."""
        self.lines, self._at, self._error = 0, place, error
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(OURS) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and not _is_with(frame):
            self.lines += 1
            if self.lines == self._at:
                place = f"{frame.f_code.co_filename.removeprefix(OURS)}:{frame.f_lineno}"
                self.raised = f"{self._error.__name__} at {place}"
                raise self._error
        return self._line


def signed_in() -> Guard:
    return chain(require_auth(cases.TOKENS), require_scopes("orders:read"))


def everything() -> Guard:
    outside = chain(deny_ips("127.0.113.66", client=PEER), rate_limit("1000000/second", client=PEER, store=MemoryStore()))
    return chain(outside, require_auth(cases.TOKENS, cookie="session"), require(role("admin")))


def either() -> Guard:
    return any_of(require_auth(cases.TOKENS), require_auth(cases.TOKENS, realm="second"))


def exempting() -> Guard:
    return require_auth(cases.TOKENS).except_for("/health", "/public/*")


def optional() -> Guard:
    return chain(require_auth(cases.TOKENS, optional=True), require_scopes("orders:read"))


def office() -> Guard:
    return allow_ips("127.0.113.0/24", client=PEER)


def listed() -> Guard:
    return deny_ips("192.0.2.0/24", Networks.call(lambda: ["127.0.113.64/26", "2001:db8::/32"]), client=PEER)


def behind_a_proxy() -> Guard:
    proxies = ClientAddress([Networks.call(lambda: ["127.0.113.0/24"])])
    return allow_ips(Networks.call(lambda: ["198.51.100.0/24"]), client=proxies)


def of_a_provider() -> Guard:
    mint = cases.MINT
    theirs = OIDCProvider(
        mint.issuer, audience=mint.audience, keys=mint.key, clock=mint.clock, profile=TokenProfile(check=lambda claims: True)
    )
    return chain(require_auth(theirs), require_scopes("orders:read"))


def hook() -> Guard:
    return verify_webhook("github", secret=cases.SECRET)


BAD = cases.MINT.bad()
CSRF = Sent(method="POST", headers=(("Cookie", f"session={cases.GRACE}"), ("Sec-Fetch-Site", "cross-site")))
REFUSED: dict[str, tuple[Callable[[], Guard], Sent]] = {
    "no credential": (signed_in, Sent()),
    "two credentials": (signed_in, Sent(headers=(("Authorization", f"Bearer {cases.ALICE}"),) * 2)),
    "a forged token": (signed_in, cases.bearer(BAD["other_key"])),
    "an expired token": (signed_in, cases.bearer(BAD["expired"])),
    "no scope": (signed_in, cases.bearer(cases.GRACE)),
    "a forged token of a provider": (of_a_provider, cases.bearer(BAD["other_key"])),
    "an ID token of a provider": (of_a_provider, cases.bearer(BAD["id_token"])),
    "a provider's token for somebody else": (of_a_provider, cases.bearer(BAD["wrong_audience"])),
    "no role": (everything, cases.bearer(cases.ALICE)),
    "a request of another site": (everything, CSRF),
    "a denied address": (everything, cases.bearer(cases.GRACE, peer="127.0.113.66")),
    "an address outside": (office, Sent(peer="127.51.100.1")),
    "no address": (office, Sent(peer=None)),
    "an address in a list that changes": (listed, Sent(peer="127.0.113.66")),
    "a forged entry before a proxy's": (behind_a_proxy, Sent(headers=(("X-Forwarded-For", "198.51.100.7, 203.0.113.5"),))),
    "none of several credentials": (either, Sent()),
    "a path that looks exempt": (exempting, Sent(path="/public/a;b")),
    "a path that is not exempt": (exempting, Sent(path="/healthy")),
    "anonymous, a scope is needed": (optional, Sent()),
    "a bad token, optional": (optional, cases.bearer(BAD["expired"])),
    "a forged webhook": (hook, HOOK),
}
# A first reading that a fault keeps from ending has whoever needs it wait for half a minute; here its list is known.
LISTED = {"an address in a list that changes", "a forged entry before a proxy's"}
# These run their endpoints in threads of their own, which are not traced here.
TRACED = sorted(set(HOSTS) - {"starlette_sync", "fastapi_sync", "flask_async"})
STEPS = [pytest.param(61, id="some lines"), pytest.param(1, id="every line", marks=pytest.mark.soak)]

# Where a line fails between the making of a coroutine and its first step, that coroutine never runs; and Django leaves the file
# of a body to the collector when its handler raises.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning"),
]


def attempt(host: str, guarded: Any, sent: Sent) -> Got | BaseException:
    """In a context of its own: a fault at the very line that makes a principal current, or ends that, leaves it there."""
    try:
        return copy_context().run(HOSTS[host].call, guarded, sent)
    except BaseException as error:
        return error


def kinds(host: str) -> tuple[type[BaseException], ...]:
    return FAULTS + SIGNALS if host in ("function_sync", "lambda_http_v2", "wsgi_app") else FAULTS  # a loop ends at a signal


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("host", TRACED)
def test_no_line_that_raises_opens_a_handler(host: str, name: str, step: int, rng: random.Random) -> None:
    make, sent = REFUSED[name]
    faults, handler = Faults(), Handler()
    guarded = HOSTS[host].make(make(), handler)
    attempt(host, guarded, sent)
    with faults.at(0):
        attempt(host, guarded, sent)
    opened = []
    for place in range(1 + rng.randrange(min(step, faults.lines)), faults.lines + 1, step):
        with faults.at(place, rng.choice(kinds(host))):
            attempt(host, guarded, sent)
        if handler.entered:
            opened.append(faults.raised)
            handler.entered = 0
    assert faults.raised, "there were faults"
    assert opened == []
    after = attempt(host, guarded, sent)
    assert isinstance(after, Got), after
    assert after.status in (400, 401, 403)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", [name for name in REFUSED if name not in LISTED])
def test_no_line_that_raises_while_a_chain_is_sealed_opens_a_handler(name: str, step: int, rng: random.Random) -> None:
    """Each fault meets the first request of a chain; the second is judged by what the fault has left of it."""
    make, sent = REFUSED[name]
    faults, handler = Faults(), Handler()
    with faults.at(0):
        attempt("function_sync", HOSTS["function_sync"].make(make(), handler), sent)
    opened = []
    for place in range(1 + rng.randrange(min(step, faults.lines)), faults.lines + 1, step):
        guarded = None
        with faults.at(place, rng.choice(kinds("function_sync"))):
            try:
                guarded = HOSTS["function_sync"].make(make(), handler)
                attempt("function_sync", guarded, sent)
            except BaseException:  # in the making: there is no handler yet
                assert guarded is None
        if guarded is not None:
            attempt("function_sync", guarded, sent)
        if handler.entered:
            opened.append(faults.raised)
            handler.entered = 0
    assert faults.raised, "there were faults"
    assert opened == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("host", TRACED)
def test_no_line_that_raises_enters_a_handler_twice_or_for_somebody_else(host: str, step: int, rng: random.Random) -> None:
    faults, handler, seen = Faults(), Handler(), []
    guarded = HOSTS[host].make(signed_in(), handler)
    sent = cases.bearer(cases.ALICE)
    attempt(host, guarded, sent)
    with faults.at(0):
        attempt(host, guarded, sent)
    for place in range(1 + rng.randrange(min(step, faults.lines)), faults.lines + 1, step):
        handler.entered = 0
        with faults.at(place, rng.choice(kinds(host))):
            got = attempt(host, guarded, sent)
        assert handler.entered <= 1, faults.raised
        if isinstance(got, Got) and got.status == 200:
            seen.append(json.loads(got.body)["subject"])
    assert set(seen) <= {"alice"}
    after = attempt(host, guarded, sent)
    assert isinstance(after, Got), after
    assert after.status == 200
