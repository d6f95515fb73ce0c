"""Reference replay: a batch recount of the offsets that alerts name gives their numbers."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from schemas.alert import Alert, InputOffset
from streams.runtime.settings import Settings
from tests.broker.support.processes import alerts, records, running, send, tocsin, wait_until
from tests.support.alert_recount import PRIOR, require_recounted, varied_stream

pytestmark = pytest.mark.broker

RULES = ("--rules", "tocsin,safe", "--screening", "mhra,ema,ic,mhra_eb")
WINDOWS = ("--window", "cumulative", "--window", "sliding:14", "--window", "month")


def test_a_hundred_alerts_of_a_live_run_recount_to_the_last_bit(
    topics: Settings, tmp_path: Path
) -> None:
    messages = varied_stream(2_000, seed=31)
    parts = [messages[start : start + 150] for start in range(0, len(messages), 150)]
    prior = tmp_path / "prior.json"
    prior.write_text(PRIOR.model_dump_json())
    controls = tmp_path / "controls.csv"
    controls.write_text("drug,event\n" + "".join(f"drug {n},event {n}\n" for n in range(6)))
    options = ("--prior", prior, "--negative-controls", controls, *RULES, *WINDOWS)
    detect = ("run", "--stage", "detect", *options)
    with (
        running(topics, tmp_path / "state", "run", "--stage", "cases") as cases,
        running(topics, tmp_path / "state", *detect) as detector,
    ):
        cases.says("took ", times=2)
        detector.says("detecting from")
        for number, part in enumerate(parts):
            send(topics, [*part, (b"k", b"{broken %d" % number)])
            time.sleep(0.4)  # for alerts of many prefixes, not of the whole only
        total = len(messages) + len(parts)
        wait_until(lambda: _counted(alerts(topics)) == total, 60, "an alert of everything")
        for worker in (cases, detector):
            worker.stop()

    published = {alert.alert_id: alert for alert in alerts(topics)}
    assert len(published) > 200
    calibrations = [alert.calibration for alert in published.values()]
    assert {one.n_controls for one in calibrations if one is not None} == {6}
    assert None not in calibrations
    sample = ("recount", "--sample", 100, "--seed", 7, "--prior", prior, *RULES)
    done = tocsin(topics, tmp_path, *sample, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["equal"] for result in results] == [True] * 100
    assert min(result["compared"] for result in results) == 89
    chosen = [published[result["alert_id"]] for result in results]
    places = sorted(_counted([alert]) for alert in chosen)
    assert places[20] < total / 2, "from the middle of the stream"
    assert places[-1] > total * 0.9, "and from its end"
    assert {alert.window.kind.value for alert in chosen} == {"cumulative", "sliding", "month"}
    assert any(alert.statistics.e_value is not None for alert in chosen)
    assert {alert.grade.value for alert in chosen} == {"alarm", "screening"}
    assert any(alert.kind.value in ("weakened", "closed", "retraction") for alert in chosen)

    # The same by dictionaries and sets, straight from the topic.
    log = records(topics, "reports")
    for alert in chosen:
        ends = {at.partition: at.next_offset for at in alert.as_of}
        require_recounted(
            alert, [one.value for one in log if one.offset < ends.get(one.partition, 0)]
        )

    # Of all days: earlier offsets change its counts, whichever days the reports between are of.
    by_id = next(alert for alert in chosen if alert.window.kind.value == "cumulative")
    one = tocsin(topics, tmp_path, "recount", by_id.alert_id, "--prior", prior, *RULES)
    assert one.returncode == 0, one.stderr
    assert one.stdout.startswith(f"equal    {by_id.alert_id}")
    file = tmp_path / "saved.jsonl"

    def moved(by: int, prefix: str = topics.topic_prefix) -> subprocess.CompletedProcess[str]:
        as_of = tuple(
            InputOffset(
                topic=f"{prefix}reports", partition=at.partition, next_offset=at.next_offset + by
            )
            for at in by_id.as_of
        )
        file.write_text(by_id.model_copy(update={"as_of": as_of}).model_dump_json())
        return tocsin(topics, tmp_path, "recount", "--alerts", file, "--prior", prior, *RULES)

    earlier = moved(-30)
    assert earlier.returncode == 1
    assert "DIFFERS" in earlier.stdout
    assert "counts.n_total: published" in earlier.stdout
    for refused, complaint in (
        (moved(1_000_000), "must hold everything from offset 0 to"),
        (moved(0, "pv."), f"must be of {topics.topic_prefix}reports; got pv.reports"),
    ):
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert complaint in refused.stderr


def _counted(found: list[Alert]) -> int:
    """Return the messages that the latest of these alerts was made from."""
    return max((sum(at.next_offset for at in alert.as_of) for alert in found), default=0)
