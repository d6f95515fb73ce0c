"""Hostile webhook receivers on loopback, one behaviour for each path, and a good one."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

__all__ = ["HOSTILE", "Receivers", "receiving"]

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNK = b"x" * 65_536


@dataclass
class Receivers:
    """Address of the receivers, and what the good one received.

    Attributes
    ----------
    messages
        Bodies that the good receiver answered with 204, with the time [s, monotonic].
    asked
        Number of requests by behaviour.
    sent
        Bytes that were written of endless bodies.
    """

    port: int = 0
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.port}/{behaviour}"

    async def answer(self, reader: Reader, writer: Writer) -> None:
        """Read one request and behave as its path says."""
        ended = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with suppress(*ended), closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            name = head.split(" ", 2)[1].partition("?")[0].strip("/").partition("/")[0]
            self.asked[name] += 1
            if name == "good":
                length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
                body = json.loads(await reader.readexactly(int(length)))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
                self.messages.append((time.monotonic(), body))
            else:
                await HOSTILE[name](self, writer)

    async def endless(self, writer: Writer) -> None:
        """A body without an end, as fast as it is read."""
        writer.write(b"HTTP/1.1 500 Error\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + _CHUNK + b"\r\n")
            await writer.drain()
            self.sent += len(_CHUNK)

    async def endless_ok(self, writer: Writer) -> None:
        writer.write(_OK + b"\r\n")
        while True:
            writer.write(_CHUNK)
            await writer.drain()
            self.sent += len(_CHUNK)

    async def drip(self, writer: Writer) -> None:
        """A header that never ends, one byte every 3 s."""
        writer.write(_OK + b"x-slow: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(3)

    async def slow(self, writer: Writer) -> None:
        """An answer after 15 s, within the deadline."""
        await asyncio.sleep(15)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async def silent(self, writer: Writer) -> None:
        await asyncio.sleep(3600)

    async def interim(self, writer: Writer) -> None:
        """Interim responses without an end."""
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def headers(self, writer: Writer) -> None:
        """Headers without an end."""
        writer.write(_OK)
        while True:
            writer.write(b"x-header: " + _CHUNK[:1000] + b"\r\n")
            await writer.drain()
            self.sent += 1000

    async def redirect(self, writer: Writer) -> None:
        location = f"location: {self.url('good')}\r\n".encode()
        writer.write(b"HTTP/1.1 307 Temporary Redirect\r\n" + location + b"\r\n")
        await writer.drain()

    async def reset(self, writer: Writer) -> None:
        writer.transport.abort()

    async def gone(self, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async def nonsense(self, writer: Writer) -> None:
        writer.write(b"\x00\xff\x1b[2J" * 100 + b"\r\n\r\n")
        await writer.drain()


HOSTILE: dict[str, Callable[[Receivers, Writer], Awaitable[None]]] = {
    name: getattr(Receivers, name)
    for name in (
        "endless", "endless_ok", "slow", "drip", "silent", "interim", "headers", "redirect",
        "reset", "gone", "nonsense",
    )
}  # fmt: skip
"""Hostile behaviours by path."""


@contextmanager
def receiving() -> Iterator[Receivers]:
    """Yield receivers that listen until the body ends."""
    receivers, loop = Receivers(), asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(receivers.answer, "127.0.0.1", 0, backlog=1024)
    )
    receivers.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield receivers
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.05)  # the transports close
