"""Tokens of an OpenID Provider: what a hit costs, how often the issuer is asked, and who waits while it is slow or down."""

from __future__ import annotations

import logging
import statistics
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jwt

from authkit import InvalidToken, Unavailable
from authkit.oidc import OIDCProvider
from authkit.testing import Clock, FakeIssuer
from authkit.tokens import Tokens

from ._table import Row, Table, Target
from ._timing import added, calls, nothing

UNKNOWN = 1000  # tokens that name a key which nobody has
CALLERS = 100
OPTIONS: Any = {"require": ["exp", "iss", "aud", "sub"]}
Verify = Callable[[str], Any]


def tables(seconds: float) -> list[Table]:
    logging.getLogger("authkit").setLevel(logging.CRITICAL)  # the issuer is down on purpose
    with FakeIssuer(alg="RS256") as op:
        return [
            _never_seen(op, seconds / 2),
            _seen(op, seconds / 4),
            *_unknown_keys(op),
            _expired_set(op),
            _while_refetching(op),
            _down(op),
        ]


def _never_seen(op: FakeIssuer, seconds: float) -> Table:
    """Nothing is remembered, so each verification is a whole one. What is timed is the difference to the same with a key."""
    token = op.token(scopes=["orders:read"], ttl=86_400)
    public = jwt.PyJWK(op.keys[0]).key
    local = Tokens(op.keys[0], issuer=op.url, audience=op.audience, cache_size=0)
    fetched, given = op.provider(cache_size=0), op.provider(cache_size=0, keys=op.keys[0])
    client = jwt.PyJWKClient(f"{op.url}/jwks")

    def decoded(key: Any) -> Any:
        return jwt.decode(token, key, algorithms=["RS256"], issuer=op.url, audience=op.audience, options=OPTIONS)

    pairs = {
        "authkit, keys fetched": (calls(lambda: fetched.verify(token)), calls(lambda: local.verify(token))),
        "authkit, keys=": (calls(lambda: given.verify(token)), calls(lambda: local.verify(token))),
        "PyJWKClient": (calls(lambda: decoded(client.get_signing_key_from_jwt(token).key)), calls(lambda: decoded(public))),
        "PyJWKClient, in all": (calls(lambda: decoded(client.get_signing_key_from_jwt(token).key)), calls(nothing)),
        "authkit, in all": (calls(lambda: fetched.verify(token)), calls(nothing)),
    }
    if find_spec("authlib"):
        authlib = _authlib(op, token)
        pairs["Authlib, in all"] = (calls(authlib), calls(nothing))
    found = added(pairs, seconds=seconds, count=5)  # short batches: the machine's speed changes between long ones
    rows = [Row(name, found.us(name), "ours" if name.startswith("authkit") else "peer") for name in found]
    target = Target("an RS256 token never seen, over a local key, µs", found.us("authkit, keys fetched"), 1.0)
    return Table("RS256 token never seen, its key known: added over verifying with a local key", rows, [target])


def _authlib(op: FakeIssuer, token: str) -> Callable[[], Any]:
    import warnings

    from authlib.deprecate import AuthlibDeprecationWarning  # turns itself on, whatever the filters say

    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.jose import JsonWebKey, JsonWebToken

    keys = JsonWebKey.import_key_set({"keys": op.keys})
    reader = JsonWebToken(["RS256"])
    options = {"iss": {"essential": True, "value": op.url}, "aud": {"essential": True, "value": op.audience}}

    def verify() -> Any:
        claims = reader.decode(token, keys, claims_options=options)
        claims.validate(leeway=30)
        return claims

    return verify


def _seen(op: FakeIssuer, seconds: float) -> Table:
    token = op.token(ttl=86_400)
    local = Tokens(op.keys[0], issuer=op.url, audience=op.audience)
    provider = op.provider()
    for verifier in (local, provider):
        verifier.verify(token)
    base = calls(lambda: local.recall(token))
    found = added(
        {
            "authkit, keys fetched": (calls(lambda: provider.recall(token)), base),
            "authkit, a local key": (base, calls(nothing)),
        },
        seconds=seconds,
        count=2000,
    )
    rows = [Row(name, found.us(name)) for name in found]
    target = Target("a token seen before, over a local key, µs", found.us("authkit, keys fetched"), 1.0)
    return Table("Token seen before: added over the same with a local key", rows, [target])


def _unknown_keys(op: FakeIssuer) -> list[Table]:
    tokens = [op.forge({**op.header(), "kid": f"none-{number}"}, op.claims()) for number in range(UNKNOWN)]
    found = []
    for title, fault in (("answers", {}), ("answers 503", {"status": 503})):
        clock = Clock(time.time())
        provider = op.provider(clock=clock, monotonic=clock)
        provider.prefetch()
        clock.advance(40)  # keys that are a second old are not fetched again for a name that they do not have
        client = _cooled_down(op)
        if fault:
            op.fault(**fault)
        counts = {}
        for name, verify in {"authkit": provider.verify, "PyJWKClient": client.get_signing_key_from_jwt}.items():
            before = op.asked()
            for token in tokens:
                _refused(verify, token)
            counts[name] = op.asked() - before
        op.mend()
        rows = [Row(name, count, "ours" if name == "authkit" else "peer") for name, count in counts.items()]
        target = Target(f"{UNKNOWN} unknown keys while the issuer {title}, fetches", counts["authkit"], 1)
        found.append(
            Table(f"{UNKNOWN} tokens of unknown keys within a cooldown, the issuer {title}", rows, [target], "fetches")
        )
    return found


def _cooled_down(op: FakeIssuer) -> jwt.PyJWKClient:
    """A client with keys, beyond its cooldown since it fetched them, if its version has one."""
    try:
        client = jwt.PyJWKClient(f"{op.url}/jwks", cooldown_duration=2)
    except TypeError:
        client = jwt.PyJWKClient(f"{op.url}/jwks")
    client.get_jwk_set()
    time.sleep(2.1)
    return client


def _refused(verify: Verify, token: str) -> None:
    try:
        verify(token)
    except (InvalidToken, Unavailable, jwt.PyJWTError):
        return
    raise AssertionError("nobody has that key")


def _expired_set(op: FakeIssuer) -> Table:
    """Keys beyond their time and their bound, so that all have to wait; the peer's set is beyond its lifespan."""
    clock = Clock(time.time())
    provider = op.provider(clock=clock, monotonic=clock, leeway=300)
    provider.prefetch()
    clock.advance(90_000)
    client = jwt.PyJWKClient(f"{op.url}/jwks", lifespan=1)
    client.get_jwk_set()
    time.sleep(1.1)
    token = op.forge(op.header(), op.claims(iat=int(clock()), exp=int(clock()) + 300))
    op.fault(delay=0.2)
    rows = []
    for name, verify in {"authkit": provider.verify, "PyJWKClient": client.get_signing_key_from_jwt}.items():
        before = op.asked()
        _all_at_once(verify, token)
        rows.append(Row(name, op.asked() - before, "ours" if name == "authkit" else "peer"))
    op.mend()
    target = Target(f"{CALLERS} callers on an expired set, fetches", rows[0].value, 1)
    return Table(f"{CALLERS} callers at once on an expired set", rows, [target], "fetches")


def _all_at_once(verify: Verify, token: str) -> None:
    ready = threading.Barrier(CALLERS)

    def verifies() -> None:
        ready.wait()
        verify(token)

    threads = [threading.Thread(target=verifies) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _while_refetching(op: FakeIssuer) -> Table:
    """How long good tokens take, of which none was seen before, while the keys are fetched again for a second.

    One comes every millisecond. What the fetch itself computes at its beginning and end is shared with them by one interpreter.
    """
    clock = Clock(time.time())
    provider = op.provider(clock=clock, monotonic=clock)
    provider.prefetch()
    clock.advance(700)
    client = jwt.PyJWKClient(f"{op.url}/jwks", lifespan=1)
    client.get_jwk_set()
    time.sleep(1.1)
    tokens = [op.forge(op.header(), op.claims(jti=str(n), exp=int(clock()) + 300)) for n in range(600)]
    op.fault(delay=1)
    rows = []
    for name, verify in {"authkit": provider.verify, "PyJWKClient": client.get_signing_key_from_jwt}.items():
        took = []
        for token in tokens:
            start = time.perf_counter()
            verify(token)
            took.append((time.perf_counter() - start) * 1e3)
            time.sleep(0.001)
        role: Any = "ours" if name == "authkit" else "peer"
        rows += [
            Row(f"{name}, 99 of 100", statistics.quantiles(took, n=100)[98], role),
            Row(f"{name}, slowest", max(took), role),
        ]
    op.mend()
    target = Target("a good token during a refetch of 1 s, 99 of 100, ms", rows[0].value, 1.0)
    return Table("Good tokens while the keys are fetched again, which takes 1 s", rows, [target], "ms")


def _down(op: FakeIssuer) -> Table:
    """The keys' time is over, and the issuer answers 503: tokens accepted within the bound of a day, and after it."""
    clock = Clock(time.time())
    provider: OIDCProvider = op.provider(clock=clock, monotonic=clock)
    provider.prefetch()
    op.fault(status=503)
    accepted = []
    for seconds in (3600, 90_000):
        clock.advance(seconds)
        count = 0
        for number in range(100):
            token = op.forge(op.header(), op.claims(jti=str(number), iat=int(clock()), exp=int(clock()) + 300))
            try:
                provider.verify(token)
            except Unavailable:
                continue
            count += 1
        accepted.append(count)
    op.mend()
    rows = [Row("within the bound", accepted[0]), Row("after it", accepted[1])]
    targets = [
        Target("issuer down, good tokens refused within the bound", 100 - accepted[0], 0),
        Target("issuer down, good tokens accepted after it", accepted[1], 0),
    ]
    return Table("Good tokens accepted of 100, keys expired and issuer down", rows, targets, "of 100")


if not find_spec("authlib"):
    print("Authlib is left out: it is not installed", file=sys.stderr)
