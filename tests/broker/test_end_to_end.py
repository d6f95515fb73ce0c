"""From reports to alerts on a real Kafka: streamed results equal batch results, despite crashes.

Every worker is a process of its own, started and ended as its users do.
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from detectors.rules import load_rules
from detectors.scoring import score
from schemas.alert import Alert
from streams.core.counting.windows import WindowSpec
from streams.intake.files import read_source
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.topics import TOPICS, create_topics
from streams.runtime.broker.transactions import transaction
from streams.runtime.embedded.replay import Replay
from streams.runtime.settings import Settings
from tests.broker.support.processes import (
    Running,
    alerts,
    as_counts,
    deltas,
    drain,
    keyed,
    records,
    recount,
    report,
    require_contiguous,
    require_revisions,
    running,
    send,
    stream,
    tocsin,
    wait_until,
)
from tests.support.cloud_events import read_event
from tests.support.source_file_counts import recount_vaers

pytestmark = pytest.mark.broker

CASES = ("run", "--stage", "cases")
DETECT = ("run", "--stage", "detect")
BROKEN = (b"{", b"\xff\xfe", b'{"case_id": 7}', b'"a string"', b"[]", b"null")


@pytest.mark.realdata
def test_four_real_years_on_two_workers_give_the_batch_counts_to_the_last_bit(
    settings: Settings, real_data: Path, tmp_path: Path
) -> None:
    years = [real_data / "vaers" / f"{year}VAERSData.zip" for year in range(1990, 1994)]
    settings = settings.model_copy(update={"partitions": 4})
    create_topics(settings)
    with (
        running(settings, tmp_path / "state", *CASES) as first,
        running(settings, tmp_path / "state", *CASES) as second,
        running(settings, tmp_path / "detect", *DETECT) as detector,
    ):
        for worker in (first, second):
            worker.says(f"took {settings.topic_prefix}reports", times=2)
        detector.says("detecting from offset 0")
        published = tocsin(settings, tmp_path, "publish", *years)
        assert published.returncode == 0, published.stderr
        markers = len(years) * settings.partitions  # each year is a complete release
        wait_until(
            lambda: sum(require_contiguous(deltas(settings)).values()) == 32_882 + markers,
            60,
            "all counted",
        )
        for worker in (first, second, detector):
            worker.stop()
        shares = [worker.tally("first") for worker in (first, second)]
    assert min(shares) > 10_000, "both workers counted"
    assert sum(shares) == 32_882
    counts = drain(settings, tmp_path / "detect", "detect").drop("window")

    embedded = Replay(
        [WindowSpec.parse("cumulative")],
        load_rules(["mhra"]),
        every=10_000,
        until=None,
        horizon=date(2030, 1, 1),
        on_alert=lambda alert: None,
        on_rejected=lambda rejected: None,
    )
    for path in years:
        for _ in embedded.feed(path.name, read_source(path)):
            pass
    replayed = embedded.detector.all_counts().drop("window")
    assert_frame_equal(counts, replayed, check_exact=True)
    assert_frame_equal(score(counts), score(replayed), check_exact=True)
    assert as_counts(counts) == recount_vaers(*years)
    require_revisions(alerts(settings))


def test_killed_workers_change_no_result(topics: Settings, tmp_path: Path) -> None:
    messages, latest = stream(4_000, seed=1)
    parts = [messages[start : start + 150] for start in range(0, len(messages), 150)]
    broken = [(b"k%d" % i, BROKEN[i % len(BROKEN)] + b" " * i) for i in range(37)]

    def publish() -> None:
        for number, part in enumerate(parts):
            send(topics, keyed(part) + broken[number : number + 1])
            time.sleep(0.1)
        send(topics, broken[len(parts) :])

    assert len(parts) > 20
    state = tmp_path / "state"
    cases, detector = (Running(topics, state, *stage) for stage in (CASES, DETECT))
    publisher = threading.Thread(target=publish)
    try:
        publisher.start()
        wait_until(lambda: len(alerts(topics)) > 3, 60, "a first alert")
        cases.kill()
        detector.kill()
        cases, detector = (Running(topics, state, *stage) for stage in (CASES, DETECT))
        cases.says("took ")
        cases.kill()  # once more, while it catches up
        detector.says("detecting from")
        detector.kill()
        publisher.join()
        cases, detector = (Running(topics, state, *stage) for stage in (CASES, DETECT))
        cases.says("took ", times=2)
        total = len(messages) + len(broken)
        wait_until(
            lambda: sum(require_contiguous(deltas(topics)).values()) == total, 60, "all counted"
        )
        detector.kill()
        cases.stop()
    finally:
        publisher.join()
        for worker in (cases, detector):
            if worker.process.poll() is None:
                worker.kill()
    counts = drain(topics, state, "detect")
    assert as_counts(counts) == recount(latest)
    rejects = records(topics, "rejected")
    assert Counter(record.value for record in rejects) == Counter(value for _, value in broken)
    assert len({record.key for record in rejects}) == len(broken)
    found = alerts(topics)
    assert len(found) > 20
    require_revisions(found)
    # The state of every signal is its last alert.
    states = {record.key: record.value for record in records(topics, "signals")}
    assert states == {record.key: record.value for record in records(topics, "alerts")}


def test_a_lost_database_is_rebuilt_and_nothing_is_published_twice(
    topics: Settings, tmp_path: Path
) -> None:
    messages, latest = stream(900, seed=2)
    state = tmp_path / "state"
    send(topics, [*keyed(messages[:600]), (b"k", b"broken")])
    drain(topics, state)
    before = [record.offset for record in records(topics, "deltas")]
    shutil.rmtree(state / "cases" / "0")
    send(topics, keyed(messages[600:]))
    counts = drain(topics, state)
    assert as_counts(counts) == recount(latest)
    assert sum(require_contiguous(deltas(topics)).values()) == len(messages) + 1
    assert [record.offset for record in records(topics, "deltas")][: len(before)] == before
    assert len(records(topics, "rejected")) == 1
    require_revisions(alerts(topics))


def test_an_invalid_report_is_rejected_once_with_its_reason(
    topics: Settings, tmp_path: Path
) -> None:
    good = report(1)
    (key, value), other = keyed([good])[0], keyed([report(2)])[0][1]
    send(topics, [(b"another key", value), (b"", other), (key, None), (key, value)])
    counts = drain(topics, tmp_path / "state")
    assert as_counts(counts) == recount([good])
    found = records(topics, "rejected")
    assert sorted(record.value for record in found) == sorted([b"", value, other])
    reasons = Counter(dict(record.headers)["reason"] for record in found)
    assert reasons[b"key: must be the case_id of the report; got another one"] == 2
    for record in found:
        headers = dict(record.headers)
        assert record.key == headers["source"] + b"@" + headers["position"]


def test_transaction_markers_are_no_gaps_and_no_lag(topics: Settings, tmp_path: Path) -> None:
    reports = [report(case) for case in range(40)]
    topic = f"{topics.topic_prefix}reports"
    with closing(make_producer(topics, f"{topics.topic_prefix}other")) as producer:
        for start in range(0, 40, 10):
            with transaction(producer) as out:
                for key, value in keyed(reports[start : start + 10]):
                    out.send(topic, value, key)
            with pytest.raises(ZeroDivisionError), transaction(producer) as out:  # noqa: PT012
                out.send(topic, b"aborted", b"key", partition=start // 10 % 2)
                producer.flush()
                raise ZeroDivisionError
    assert as_counts(drain(topics, tmp_path / "state")) == recount(reports)
    ends = require_contiguous(deltas(topics))
    assert sum(ends.values()) > 40, "the markers are in the ranges"
    assert records(topics, "rejected") == []
    # Another worker, without a database, publishes nothing again and waits for nothing either.
    assert as_counts(drain(topics, tmp_path / "fresh")) == recount(reports)
    assert require_contiguous(deltas(topics)) == ends


def test_alerts_are_printed_as_json_with_follow(topics: Settings, tmp_path: Path) -> None:
    state = tmp_path / "state"
    none = tocsin(topics, state, "alerts", "--json")
    assert (none.returncode, none.stdout) == (0, "")
    with running(topics, state, "alerts", "--follow", "--json") as follower:
        time.sleep(3)
        messages, _ = stream(600, seed=3)
        send(topics, keyed(messages))
        drain(topics, state)
        produced = alerts(topics)
        follower.says('"alert_id"', times=len(produced))
        follower.stop()
        followed = [json.loads(line) for line in follower.out.read_text().splitlines()]
    printed = [
        json.loads(line)
        for line in tocsin(topics, state, "alerts", "--json").stdout.split("\n")[:-1]
    ]
    assert produced
    assert {alert["alert_id"] for alert in followed} == {alert.alert_id for alert in produced}
    assert sorted(map(str, printed)) == sorted(map(str, followed))
    table = tocsin(topics, state, "alerts")
    assert table.returncode == 0
    assert f"{len(produced)} alert revisions" in table.stdout


def test_the_example_consumer_prints_every_alert(topics: Settings, tmp_path: Path) -> None:
    messages, _ = stream(600, seed=4)
    send(topics, keyed(messages))
    drain(topics, tmp_path / "state")
    expected = {alert.alert_id: alert for alert in alerts(topics)}
    example = Path(__file__).parents[2] / "examples" / "alert_consumer.py"
    out = tmp_path / "consumed"
    with out.open("w") as file:
        process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                example,
                topics.bootstrap,
                f"{topics.topic_prefix}alerts",
                "SDR",
            ],
            stdout=file,
        )
    try:
        wait_until(lambda: len(out.read_text().splitlines()) >= len(expected), 30, "all printed")
    finally:
        process.kill()
        process.wait()
    lines = out.read_text().splitlines()
    assert len(lines) == len(expected) > 3
    for line in lines:
        alert = expected[line.rsplit(" ", 1)[1]]
        assert line == f"{alert.kind.value}: {alert.sentence} {alert.alert_id}"
    require_events(topics)


def require_events(topics: Settings) -> None:
    """Check that another library takes every alert and signal for the CloudEvent that it is."""
    by_id = {}
    for record in records(topics, "alerts"):
        attributes, data = read_event(record.headers, record.key, record.value)
        alert = Alert.model_validate_json(record.value)
        assert data == json.loads(record.value)
        assert attributes["id"] == alert.alert_id
        assert attributes["source"] == f"/tocsin/{topics.topic_prefix}alerts"
        assert attributes["subject"] == attributes["partitionkey"] == alert.signal_key
        assert attributes["type"] == f"tocsin.signal.{alert.kind}"
        assert attributes["time"].date() == alert.evaluated_on
        by_id[alert.alert_id] = attributes
    states = records(topics, "signals")
    assert len(states) == len(by_id)
    for record in states:
        attributes, data = read_event(record.headers, record.key, record.value)
        assert attributes == by_id[data["alert_id"]], "the state is the event that made it"


def test_a_standby_replaces_a_killed_detector(topics: Settings, tmp_path: Path) -> None:
    messages, latest = stream(800, seed=5)
    with (
        running(topics, tmp_path / "cases", *CASES) as cases,
        running(topics, tmp_path / "a", *DETECT) as active,
    ):
        active.says("detecting from offset")
        with running(topics, tmp_path / "b", *DETECT) as standby:
            send(topics, keyed(messages[:500]))
            wait_until(lambda: len(alerts(topics)) > 0, 30, "an alert")
            active.kill()
            standby.says("detecting from offset")
            send(topics, keyed(messages[500:]))
            total = len(messages)
            wait_until(
                lambda: sum(require_contiguous(deltas(topics)).values()) == total, 30, "counted"
            )
            standby.stop()
        cases.stop()
    assert as_counts(drain(topics, tmp_path / "c", "detect")) == recount(latest)
    require_revisions(alerts(topics))


def test_a_suspended_worker_publishes_nothing_twice(topics: Settings, tmp_path: Path) -> None:
    messages, latest = stream(1_200, seed=6)
    with running(topics, tmp_path / "a", *CASES) as frozen:
        frozen.says("took ", times=2)
        send(topics, keyed(messages[:300]))
        wait_until(lambda: len(deltas(topics)) > 0, 30, "a delta")
        frozen.process.send_signal(signal.SIGSTOP)
        send(topics, keyed(messages[300:800]))
        with running(topics, tmp_path / "b", *CASES) as other:
            other.says("took ", times=2)  # rebuilt, since the databases are on another machine
            wait_until(
                lambda: sum(require_contiguous(deltas(topics)).values()) >= 800, 30, "counted"
            )
            frozen.process.send_signal(signal.SIGCONT)
            send(topics, keyed(messages[800:]))
            total = len(messages)
            wait_until(
                lambda: sum(require_contiguous(deltas(topics)).values()) == total, 60, "counted"
            )
            other.stop()
        frozen.stop()
    assert sum(require_contiguous(deltas(topics)).values()) == total
    assert as_counts(drain(topics, tmp_path / "c", "detect")) == recount(latest)


@pytest.mark.parametrize(
    "command", [("topics", "create"), CASES, DETECT, ("alerts",), ("run", "--drain")], ids=" ".join
)
def test_a_missing_broker_or_remote_plaintext_is_one_line(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Settings(bootstrap="127.0.0.1:1")
    monkeypatch.setenv("TOCSIN_CONNECT_TIMEOUT_MS", "1500")
    begun = time.monotonic()
    refused = tocsin(nobody, tmp_path, *command, "--bootstrap", "kafka.example.org:9092")
    unreached = tocsin(nobody, tmp_path, *command, seconds=30)
    assert time.monotonic() - begun < 40
    for ended, words in ((refused, "must be asked for by name"), (unreached, "127.0.0.1:1")):
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert ended.stderr.startswith("tocsin: ")
        assert words in ended.stderr


def test_missing_topics_are_reported_and_different_ones_refused(
    settings: Settings, tmp_path: Path
) -> None:
    for command in (CASES, DETECT, ("run", "--drain"), ("alerts",)):
        missing = tocsin(settings, tmp_path, *command, seconds=30)
        assert missing.returncode == 2
        assert "no such topic: run `tocsin topics create`" in missing.stderr
    created, again = (tocsin(settings, tmp_path, "topics", "create") for _ in range(2))
    assert (created.returncode, again.returncode) == (0, 0)
    assert created.stdout.count("created ") == again.stdout.count("exists ") == len(TOPICS)
    other = settings.model_copy(update={"partitions": 3})
    differs = tocsin(other, tmp_path, "topics", "create")
    assert differs.returncode == 2
    assert differs.stderr.count("\n") == 1
    assert f"{settings.topic_prefix}reports: partitions must be 3; got 2" in differs.stderr
