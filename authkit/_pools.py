"""Threads of our own, and a bound on how many calls run at once and wait, whoever drives them."""

from __future__ import annotations

import os
import threading

from .errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import Any, TypeVar

    T = TypeVar("T")

TURN_SECONDS = 10.0  # how long anybody waits for a turn to hash: a client has given up by then


def returning(fn: Callable[[], Any]) -> Any:
    """`fn()`, but for StopIteration (a `next` without a default): an asyncio future cannot hold it, and would never be done."""
    try:
        return fn()
    except StopIteration as error:
        raise RuntimeError("a blocking call raised StopIteration") from error


class Pool:
    """At most `workers` calls run at once and `queue` wait, whoever drives. Past that it is `Unavailable`, at once.

    `submit` runs a call on a thread of ours, `call` in the caller's own, which waits for its turn at most `wait` seconds.
    """

    def __init__(self, name: str, workers: int, queue: int, wait: float = TURN_SECONDS) -> None:
        self._name = name
        self._workers = workers
        self._wait = wait
        self._places = threading.BoundedSemaphore(workers + queue)
        self._turns = threading.BoundedSemaphore(workers)
        self._own = threading.local()  # a call within a call has its turn already
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, fn: Callable[[], Any]) -> Future[Any]:
        self._take_place()
        import contextvars

        try:
            future = self._threads().submit(contextvars.copy_context().run, self._in_turn, returning, fn)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())
        return future

    def call(self, fn: Callable[[], T]) -> T:
        if getattr(self._own, "turn", False):
            return fn()
        self._take_place()
        try:
            return self._in_turn(fn)
        finally:
            self._places.release()

    def _take_place(self) -> None:
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many calls are waiting")

    def _in_turn(self, fn: Callable[..., T], *args: Any) -> T:
        if not self._turns.acquire(timeout=self._wait):
            raise Unavailable("waited too long for a turn")
        self._own.turn = True
        try:
            return fn(*args)
        finally:
            self._own.turn = False
            self._turns.release()

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:  # where all is sync there is none
            from concurrent.futures import ThreadPoolExecutor

            with self._lock:
                if self._executor is None:
                    self._executor = ThreadPoolExecutor(self._workers, thread_name_prefix=f"authkit-{self._name}")
        return self._executor


# Made on first use, and again in a forked child, where the parent's threads do not exist. Sizes: I/O waits, so many
# threads; argon2id at 64 MiB is bound by memory and cores, so few, and a queue that clears within a few seconds: on an event
# loop and in the threads of a sync host alike. I/O in a sync host's own threads is bounded by those. What an application sends
# may hang for as long as it likes, so it has threads of its own.
SIZES = {"io": (32, 1000), "hash": (min(4, os.cpu_count() or 1), 32), "send": (4, 200)}
_pools: dict[str, Pool] = {}
_pools_lock = threading.Lock()


def pool(name: str) -> Pool:
    """The pool of that name, of this process."""
    found = _pools.get(name)
    if found is None:
        with _pools_lock:
            found = _pools.get(name)
            if found is None:
                found = _pools[name] = Pool(name, *SIZES[name])
    return found


def _after_fork() -> None:
    global _pools_lock
    _pools.clear()
    _pools_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
