"""What a guard costs a call: guarded minus bare, on a plain function and on Lambda. `python benchmarks/guard_overhead.py`

All subjects take turns, round by round, each beside the bare handler, and the quietest rounds count (the tenth of a hundred),
so that noise of the machine hits all alike. `by hand` is PyJWT in the handler's first lines: what people write without a
guard. The budget (issue: at most 5 µs with a token seen before, five stacked guards at most 3 µs over one) is for a quiet
machine: `floor`, an HS256 verification in ten lines of Python, says how fast this one is; 8.9 µs where the budget was set.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from authkit import Allow, Principal, Request, Tokens, chain, guard, require_auth
from authkit.decision import ALLOW

ISSUER = AUDIENCE = "https://api.example.com"
SECRET = "benchmark-3f8a1c5e9d7b2046-benchmark-6e1d"  # nothing but these tokens is signed with it
EVENTS = Path(__file__).parent.parent / "tests" / "vectors" / "aws-events"
FLOOR_WHEN_QUIET = 8.9  # µs

Call = Callable[[], Any]


class Context:
    aws_request_id = "benchmark"


def handler(event: Any, context: Any) -> Any:
    return {"statusCode": 200}


def function(request: Request) -> Any:
    return None


@guard
def trivial(request: Request) -> Allow:
    return ALLOW


def _named(place: int) -> Any:
    @guard(name=f"header-{place}")
    def one(request: Request) -> Allow:
        request.headers.get("authorization")
        return ALLOW

    return one


def subjects(token: str, tokens: Tokens) -> dict[str, tuple[Call, Call]]:
    """Name -> (guarded call, bare call)."""
    context = Context()
    v2 = json.loads((EVENTS / "ts-apigw-http-no-auth.json").read_text())
    v2["headers"] = {**v2["headers"], "authorization": f"Bearer {token}"}
    v1 = json.loads((EVENTS / "ts-apigw-rest-lambda-authorizer-auth.json").read_text())
    v1["headers"]["Authorization"] = f"Bearer {token}"
    v1["multiValueHeaders"]["Authorization"] = [f"Bearer {token}"]
    headers = {"authorization": f"Bearer {token}", "host": "api.example.com"}
    request = Request.build("GET", "/orders", headers=headers)

    def lambda_(guarded: Any, event: Any) -> tuple[Call, Call]:
        return (lambda: guarded(event, context)), (lambda: handler(event, context))

    def plain(guarded: Any) -> tuple[Call, Call]:
        def call() -> Any:
            request.state = None  # every call is a request of its own
            return guarded(request)

        def bare() -> Any:
            request.state = None
            return function(request)

        return call, bare

    def by_hand(event: Any, context: Any) -> Any:
        import jwt

        jwt.decode(event["headers"]["authorization"][7:], SECRET, ["HS256"], audience=AUDIENCE, issuer=ISSUER)
        return handler(event, context)

    def with_principal(event: Any, context: Any, principal: Principal) -> Any:
        return {"statusCode": 200}

    auth = require_auth(tokens)
    stacked: Any = handler
    for place in range(4):
        stacked = _named(place)(stacked)
    stacked = auth(stacked)
    return {
        "plain function, trivial guard": plain(trivial(function)),
        "plain function, require_auth": plain(auth(function)),
        "Lambda v2, trivial guard": lambda_(trivial(handler), v2),
        "Lambda v2, require_auth": lambda_(auth(handler), v2),
        "Lambda v2, require_auth, principal": lambda_(auth(with_principal), v2),
        "Lambda v1, require_auth": lambda_(auth(handler), v1),
        "Lambda v2, five in a chain": lambda_(chain(auth, *map(_named, range(4)))(handler), v2),
        "Lambda v2, five stacked": lambda_(stacked, v2),
        "Lambda v2, PyJWT by hand": lambda_(by_hand, v2),
    }


def floor(token: str) -> Call:
    """An HS256 verification as one writes it by hand; it checks nothing but signature and time."""

    def decoded(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    def verify() -> Any:
        head, payload, signature = token.split(".")
        good = hmac.digest(SECRET.encode(), f"{head}.{payload}".encode(), hashlib.sha256)
        if not hmac.compare_digest(good, decoded(signature)):
            raise ValueError
        json.loads(decoded(head))
        claims = json.loads(decoded(payload))
        if claims["exp"] < time.time():
            raise ValueError
        return claims

    return verify


def measure(pairs: dict[str, tuple[Call, Call]], rounds: int, calls: int = 50) -> dict[str, float]:
    """Name -> µs a guarded call takes more than a bare one, of the quieter rounds."""
    found: dict[str, list[float]] = {name: [] for name in pairs}
    for _ in range(rounds):
        for name, (guarded, bare) in pairs.items():
            found[name].append(_time(guarded, calls) - _time(bare, calls))
    return {name: sorted(values)[len(values) // 10] * 1e6 for name, values in found.items()}


def _time(call: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def main() -> None:
    rounds = 5 if "--quick" in sys.argv else 300
    tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE)
    token = tokens.issue("user-1", scopes=["orders:read"], roles=["admin"])
    pairs = subjects(token, tokens)
    pairs["floor"] = (floor(token), lambda: None)
    found = measure(pairs, rounds)
    quiet = FLOOR_WHEN_QUIET / found["floor"]
    print(f"{'':38}{'µs':>8}{'µs at floor 8.9':>18}")
    for name, microseconds in found.items():
        print(f"{name:38}{microseconds:8.2f}{microseconds * quiet:18.2f}")


if __name__ == "__main__":
    main()
