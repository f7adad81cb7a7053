"""One code logs in once, however many send it at once, in threads, tasks and processes, on any table."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from authkit import Request
from authkit._run import arun
from authkit.accounts import MemoryUsers, SqliteUsers
from authkit.stores import SqliteStore
from authkit.stores.redis_store import RedisStore
from tests.servers.redis import redis_server

from .parts import tokens_of, told
from .second import NO_LIMIT, Second


def together(count, work):
    """What `work(i)` gives, for all of `count` at once."""
    gate, results = threading.Barrier(count), [None] * count

    def one(i):
        gate.wait(10)
        results[i] = work(i)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.parametrize("kind", ["code", "recovery"])
@pytest.mark.parametrize("table", ["memory", "sqlite"])
def test_of_twenty_requests_with_one_code_one_logs_in(kind, table, tmp_path):
    """Each with a token of its own, so that the code alone decides."""
    options = {"users": SqliteUsers(tmp_path / "users.db"), "store": SqliteStore(tmp_path / "store.db")}
    one = Second(factor=NO_LIMIT, **(options if table == "sqlite" else {}))
    recovery = one.enrol()
    tokens = [one.ask() for _ in range(20)]
    code = one.code() if kind == "code" else recovery[4]
    statuses = together(20, lambda i: one.answer(code, tokens[i]).status)
    assert sorted(statuses) == [200] + [401] * 19


def test_of_twenty_requests_with_one_token_and_two_codes_one_logs_in():
    one = Second(factor=NO_LIMIT)
    recovery = one.enrol()
    token, codes = one.ask(), (one.code(), recovery[0])
    assert sorted(together(20, lambda i: one.answer(codes[i % 2], token).status)) == [200] + [401] * 19


def test_within_the_limits_a_code_that_many_send_logs_in_at_most_once():
    enrolled = Second()
    enrolled.enrol()
    tokens = [enrolled.ask() for _ in range(20)]
    statuses = together(20, lambda i: enrolled.answer(enrolled.code(), tokens[i]).status)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 429}


class Changing(MemoryUsers):
    """After so many finds from when `finds` is set, the row is another."""

    finds = -1

    def __init__(self, fields):
        super().__init__()
        self.fields = fields

    def find(self, username):
        self.finds -= 1
        found = super().find(username)
        if self.finds == 0:
            assert super().update(found, found.changed(**self.fields))
        return found


@pytest.mark.parametrize("fields", [{"disabled": True}, {"password_changed": 5.0}, {"factors": None}, {"subject": "another"}])
def test_what_changes_while_a_code_is_looked_at_is_seen(fields):
    """Whatever was read before, the row that is replaced is the one that was judged."""

    one = Second(users=Changing(fields))
    one.enrol()
    token = one.ask()
    one.users.finds = 2  # the second one gives what is no longer so
    answer = one.answer(one.code(), token)
    assert (answer.status, b"access_token" in answer.body) == (401, False)


def test_a_factor_that_is_set_up_meanwhile_is_not_removed_by_a_weaker_login():
    one = Second(users=Changing({"factors": "set up just now"}))
    token = one.pair()["access_token"]
    one.users.finds = 1
    assert one.post("/mfa/totp/remove", token=token).status == 204
    assert one.row().factors == "set up just now"


def test_nor_is_another_put_in_its_place():
    one = Second(users=Changing({"factors": "set up just now"}))
    token = one.pair()["access_token"]
    one.begin(token)
    one.users.finds = 1
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, token).status == 400
    assert one.row().factors == "set up just now"


async def test_tasks_on_one_loop_log_in_once(tmp_path):
    one = Second(factor=NO_LIMIT, users=SqliteUsers(tmp_path / "users.db"), store=SqliteStore(tmp_path / "store.db"))
    one.enrol()
    tokens = [one.ask() for _ in range(20)]

    async def answer(token):
        body = json.dumps({"mfa_token": token, "code": one.code()}).encode()
        request = Request.build("POST", "/mfa", {"content-type": "application/json"}, body)
        return (await arun(one.accounts.mfa.answer(request))).status

    assert sorted(await asyncio.gather(*map(answer, tokens))) == [200] + [401] * 19


WORKER = """
import json, sys
from authkit import Request
from authkit.accounts import Accounts, SecondFactor, SqliteUsers
from authkit.stores import SqliteStore
from authkit.testing import Clock
from tests.accounts.parts import cheap, tokens_of
from tests.accounts.second import SECRET
folder, now, code = sys.argv[1], float(sys.argv[2]), sys.argv[3]
store = SqliteStore(folder + "/store.db")
accounts = Accounts(SqliteUsers(folder + "/users.db"), tokens_of(store=store), cheap(), store=store, clock=Clock(now),
                    second_factor=SecondFactor(SECRET, issuer="Example", limits="1000000/second"))
print("ready", flush=True)
for token in sys.stdin.readline().split():
    body = json.dumps({"mfa_token": token, "code": code}).encode()
    answer = accounts.mfa(Request.build("POST", "/mfa", {"content-type": "application/json"}, body))
    print(answer.status, flush=True)
"""


def test_four_processes_with_one_recovery_code_log_in_once(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    one = Second(
        users=SqliteUsers(tmp_path / "users.db"), store=store, tokens=tokens_of(store=store), factor=NO_LIMIT, on_event=None
    )
    code = one.enrol()[0]
    arguments = [sys.executable, "-c", WORKER, str(tmp_path), str(one.clock()), code]
    root = Path(__file__).parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": root}
    workers = [subprocess.Popen(arguments, **pipes) for _ in range(4)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write(" ".join(one.ask() for _ in range(5)) + "\n")
    for worker in workers:
        worker.stdin.flush()
    statuses = [line for worker in workers for line in worker.communicate(timeout=30)[0].split()]
    assert sorted(statuses) == ["200"] + ["401"] * 19


def test_of_twenty_confirmations_one_gets_the_recovery_codes():
    one = Second()
    token = one.pair()["access_token"]
    one.begin(token)
    answers = together(20, lambda _: one.post("/mfa/totp/confirm", {"code": one.code()}, token))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == 1
    assert {answer.status for answer in answers} <= {200, 400, 401}, "401: there is a factor by now, and this login is weak"
    assert one.answer(told(good[0])["recovery_codes"][0]).status == 200


@pytest.mark.parametrize("rounds", [2, pytest.param(200, marks=pytest.mark.soak)])
def test_round_after_round_one_of_twenty_gets_in(rounds, tmp_path):
    one = Second(factor=NO_LIMIT, users=SqliteUsers(tmp_path / "users.db"), store=SqliteStore(tmp_path / "store.db"))
    one.enrol()
    for _ in range(rounds):
        tokens = [one.ask() for _ in range(20)]
        statuses = together(20, lambda i, tokens=tokens: one.answer(one.code(), tokens[i]).status)
        assert statuses.count(200) == 1
        one.clock.advance(30)


def test_on_redis_a_code_that_was_sent_logs_in_once():
    sent = []
    with redis_server() as server:
        store = RedisStore(server.url, timeout=5)
        one = Second(factor={"send_code": lambda user, code: sent.append(code), **NO_LIMIT}, store=store)
        one.clock.now = time.time()  # what expires in Redis, expires by its own clock
        token = one.ask()
        assert sorted(together(20, lambda _: one.answer(sent[-1], token).status)) == [200] + [401] * 19
        store.close()
