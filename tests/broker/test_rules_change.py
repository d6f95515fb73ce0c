"""Detectors with different rules on a real Kafka: one stops, or the change is published once."""

import json
from pathlib import Path

from schemas.rules_change import RulesChange
from streams.runtime.settings import Settings
from tests.broker.support.processes import (
    Running,
    alerts,
    keyed,
    records,
    running,
    send,
    stream,
    tocsin,
    wait_until,
)
from tests.broker.support.stages import MHRA_IC
from tests.support.http import answer_of

OTHER = ("--rules", "mhra", "--screening", "none", "--window", "cumulative", "--window", "month")
DETECT = ("run", "--stage", "detect")


def counted(settings: Settings, state: Path) -> None:
    """Count all reports, and publish by the rules `mhra` and `ic`."""
    state.mkdir()
    done = tocsin(settings, state, "run", *MHRA_IC, "--drain")
    assert done.returncode == 0, done.stderr


def published(settings: Settings, topic: str) -> list[RulesChange]:
    found = (one.value for one in records(settings, topic) if b'"change_id"' in one.value)
    return [RulesChange.model_validate_json(value) for value in found]


def health(worker: Running) -> tuple[int, dict[str, str]]:
    """Return the status of /health/ready, and what it says of the detector stage."""
    worker.says("metrics and health on http://127.0.0.1:")
    port = int(worker.text().partition("health on http://127.0.0.1:")[2].split()[0])
    status, body = answer_of(port, "/health/ready")
    return status, json.loads(body)["stages"]["detect"]


def test_other_rules_stop_a_detector_and_a_meant_change_is_published_once(
    topics: Settings, tmp_path: Path
) -> None:
    first, second = stream(60, seed=5)[0], stream(200, seed=5)[0]
    send(topics, keyed(first))
    counted(topics, tmp_path / "one")
    assert [change.number for change in published(topics, "rules")] == [1]
    assert published(topics, "alerts") == []
    known = {alert.alert_id for alert in alerts(topics)}
    assert known

    refused = tocsin(topics, tmp_path / "one", *DETECT, *OTHER, "--drain")
    assert refused.returncode != 0
    (line,) = refused.stderr.splitlines()[-1:]
    assert "got rules removed ic; windows added month." in line
    assert "--change-rules" in line
    assert "Traceback" not in refused.stderr

    for state in ("one", "two", "two"):  # again, on an empty disk, and restarted
        done = tocsin(topics, tmp_path / state, *DETECT, *OTHER, "--change-rules", "--drain")
        assert done.returncode == 0, done.stderr
    (change,) = published(topics, "alerts")
    assert (change.number, change.rules_removed, change.windows_added) == (2, ("ic",), ("month",))
    assert change.settings_changed == ("rules", "windows")
    assert published(topics, "rules")[1:] == [change]
    send(topics, keyed(second))
    done = tocsin(topics, tmp_path / "one", "run", *OTHER, "--drain")
    assert done.returncode == 0, done.stderr
    assert published(topics, "alerts") == [change]
    new = [alert for alert in alerts(topics) if alert.alert_id not in known]
    assert {alert.rules_hash for alert in new} == {change.now.rules_hash}

    printed = tocsin(topics, tmp_path, "alerts", "--json").stdout.splitlines()
    assert sum('"change_id"' in line for line in printed) == 1
    (tmp_path / "alerts.jsonl").write_text("\n".join(printed))
    rules = ("--rules", "mhra", "--screening", "none")
    for source in ((), ("--alerts", tmp_path / "alerts.jsonl")):
        done = tocsin(topics, tmp_path, "recount", "--sample", "5", *source, *rules)
        assert done.returncode == 0, done.stdout + done.stderr
    verified = tocsin(topics, tmp_path / "two", "state", "verify")
    assert verified.returncode in (0, 1), verified.stderr

    back = tocsin(topics, tmp_path / "one", "run", *MHRA_IC, "--drain")
    assert back.returncode != 0
    assert "got rules added ic; windows removed month." in back.stderr


def test_a_standby_with_other_rules_is_not_ready_and_does_not_take_over(
    topics: Settings, tmp_path: Path
) -> None:
    first, _ = stream(60, seed=6)
    send(topics, keyed(first))
    counted(topics, tmp_path / "one")
    serving = ("--metrics-port", "0")
    with running(topics, tmp_path / "one", *DETECT, *MHRA_IC, *serving) as active:
        active.says("detecting from offset")
        with (
            running(topics, tmp_path / "two", *DETECT, *OTHER, *serving) as other,
            running(topics, tmp_path / "three", *DETECT, *MHRA_IC, *serving) as alike,
        ):
            wait_until(
                lambda: health(other)[1].get("why") == "rules removed ic; windows added month",
                45,
                "the standby says why",
            )
            assert health(other)[0] == 503
            assert health(other)[1]["status"] == "standby"
            wait_until(lambda: health(alike)[0] == 200, 45, "the other standby is ready")
            assert "why" not in health(alike)[1]
            active.kill()
            alike.says("detecting from offset", seconds=60)
            assert published(topics, "alerts") == []
            alike.stop()
    assert [change.number for change in published(topics, "rules")] == [1]
