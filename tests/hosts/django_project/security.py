"""The project's guards, named in `MIDDLEWARE` as `tests.hosts.django_project.security.api`."""

from __future__ import annotations

from typing import Any

from authkit import Allow, Deny, Principal, Request, chain, guard, rate_limit

events: list[Any] = []
ran: list[str] = []


@guard
def who(request: Request) -> Allow | Deny:
    ran.append(request.host)
    name = request.headers.get("x-user")
    return Deny(401, "unauthorized", challenge=["Bearer", "Basic"]) if name is None else Allow(Principal(name))


@guard
def adds(request: Request) -> Allow:
    return Allow(headers={"x-added": "1"})


@guard
def cookies(request: Request) -> Allow:
    return Allow(headers={"set-cookie": "__Host-s=a=b==; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned"})


@guard
def drops(request: Request) -> Allow:
    return Allow(drop_headers=["x-internal", "cookie"])


@guard(body=True, body_limit=16)
def reads(request: Request) -> Allow | Deny:
    return Deny(401, "bad_body") if request.body != request.headers.get("x-signed", "").encode() else Allow()


@guard(blocking=True)
def blocks(request: Request) -> Allow:
    import threading

    return Allow(headers={"x-thread": threading.current_thread().name})


three = rate_limit("3/hour", key="global")
api = chain(who, adds, audit=events.append)
