"""`Node`: one Redis server, its connections and its circuit. A call takes about `timeout` at most, and costs one round trip."""

from __future__ import annotations

import os
import time
from _weakrefset import WeakSet
from collections import deque

from .._needs import needs
from ..errors import StoreUnavailable
from ._circuit import Circuit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Connection(Protocol):
        """What we use of redis-py's, the same since its version 5."""

        def connect(self) -> None: ...
        def disconnect(self) -> None: ...
        def can_read(self, timeout: float = 0) -> bool: ...
        def send_packed_command(self, command: tuple[bytes, ...], check_health: bool = True) -> None: ...
        def read_response(self) -> Any: ...

        _sock: Any  # a `Timely`


_LONGEST_IDLE = 30.0  # seconds: after them whatever stands between may have forgotten a connection without a word
_MOST_IDLE = 64
_ASKING = b"*1\r\n$6\r\nASKING\r\n"

# Answers that say "not here, or not now": what was asked may go well later, or elsewhere.
_DOWN = frozenset({"READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH", "WRONGPASS"})
_CODES = {
    "NoScriptError": "NOSCRIPT",
    "ReadOnlyError": "READONLY",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "TryAgainError": "TRYAGAIN",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "OutOfMemoryError": "OOM",
    "NoPermissionError": "NOPERM",
    "BusyLoadingError": "LOADING",
    "AuthenticationError": "WRONGPASS",
}  # redis-py takes the code off a message for which it has a class, and has more of them in each version


class Refused:
    """An error that the server answered. `code`: its first word; `place`: `host:port`, where it names another node."""

    __slots__ = ("code", "place")

    def __init__(self, error: Exception) -> None:
        # Before version 7, what a call within a script was refused with stands at the end of a longer message.
        words = str(error).rpartition(": -")[2].split(" ")
        self.code = _CODES.get(type(error).__name__) or (words[0] if words[0].isupper() and words[0].isalpha() else "an error")
        self.place = words[-1] if self.code in ("MOVED", "ASK") else ""


class Node:
    """`dial` makes a connection of redis-py's, connected; `place` is for messages; `timeout` in seconds."""

    def __init__(
        self,
        place: str,
        dial: Callable[[], Connection],
        timeout: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        circuit: Circuit | None = None,
    ) -> None:
        self.place = place
        self._dial = dial
        self._timeout = timeout
        self._clock = clock
        self._circuit = circuit or Circuit(place, clock=clock)
        self._errors = needs("redis.exceptions", "authkit-middleware[redis]")
        self._idle: deque[tuple[Connection, float]] = deque()
        _all.add(self)

    def ask(self, command: bytes, *, asking: bool = False) -> Any:
        """What the server answers to a packed command; `Refused` where that is an error. `asking`: during a slot's move.

        Nothing is sent twice: whether a command that got no answer was carried out, nobody knows.
        Raises: `StoreUnavailable`.
        """
        turn = self._circuit.enter()
        if not turn:
            raise StoreUnavailable(f"{self.place} failed a moment ago and is not asked again yet")
        connection, why, reply = None, "", None
        errors = self._errors
        try:
            connection = self._borrow()
            connection._sock.until = time.monotonic() + self._timeout
            if asking:
                connection.send_packed_command((_ASKING,), check_health=False)
                connection.read_response()
            connection.send_packed_command((command,), check_health=False)
            reply = connection.read_response()
        except errors.ResponseError as error:
            reply = Refused(error)
            if connection is None or reply.code in _DOWN:
                why = f"answered {reply.code}"
        except errors.TimeoutError:
            why = "no answer in time"
        except Exception as error:  # also what redis-py raises where the answer is none of Redis's
            why = _CODES.get(type(error).__name__) or f"no connection ({type(error).__name__})"
        except BaseException:  # interrupted: what the connection would answer next is not known
            if connection is not None:
                connection.disconnect()
            raise
        if why:
            self._circuit.failed(turn, why)
            if connection is not None:
                connection.disconnect()
            self.drop()  # the others are no better, and a name may stand for another machine now
            raise StoreUnavailable(f"{self.place}: {why}")
        self._circuit.passed(turn)
        if connection is not None:
            self._idle.append((connection, time.time()))
            if len(self._idle) > _MOST_IDLE:
                self._idle.popleft()[0].disconnect()
        return reply

    def _borrow(self) -> Connection:
        """A connection that nobody else uses, as far as can be seen alive."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                break
            try:  # wall time: it goes on while a process is frozen
                if 0.0 <= time.time() - since < _LONGEST_IDLE and not connection.can_read(0):
                    return connection
            except (self._errors.RedisError, OSError):
                pass
            connection.disconnect()
        started = self._clock()
        connection = self._dial()
        if self._clock() - started > self._timeout:
            connection.disconnect()
            raise self._errors.TimeoutError
        return connection

    def drop(self) -> None:
        """Close the connections that nobody uses."""
        while True:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return
            connection.disconnect()


_all: WeakSet[Node] = WeakSet()


def _after_fork() -> None:
    for node in list(_all):
        node._idle = deque()  # the parent's: redis-py closes them here without a word to the server


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
