"""Metrics, health and journal of running workers, compared with the topics."""

import json
import math
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.report import Report
from streams.runtime.settings import Settings
from tests.broker.support.kafka_server import free_ports
from tests.broker.support.processes import (
    Running,
    alerts,
    deltas,
    keyed,
    records,
    recount,
    running,
    send,
    stream,
    tocsin,
    wait_until,
)
from tests.broker.support.stages import MHRA_IC
from tests.support.http import answer_of

pytestmark = pytest.mark.broker

CANARY = "canary"  # stands wherever a report can say something of a patient
JSON = ("--log-format", "json")


class Scraped:
    """The metrics of one process at one moment."""

    def __init__(self, port: int) -> None:
        status, text = answer_of(port, "/metrics")
        assert status == 200
        self.values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.values.get((f"tocsin_{name}", frozenset(labels.items())), math.nan)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return the values of a metric by one label, without zeros."""
        return {
            dict(labels)[label]: value
            for (found, labels), value in self.values.items()
            if found == f"tocsin_{name}" and value
        }


def with_canary(report: Report) -> Report:
    """Return the report with the canary wherever nothing is counted by it."""
    fields = json.loads(report.model_dump_json())
    fields |= {"sender": CANARY, "message_id": CANARY + fields["message_id"]}
    fields["patient"] |= {"age_years": 61.25, "relationship_to_facility": CANARY}
    fields["case_id"] = CANARY + fields["case_id"]
    for reaction in fields["reactions"]:
        reaction |= {"verbatim": CANARY, "term": CANARY + reaction["term"]}
    for product in fields["products"]:
        product["substances"] = [CANARY + name for name in product["substances"]]
    return Report.model_validate_json(json.dumps(fields))


def planted(good: Report) -> list[tuple[str, bytes, bytes]]:
    """Return messages that must be rejected: the class of each, its key and its value."""
    (key, value) = keyed([good])[0]

    def changed(**fields: Any) -> bytes:
        return json.dumps({**json.loads(value), **fields}).encode()

    far = str(datetime.now(UTC).date() + timedelta(days=9))
    early = str(good.first_received - timedelta(days=1))
    return [
        ("not_json", key, b'{"sender": "canary'),
        ("not_json", b"canary-2", b'"canary"'),
        ("schema", key, b'{"case_id": "canary"}'),
        ("schema", key, changed(canary=CANARY)),
        ("schema", key, changed(first_received=CANARY)),
        ("schema", b"canary-3", changed(patient={"sex": CANARY})),
        ("dates_out_of_order", key, changed(latest_received=early)),
        ("future_date", key, changed(latest_received=far)),
        ("key", b"canary-4", value),
        ("too_long", key, CANARY.encode() * 200_000),
    ]


def journal(*workers: Running) -> list[dict[str, Any]]:
    """Return the log lines of workers, by worker; every line must be JSON."""
    return [json.loads(line) for worker in workers for line in worker.err.read_text().splitlines()]


def becomes_ready(port: int) -> Iterator[tuple[int, str]]:
    """Yield the readiness of a process until it is ready."""
    deadline = time.monotonic() + 45
    while time.monotonic() < deadline:
        status, body = answer_of(port, "/health/ready")
        if status:
            yield status, json.loads(body)["status"]
        if status == 200:
            return
        time.sleep(0.02)
    pytest.fail("never ready")


def test_scraped_metrics_agree_with_the_topics(topics: Settings, tmp_path: Path) -> None:
    messages, latest = stream(700, seed=11)
    messages, latest = (
        [with_canary(message) for message in messages],
        [with_canary(current) for current in latest],
    )
    broken = planted(messages[0])
    port, of_detector = free_ports(2)
    commands = (
        (port, ("--stage", "cases")),
        (of_detector, ("--stage", "detect", *MHRA_IC)),
    )
    with ExitStack() as started:
        workers = []
        for one, command in commands:
            options = ("run", *command, "--metrics-port", one, *JSON)
            workers.append(started.enter_context(running(topics, tmp_path / str(one), *options)))
            said = list(becomes_ready(one))
            assert said[0] == (503, "joining")
            assert said[-1] == (200, "ready")
            assert answer_of(one, "/health/live")[0] == 200
        cases, detector = workers
        begun = time.time()
        send(topics, keyed(messages[:400]))
        wait_until(lambda: Scraped(of_detector).by("alerts_total", "kind") != {}, 30, "an alert")
        send(topics, [*keyed(messages[400:]), *((key, value) for _, key, value in broken)])
        total = len(messages) + len(broken)
        wait_until(
            lambda: sum(Scraped(port).by("messages_read_total", "partition").values()) == total,
            30,
            "all read",
        )
        # Lags are looked at once a second; the last alerts may be held for one.
        wait_until(
            lambda: (
                Scraped(of_detector)("lag_messages", stage="detect", partition="0") == 0
                and Scraped(of_detector)("deltas_total", outcome="counted") == len(deltas(topics))
                and sum(Scraped(of_detector).by("alerts_total", "kind").values())
                == len(alerts(topics))
                and not Scraped(port).by("lag_messages", "partition")
            ),
            30,
            "all evaluated",
        )
        counts = recount(latest)  # sizes are looked at every ten seconds
        wait_until(lambda: Scraped(of_detector)("detector_pairs") == len(counts), 30, "all pairs")
        wait_until(
            lambda: sum(Scraped(port).by("state_cases", "partition").values()) >= len(latest),
            30,
            "all cases",
        )
        counted, detected = Scraped(port), Scraped(of_detector)
        took = time.time() - begun
        for worker in (cases, detector):
            worker.stop()

    found, published = alerts(topics), deltas(topics)
    assert len(found) > 10
    # the case stage
    assert counted.by("rejects_total", "reason") == Counter(reason for reason, _, _ in broken)
    assert len(records(topics, "rejected")) == len(broken)
    outcomes = counted.by("reports_total", "outcome")
    assert sum(outcomes.values()) == len(messages)
    assert outcomes["first"] == len(latest) == len({message.case_id for message in messages})
    assert {"replaced", "repeated", "stale"} <= outcomes.keys()
    population = Counter("nullified" if report.is_nullified else "counted" for report in latest)
    assert counted.by("population_change_cases", "standing") == population
    leaving = sum((delta.changes["n"] == -1).sum() for delta in published)
    assert counted("retractions_total") == leaving > 0
    days = {delta.partition: delta.watermark for delta in published}
    for delta in published:
        days[delta.partition] = max(days[delta.partition], delta.watermark)
    for partition, day in days.items():
        assert counted("lag_messages", stage="cases", partition=str(partition)) == 0
        watermark = counted("watermark_timestamp_seconds", partition=str(partition))
        assert watermark == day * 24 * 3600
        assert counted("state_memory_bytes", partition=str(partition)) > 0
    assert counted("partitions_held", stage="cases") == topics.partitions == len(days)
    assert counted("report_partitions") == topics.partitions
    # Not flushed to a file yet, RocksDB takes a case that was written again for another one.
    stored = sum(counted.by("state_cases", "partition").values())
    assert len(latest) <= stored <= len(messages)
    assert counted("transactions_total", stage="cases", outcome="committed") == len(published)
    assert counted("poll_to_publish_seconds_count", stage="cases") == len(published)
    assert counted("batch_seconds_count", stage="cases") == len(published)
    assert 0 < counted("batch_seconds_sum", stage="cases") < took
    # the detector stage
    assert detected.by("alerts_total", "kind") == Counter(alert.kind.value for alert in found)
    fired = Counter(rule for alert in found for rule in alert.rules_fired)
    assert detected.by("alert_rules_fired_total", "rule") == fired
    assert detected("deltas_total", outcome="counted") == len(published)
    assert detected("deltas_total", outcome="repeated") == 0
    assert {detected("detector_cases")} == {n_total for *_, n_total in counts.values()}
    assert detected("detector_names", kind="drugs") == 12
    looked = sum(detected.by("evaluation_seconds_count", "scope").values())
    assert looked == detected("poll_to_publish_seconds_count", stage="detect") > 1
    for which in ("newest", "oldest"):
        waited = detected("report_to_alert_seconds_count", report=which)
        assert 0 < waited <= len(published)
        mean = detected("report_to_alert_seconds_sum", report=which) / waited
        assert 0 < mean < took
    assert detected("report_to_alert_seconds_sum", report="newest") < detected(
        "report_to_alert_seconds_sum", report="oldest"
    )
    for scraped, stage in ((counted, "cases"), (detected, "detect")):
        assert scraped("ready", stage=stage) == scraped("restore_progress_ratio", stage=stage) == 1
        assert scraped.by("transactions_total", "outcome").keys() == {"committed"}
        assert begun < scraped("loop_turn_timestamp_seconds") < begun + took

    follow_every_report(topics, cases, detector)
    everything = cases.text() + detector.text()
    assert CANARY not in everything
    assert "61.25" not in everything


def follow_every_report(settings: Settings, cases: Running, detector: Running) -> None:
    """Go from each report to the alerts that took it in, and back, as docs/operate/logs.md."""
    lines = journal(cases, detector)
    events: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        events.setdefault(line.get("event", ""), []).append(line)
    rejects = {f"{line['source']}@{line['position']}" for line in events["rejected"]}
    assert rejects == {record.key.decode() for record in records(settings, "rejected")}
    evaluations = {line["evaluation"]: line for line in events["evaluated"]}
    evaluated = {batch: line for line in evaluations.values() for batch in line["batches"]}
    for record in records(settings, "reports"):
        (batch,) = (
            line["batch"]
            for line in events["counted"]
            if line["partition"] == record.partition
            and line["first_offset"] <= record.offset < line["next_offset"]
        )
        assert [line["event"] for line in lines if line.get("batch") == batch].count("applied") == 1
        assert batch in evaluated
    (of_alert,) = ({line["alert_id"]: line for line in events["alert"]},)
    found = alerts(settings)
    assert len(events["alert"]) == len(of_alert) == len(found)
    for alert in found:
        line = of_alert[alert.alert_id]
        assert (line["kind"], line["revision"]) == (alert.kind.value, alert.revision)
        # The offsets of the alert are where the batches of its evaluation end.
        ends = {end.partition: end.next_offset for end in alert.as_of}
        batches = evaluations[line["evaluation"]]["batches"]
        for partition, end in {
            line["partition"]: line["next_offset"]
            for line in events["applied"]
            if line["batch"] in batches
        }.items():
            assert ends[partition] == end


def test_a_worker_that_gives_up_logs_the_reason_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_CONNECT_TIMEOUT_MS", "1500")
    nobody = Settings(bootstrap="127.0.0.1:1")
    port = free_ports(1)[0]
    ended = tocsin(nobody, tmp_path, "run", *JSON, "--metrics-port", port)
    *lines, last = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert last.startswith("tocsin: connect to Kafka at 127.0.0.1:1")
    first, stopped = map(json.loads, lines)
    assert first["message"] == f"metrics and health on http://127.0.0.1:{port}"
    assert (stopped["event"], stopped["level"]) == ("stopped", "ERROR")
    assert stopped["message"] == last.replace("tocsin", "stopped", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = tocsin(nobody, tmp_path, "run", "--metrics-port", taken.getsockname()[1])
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "metrics_bind: must be an address of this machine that is free" in ended.stderr
