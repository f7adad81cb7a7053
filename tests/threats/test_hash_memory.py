"""PWD-05: 200 logins at once take the memory of a few hashes, on every kind of host; who comes too late hears 503."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from authkit._pools import SIZES

MIB = 2**20
HASH = 64 * MIB
LOGINS = 200

# The memory that the process may have is what it has, and the few hashes that may run, and what threads take; 200 hashes would
# take 12 GiB. Half of the names exist, a quarter of the passwords is right.
PROGRAM = """
import asyncio, json, resource, sys, threading
from authkit import Request, Tokens
from authkit._pools import SIZES
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher
from authkit.stores import MemoryStore

how, logins, mib, workers = sys.argv[1], int(sys.argv[2]), 2**20, SIZES["hash"][0]
threading.stack_size(256 * 1024)
tokens = Tokens("a key for these tests only, and long enough", issuer="https://a", audience="https://a", store=MemoryStore())
hasher = PasswordHasher(memory=65_536, passes=1, lanes=4)
accounts = Accounts(MemoryUsers(), tokens, hasher, insecure_unlimited=True)
accounts.register("alice", "correct horse")
accounts.authenticate("alice", "correct horse")
statuses, failures = [], []

def asked(number):
    name, password = ("alice", "bob")[number % 2], ("correct horse", "another one")[number // 2 % 2]
    body = json.dumps({"username": name, "password": password}).encode()
    return Request.build("POST", "/login", {"content-type": "application/json"}, body=body)

def one(number):
    try:
        statuses.append(accounts.login(asked(number)).status)
    except BaseException as error:
        failures.append(type(error).__name__)

def threads():
    ready = threading.Barrier(logins)
    def run(number):
        ready.wait()
        one(number)
    running = [threading.Thread(target=run, args=(number,)) for number in range(logins)]
    for thread in running: thread.start()
    for thread in running: thread.join()

async def on_a_loop():
    async def login(number):
        sent, request = [], asked(number)
        scope = {"type": "http", "method": "POST", "path": "/login", "raw_path": b"/login", "query_string": b"",
                 "headers": [(b"content-type", b"application/json")], "client": ("203.0.113.7", 1), "scheme": "https",
                 "http_version": "1.1", "root_path": "", "server": ("a", 443), "asgi": {"version": "3.0"}}
        async def receive(): return {"type": "http.request", "body": request.body, "more_body": False}
        async def send(message): sent.append(message)
        try:
            await accounts.login.asgi(scope, receive, send)
            statuses.append(sent[0]["status"])
        except BaseException as error:
            failures.append(type(error).__name__)
    await asyncio.gather(*(login(number) for number in range(logins)))

def vm(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) * 1024

size, resident = vm("VmSize"), vm("VmRSS")
limit = size + logins * mib // 2 + workers * 128 * mib + 256 * mib
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
threads() if how == "threads" else asyncio.run(on_a_loop())
peak = vm("VmHWM")  # what getrusage says would begin with the memory of whoever started this process
seen = sorted(set(statuses))
again = accounts.login(asked(0)).status
print(json.dumps({"seen": seen, "count": len(statuses), "failures": failures, "grown": peak - resident, "again": again}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.parametrize("how", ["threads", "loop"])
def test_pwd_05_two_hundred_logins_at_once_take_the_memory_of_a_few(how: str) -> None:
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
    command = [sys.executable, "-c", PROGRAM, how, str(LOGINS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert found["count"] == LOGINS
    assert set(found["seen"]) <= {200, 401, 429, 503}
    assert {200, 401, 503} <= set(found["seen"])
    assert found["grown"] < SIZES["hash"][0] * HASH + 96 * MIB
    assert found["again"] == 200
