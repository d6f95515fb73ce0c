"""The worklist on the terminal and as JSON: of a replay, of alerts, of a topic."""

import json
import os
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from schemas.alert import SignalGrade
from streams.cli import top_commands
from tests.support.alerts import signal
from tests.support.cli import COMMAND, require_refused, tocsin

DAY = date(2024, 1, 1)


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    """Three signals; the second is of the screening, the third long known."""
    stated = {"headline": "Sepsis with zinc", "last_received": DAY, "first_alert_on": DAY}
    found = [
        signal(drug="zinc").model_copy(update=stated | {"due": DAY - timedelta(days=1)}),
        signal(drug="lead", grade=SignalGrade.SCREENING).model_copy(update=stated),
        signal(drug="iron").model_copy(
            update=stated | {"first_alert_on": DAY - timedelta(days=900), "due": DAY}
        ),
    ]
    path = tmp_path / "alerts.jsonl"
    path.write_text("".join(alert.model_dump_json() + "\n" for alert in found))
    return path


def test_json_lines_have_the_signals_in_order(alerts: Path) -> None:
    done = tocsin("top", "--alerts", alerts, "--json")
    assert done.code == 0, done.out
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["rank"], one["signal_key"].split("|")[0]) for one in lines] == [
        (1, "zinc"),
        (2, "lead"),
        (3, "iron"),
    ]
    assert [(one["due"], one["overdue"]) for one in lines] == [
        ("2023-12-31", True),
        (None, False),
        ("2024-01-01", False),
    ]
    assert lines[0]["priority"]["parts"]["freshness"] == 1.0
    assert (lines[0]["day"], lines[0]["n_observed"], lines[0]["expected"]) == (
        "2024-01-01",
        3,
        1.25,
    )


def test_a_table_shows_each_factor_and_fits_a_hundred_columns(alerts: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "top", "--alerts", str(alerts), "--limit", "2"],
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "2 of 3 signals on 2024-01-01" in done.stdout
    assert "freshness 1.25" in done.stdout
    assert "newness" not in done.stdout  # these alerts do not state it
    assert "1.25 expected" in done.stdout
    assert "overdue" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_grade_and_a_day_choose_among_the_signals(alerts: Path) -> None:
    done = tocsin("top", "--alerts", alerts, "--grade", "screening")
    assert "1 of 1 signals on 2024-01-01" in done.out
    done = tocsin("top", "--alerts", alerts, "--until", "2023-12-31")
    assert "0 of 0 signals on 2023-12-31" in done.out


def test_sources_and_alerts_are_refused_together(alerts: Path) -> None:
    done = tocsin("top", alerts, "--alerts", alerts)
    require_refused(done, "sources or --alerts must be given, not both")


def test_without_either_the_topic_is_read_and_the_day_is_the_clocks(
    alerts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = signal(drug="zinc").model_copy(update={"last_received": date.max})
    monkeypatch.setattr(top_commands, "read_alerts", lambda settings, **asked: iter([found]))
    done = tocsin("top", "--json")
    assert done.code == 0, done.out
    (line,) = map(json.loads, done.out.splitlines())
    assert abs(date.fromisoformat(line["day"]) - datetime.now(UTC).date()) <= timedelta(days=1)


def test_a_file_without_an_alert_has_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    done = tocsin("top", "--alerts", tmp_path / "none.jsonl")
    assert done.code == 0, done.err
    assert "0 of 0 signals" in done.out
