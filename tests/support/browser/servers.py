"""Servers of pages on a free port of loopback: an ASGI application, or a command."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

__all__ = ["serving_application", "serving_command", "serving_server"]

START_SECONDS = 30
STOP_SECONDS = 30
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@contextmanager
def serving_application(application: Any) -> Iterator[str]:
    """Run an ASGI application in a thread; yield its address."""
    config = uvicorn.Config(application, log_level="warning", access_log=False, lifespan="off")
    config.timeout_graceful_shutdown = 1  # a live line never ends by itself
    with serving_server(uvicorn.Server(config)) as address:
        yield address


@contextmanager
def serving_server(server: uvicorn.Server) -> Iterator[str]:
    """Run a uvicorn server on port 0 of loopback in a thread; yield its address."""
    server.config.port = 0
    thread = Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive(), "the server ended before it listened; its log says why"
            assert time.monotonic() < deadline, f"not listening within {START_SECONDS} s"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)


@contextmanager
def serving_command(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = START_SECONDS,
) -> Iterator[str]:
    """Run a command until it prints an address of loopback; yield that, then stop the command.

    Give it port 0, so that parallel tests never meet.
    """
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=os.environ | dict(environment or {}),
        )
        try:
            yield _address(process, printed, time.monotonic() + seconds)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: "subprocess.Popen[bytes]", printed: Any, deadline: float) -> str:
    while True:
        ended = process.poll() is not None
        size = os.fstat(printed.fileno()).st_size
        text = os.pread(printed.fileno(), size, 0).decode(errors="replace")
        if found := ADDRESS.search(text):
            return found[0]
        assert not ended, f"{process.args!r} ended:\n{text}"
        late = time.monotonic() > deadline
        assert not late, f"{process.args!r} printed no address in time:\n{text}"
        time.sleep(0.02)
