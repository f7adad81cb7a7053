"""What a login fetches is at hand before the first person comes, where the program says so."""

from __future__ import annotations

import asyncio

import pytest

from authkit import Unavailable, chain, require_auth
from tests.oidc.login_parts import Browser, login_at

WAYS = {
    "prefetch": lambda login: login.prefetch(),
    "aprefetch": lambda login: asyncio.run(login.aprefetch()),
    "prepare": lambda login: chain(require_auth(login.session)).prepare(),
    "aprepare": lambda login: asyncio.run(chain(require_auth(login.session)).aprepare()),
}
EVERY_WAY = pytest.mark.parametrize("warm", WAYS.values(), ids=WAYS)


@EVERY_WAY
def test_a_warm_login_asks_for_the_tokens_alone(warm):
    with login_at() as op:
        browser = Browser(op.login())
        warm(browser.logins[0])
        fetched = dict(op.counts)
        assert len(fetched) == 2
        warm(browser.logins[0])
        assert browser.log_in(op).status == 303
        assert {path: count for path, count in op.counts.items() if count != fetched.get(path)} == {"/token": 1}
        assert browser.whoami() == "alice"


@EVERY_WAY
def test_a_provider_that_is_down_is_said_to_be_and_the_login_goes_on_when_it_is_back(warm):
    with login_at() as op:
        login = op.login()
        for path in ("/.well-known/openid-configuration", "/jwks"):
            op.fault(path, status=503)
            with pytest.raises(Unavailable):
                warm(login)
            op.mend()
            login = op.login()
        warm(login)
        assert Browser(login).log_in(op).status == 303
