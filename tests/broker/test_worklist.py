"""`tocsin top` live: the worklist of today, from the alerts on a real Kafka."""

import json
from datetime import UTC, datetime
from pathlib import Path

from streams.runtime.settings import Settings
from tests.broker.support.processes import alerts, keyed, send, tocsin
from tests.support.recent_reports import RECENT_RULES, recent_reports


def test_signals_of_the_topic_are_ranked_by_todays_priority(
    topics: Settings, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    send(topics, keyed(recent_reports()))
    done = tocsin(topics, state, "run", *RECENT_RULES, "--drain")
    assert done.returncode == 0, done.stderr
    listed = tocsin(topics, state, "top", "--json")
    assert listed.returncode == 0, listed.stderr
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    latest = {alert.signal_key: alert for alert in alerts(topics)}
    assert [row["signal_key"].split("|")[0] for row in rows][:2] == ["lead", "zinc"]
    assert {row["signal_key"] for row in rows} == {
        key for key, alert in latest.items() if alert.rules_fired
    }
    assert {row["day"] for row in rows} == {datetime.now(UTC).date().isoformat()}
    totals = [row["priority"]["total"] for row in rows]
    assert totals == sorted(totals, reverse=True)
    for row in rows:
        assert row["headline"] == latest[row["signal_key"]].headline
    table = tocsin(topics, state, "top", "--limit", 1)
    assert f"1 of {len(rows)} signals on" in table.stdout
