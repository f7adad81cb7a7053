"""A socket that ends a whole answer in time: a timeout of its own begins anew with each byte of one that trickles."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Timely:
    """Reads from `socket` until `until` (monotonic seconds), and raises `TimeoutError` after it. All else is the socket's."""

    __slots__ = ("_socket", "until")

    def __init__(self, socket: Any, until: float) -> None:
        self._socket = socket
        self.until = until

    def recv(self, *args: Any) -> Any:
        return self._read(self._socket.recv, args)

    def recv_into(self, *args: Any) -> Any:
        return self._read(self._socket.recv_into, args)

    def _read(self, read: Any, args: Any) -> Any:
        own, left = self._socket.gettimeout(), self.until - time.monotonic()
        if own is not None and (own <= left or not own):  # 0: it is only looked at whether there is anything
            return read(*args)
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        try:
            return read(*args)
        finally:
            self._socket.settimeout(own)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
