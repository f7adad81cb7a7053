"""Work that goes on to its end, though who waits for it is cancelled."""

from __future__ import annotations

from .._run import arun, may_await

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")

_going_on: set[asyncio.Task[Any]] = set()  # a loop alone keeps no task alive


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. On an event loop it is a task of its own, which a cancellation does not reach; what it raises then
    is nobody's."""
    if not await may_await():
        return await work
    import asyncio

    task = asyncio.get_running_loop().create_task(_kept(work))
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    result, error = await asyncio.shield(task)
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


async def _kept(work: Coroutine[Any, Any, T]) -> tuple[T | None, Exception | None]:
    """A result or an error: of an error that nobody fetches, the loop would write a report."""
    try:
        return await arun(work), None
    except Exception as error:
        return None, error
