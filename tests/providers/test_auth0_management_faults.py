"""Auth0's Management API when it is slow, down, overrun or lying: in time, `Unavailable`, and nothing told that was sent."""

from __future__ import annotations

import json
import logging
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers._auth0_people import Account
from authkit_providers.auth0 import AccountRefused, Management
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError, Unavailable
from authkit.oidc.calling_json import _parsed
from tests.servers.auth0_management import Auth0Server, auth0
from tests.servers.fault_proxy import fault_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

ALICE = "alice@example.com"
CALLS = ["GET /roles", "GET /users-by-email", "POST /users", "POST /users/{id}/roles"]


class Time:
    """A clock that goes by being waited for; it starts in the middle of a second."""

    def __init__(self) -> None:
        self.now = 1_795_286_400.5
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def tenant(clock: Time) -> Iterator[Auth0Server]:
    with auth0(clock) as server:
        yield server


def management(tenant: Auth0Server, clock: Time, **settings: Any) -> Management:
    settings = {"timeout": 30, "patience": 10, "url": tenant.url, **settings}
    return Management(
        tenant.domain, tenant.client_id, tenant.client_secret, clock=clock, monotonic=clock, sleep=clock.sleep, **settings
    )


class TestTooMuch:
    @pytest.mark.parametrize("what", CALLS)
    def test_429_is_waited_for_until_the_limit_is_reset(self, tenant: Auth0Server, clock: Time, what: str) -> None:
        tenant.fail(what, 429, times=1, headers={"X-RateLimit-Reset": str(int(clock.now) + 3), "X-RateLimit-Remaining": "0"})
        tenant.role("buyer")
        user = management(tenant, clock).ensure(ALICE, ["buyer"])
        assert tenant.roles_of(user.id) == {"buyer"}
        [wait] = clock.slept
        assert 2.5 <= wait <= 2.75  # a little later than that, which is another bit for each of many

    def test_retry_after_is_heeded_before_anything_else(self, tenant: Auth0Server, clock: Time) -> None:
        tenant.fail("POST /users", 429, times=1, headers={"Retry-After": "2", "X-RateLimit-Reset": "1"})
        management(tenant, clock).ensure(ALICE)
        assert 2 <= clock.slept[0] <= 2.25

    @pytest.mark.parametrize("told", ["0", "1", "", "soon", "-5", "1e3", "9" * 40])
    def test_what_says_no_time_is_waited_for_a_little(self, tenant: Auth0Server, clock: Time, told: str) -> None:
        tenant.fail("POST /users", 429, headers={"X-RateLimit-Reset": told})
        began = clock.now
        with pytest.raises(Unavailable, match="too much was asked"):
            management(tenant, clock).ensure(ALICE)
        assert clock.now - began < 10
        assert 2 <= tenant.named("POST /users") <= 6

    def test_what_would_take_too_long_is_not_waited_for(self, tenant: Auth0Server, clock: Time) -> None:
        tenant.fail("GET /users-by-email", 429, headers={"X-RateLimit-Reset": str(int(clock.now) + 60)})
        with pytest.raises(Unavailable) as caught:
            management(tenant, clock).ensure(ALICE)
        assert clock.slept == []
        assert 59 <= caught.value.retry_after <= 61

    def test_the_waits_of_all_calls_together_are_bounded(self, tenant: Auth0Server, clock: Time) -> None:
        for what in CALLS:
            tenant.fail(what, 429, times=1, headers={"Retry-After": "4"})
        tenant.role("buyer")
        began = clock.now
        with pytest.raises(Unavailable):
            management(tenant, clock).ensure(ALICE, ["buyer"])
        assert clock.now - began < 10

    def test_no_token_for_now_is_no_answer_for_now(self, tenant: Auth0Server, clock: Time) -> None:
        tenant.fail("POST /oauth/token", 429, headers={"Retry-After": "7"})
        with pytest.raises(Unavailable):
            management(tenant, clock).ensure(ALICE)


class TestDown:
    @pytest.mark.parametrize("status", [500, 502, 503, 504, 0])
    @pytest.mark.parametrize("what", ["GET /roles", "GET /users-by-email", "POST /users/{id}/roles"])
    def test_what_harms_nobody_is_tried_once_more(self, tenant: Auth0Server, clock: Time, what: str, status: int) -> None:
        tenant.role("buyer")
        tenant.fail(what, status, times=1, after=True)
        assert tenant.roles_of(management(tenant, clock).ensure(ALICE, ["buyer"]).id) == {"buyer"}
        tenant.fail(what, status, times=2)
        asked = tenant.named(what)
        with pytest.raises(Unavailable):
            management(tenant, clock).ensure("bob@example.com", ["buyer"])
        assert tenant.named(what) == asked + 2

    @pytest.mark.parametrize("status", [500, 503, 0])
    def test_an_account_is_not_made_twice_and_is_there_the_next_time(
        self, tenant: Auth0Server, clock: Time, status: int
    ) -> None:
        tenant.fail("POST /users", status, times=1, after=True)
        people = management(tenant, clock)
        with pytest.raises(Unavailable):
            people.ensure(ALICE)
        assert tenant.named("POST /users") == 1
        assert people.ensure(ALICE).created is False
        assert len(tenant.users) == 1

    @pytest.mark.parametrize("what", ["POST /oauth/token", *CALLS])
    def test_whatever_is_down_is_unavailable_and_the_next_time_all_is_done(
        self, tenant: Auth0Server, clock: Time, what: str
    ) -> None:
        tenant.role("buyer")
        people = management(tenant, clock)
        tenant.fail(what, 503)
        with pytest.raises(Unavailable):
            people.ensure(ALICE, ["buyer"])
        tenant.mend()
        clock.now += 60  # what fails is asked for more rarely
        user = people.ensure(ALICE, ["buyer"])
        assert (len(tenant.users), tenant.roles_of(user.id)) == (1, {"buyer"})

    def test_a_tenant_that_is_not_there_is_unavailable(self, tenant: Auth0Server, clock: Time) -> None:
        people = management(tenant, clock)
        tenant.close()
        with pytest.raises(Unavailable):
            people.ensure(ALICE)

    def test_an_answer_that_never_comes_is_waited_for_no_longer_than_was_said(self, tenant: Auth0Server) -> None:
        with fault_proxy(tenant.server_port) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            people = Management(tenant.domain, tenant.client_id, tenant.client_secret, url=url, timeout=30, patience=60)
            assert people.find_by_email(ALICE) is None  # there is a token
            people._api._timeout, people._api._patience = 0.5, 1.0
            proxy.mode = "blackhole"
            began = time.monotonic()
            with pytest.raises(Unavailable):
                people.ensure(ALICE)
            assert time.monotonic() - began < 20  # ten times what it takes

    def test_a_clock_that_has_run_out_asks_nothing_more(self, tenant: Auth0Server, clock: Time) -> None:
        people = management(tenant, clock)
        tenant.before["GET /users-by-email"] = lambda: clock.sleep(11)
        with pytest.raises(Unavailable, match="in time"):
            people.ensure(ALICE)
        assert tenant.named("POST /users") == 0


class TestTokens:
    def test_one_token_serves_until_shortly_before_its_end(self, tenant: Auth0Server, clock: Time) -> None:
        people = management(tenant, clock)
        for _ in range(50):
            people.find_by_email(ALICE)
            clock.now += 600
        assert tenant.named("POST /oauth/token") == 1
        clock.now += 86_400
        people.find_by_email(ALICE)
        assert tenant.named("POST /oauth/token") == 2

    def test_a_token_that_auth0_takes_no_longer_is_asked_for_again_once(self, tenant: Auth0Server, clock: Time) -> None:
        people = management(tenant, clock)
        people.find_by_email(ALICE)
        clock.now += 600
        tenant.tokens.clear()
        assert people.find_by_email(ALICE) is None
        assert tenant.named("POST /oauth/token") == 2
        tenant.fail("GET /users-by-email", 401)
        clock.now += 600
        asked = tenant.named("GET /users-by-email")
        with pytest.raises(Unavailable, match="not accepted"):
            people.find_by_email(ALICE)
        assert tenant.named("GET /users-by-email") - asked <= 2

    def test_a_wrong_secret_is_unavailable_or_a_wrong_configuration_and_never_told(self, tenant: Auth0Server) -> None:
        people = Management(tenant.domain, tenant.client_id, "canary-of-another", url=tenant.url)
        with pytest.raises((Unavailable, ConfigurationError)) as caught:
            people.ensure(ALICE)
        assert "canary" not in "".join(traceback.format_exception(caught.value))


LIES: list[bytes] = [
    b"", b"null", b"[]]", b"{}", b'"[]"', b"<html>Please log in</html>", b"\xff\xfe", b"[{}]", b"[null]", b"[[]]", b"[NaN]",
    b'[{"user_id": 1}]', b'{"users": []}', b'[{"user_id": "auth0|1", "email": "other@example.com", "identities": []}]',
    b'[{"user_id": "auth0|1", "email": "alice@example.com", "email_verified": "true", "identities": []}]',
    b'[{"user_id": "auth0|1", "email": "alice@example.com", "email_verified": true}]',
    b'[{"user_id": "auth0|1", "user_id": "auth0|2", "email": "alice@example.com", "email_verified": true, "identities": []}]',
    b'[]}, "": [{}', b'[], "x": []', b"[" * 5000 + b"]" * 5000, b"[" + b" " * (2 << 20) + b"]",
]  # fmt: skip


NAMES = ["user_id", "email", "email_verified", "identities", "app_metadata", "blocked"]
SAID = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(ALICE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
)


class TestLies:
    @pytest.mark.parametrize("body", LIES, ids=range(len(LIES)))
    def test_what_is_no_list_of_accounts_of_the_address_is_unavailable(
        self, tenant: Auth0Server, clock: Time, body: bytes
    ) -> None:
        tenant.fail("GET /users-by-email", 200, body=body)
        with pytest.raises(Unavailable):
            management(tenant, clock).ensure(ALICE)
        assert tenant.users == {}

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"user_id": "auth0|1", "email": "mallory@example.com"}'])
    def test_what_is_no_new_account_is_unavailable_and_gets_no_role(
        self, tenant: Auth0Server, clock: Time, body: bytes
    ) -> None:
        tenant.fail("POST /users", 201, body=body)
        with pytest.raises(Unavailable):
            management(tenant, clock).ensure(ALICE, [tenant.role("buyer")])
        assert tenant.named("POST /users/{id}/roles") == 0

    @pytest.mark.parametrize("body", [b"[]", b'{"roles": {}}', b'{"roles": [7, {"name": "buyer", "id": "../users"}]}', b"{"])
    def test_what_is_no_list_of_roles_gives_none(self, tenant: Auth0Server, clock: Time, body: bytes) -> None:
        tenant.fail("GET /roles", 200, body=body)
        with pytest.raises((Unavailable, ConfigurationError)):
            management(tenant, clock).ensure(ALICE, ["buyer"])
        assert tenant.users == {}

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 204, 304, 402, 404, 418, 451])
    def test_other_answers_are_unavailable(self, tenant: Auth0Server, clock: Time, status: int) -> None:
        tenant.fail("GET /users-by-email", status, headers={"Location": f"{tenant.url}/elsewhere"}, body=b"")
        with pytest.raises(Unavailable):
            management(tenant, clock).ensure(ALICE)
        assert set(tenant.asked) == {"POST /oauth/token", "GET /users-by-email"}

    def test_an_account_or_a_role_that_has_gone_is_looked_up_the_next_time(self, tenant: Auth0Server, clock: Time) -> None:
        old, alice = tenant.role("buyer"), tenant.sign_up(ALICE, verified=True)
        people = management(tenant, clock)
        people.assign_roles(alice, ["buyer"])
        tenant.members.clear()
        del tenant.roles[old]
        tenant.role("buyer")
        with pytest.raises(Unavailable, match="no such account or role"):
            people.assign_roles(alice, ["buyer"])
        people.assign_roles(alice, ["buyer"])
        assert tenant.roles_of(alice) == {"buyer"}

    @given(st.binary(max_size=200) | st.text('[]{}",:0 ').map(str.encode))
    def test_any_bytes_are_an_object_or_an_array_with_one_reading_or_nothing(self, content: bytes) -> None:
        found = _parsed(content)
        assert found is None or json.loads(content) == found

    @given(SAID)
    def test_whatever_an_account_is_said_to_be_nobody_is_entitled_by_chance(self, said: Any) -> None:
        try:
            account = Account(said, ALICE, "GET /users-by-email")
        except Unavailable:
            return
        assert said["email_verified"] is True or account.is_theirs is False


def test_nothing_that_was_sent_is_in_a_log_or_in_an_error(
    tenant: Auth0Server, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    """No token, no secret, no password and no address: not of httpx at DEBUG either, which writes URLs with their queries."""
    caplog.set_level(logging.DEBUG)
    tenant.role("buyer")
    told: list[str] = []
    locals_too: list[str] = []
    canary = "canary"
    for what in ("", "POST /oauth/token", *CALLS):
        for status, body in ((503, None), (429, None), (401, None), (403, None), (400, None), (200, b"<html>")):
            tenant.mend()
            tenant.users.clear()
            clock.now += 3600
            people = management(tenant, clock)
            if what:
                tenant.fail(what, status, body=body)
            try:
                people.ensure(f"{canary}@example.com", ["buyer"], name=canary)
            except (Unavailable, ConfigurationError, AccountRefused) as error:
                told += traceback.format_exception(error)
                frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]  # less this one
                locals_too += [repr(value) for frame in frames for value in frame.f_locals.values()]
    assert len(told) > 20
    secrets = (tenant.client_secret, *tenant.tokens, *tenant.passwords.values())
    for secret in (*secrets, f"{canary}@", f"{canary}%40"):
        assert secret not in caplog.text
        assert secret not in "".join(told)
    for secret in secrets:
        assert secret not in "".join(locals_too)
