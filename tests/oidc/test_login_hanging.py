"""A provider that hangs at each step: every wait has an end, and no threads pile up behind it (AVL-05)."""

from __future__ import annotations

import asyncio
import threading

import pytest

from authkit import Request, require_auth
from authkit._pools import SIZES
from authkit._run import arun
from authkit.http import Response
from authkit.stores import MemoryStore
from tests.oidc.login_parts import Browser, Clock, login_at

AT_ONCE = 200
PAGE = {"accept": "text/html"}


def threads() -> int:
    """Those that are not the provider's, which has one for each connection."""
    return sum("_handled" not in thread.name for thread in threading.enumerate())


def served(endpoint):
    async def serve(request):
        return await arun(endpoint.answer(request))

    return serve


def at_once(handler, requests):
    """The statuses of all of them on one loop, and the most threads that there were meanwhile."""
    most = 0

    async def all_of_them():
        nonlocal most
        tasks = [asyncio.ensure_future(handler(request)) for request in requests]
        while not all(task.done() for task in tasks):
            most = max(most, threads())
            await asyncio.sleep(0.01)
        return [task.result().status for task in tasks]

    return asyncio.run(all_of_them()), most


def test_two_hundred_that_begin_while_the_metadata_hang_wait_once_and_are_503():
    with login_at() as op:
        login = op.login()
        login.provider.discovery._timeout = 0.5
        op.fault("/.well-known/openid-configuration", delay=60)
        before = threads()
        requests = [Request.build("GET", "/login", PAGE) for _ in range(AT_ONCE)]
        statuses, most = at_once(served(login.start), requests)
        assert statuses == [503] * AT_ONCE
        assert op.asked("/.well-known/openid-configuration") <= 2
        assert most - before <= 8


@pytest.mark.parametrize("store", [None, MemoryStore], ids=["sealed", "stored"])
def test_two_hundred_whose_session_is_due_while_the_provider_hangs_go_on_after_one_wait(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True, timeout=2))
        browser.log_in(op)
        clock.pass_(280)
        op.fault("/token", delay=60)
        before = threads()
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())

        @require_auth(browser.logins[0].session)
        async def page(request: Request) -> Response:
            return Response(200)

        statuses, most = at_once(page, [Request.build("GET", "/", {"cookie": cookie}) for _ in range(AT_ONCE)])
        assert statuses == [200] * AT_ONCE
        assert most - before <= 8


def test_two_hundred_callbacks_while_the_token_endpoint_hangs_are_503_and_hold_no_more_threads_than_the_pool():
    with login_at() as op:
        login = op.login(timeout=0.3)
        requests = []
        for _ in range(AT_ONCE):
            browser = Browser(login)
            url = op.authorize(browser.start())
            cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            requests.append(Request.build("GET", url.removeprefix("https://site.example"), {**PAGE, "cookie": cookie}))
        op.fault("/token", delay=60)
        before = threads()
        statuses, most = at_once(served(login.callback), requests)
        assert statuses == [503] * AT_ONCE
        assert most - before <= 2 * SIZES["io"][0] + 8  # each with the watch of its time
