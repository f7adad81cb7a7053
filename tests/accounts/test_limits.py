"""Login limits: what is refused before anything is hashed, who is slowed down by whom, and what counts."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from authkit import ConfigurationError, InvalidCredentials, Request, Unavailable, chain, rate_limit
from authkit.accounts import Accounts, LoginLimits, TooManyAttempts
from authkit.address import ClientAddress
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore, Store
from authkit.stores._store import Limiter

from .test_passwords import Argon2Calls

HERE, ELSEWHERE = "203.0.113.5", "198.51.100.7"


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock, wall=clock)


@pytest.fixture
def accounts(users, tokens, hasher, store):
    return Accounts(users, tokens, hasher, store=store)


def post(accounts, username="alice", password="wrong", peer=HERE, headers=()):
    body = json.dumps({"username": username, "password": password}).encode()
    headers = [("content-type", "application/json"), *headers]
    return accounts.login(Request.build("POST", "/login", headers, body, peer))


def statuses(accounts, times, *args, **named):
    return [post(accounts, *args, **named).status for _ in range(times)]


def test_the_sixth_wrong_password_in_a_minute_is_not_hashed(accounts):
    """RTL-13: 0 argon2 calls for a blocked attempt, and nearly no time."""
    assert statuses(accounts, 5) == [401] * 5
    with Argon2Calls() as calls:
        answer = post(accounts)
        started = time.process_time()
        for _ in range(20):
            post(accounts)
        spent = (time.process_time() - started) / 20
    assert calls.count == 0
    assert spent < 0.001
    assert (answer.status, json.loads(answer.body)["code"], answer.headers["retry-after"]) == (429, "rate_limited", "12")


def test_the_right_password_is_not_looked_at_either_until_then(accounts, clock):
    statuses(accounts, 5)
    assert post(accounts, password="correct horse").status == 429
    clock.now += int(post(accounts).headers["retry-after"])
    assert post(accounts, password="correct horse").status == 200


def test_only_failures_count(accounts):
    assert set(statuses(accounts, 200, password="correct horse")) == {200}
    assert statuses(accounts, 6) == [401] * 5 + [429]


def test_the_account_comes_back_by_itself(accounts, clock):
    statuses(accounts, 300)
    clock.now += 86_400
    assert post(accounts, password="correct horse").status == 200


def test_names_that_exist_and_names_that_do_not_are_answered_alike(users, tokens, hasher, clock):
    """PWD-02, once more: byte for byte, in the same order."""
    seen = []
    for username in ("alice", "unknown", "disabled", "passwordless", "al\u200bice"):
        store = MemoryStore(clock=clock, wall=clock)
        accounts = Accounts(users, tokens, hasher, store=store)
        answers = [post(accounts, username) for _ in range(8)]
        seen.append([(answer.status, answer.body, tuple(answer.headers.items())) for answer in answers])
    assert all(one == seen[0] for one in seen)
    assert {status for status, _, _ in seen[0]} == {401, 429}


def test_every_spelling_of_a_name_and_of_an_address_is_one(accounts):
    """RTL-04, RTL-02."""
    spellings = ["alice", "ALICE", " alice ", "Alice", "\uff41lice"]
    peers = [HERE, f"::ffff:{HERE}"]
    found = [post(accounts, name, peer=peer).status for name in spellings for peer in peers]
    assert found == [401] * 5 + [429] * 5
    networks = [f"2001:db8:0:1::{n:x}" for n in range(20)]
    assert [post(accounts, peer=peer).status for peer in networks] == [401] * 5 + [429] * 15


def test_a_header_chooses_nobodys_network(accounts):
    """RTL-01."""
    found = [post(accounts, headers=[("x-forwarded-for", f"198.51.100.{n}")]).status for n in range(50)]
    assert found == [401] * 5 + [429] * 45


def test_a_client_behind_a_trusted_proxy_is_counted_by_itself(users, tokens, hasher, store):
    accounts = Accounts(users, tokens, hasher, store=store, client=ClientAddress(["10.0.0.0/8"]))
    for client in (HERE, ELSEWHERE):
        found = [post(accounts, peer="10.0.0.9", headers=[("x-forwarded-for", client)]).status for _ in range(6)]
        assert found == [401] * 5 + [429]


def test_a_stranger_slows_nobody_down_where_they_have_logged_in_before(accounts, clock):
    """From however many addresses: the owner, at home, never waits."""
    assert post(accounts, password="correct horse", peer=HERE).status == 200
    blocked = 0
    for hour in range(48):
        for n in range(60):
            blocked += post(accounts, peer=f"198.51.{hour}.{n}").status == 429
        assert post(accounts, password="correct horse", peer=HERE).status == 200
        clock.now += 3600
    assert blocked > 1500
    statuses(accounts, 60, peer="198.51.100.200")
    for n in range(60):
        post(accounts, peer=f"198.51.101.{n}")
    assert post(accounts, password="correct horse", peer=HERE).status == 200
    assert post(accounts, password="correct horse", peer=ELSEWHERE).status == 429  # a new network waits its turn


def test_a_known_network_is_one_of_the_account_alone(accounts):
    """Who has an account of their own is not known to that of somebody else."""
    accounts.register("mallory", "her password")
    assert post(accounts, "mallory", "her password", peer=ELSEWHERE).status == 200
    for n in range(30):
        post(accounts, peer=f"198.51.100.{n + 10}")
    assert post(accounts, peer=ELSEWHERE).status == 429


def test_a_network_that_tries_one_password_on_everybody_is_stopped(accounts):
    found = [post(accounts, f"user{n}").status for n in range(40)]
    assert found == [401] * 30 + [429] * 10
    assert post(accounts, "user50", peer=ELSEWHERE).status == 401


def test_many_at_once_get_no_more_than_the_limit(users, tokens, hasher, store):
    """RTL-05: taken before the work, so that nobody slips in between."""
    accounts = Accounts(users, tokens, hasher, store=store)
    found = []
    barrier = threading.Barrier(20)

    def guess():
        barrier.wait()
        for _ in range(5):
            found.append(post(accounts).status)

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found.count(401), found.count(429)) == (5, 95)


def test_a_login_that_is_cancelled_is_counted_by_its_result(users, tokens, hasher, store):
    """A right password of somebody who hangs up is none that was wrong; a wrong one is, so nobody guesses by hanging up."""
    accounts = Accounts(users, tokens, hasher, store=store)

    async def hang_up(password):
        task = asyncio.create_task(accounts.aauthenticate("alice", password, client=HERE))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)

    async def main():
        for _ in range(20):
            await hang_up("correct horse")
        assert await accounts.aauthenticate("alice", "correct horse", client=HERE)
        for _ in range(5):
            await hang_up("wrong")

    asyncio.run(main())
    with pytest.raises(TooManyAttempts):
        accounts.authenticate("alice", "correct horse", client=HERE)


def test_what_could_not_be_judged_does_not_count(users, tokens, hasher, store):
    class Down:
        fails = True

        def find(self, username):
            if self.fails:
                raise Unavailable("down")
            return users.find(username)

        def add(self, user):
            return users.add(user)

    down = Down()
    accounts = Accounts(down, tokens, hasher, store=store)
    assert statuses(accounts, 50) == [503] * 50
    down.fails = False
    assert statuses(accounts, 6) == [401] * 5 + [429]


class Breaking(Store):
    """A store behind a network that is down, until it is not."""

    def __init__(self):
        self.up = False
        self.asked = 0
        self.real = MemoryStore()

    def limiter(self, name, rates, algorithm="token-bucket"):
        return BreakingLimiter(self, self.real.limiter(name, rates, algorithm))

    def get(self, key):
        return self.reached().get(key)

    def swap(self, key, old, new, ttl):
        return self.reached().swap(key, old, new, ttl)

    def reached(self):
        self.asked += 1
        if not self.up:
            raise StoreUnavailable("down")
        return self.real


class BreakingLimiter(Limiter):
    def __init__(self, store, real):
        self.store, self.real = store, real

    def take(self, key, cost=1):
        self.store.reached()
        return self.real.take(key, cost)

    def give_back(self, key, cost=1):
        self.store.reached()
        self.real.give_back(key, cost)


def test_a_store_that_fails_is_stood_in_for(users, tokens, hasher, caplog):
    """RTL-07: login limits fall back to a local limiter, and say so once a change."""
    store = Breaking()
    accounts = Accounts(users, tokens, hasher, store=store)
    assert statuses(accounts, 6) == [401] * 5 + [429]
    assert post(accounts, "bob", "wrong").status == 401
    store.up = True
    assert statuses(accounts, 6) == [401] * 5 + [429]
    said = [record.getMessage() for record in caplog.records if record.name == "authkit"]
    assert ["failed" in line for line in said] == [True, False]
    assert "answers again" in said[1]


def test_a_store_that_fails_after_a_right_password_keeps_nobody_out(users, tokens, hasher):
    store = Breaking()
    store.up = True

    class Failing:
        @staticmethod
        def find(username):
            store.up = False
            return users.find(username)

        add = users.add

    assert post(Accounts(Failing(), tokens, hasher, store=store), password="correct horse").status == 200


def test_whoever_goes_on_trying_costs_the_store_nothing(users, tokens, hasher):
    store = Breaking()
    store.up = True
    accounts = Accounts(users, tokens, hasher, store=store)
    statuses(accounts, 6)
    store.asked = 0
    with Argon2Calls() as calls:
        assert statuses(accounts, 50) == [429] * 50
    assert calls.count == 0
    assert store.asked == 0


def test_a_store_that_blocks_is_asked_off_the_loop(users, tokens, hasher):
    threads = set()

    class Noting(Breaking):
        def reached(self):
            threads.add(threading.get_ident())
            return self.real

    async def main():
        accounts = Accounts(users, tokens, hasher, store=Noting())
        await accounts.aauthenticate("alice", "correct horse", client=HERE)
        with pytest.raises(InvalidCredentials):
            await accounts.aauthenticate("alice", "wrong", client=HERE)
        assert threads
        assert threading.get_ident() not in threads

    asyncio.run(main())


def test_authenticate_is_limited_too(accounts):
    for _ in range(5):
        with pytest.raises(InvalidCredentials) as raised:
            accounts.authenticate("alice", "wrong", client=HERE)
        assert raised.value.reason == "password_wrong"
    with Argon2Calls() as calls, pytest.raises(TooManyAttempts) as raised:
        accounts.authenticate("alice", "correct horse", client=HERE)
    assert (calls.count, raised.value.reason, raised.value.retry_after) == (0, "too_many_attempts", 12)
    assert accounts.authenticate("alice", "correct horse", client=ELSEWHERE)


@pytest.mark.parametrize("name", ["user{}", "a\u200b"])
def test_all_without_an_address_are_one_network(accounts, name):
    """Else whoever has none could try one password on every account, and have a name that is nobody's hashed without end."""
    counted = [post(accounts, name.format(at), peer=None).status for at in range(100)].count(401)
    assert counted == (30 if "{}" in name else 5)
    assert post(accounts, "alice", "correct horse", peer=HERE).status == 200


def test_without_an_address_no_account_is_known(accounts):
    accounts.authenticate("alice", "correct horse")
    for at in range(100):
        post(accounts, peer=f"10.0.{at}.1")
    with pytest.raises(TooManyAttempts):
        accounts.authenticate("alice", "correct horse")


def test_the_audit_says_why(accounts, caplog):
    caplog.set_level("INFO", "authkit.audit")
    statuses(accounts, 6)
    assert len(caplog.records) == 6
    record = caplog.records[-1]
    event = record.authkit
    assert (event["outcome"], event["status"], event["guard"], event["reason"]) == ("deny", 429, "login", "too_many_attempts")
    assert (event["client"], event["principal"]) == (HERE, None)
    assert "alice" not in record.getMessage()


def test_behind_a_guard_there_is_still_one_event(accounts, caplog):
    caplog.set_level("INFO", "authkit.audit")

    @chain(rate_limit("1000/second"))
    def handler(request: Request):
        return accounts.login(request)

    body = json.dumps({"username": "alice", "password": "wrong"}).encode()
    for _ in range(6):
        handler(Request.build("POST", "/login", {"content-type": "application/json"}, body, HERE))
    events = [record.authkit for record in caplog.records]
    assert [event["reason"] for event in events] == ["password_wrong"] * 5 + ["too_many_attempts"]
    assert {event["outcome"] for event in events} == {"deny"}


def test_limits_of_ones_own(users, tokens, hasher, store):
    limits = LoginLimits(account_here="2/hour", account="1000/hour", address="1000/hour")
    accounts = Accounts(users, tokens, hasher, store=store, limits=limits)
    assert statuses(accounts, 3) == [401, 401, 429]


def test_a_test_may_fail_as_often_as_it_likes_if_it_says_so(users, tokens, hasher):
    accounts = Accounts(users, tokens, hasher, insecure_unlimited=True)
    assert set(statuses(accounts, 100)) == {401}


def test_two_processes_of_one_service_count_together_and_two_services_do_not(users, tokens, hasher, store):
    first, second = (Accounts(users, tokens, hasher, store=store) for _ in range(2))
    other = Accounts(users, tokens, hasher, store=store, limits=LoginLimits(name="staff"))
    assert statuses(first, 5) == [401] * 5
    assert statuses(second, 1) == [429]
    assert statuses(other, 1) == [401]


def test_no_name_is_written_to_the_store(users, tokens, hasher):
    keys = []

    class Noting(Breaking):
        def swap(self, key, old, new, ttl):
            keys.append(f"{key} {new}")
            return self.real.swap(key, old, new, ttl)

    store = Noting()
    store.up = True
    accounts = Accounts(users, tokens, hasher, store=store)
    post(accounts, password="correct horse")
    post(accounts)
    assert len(keys) == 1
    assert not any("alice" in key or HERE in key for key in keys)


@pytest.mark.parametrize(
    "options",
    [
        {"account_here": ()},
        {"account": "0/hour"},
        {"address": "often"},
        {"address": None},
        {"ipv6_prefix": 0},
        {"ipv6_prefix": 129},
        {"name": ""},
        {"name": "a b"},
    ],
    ids=str,
)
def test_wrong_limits_are_refused_when_built(options):
    with pytest.raises((ConfigurationError, TypeError)):
        LoginLimits(**options)


@pytest.mark.parametrize(
    "options",
    [{"store": "memory:"}, {"limits": "5/minute"}, {"client": HERE}, {"limits": LoginLimits(), "insecure_unlimited": True}],
    ids=lambda options: "-".join(options),
)
def test_wrong_parts_are_refused_when_built(users, tokens, options):
    with pytest.raises(ConfigurationError):
        Accounts(users, tokens, **options)
