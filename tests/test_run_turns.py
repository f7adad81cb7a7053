"""Hashing is bounded whoever drives: in the threads of a sync host as on an event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from authkit import Unavailable
from authkit._pools import SIZES, Pool
from authkit._run import arun, blocking, run


class Counted:
    """Work that takes a moment, and remembers how much of it went on at once."""

    def __init__(self, seconds=0.02):
        self.most = self.now = self.calls = 0
        self._seconds = seconds
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.now += 1
            self.calls += 1
            self.most = max(self.most, self.now)
        time.sleep(self._seconds)
        with self._lock:
            self.now -= 1


async def hashing(work):
    await blocking(work, pool="hash")


def test_no_more_hash_at_once_in_the_threads_of_a_sync_host_than_may():
    work, ended = Counted(), []

    def one():
        try:
            run(hashing(work))
            ended.append("done")
        except Unavailable:
            ended.append("unavailable")

    threads = [threading.Thread(target=one) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    workers, queue = SIZES["hash"]
    assert len(ended) == 100
    assert work.calls == ended.count("done") >= workers + queue
    assert ended.count("unavailable") > 0
    assert work.most <= workers


async def test_a_loop_and_the_threads_beside_it_have_one_bound_between_them():
    work = Counted()
    workers, _ = SIZES["hash"]
    threads = [threading.Thread(target=lambda: run(hashing(work))) for _ in range(10)]
    for thread in threads:
        thread.start()

    async def one():
        await arun(hashing(work))

    await asyncio.gather(*(one() for _ in range(10)))
    for thread in threads:
        await asyncio.to_thread(thread.join, 30)
    assert work.calls == 20
    assert work.most <= workers


def test_a_turn_is_waited_for_no_longer_than_that():
    pool, holding, release = Pool("test", workers=1, queue=5, wait=0.05), threading.Event(), threading.Event()

    def hold():
        holding.set()
        release.wait(10)

    busy = threading.Thread(target=pool.call, args=(hold,))
    busy.start()
    assert holding.wait(10)
    with pytest.raises(Unavailable):
        pool.call(int)
    release.set()
    busy.join(10)
    assert pool.call(int) == 0


def test_a_call_that_raised_gives_its_turn_back():
    pool = Pool("test", workers=1, queue=0, wait=1)
    for _ in range(5):
        with pytest.raises(ValueError, match="int"):
            pool.call(lambda: int("x"))
    assert pool.call(int) == 0


def test_a_call_within_a_call_waits_for_no_other_turn():
    """A subclass of a hasher verifies on a hashing thread, and asks ours, which hashes."""
    pool = Pool("test", workers=1, queue=0, wait=1)
    assert pool.call(lambda: pool.call(lambda: 7)) == 7
    assert pool.submit(lambda: pool.call(lambda: 8)).result(10) == 8


def test_what_is_read_in_a_threads_own_time_is_not_bounded_by_us():
    work = Counted(0.2)

    async def reading():
        await blocking(work)

    threads = [threading.Thread(target=lambda: run(reading())) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert work.most > SIZES["io"][0]
