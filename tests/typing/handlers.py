"""A guarded handler has the type that it had: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, assert_type

from authkit import (
    Guard,
    Principal,
    Request,
    Response,
    Tokens,
    allow_ips,
    any_of,
    chain,
    deny_ips,
    public,
    rate_limit,
    require,
    require_auth,
    require_roles,
    require_scopes,
    verify_webhook,
)
from authkit.access import RoleMap, claim, owner, role, scope
from authkit.stores import MemoryStore
from authkit.webhooks import Replay, WebhookEvent

tokens = Tokens("a key of at least thirty-two bytes", issuer="https://i.example", audience="https://a.example")
api = chain(allow_ips("10.0.0.0/8"), deny_ips("10.6.6.6"), rate_limit("100/minute"), require_auth(tokens))


@require_auth
def bare(event: dict[str, Any], context: object) -> int:
    return 1


@require_auth(tokens)
def called(event: dict[str, Any], context: object) -> int:
    return 1


@require_auth(tokens, optional=True, cookie="session", csrf=["https://app.example"], realm="orders", max_age=60, amr="mfa")
def configured(name: str) -> list[str]:
    return [name]


@require_auth()
def from_settings(name: str) -> str:
    return name


@require_auth(tokens)
@require_scopes("orders:read", "orders:list")
@require_scopes(any_of=["a", "b"], roles=RoleMap({"admin": {"a"}}))
@require_roles("admin")
@require_roles(any_of=["a", "b"], all_of=("c",))
@require(scope("a") & (role("admin") | ~role("guest")) & claim("org", "acme") & owner("id"))
@require(lambda principal, request: principal.subject == request.params.get("id"))
def stacked(event: dict[str, Any], context: object, principal: Principal) -> bytes:
    return principal.subject.encode()


@api
async def asynchronous(request: Request, principal: Principal | None) -> Response:
    return Response.json({"who": None if principal is None else principal.subject})


@api
def generator(request: Request) -> Iterator[bytes]:
    yield b""


@verify_webhook("stripe", secret="whsec_", tolerance=60, url=lambda request: "https://api.example/hooks")
def hook(request: Request, webhook: WebhookEvent) -> Response:
    return Response(204)


MOVING = ["gitlab-signed", "gitlab"]


@verify_webhook(MOVING, secret={"gitlab-signed": "whsec_", "gitlab": "x"}, replay=MemoryStore())
def moving(request: Request, webhook: WebhookEvent) -> Response:
    return Response(204)


@verify_webhook("meta", secret="x", replay=MemoryStore(), handshake=False, verify_token="agreed")
async def hook_once(event: dict[str, Any], context: object, webhook: WebhookEvent) -> None: ...


@verify_webhook("aws-sns", secret=None, replay=Replay(MemoryStore(), name="a"), handshake=lambda event: True, topic_arn="arn")
def hook_confirmed(request: Request) -> Response:
    return Response(204)


@public(reason="health check")
def health(name: str) -> str:
    return name


class Orders:
    @require_auth(tokens)
    def get(self, number: int) -> str:
        return str(number)

    @require_auth
    async def put(self, number: int, *, body: bytes = b"") -> str:
        return str(number)

    @staticmethod
    @api
    def latest(count: int) -> list[int]:
        return [count]

    @classmethod
    @api
    def named(cls, name: str) -> Orders:
        return cls()


class App:
    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None: ...

    routes = 0


def of_the_right_types(request: Request, principal: Principal, webhook: WebhookEvent) -> None:
    assert_type(bare({}, None), int)
    assert_type(called({}, None), int)
    assert_type(configured("a"), list[str])
    assert_type(from_settings("a"), str)
    assert_type(stacked({}, None, principal), bytes)
    assert_type(stacked({}, None, principal=principal), bytes)
    coroutine: Coroutine[Any, Any, Response] = asynchronous(request, principal)
    coroutine.close()
    assert_type(generator(request), Iterator[bytes])
    assert_type(hook(request, webhook), Response)
    assert_type(health("a"), str)
    assert_type(Orders().get(1), str)
    assert_type(Orders.latest(1), list[int])
    assert_type(Orders.named("a"), Orders)
    assert_type(require_auth(tokens)(App()), App)
    assert_type(api(App(), host="asgi").routes, int)
    assert_type(require_auth(partial(configured, "a"))(), list[str])
    kept: Callable[[dict[str, Any], object], int] = api(bare)
    assert_type(kept({}, None), int)


async def awaited(request: Request) -> None:
    assert_type(await asynchronous(request, None), Response)
    assert_type(await Orders().put(1, body=b""), str)


def guards_are_guards() -> None:
    guards: list[Guard] = [
        api,
        require_auth(tokens),
        require_scopes("a"),
        require_roles("a"),
        require(scope("a")),
        any_of(require_auth(tokens), require_auth(tokens, realm="other")),
        chain(require_auth, require_scopes("a")),
        api.except_for("/health", "/public/*"),
        api.shadow(),
        require_auth(tokens).shadow(),
        chain(api, render=lambda request, response: response, audit=print, hash_ids=True),
    ]
    del guards


def refused(request: Request, principal: Principal) -> None:
    bare(1, None)  # type: ignore[arg-type]
    called({})  # type: ignore[call-arg]
    stacked({}, None)  # type: ignore[call-arg]
    _ = asynchronous(request).status  # type: ignore[call-arg, attr-defined]
    Orders().get("1")  # type: ignore[arg-type]
    api("no handler")  # type: ignore[type-var]
    _ = api(App()).paths  # type: ignore[attr-defined]
    require_auth(object())  # type: ignore[call-overload]
    require_auth(tokens, cookies="session")  # type: ignore[call-overload]
    require_scopes(["a"])  # type: ignore[arg-type]
    require_roles("a", anyof=["b"])  # type: ignore[call-arg]
    require(lambda principal, request: principal.subject)  # type: ignore[arg-type, return-value]
    require("admin")  # type: ignore[arg-type]
    allow_ips(10)  # type: ignore[arg-type]
    rate_limit(100)  # type: ignore[arg-type]
    rate_limit("1/second", algorithm="leaky-bucket")  # type: ignore[arg-type]
    any_of(tokens)  # type: ignore[arg-type]
    chain(tokens)  # type: ignore[arg-type]
    verify_webhook("stripe")  # type: ignore[call-arg]
    verify_webhook("stripe", secret="x", replay="memory:")  # type: ignore[arg-type]
    verify_webhook("slack", secret="x", handshake=True)  # type: ignore[arg-type]
    public("health check")  # type: ignore[call-arg]
