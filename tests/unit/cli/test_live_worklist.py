"""The live worklist on a pseudo-terminal: what arrives is drawn, and Ctrl-C ends it."""

import os
import pty
import select
import signal as signals
import subprocess
import time
from pathlib import Path

from streams.cli.live_worklist import Arrived
from tests.support.alerts import signal
from tests.support.cli import COMMAND, require_refused, tocsin


def _written(path: Path, drug: str) -> None:
    alert = signal(drug=drug).model_copy(
        update={"headline": f"Sepsis with {drug}", "last_received": signal().evaluated_on}
    )
    with path.open("a", encoding="utf-8") as file:
        file.write(alert.model_dump_json() + "\n")


def _read_until(terminal: int, wanted: str, seconds: float = 30) -> str:
    found, end = b"", time.monotonic() + seconds
    while wanted.encode() not in found:
        assert time.monotonic() < end, found.decode(errors="replace")
        if select.select([terminal], [], [], 0.2)[0]:
            found += os.read(terminal, 65_536)
    return found.decode(errors="replace")


def test_an_alert_that_arrives_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    _written(path, "zinc")
    terminal, inside = pty.openpty()
    command = [*COMMAND, "top", "--alerts", str(path), "--live"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "40"}
    with subprocess.Popen(
        command, stdin=inside, stdout=inside, stderr=inside, env=environment
    ) as process:
        os.close(inside)
        try:
            assert "lead" not in _read_until(terminal, "Sepsis with zinc")
            _written(path, "lead")
            _read_until(terminal, "Sepsis with lead")
            process.send_signal(signals.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(terminal)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    _written(path, "zinc")
    require_refused(tocsin("top", "--alerts", path, "--live"), "--live must write to a terminal")
    require_refused(tocsin("top", "--alerts", path, "--live", "--json"), "--live must be of")


def test_an_older_revision_replaces_nothing() -> None:
    arrived = Arrived()
    for revision in (2, 1, 3):
        arrived.add(signal().model_copy(update={"revision": revision}))
    assert [alert.revision for alert in arrived.latest] == [3]
    assert len(arrived.alerts) == 3
