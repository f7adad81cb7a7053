"""Guards that users write, in each form of `@guard`, and decisions: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from typing import Any, assert_type

from authkit import Allow, Challenge, Deny, Guard, Principal, Request, Response, chain, current_principal, guard
from authkit._compose import FunctionGuard, HookGuard


@guard
def custom(request: Request) -> Allow | Deny:
    if request.headers.get("x-custom-auth") != "demo":
        return Deny(401, "invalid_credentials", reason="custom", challenge=Challenge(realm="api"), headers={"x-a": "b"})
    return Allow(Principal("alice", scopes=["a"], roles={"b"}), drop_headers=["x-custom-auth"], headers={"x-a": "b"})


@guard
async def asynchronous(request: Request) -> Allow | Deny:
    return Allow()


@guard
def only_denies(request: Request) -> Deny:
    return Deny(403, "forbidden")


@guard(blocking=True)
def blocks(request: Request) -> Allow | Deny:
    return Allow()


@guard(body=True, body_limit=1024, name="signed")
def reads(request: Request) -> Allow | Deny:
    return Allow() if request.body else Deny(400, "invalid_request")


@guard(state=dict)
def with_state(request: Request, state: dict[str, int]) -> Allow | Deny:
    return Allow(values={"seen": state})


@guard.after
def stamp(request: Request, response: Response | None) -> None:
    if response is not None:
        response.headers["x-served-by"] = "authkit"


class Weekdays(Guard):
    name = "weekdays"
    reads_request = True

    async def check(self, request: Request) -> Allow | Deny:
        return Allow()

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None: ...

    async def warm(self) -> None: ...


def of_the_right_types(request: Request) -> None:
    assert_type(custom, FunctionGuard)
    assert_type(asynchronous, FunctionGuard)
    assert_type(blocks, FunctionGuard)
    assert_type(reads, FunctionGuard)
    assert_type(with_state, FunctionGuard)
    assert_type(stamp, HookGuard)
    api = chain(custom, asynchronous, only_denies, stamp, Weekdays())
    decision = api.decide(request)
    assert_type(decision, Allow | Deny)
    if isinstance(decision, Allow):
        assert_type(decision.principal, Principal | None)
    else:
        assert_type(decision, Deny)
        assert_type(decision.status, int)
        assert_type(decision.code, str)
        assert_type(decision.reason, str)
    assert_type(current_principal(), Principal | None)
    assert_type(request.headers.get("x-a"), str | None)
    assert_type(request.headers.get("x-a", ""), str)
    assert_type(request.headers["x-a"], str)
    assert_type(request.headers.get_all("x-a"), list[str])
    api.prepare()

    @api
    def handler(request: Request, principal: Principal | None) -> Response:
        return Response(200)

    assert_type(handler(request, None), Response)


async def on_a_loop(request: Request) -> None:
    assert_type(await Weekdays().adecide(request), Allow | Deny)
    await Weekdays().aprepare()


def of_a_principal(principal: Principal) -> None:
    assert_type(principal.subject, str)
    assert_type(principal.issuer, str | None)
    assert_type(principal.scopes, frozenset[str])
    assert_type(principal.roles, frozenset[str])
    assert_type(principal.claims["org"], Any)
    assert_type(principal.method, str)


class Sloppy(Guard):
    async def check(self, request: Request) -> bool:  # type: ignore[override]
        return True


class Blocking(Guard):
    def check(self, request: Request) -> Allow | Deny:  # type: ignore[override]
        return Allow()


@guard  # type: ignore[arg-type]
def admits_by_truth(request: Request) -> bool:
    return True


@guard  # type: ignore[arg-type]
def forgets_a_case(request: Request) -> Allow | None:
    return None


def refused(request: Request) -> None:
    guard(body="yes")  # type: ignore[call-overload]
    Deny("403", "forbidden")  # type: ignore[arg-type]
    Deny(403)  # type: ignore[call-arg]
    Allow("alice")  # type: ignore[arg-type]
    custom.decide("/path")  # type: ignore[arg-type]
    _ = custom.decide(request).principal  # type: ignore[union-attr]
    _ = current_principal().subject  # type: ignore[union-attr]
    chain(custom)(lambda request: None, hosts="flask")  # type: ignore[call-arg]
