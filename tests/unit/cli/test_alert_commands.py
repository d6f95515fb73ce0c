"""Alerts as a table, as lines of text, and as JSON."""

import json
from datetime import date
from pathlib import Path

import pytest

import streams.cli.alert_commands as alert_commands
from streams.cli.alert_commands import alert_line
from tests.support import alerts
from tests.support.alerts import signal as alert_on
from tests.support.cli import invoke
from tests.support.rules_changes import changed


def test_an_alert_is_one_line_with_key_revision_priority_and_id() -> None:
    alert = alerts.signal(revision=2)
    line = alert_line(alert)
    assert line.startswith("2024-01-01  strengthened  3 cases  ")
    key, revision, priority, alert_id = line.rsplit("  ", 4)[1:]
    assert (key, revision) == (alert.signal_key, "revision 2")
    assert (priority, alert_id) == ("no priority", alert.alert_id)
    assert "LOT_CLUSTER: 3 cases of sepsis" in alert_line(alerts.safety())


def test_alerts_say_since_when_their_signal_is_overdue_if_the_log_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = alert_on(3).model_copy(update={"due": date(2020, 1, 1), "own_due": date(2020, 1, 1)})
    found = [late, changed()]
    monkeypatch.setattr(alert_commands, "read_published", lambda *_, **__: iter(found))
    log = ("--audit", tmp_path / "audit.jsonl")
    table = " ".join(invoke("alerts", *log).output.split())
    assert "overdue since" in table
    assert "2024-01-11 rules changed The rules that signals are made with changed" in table
    assert "overdue" not in invoke("alerts").output
    assert "rules changed" in invoke("alerts", "--follow").output
    first, second = invoke("alerts", "--json", *log).output.splitlines()
    assert json.loads(first)["assessment"]["due"] == "2020-01-01"
    assert json.loads(first)["assessment"]["overdue"] is True
    assert json.loads(second)["change_id"] == changed().change_id
