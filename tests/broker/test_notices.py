"""Notices on a real Kafka: published, received without reports, rejected once, restored."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka.admin import NewPartitions

from schemas.errors import StateError
from schemas.notice import Patients
from schemas.product import Product
from schemas.report import Report
from schemas.vocabulary import Seriousness
from streams.demo import PRODUCT_CLASS
from streams.runtime.broker import clients
from streams.runtime.broker.clients import make_admin
from streams.runtime.broker.topics import create_topics
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import decode_alert
from streams.runtime.workers import notice_reader
from streams.runtime.workers.detect_worker import detect_group
from streams.runtime.workers.notice_reader import NoticeReader
from tests.broker.support.notices import (
    line,
    notice,
    run_detector,
    safety_alerts,
    send_notices,
)
from tests.broker.support.processes import keyed, records, report, send, stream, tocsin, wait_until
from tests.broker.support.retention import forget_offsets
from tests.broker.support.stages import Crash, at_work, count_all, detector, publishing_cut_off

pytestmark = pytest.mark.broker


def rejected_places(settings: Settings) -> list[tuple[str, int, str]]:
    found = [dict(record.headers) for record in records(settings, "rejected")]
    return sorted(
        (one["source"].decode(), int(one["position"]), one["reason"].decode()) for one in found
    )


def test_a_file_of_notices_is_published_consumed_and_printed(
    topics: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "notices.jsonl"
    good = [notice(1), notice(2, "SERIES", fatal=False, patients=Patients(at_least=4))]
    repeat = notice(3, derived_from=("RUM-1",))
    path.write_bytes(b"\n".join([line(good[0]), b"{no notice", line(good[1]), b"{}", line(repeat)]))
    done = tocsin(topics, tmp_path, "publish", "--notices", path)
    assert done.returncode == 0, done.stderr
    assert [word for word in done.stdout.split() if word.isdigit()] == ["0", "3", "2"]
    keys = {record.key: json.loads(record.value) for record in records(topics, "notices")}
    assert set(keys) == {b"RUM", b"SERIES"}
    places = rejected_places(topics)
    assert [place[:2] for place in places] == [("notices.jsonl", 2), ("notices.jsonl", 4)]
    assert places[0][2].startswith("notice: Invalid JSON")
    assert places[1][2].startswith("notice_id: Field required")

    run = tocsin(topics, tmp_path / "state", "run", "--stage", "detect", "--drain")
    assert run.returncode == 0, run.stderr  # without a single report
    published = [
        (alert.category.value, alert.revision, alert.kind.value) for alert in safety_alerts(topics)
    ]
    assert sorted(published) == [  # of several partitions, in no order
        ("CASE_SERIES", 1, "new"),
        ("UNVERIFIED_FATAL", 1, "new"),
    ]
    send(topics, keyed([report(1)]))
    count_all(topics.model_copy(update={"state_dir": tmp_path / "state"}))
    printed = tocsin(topics, tmp_path, "alerts", "--json")
    shown = [decode_alert(text.encode()) for text in printed.stdout.splitlines()]
    assert sorted(shown, key=str) == sorted(safety_alerts(topics), key=str)
    table = tocsin(topics, tmp_path, "alerts")
    assert "UNVERIFIED_FATAL" in table.stdout
    assert "patients 4 or more" in table.stdout

    nothing = tocsin(topics, tmp_path, "publish")
    assert nothing.returncode == 2
    assert nothing.stderr == (
        "tocsin: publish: files of reports, or of notices with --notices, must be given; got none\n"
    )


@pytest.mark.parametrize("moment", ["before", "after", None])
def test_an_unreadable_notice_is_rejected_once(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch, moment: str | None
) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    early = notice(0, "EARLY", received=tomorrow + timedelta(days=1))
    send_notices(one_partition, [b"{", line(notice(1)), None, line(early), b"", b"x" * 1_000_001])
    publish = notice_reader.NoticeReader._receive

    def crash(self: NoticeReader, timeout_ms: int) -> None:
        set_aside = self._set_aside

        def crashing(rejected: object) -> None:
            if moment == "after":
                set_aside(rejected)
            raise Crash

        self._set_aside = crashing
        publish(self, timeout_ms)

    if moment is not None:
        with monkeypatch.context() as patched:
            patched.setattr(NoticeReader, "_receive", crash)
            with pytest.raises(Crash):
                run_detector(one_partition)
    run_detector(one_partition)
    expected = [
        (f"{one_partition.topic_prefix}notices[0]", position, reason)
        for position, reason in (
            (0, "notice: Invalid JSON: EOF while parsing an object at line 1 column 1"),
            (2, "value: must be a notice; got nothing. What was said is answered, not deleted"),
            (3, "received: must not lie in the future"),
            (4, "value: must be a notice; got nothing. What was said is answered, not deleted"),
            (5, "notice: at most 1000000 bytes are read; got 1000001"),
        )
    ]
    assert rejected_places(one_partition) == expected

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Later":
            return cls(2200, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(notice_reader, "datetime", Later)
    send_notices(one_partition, [line(notice(2))])
    run_detector(one_partition)
    assert rejected_places(one_partition) == expected
    (alert,) = safety_alerts(one_partition)  # and none of what was early
    assert alert.subject == "RUM"
    (end,) = alert.as_of
    assert (end.topic, end.next_offset) == (f"{one_partition.topic_prefix}notices", 6)


def dead(number: int) -> Report:
    """Return a report that alone makes a safety alert."""
    product = Product(product_class=PRODUCT_CLASS)
    fatal = {"products": (product,), "seriousness": (Seriousness.DEATH,)}
    return report(number).model_copy(update={"case_id": f"DEAD-{number}", **fatal})


def test_safety_alerts_wait_for_the_last_of_many_transactions(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, _ = stream(300, seed=8)
    send(one_partition, keyed([dead(1), *messages]))
    count_all(one_partition)
    send_notices(one_partition, [line(notice(1))])
    with publishing_cut_off(monkeypatch):
        run_detector(one_partition)
    # A part or two is published; whether the notice was looked at before, alone, is up to the poll.
    assert len(records(one_partition, "alerts")) - len(safety_alerts(one_partition)) in (3, 6)
    assert "FATAL_CASE" not in {alert.category.value for alert in safety_alerts(one_partition)}
    run_detector(one_partition)
    found = [(alert.category.value, alert.revision) for alert in safety_alerts(one_partition)]
    assert sorted(found) == [("FATAL_CASE", 1), ("UNVERIFIED_FATAL", 1)]


def test_expired_group_offsets_lose_and_repeat_no_safety_alert(
    one_partition: Settings,
) -> None:
    send(one_partition, keyed([dead(1)]))
    count_all(one_partition)
    send_notices(one_partition, [line(notice(number)) for number in range(30)])
    run_detector(one_partition)
    found = safety_alerts(one_partition)
    assert sorted(alert.category.value for alert in found) == ["FATAL_CASE", "UNVERIFIED_FATAL"]
    forget_offsets(one_partition, detect_group(one_partition))
    send(one_partition, keyed([dead(2)]))  # within as many offsets as there were notices
    count_all(one_partition)
    run_detector(one_partition)
    (fresh,) = safety_alerts(one_partition)[len(found) :]
    assert (fresh.subject, fresh.kind.value) == ("DEAD-2", "new")


def test_a_detector_refuses_to_start_without_the_notices_of_its_alerts(
    one_partition: Settings,
) -> None:
    send_notices(one_partition, [line(notice(1)), line(notice(2))])
    run_detector(one_partition)
    (alert,) = safety_alerts(one_partition)
    topic = f"{one_partition.topic_prefix}notices"
    with closing(make_admin(one_partition)) as admin:
        admin.delete_topics([topic])
        wait_until(lambda: topic not in admin.list_topics(), 20, "deleted")
    create_topics(one_partition)
    send_notices(one_partition, [line(notice(3))])
    with pytest.raises(StateError, match=r"notices\[0\]: must hold every notice from offset 0"):
        run_detector(one_partition)
    assert safety_alerts(one_partition) == [alert]


def test_added_partitions_are_consumed_without_a_restart(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "METADATA_MS", 500)
    with at_work(one_partition, detector(one_partition)) as worker:
        with closing(make_admin(one_partition)) as admin:
            admin.create_partitions({f"{one_partition.topic_prefix}notices": NewPartitions(2)})
        send_notices(one_partition, [line(notice(1))], partition=1)
        for _ in range(200):
            worker.step(50)
            if safety_alerts(one_partition):
                break
    (alert,) = safety_alerts(one_partition)
    assert [(at.partition, at.next_offset) for at in alert.as_of] == [(1, 1)]


def test_a_safety_alert_is_recounted_from_the_topics(
    one_partition: Settings, tmp_path: Path
) -> None:
    for number in range(3):
        part = Patients(at_least=2 + number)
        send_notices(
            one_partition, [line(notice(number, "SERIES", fatal=None, patients=part)), b"{"]
        )
        run_detector(one_partition)
    found = safety_alerts(one_partition)
    assert [alert.revision for alert in found] == [1, 2, 3]
    done = tocsin(one_partition, tmp_path, "recount", "--sample", 10)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("equal    ") == 3
    assert "CASE_SERIES strengthened" in done.stdout
    last = found[-1]
    (at,) = last.as_of
    shorter = at.model_copy(update={"next_offset": at.next_offset - 2})
    file = tmp_path / "alerts.jsonl"
    file.write_text(last.model_copy(update={"as_of": (shorter,)}).model_dump_json())
    done = tocsin(one_partition, tmp_path, "recount", "--alerts", file)
    assert done.returncode == 1, done.stderr
    assert "DIFFERS" in done.stdout
