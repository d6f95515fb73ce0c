"""`tocsin top` live: the worklist of today, from the alerts on a real Kafka."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from schemas.report import Report
from schemas.vocabulary import Seriousness
from streams.runtime.settings import Settings
from tests.broker.support.processes import alerts, keyed, send, tocsin
from tests.support.reports import make_report

RULES = ("--rules", "mhra", "--screening", "none")


def _reports() -> list[Report]:
    """Return reports of the last days: five of zinc and rash, four serious ones of lead."""
    today = datetime.now(UTC).date()
    kinds: list[tuple[str, str, tuple[Seriousness, ...]]] = [
        *[("zinc", "Rash", ())] * 5,
        *[("lead", "Gout", (Seriousness.HOSPITALISATION,))] * 4,
        *[("iron", "Fever", ())] * 60,
    ]
    return [
        make_report(
            f"C{place}",
            day=today - timedelta(days=20 - place % 20),
            drugs=[drug],
            events=[event],
            seriousness=serious,
        )
        for place, (drug, event, serious) in enumerate(kinds)
    ]


def test_signals_of_the_topic_are_ranked_by_todays_priority(
    topics: Settings, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    send(topics, keyed(_reports()))
    done = tocsin(topics, state, "run", *RULES, "--drain")
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
