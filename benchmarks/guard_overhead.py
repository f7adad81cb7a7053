"""What a guard adds to a call with a token seen before, on a plain function and on Lambda.

`PyJWT by hand` stands in the handler's first lines: what people write without a guard. The budgets are in µs on a quiet
machine: at most 5 for a guarded call, at most 3 for five stacked guards over one. The floor, an HS256 verification in ten
lines of Python, says how fast this machine is at the moment; the targets are judged as if it took `YARDSTICK`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from authkit import Allow, Principal, Request, chain, guard, require, require_auth, require_roles, require_scopes
from authkit.access import role, scope
from authkit.decision import ALLOW

from . import _peers
from ._table import Role, Row, Table, Target
from ._timing import YARDSTICK, Call, added, calls, hand_written, nothing

FLOOR = "HS256 in ten lines"
EVENTS = Path(__file__).parent.parent / "tests" / "vectors" / "aws-events"


class Context:
    aws_request_id = "benchmark"


def handler(event: Any, context: Any) -> Any:
    return {"statusCode": 200}


def function(request: Request) -> Any:
    return None


@guard
def trivial(request: Request) -> Allow:
    return ALLOW


def subjects(token: str) -> dict[str, tuple[Call, Call]]:
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
        if _peers.by_hand(event["headers"]["authorization"]) is None:
            return {"statusCode": 401}
        return handler(event, context)

    def with_principal(event: Any, context: Any, principal: Principal) -> Any:
        return {"statusCode": 200}

    auth = require_auth(_peers.tokens())
    more = (require_scopes("orders:read"), require_roles("admin"), require(scope("orders:read") | role("guest")), trivial)
    stacked: Any = handler
    for item in (*reversed(more), auth):
        stacked = item(stacked)
    return {
        "plain function, trivial guard": plain(trivial(function)),
        "plain function, require_auth": plain(auth(function)),
        "Lambda v2, trivial guard": lambda_(trivial(handler), v2),
        "Lambda v2, require_auth": lambda_(auth(handler), v2),
        "Lambda v2, require_auth, principal": lambda_(auth(with_principal), v2),
        "Lambda v1, require_auth": lambda_(auth(handler), v1),
        "Lambda v2, five in a chain": lambda_(chain(auth, *more)(handler), v2),
        "Lambda v2, five stacked": lambda_(stacked, v2),
        "Lambda v2, PyJWT by hand": lambda_(by_hand, v2),
    }


def tables(seconds: float) -> list[Table]:
    token = _peers.token()
    pairs = {name: (calls(guarded), calls(bare)) for name, (guarded, bare) in subjects(token).items()}
    pairs[FLOOR] = (calls(hand_written(token)), calls(nothing))
    found = added(pairs, seconds=seconds, count=500)
    roles: dict[str, Role] = {"Lambda v2, PyJWT by hand": "peer", FLOOR: "floor"}
    rows = [Row(name, found.us(name), roles.get(name, "ours")) for name in found]
    unit = f"µs where the floor takes {YARDSTICK}"
    targets = [
        Target(f"{name}, {unit}", found.ratio(name, FLOOR) * YARDSTICK, 5.0)
        for name in ("plain function, require_auth", "Lambda v2, require_auth", "Lambda v1, require_auth")
    ]
    more = found.more("Lambda v2, five stacked", "Lambda v2, require_auth", FLOOR) * YARDSTICK
    targets.append(Target(f"five stacked guards over one, {unit}", more, 3.0))
    return [Table("Plain function and Lambda: added to a call, token seen before", rows, targets)]
