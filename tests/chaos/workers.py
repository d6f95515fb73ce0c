"""Workers as an operator runs them: each with its own disk, restarted when it exits."""

import random
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streams.runtime.settings import Settings
from tests.broker.support.processes import environment
from tests.support.cli import COMMAND

__all__ = ["Disk", "Exit", "Supervisor", "Worker"]

RESTART_SECONDS = 1.0
DISK_BYTES = 192 << 20


@dataclass(frozen=True)
class Exit:
    """Exit of a worker; `asked` if the suite had sent it a signal."""

    worker: str
    code: int
    words: str
    asked: bool
    traceback: bool

    @property
    def clear(self) -> bool:
        """Return whether an operator knows the cause of the exit: a signal, or an error message."""
        if self.traceback:
            return False
        if self.asked and self.code in (0, -signal.SIGKILL):
            return True
        return self.code == 2 and self.words.startswith("tocsin: ")


class Disk:
    """A folder that can be full: a small file system in memory where that may be mounted.

    Parameters
    ----------
    path
        The folder; made.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self.path = path
        options = ["-o", f"size={DISK_BYTES}", "tmpfs", str(path)]
        mounted = subprocess.run(["mount", "-t", "tmpfs", *options], capture_output=True)
        self.can_be_full = mounted.returncode == 0

    def fill(self) -> None:
        with (self.path / "ballast").open("wb", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        ballast.write(b"\0" * size)

    def make_room(self) -> None:
        (self.path / "ballast").unlink()

    def empty(self) -> None:
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "ballast":
                entry.unlink()

    def corrupt(self, chance: random.Random) -> str | None:
        """Write garbage into a file of a database; return which, `None` if there is none."""
        files = [
            path
            for path in sorted(self.path.glob("state/cases/*/*"))
            if path.suffix == ".sst" or path.name.startswith("MANIFEST")
        ]
        if not files:
            return None
        file = chance.choice(files)
        content = bytearray(file.read_bytes())
        for _ in range(max(8, len(content) // 500)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        file.write_bytes(content)
        return str(file.relative_to(self.path))

    def remove(self) -> None:
        if self.can_be_full:
            subprocess.run(["umount", "-l", str(self.path)], check=False)
        shutil.rmtree(self.path, ignore_errors=True)


class Worker:
    """One `tocsin run`, again and again.

    Parameters
    ----------
    name
        What it is called in the output.
    disk
        Where its state is.
    logs
        Folder for what it writes.
    """

    def __init__(
        self, name: str, settings: Settings, disk: Disk, logs: Path, *arguments: object
    ) -> None:
        self.name, self.disk = name, disk
        self.reserved = False  # by a fault: must not be restarted before that is over
        self.starts = 0
        self.busy = False  # a fault has it
        self._arguments = [str(argument) for argument in arguments]
        self._environment = {
            **environment(settings, disk.path / "state"),
            "TOCSIN_KEY_REQUIRED": str(settings.key_required),
            "TOCSIN_SESSION_TIMEOUT_MS": str(settings.session_timeout_ms),
        }
        self._logs = logs
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False

    @property
    def pid(self) -> int | None:
        process = self._process
        return None if process is None else process.pid

    @property
    def runs(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None

    def start(self) -> None:
        self.starts += 1
        self._asked = False
        with self._log("out").open("wb") as out, self._log("err").open("wb") as err:
            self._process = subprocess.Popen(
                [*COMMAND, *self._arguments], env=self._environment, stdout=out, stderr=err
            )

    def signal(self, number: signal.Signals) -> None:
        if (process := self._process) is not None:
            if number in (signal.SIGKILL, signal.SIGTERM):
                self._asked = True
            process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait(30)

    def wait(self, seconds: float) -> None:
        """Wait until it has ended."""
        if (process := self._process) is not None:
            process.wait(seconds)

    def ended(self) -> Exit | None:
        """Return its exit, once."""
        if self._process is None or self._process.poll() is None:
            return None
        code, self._process = self._process.returncode, None
        text = self._log("err").read_text(errors="replace")
        words = next((line for line in reversed(text.splitlines()) if line.strip()), "")
        return Exit(self.name, code, words[:400], self._asked, "Traceback" in text)

    def last_lines(self, number: int = 8) -> str:
        if not self.starts:
            return ""
        return "\n".join(self._log("err").read_text(errors="replace").splitlines()[-number:])

    def _log(self, kind: str) -> Path:
        return self._logs / f"{self.name}-{self.starts:03}.{kind}"


class Supervisor(threading.Thread):
    """Starts every worker, and starts it again when it ends, as systemd would."""

    def __init__(self, workers: list[Worker]) -> None:
        super().__init__(name="supervisor", daemon=True)
        self.workers = workers
        self.exits: list[Exit] = []
        self._due: dict[str, float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.1):
            for worker in self.workers:
                self._look_after(worker)

    def stop(self) -> None:
        self._over.set()
        self.join()
        for worker in self.workers:
            worker.kill()

    def _look_after(self, worker: Worker) -> None:
        ended = worker.ended()
        if ended is not None:
            self.exits.append(ended)
            self._due[worker.name] = time.monotonic() + RESTART_SECONDS
            if not ended.asked:
                print(f"    {worker.name} ended by itself ({ended.code}): {ended.words}")
        if (
            not worker.runs
            and not worker.reserved
            and time.monotonic() > self._due.get(worker.name, 0.0)
        ):
            worker.start()
