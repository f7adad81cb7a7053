"""Streamed bodies run after the handler has returned; these keep its principal current while they do."""

from __future__ import annotations

from .._state import State, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any


class InState:
    """An iterator whose every step runs with `state` current. Closes what it wraps."""

    __slots__ = ("_iterator", "_state", "_source")

    def __init__(self, source: Any, state: State) -> None:
        self._source = source
        self._iterator: Iterator[Any] = iter(source)
        self._state = state

    def __iter__(self) -> InState:
        return self

    def __next__(self) -> Any:
        token = current.set(self._state)
        try:
            return next(self._iterator)
        finally:
            current.reset(token)

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            token = current.set(self._state)
            try:
                close()
            finally:
                current.reset(token)


class Holding(InState):
    """The same, and calls `done` at its end, be it the last part, an error, or that nobody wants more."""

    __slots__ = ("_done",)

    def __init__(self, source: Any, state: State, done: Callable[[], None]) -> None:
        super().__init__(source, state)
        self._done = done

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except BaseException:
            self._done()
            raise

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._done()

    def __del__(self) -> None:  # a server that forgot to close it
        self._done()


class AsyncInState:
    """The same for an async iterator."""

    __slots__ = ("_iterator", "_state")

    def __init__(self, source: Any, state: State) -> None:
        self._iterator: AsyncIterator[Any] = source.__aiter__()
        self._state = state

    def __aiter__(self) -> AsyncInState:
        return self

    async def __anext__(self) -> Any:
        token = current.set(self._state)
        try:
            return await self._iterator.__anext__()
        finally:
            current.reset(token)

    async def aclose(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            token = current.set(self._state)
            try:
                await close()
            finally:
                current.reset(token)


class AsyncHolding(AsyncInState):
    """As `Holding`."""

    __slots__ = ("_done",)

    def __init__(self, source: Any, state: State, done: Callable[[], None]) -> None:
        super().__init__(source, state)
        self._done = done

    async def __anext__(self) -> Any:
        try:
            return await super().__anext__()
        except BaseException:
            self._done()
            raise

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            self._done()

    def __del__(self) -> None:
        self._done()
