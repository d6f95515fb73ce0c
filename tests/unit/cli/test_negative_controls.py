"""`--negative-controls`: the file, and the alerts of a replay that are calibrated by it."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from streams.cli.negative_controls import control_pairs
from tests.support.cli import Run, require_refused
from tests.support.reports import report_line


def test_the_pairs_of_a_file_are_read_once_each(tmp_path: Path) -> None:
    path = tmp_path / "controls.csv"
    path.write_text("why,event,drug\nx,Rash,ZINC\ny,Rash,ZINC\nz,,iron\nx,Fever,7\n", "utf-8")
    assert control_pairs(path) == [("7", "Fever"), ("ZINC", "Rash")]


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """Reports of 12 drugs, each with an event of its own twice, and of zinc with Rash."""
    first = date(2024, 1, 1)
    pairs = [(f"drug {n % 12}", f"Event {n % 12 if n < 24 else n % 7}") for n in range(60)]
    pairs += [("zinc", "Rash")] * 4
    (tmp_path / "reports.jsonl").write_text(
        "".join(
            report_line(str(n), first + timedelta(days=n // 6), *pair)
            for n, pair in enumerate(pairs)
        ),
        encoding="utf-8",
    )
    rows = "".join(f"DRUG {n},event {n}\n" for n in range(12))
    (tmp_path / "controls.csv").write_text("drug,event\n" + rows, encoding="utf-8")
    (tmp_path / "empty.csv").write_text("drug,event\n", encoding="utf-8")
    return tmp_path


def alerts(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_alerts_of_a_replay_are_calibrated(run: Run, folder: Path) -> None:
    line = "replay reports.jsonl --rules ic --alerts alerts.jsonl"
    assert run(line + " --negative-controls controls.csv").code == 0
    with_controls = alerts(folder / "alerts.jsonl")
    found = [alert.pop("calibration") for alert in with_controls]
    assert found
    last = found[-1]
    assert isinstance(last, dict)
    assert (last["n_controls"], last["n_controls_with_case"]) == (12, 12)
    assert run(line).code == 0
    without = alerts(folder / "alerts.jsonl")
    assert {alert.pop("calibration") for alert in without} == {None}
    assert without == with_controls


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            "replay reports.jsonl --negative-controls empty.csv",
            "--negative-controls: empty.csv must name at least one pair; got none",
        ),
        (
            "replay reports.jsonl --negative-controls controls.csv --alerts controls.csv",
            "controls.csv: a file to write must be another than every source and output",
        ),
        (
            "run --drain --negative-controls none.csv",
            "--negative-controls: none.csv must be a readable CSV file; got ",
        ),
    ],
)
def test_a_mistake_ends_with_2_and_one_line(
    arguments: str, line: str, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("TOCSIN_CONNECT_TIMEOUT_MS", "1000")
    require_refused(run(arguments), line)
