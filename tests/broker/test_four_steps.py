"""A signal whose cases come, are taken back and come back, step by step on a real Kafka."""

from pathlib import Path

from streams.runtime.settings import Settings
from tests.broker.support.processes import alerts, keyed, send, tocsin
from tests.support.four_steps import EXPECTED, KEY, four_steps, revisions

RULES = ("--rules", "mhra", "--screening", "none")


def test_each_step_gives_the_revision_of_a_replay(topics: Settings, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    replayed = revisions()
    for number, reports in enumerate(four_steps(), start=1):
        send(topics, keyed(reports))
        done = tocsin(topics, state, "run", *RULES, "--drain")
        assert done.returncode == 0, done.stderr
        found = [alert for alert in alerts(topics) if alert.signal_key == KEY]
        said = [
            (alert.kind.value, tuple(reason.value for reason in alert.reasons), alert.case_ids)
            for alert in found
        ]
        assert said == list(EXPECTED[:number])
        assert found[-1].counts.n_observed == replayed[number - 1].counts.n_observed
    begun, ended, corrected, reopened = found
    assert [alert.due == alert.own_due for alert in found] == [True, True, False, True]
    assert corrected.due == ended.due
    ids = [alert.alert_id for alert in (begun, ended, corrected, reopened)]
    recounted = tocsin(topics, state, "recount", *ids, *RULES)
    assert recounted.returncode == 0, recounted.stdout + recounted.stderr
    assert "4 alerts recounted: 4 equal" in recounted.stdout
