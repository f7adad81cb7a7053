"""`FaultProxy`: between a client and a TCP server, to make the faults that networks make.

with fault_proxy(port) as proxy:
    proxy.port                 # connect there
    proxy.mode = "blackhole"   # pass | delay (each chunk, `delay` s) | blackhole | reset | cut (after `cut` bytes of answer)
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class FaultProxy:
    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.mode = "pass"
        self.delay = 0.02
        self.cut = 1
        self.port = 0
        self._target = port
        self._tls = tls
        self._open: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "reset":
            _reset(writer)
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._open |= {writer, up_writer}
            pumps = [
                asyncio.ensure_future(self._pump(reader, up_writer, writer, False)),
                asyncio.ensure_future(self._pump(up_reader, writer, writer, True)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
                self._open -= {writer, up_writer}
                up_writer.close()
                writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamWriter, answer: bool
    ) -> None:
        while data := await reader.read(65536):
            while self.mode == "blackhole":
                await asyncio.sleep(0.005)
            if self.mode == "reset":
                _reset(client)
                return
            if self.mode == "delay":
                await asyncio.sleep(self.delay)
            if self.mode == "cut" and answer:
                writer.write(data[: self.cut])
                await writer.drain()
                _reset(client)
                return
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def fault_proxy(port: int, tls: ssl.SSLContext | None = None) -> Iterator[FaultProxy]:
    """A proxy to that port of this machine, in a thread of its own, for synchronous tests as well. `tls`: ended here."""
    loop, proxy = asyncio.new_event_loop(), FaultProxy(port, tls)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
