"""Proxy between clients and brokers that cuts connections on command.

A process of its own, so that passing bytes on does not wait for the checks. `Proxy` starts it and
tells it the cuts that hold; each line it reads is the whole list, each line it writes says that
the list is in force.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Cut", "Proxy"]

CHUNK = 1 << 18


@dataclass(frozen=True)
class Cut:
    """Connections to cut, and the way.

    Attributes
    ----------
    how
        `reset`: connections are torn down, and new ones too. `silent`: nothing passes, and what
        was in flight arrives when the cut is over, as after a network partition. `deaf`: the same,
        but only for the broker's responses; it receives every request.
    broker
        Number of a broker; `None` for all.
    pid
        A client process; `None` for all.
    """

    how: str
    broker: int | None = None
    pid: int | None = None


class Proxy:
    """A running proxy.

    Parameters
    ----------
    ports
        By number of the broker: the port that clients use, and the broker's own.
    """

    def __init__(self, ports: Mapping[int, tuple[int, int]]) -> None:
        self._cuts: list[Cut] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.proxy", json.dumps(ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the harness
        )
        self._send_cuts()

    def cut(self, cut: Cut) -> None:
        self._cuts.append(cut)
        self._send_cuts()

    def heal(self, cut: Cut) -> None:
        self._cuts.remove(cut)
        self._send_cuts()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _send_cuts(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([asdict(cut) for cut in self._cuts]) + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "in force\n":
            msg = "the proxy is gone"
            raise RuntimeError(msg)


# the process


class _Connection:
    def __init__(self, broker: int, client: tuple[str, int], writer: asyncio.StreamWriter) -> None:
        self.broker, self.client = broker, client
        self.asks, self.answers = asyncio.Event(), asyncio.Event()
        self.writers = [writer]

    def obey(self, cuts: list[Cut]) -> None:
        ways = {
            cut.how
            for cut in cuts
            if cut.broker in (None, self.broker)
            and (cut.pid is None or _is_of(self.client[1], cut.pid))
        }
        if "reset" in ways:
            for writer in self.writers:
                writer.transport.abort()
        for event, blocked_by in ((self.asks, {"silent"}), (self.answers, {"silent", "deaf"})):
            if ways & blocked_by:
                event.clear()
            else:
                event.set()


class _Passage:
    def __init__(self, ports: Mapping[int, tuple[int, int]]) -> None:
        self._ports = ports
        self._connections: set[_Connection] = set()
        self._cuts: list[Cut] = []

    async def run(self) -> None:
        for broker, (front, behind) in self._ports.items():
            await asyncio.start_server(self._opened(broker, behind), "127.0.0.1", front)
        commands = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while line := await commands.readline():
            self._cuts = [Cut(**cut) for cut in json.loads(line)]
            for connection in self._connections:
                connection.obey(self._cuts)
            print("in force", flush=True)

    def _opened(self, broker: int, behind: int):
        async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = _Connection(broker, writer.get_extra_info("peername"), writer)
            self._connections.add(connection)
            try:
                connection.obey(self._cuts)
                reader_behind, writer_behind = await asyncio.open_connection("127.0.0.1", behind)
                connection.writers.append(writer_behind)
                connection.obey(self._cuts)
                await asyncio.gather(
                    _pass_on(reader, writer_behind, connection.asks),
                    _pass_on(reader_behind, writer, connection.answers),
                )
            except OSError:
                pass  # the broker is down, or one side is gone: so is the connection
            finally:
                self._connections.discard(connection)
                for one in connection.writers:
                    one.transport.abort()

        return opened


async def _pass_on(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, open_: asyncio.Event
) -> None:
    while received := await source.read(CHUNK):
        await open_.wait()
        target.write(received)
        await target.drain()
    await open_.wait()
    raise ConnectionResetError


def _is_of(port: int, pid: int) -> bool:
    """Return whether a local port is the near end of a connection of this process (Linux only)."""
    sockets = set()
    with suppress(OSError):  # it has ended
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                sockets |= set(re.findall(r"^socket:\[(\d+)\]$", os.readlink(entry)))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == port and fields[9] in sockets:
            return True
    return False


if __name__ == "__main__":
    asyncio.run(
        _Passage({int(broker): ends for broker, ends in json.loads(sys.argv[1]).items()}).run()
    )
