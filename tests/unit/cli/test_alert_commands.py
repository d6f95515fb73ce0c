"""Alerts as lines of text."""

from streams.cli.alert_commands import alert_line
from tests.support import alerts


def test_an_alert_is_one_line_with_key_revision_priority_and_id() -> None:
    alert = alerts.signal(revision=2)
    line = alert_line(alert)
    assert line.startswith("2024-01-01  strengthened  3 cases  ")
    key, revision, priority, alert_id = line.rsplit("  ", 4)[1:]
    assert (key, revision) == (alert.signal_key, "revision 2")
    assert (priority, alert_id) == ("no priority", alert.alert_id)
    assert "LOT_CLUSTER: 3 cases of sepsis" in alert_line(alerts.safety())
