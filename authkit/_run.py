"""The one place where sync meets async: `run` and `arun` drive a guard, `blocking` asks either of them for I/O.

A guard is a coroutine that does no I/O of its own. What blocks is written once, as ordinary code behind
`await blocking(fn, ...)`: `run` calls it in place, `arun` on a thread of our own, so an event loop is never blocked.
"""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from types import coroutine

from ._pools import pool as _pool
from ._pools import returning as _returning
from .errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable
    from concurrent.futures import Future
    from typing import Any, ParamSpec, TypeVar

    T = TypeVar("T")
    P = ParamSpec("P")

WAIT_SECONDS = 30.0  # how long anybody waits for a flight in another thread; every port has a shorter timeout


class Blocking:
    """An awaitable request to call `fn`, made to whoever drives the guard."""

    __slots__ = ("fn", "pool")

    def __init__(self, fn: Callable[[], Any], pool: str) -> None:
        self.fn = fn
        self.pool = pool

    def __await__(self) -> Generator[Blocking, Any, Any]:
        return (yield self)


class _Waiting:
    """An awaitable request to wait for another thread's result, on an event loop without holding one. `seconds`: at most."""

    __slots__ = ("future", "seconds")

    def __init__(self, future: Future[Any], seconds: float | None = None) -> None:
        self.future = future
        self.seconds = WAIT_SECONDS if seconds is None else seconds

    def __await__(self) -> Generator[_Waiting, Any, Any]:
        return (yield self)


class _Asking:
    """An awaitable request to say who drives."""

    __slots__ = ()

    def __await__(self) -> Generator[_Asking, Any, Any]:
        return (yield self)


_ASKING = _Asking()


def may_await() -> Awaitable[bool]:
    """Whether what a loop awaits may be awaited here: `arun` drives. A loop that runs in this thread does not tell: the
    handler may be a sync one that is called from a coroutine."""
    return _ASKING


def blocking(fn: Callable[..., T], *args: Any, pool: str = "io") -> Awaitable[T]:
    """Call `fn(*args)`, which may block, and await its result. `pool`: "io", or "hash" for password hashing."""
    return Blocking(partial(fn, *args) if args else fn, pool)


def run(guard: Coroutine[Any, Any, T]) -> T:
    """Drive a guard to its result in the calling thread.

    Raises: `TypeError` if the guard awaits anything but `blocking`: that needs an event loop, and the handler is sync.
    """
    try:
        wanted = guard.send(None)
    except StopIteration as done:  # most guards wait for nothing
        return done.value  # type: ignore[no-any-return]
    try:
        while True:
            try:
                resume = partial(guard.send, _in_place(wanted))
            except BaseException as error:  # the guard sees its own failure
                resume = partial(guard.throw, error)
            try:
                wanted = resume()
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
    finally:
        guard.close()


def _in_place(wanted: object) -> Any:
    if isinstance(wanted, Blocking):
        return wanted.fn() if wanted.pool == "io" else _pool(wanted.pool).call(wanted.fn)
    if isinstance(wanted, _Asking):
        return False
    if isinstance(wanted, _Waiting):
        try:
            return wanted.future.result(wanted.seconds)
        except TimeoutError:
            if wanted.future.done():
                raise
            raise Unavailable("waited too long for another caller's result") from None
    raise TypeError(
        "this guard needs an event loop, and the handler is sync: make the handler async, or use blocking() in the guard"
    )


@coroutine
def arun(guard: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Drive a guard on the running asyncio loop: `blocking` runs on authkit's threads, any other awaitable is passed on."""
    try:
        wanted = guard.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    try:
        while True:
            try:
                if isinstance(wanted, (Blocking, _Waiting)):
                    sent = yield from _on_loop(wanted)
                elif isinstance(wanted, _Asking):
                    sent = True
                else:
                    sent = yield wanted
                resume = partial(guard.send, sent)
            except BaseException as error:  # cancellation included: the guard may clean up, and it goes on to our caller
                resume = partial(guard.throw, error)
            try:
                wanted = resume()
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
    finally:
        guard.close()


def _on_loop(wanted: Blocking | _Waiting) -> Generator[Any, Any, Any]:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise TypeError("authkit runs on asyncio only; this event loop is another one (trio?)") from None
    if isinstance(wanted, _Waiting):
        try:
            landing = asyncio.wrap_future(wanted.future)
            landing.add_done_callback(_seen)
            return (yield from asyncio.wait_for(asyncio.shield(landing), wanted.seconds).__await__())
        except TimeoutError:
            if wanted.future.done():
                raise
            raise Unavailable("waited too long for another caller's result") from None
    return (yield from asyncio.wrap_future(_pool(wanted.pool).submit(wanted.fn)).__await__())


def _seen(landed: Any) -> None:
    """Whoever waits hears of a failure; if nobody does any more, the loop is not to complain of it."""
    if not landed.cancelled():
        landed.exception()


def aside(fn: Callable[[], object]) -> None:
    """Call `fn`, which may block and gives nothing: here, or on a thread of ours if an event loop runs in this one.

    Raises: `Unavailable`, and nothing is called, if too many calls wait; what `fn` raises, if it was called here.
    """
    running = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)  # not there yet while a thread imports it
    if running is None or running() is None:
        fn()
    else:
        _pool("io").submit(fn)


def behind(fn: Callable[[], object], pool: str) -> None:
    """Call `fn`, which may block and whose result nobody wants, on a thread of ours, whoever drives; wait for nothing.

    Raises: `Unavailable`, and nothing is called, if too many calls wait.
    """
    _pool(pool).submit(fn)


def _in_a_thread(fly: Callable[[], None]) -> bool:
    """Call `fly` in a thread of its own, with the caller's context variables. False: there is none to be had."""
    import contextvars

    thread = threading.Thread(target=contextvars.copy_context().run, args=(fly,), name="authkit-flight", daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError):  # too many threads, or the interpreter is closing
        return False
    return True


class SingleFlight:
    """One computation per key at a time: the first caller has it made, the others wait for its result, holding no thread.

    It is made in the caller's thread where that may block, otherwise in a thread of its own: on a pool it could stand behind
    the very calls that wait for it. A failure is the result of everybody who waited for it; the next caller tries again.
    Safe after fork.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Future[Any]] = {}
        self._pid = os.getpid()

    async def do(
        self,
        key: Hashable,
        fn: Callable[[], T],
        *,
        bounded: bool = False,
        lead: float | None = None,
        follow: float | None = None,
    ) -> T:
        """The result of `fn()`, computed once for all who ask for `key` meanwhile.

        `bounded`: in a thread of its own in any case, so that a call that hangs keeps nobody for ever. `lead`, `follow`:
        seconds that the first caller and the others wait for another thread (default: 30). Raises: `Unavailable` after that.
        """
        from concurrent.futures import Future

        apart = bounded or await may_await()
        if self._pid != os.getpid():  # a flight that was under way in the parent never lands here
            self._lock, self._flights, self._pid = threading.Lock(), {}, os.getpid()
        with self._lock:
            future = self._flights.get(key)
            leads = future is None
            if future is None:
                future = self._flights[key] = Future()
        if not leads:
            return await _Waiting(future, follow)  # type: ignore[no-any-return]
        # Settled by the thread that computes, not by the leader's task: the leader may be cancelled meanwhile.
        fly = partial(self._fly, key, future, fn)
        if not apart:
            fly()
        elif not _in_a_thread(fly):
            try:
                await blocking(fly)
            except BaseException as error:
                if not future.done():
                    self._land(
                        key, future, error if isinstance(error, Unavailable) else Unavailable("the caller ahead gave up")
                    )
                raise
        return await _Waiting(future, lead)  # type: ignore[no-any-return]

    def _fly(self, key: Hashable, future: Future[Any], fn: Callable[[], Any]) -> None:
        try:
            result = _returning(fn)
        except BaseException as error:
            self._land(key, future, error)
        else:
            self._land(key, future, None, result)

    async def join(self, key: Hashable) -> bool:
        """Wait for what is under way for `key`, if anything is, whatever comes of it. False: that takes too long."""
        if self._pid != os.getpid():
            return True
        with self._lock:
            future = self._flights.get(key)
        if future is None:
            return True
        try:
            await _Waiting(future)
        except Exception:  # whose it is hears of it
            return future.done()
        return True

    def _land(self, key: Hashable, future: Future[Any], error: BaseException | None, result: Any = None) -> None:
        with self._lock:
            if future.done():
                return
            if self._flights.get(key) is future:
                del self._flights[key]
            settle = future.set_running_or_notify_cancel()
        if not settle:
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
