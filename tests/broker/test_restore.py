"""Restore of a partition's cases on a machine without its state, or with a corrupt disk."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import NewPartitions

from schemas.errors import StateError
from streams.runtime.broker import membership
from streams.runtime.broker.clients import make_admin
from streams.runtime.observability.readiness import Phase
from streams.runtime.settings import Settings
from streams.runtime.state import changelog
from streams.runtime.state.case_store import RocksStore
from streams.runtime.state.changelog import decode_record
from streams.runtime.wire import limits
from streams.runtime.workers import (
    case_partition,
    case_worker,
    changelog_recovery,
    detect_worker,
)
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.case_worker import CaseWorker
from tests.broker.support.processes import (
    as_counts,
    deltas,
    keyed,
    records,
    recount,
    report,
    require_contiguous,
    send,
    stream,
)
from tests.broker.support.retention import forget_records
from tests.broker.support.stages import Crash, detect_all, detector
from tests.broker.support.stored_cases import expected_cases, stored_cases

pytestmark = pytest.mark.broker


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 40 messages, copies after a few, in chunks of a few cases."""
    few = partial(membership.make_consumer, max_poll_records=40)
    monkeypatch.setattr(membership, "make_consumer", few)
    monkeypatch.setattr(changelog, "_FLOOR", 8_000)
    monkeypatch.setattr(case_partition, "_CHUNK_BYTES", 8_000)


@contextmanager
def holding(settings: Settings) -> Iterator[CaseWorker]:
    """Run until the partition is here and everything is counted."""
    with closing(CaseWorker(settings)) as worker:
        ends = worker.ends()
        while 0 not in worker._owned or worker._owned[0].next_offset < ends[0]:
            worker.step(100)
        yield worker


def take(settings: Settings) -> None:
    with holding(settings):
        pass


def elsewhere(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"state_dir": Path(settings.state_dir).with_name(name)})


def test_an_empty_disk_is_filled_from_the_changelog(one_partition: Settings, small: None) -> None:
    messages, latest = stream(900, seed=21)
    send(one_partition, keyed(messages[:600]))
    take(one_partition)
    forget_records(one_partition, 500)  # the reports alone would not do
    other = elsewhere(one_partition, "other")
    take(other)
    assert stored_cases(other) == stored_cases(one_partition) == expected_cases(messages[:600])
    send(one_partition, keyed(messages[600:]))
    take(other)
    assert stored_cases(other) == expected_cases(messages)
    # The first machine comes back, far behind: it does not go on from there.
    take(one_partition)
    assert stored_cases(one_partition) == expected_cases(messages)
    assert sum(require_contiguous(deltas(one_partition)).values()) == len(messages)
    assert detect_all(one_partition) == recount(latest)


def test_a_changelog_stays_proportional_to_its_state(one_partition: Settings, small: None) -> None:
    """300 cases, every one of them sent twelve times in another version."""
    rounds = [[report(case, version) for case in range(300)] for version in range(1, 13)]
    sizes, seen = [], {}
    with closing(CaseWorker(one_partition)) as worker:
        for messages in rounds:
            send(one_partition, keyed(messages))
            ends = worker.ends()
            while not worker.drained(ends) or worker._owned[0].progress.copying:
                worker.step(100)
            found = {r.offset: len(r.value) for r in records(one_partition, "cases")}
            seen.update(found)
            sizes.append(sum(found.values()))
    assert max(sizes) < 60_000 < sum(seen.values()) / 2
    take(elsewhere(one_partition, "other"))
    assert stored_cases(elsewhere(one_partition, "other")) == expected_cases(rounds[-1])


def test_a_killed_copy_resumes_after_its_last_chunk(
    one_partition: Settings, small: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    messages, latest = stream(900, seed=22)
    send(one_partition, keyed(messages[:700]))
    copy_state = CasePartition.copy_state
    copied = []

    def crash(self: CasePartition) -> None:
        copy_state(self)
        if self.progress.copying:
            copied.append(self.progress.copy_after)
        if len(copied) == 3:
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(CasePartition, "copy_state", crash)
        with pytest.raises(Crash):
            take(one_partition)
    # Its disk is lost as well: the stored records are enough, and the copy resumes elsewhere.
    other = elsewhere(one_partition, "other")
    with holding(other) as worker:
        while worker._owned[0].progress.copying:
            worker.step(100)
    assert stored_cases(other) == expected_cases(messages[:700])
    written = [decode_record(record).copied for record in records(one_partition, "cases")]
    chunks = [chunk for chunk in written if chunk is not None]
    (stopped,) = [number for number, (_, until) in enumerate(chunks) if until == copied[-1]]
    assert chunks[stopped + 1][0] == copied[-1], "not from the beginning again"
    send(one_partition, keyed(messages[700:]))
    take(other)
    forget_records(one_partition, 800)
    take(elsewhere(one_partition, "third"))
    assert stored_cases(elsewhere(one_partition, "third")) == expected_cases(messages)
    assert detect_all(one_partition) == recount(latest)


def test_a_killed_restore_restarts(
    one_partition: Settings, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(600, seed=23)
    send(one_partition, keyed(messages))
    take(one_partition)
    forget_records(one_partition, 1)
    other = elsewhere(one_partition, "other")
    load = RocksStore.load
    loaded = []

    def crash(self: RocksStore, pairs: Any) -> None:
        load(self, pairs)
        loaded.append(self)
        if len(loaded) == 3:
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(RocksStore, "load", crash)
        with pytest.raises(Crash):
            take(other)
    assert (Path(other.state_dir) / "cases" / "0.restoring").is_dir()
    take(other)
    assert not (Path(other.state_dir) / "cases" / "0.restoring").exists()
    assert stored_cases(other) == expected_cases(messages)
    assert detect_all(one_partition) == recount(latest)


def test_a_restoring_worker_reports_progress_and_stays_in_its_group(
    one_partition: Settings, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, _ = stream(900, seed=24)
    send(one_partition, keyed(messages))
    take(one_partition)
    monkeypatch.setattr(case_worker, "_RESTORE_SECONDS", 0.0001)  # a record or two between polls
    said = []
    with closing(CaseWorker(elsewhere(one_partition, "other"))) as worker:
        while 0 not in worker._owned:
            worker.step(100)
            said.append(worker.readiness())
        generation = worker._group.consumer.group_metadata().generation_id
        assert worker.readiness().phase is Phase.ACTIVE
    restoring = [
        one_partition.fraction for one_partition in said if one_partition.phase is Phase.RESTORING
    ]
    assert restoring == sorted(restoring)
    assert len({f for f in restoring if 0 < f < 1}) >= 3
    assert generation > 0


@pytest.mark.parametrize("what", ["garbage", "truncated", "manifest"])
def test_a_damaged_database_is_set_aside_and_restored(
    one_partition: Settings, small: None, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    messages, latest = stream(600, seed=25)
    send(one_partition, keyed(messages[:400]))
    take(one_partition)
    take(one_partition)  # opening it again moves the cases from the log into a file
    forget_records(one_partition, 400)
    send(one_partition, keyed(messages[400:]))
    folder = Path(one_partition.state_dir) / "cases" / "0"
    pattern = "MANIFEST-*" if what == "manifest" else "*.sst"
    file = max(folder.glob(pattern), key=lambda path: path.stat().st_size)
    size = file.stat().st_size
    with file.open("r+b") as opened:
        if what == "garbage":
            opened.seek(size // 8)
            opened.write(b"\xde\xad\xbe\xef" * (size // 16))
        else:
            opened.truncate(size // 2)
    take(one_partition)
    assert caplog.text.count("it is set aside and restored") == 1
    assert (folder.parent / "0.damaged").is_dir()
    assert stored_cases(one_partition) == expected_cases(messages)
    assert sum(require_contiguous(deltas(one_partition)).values()) == len(messages)
    assert detect_all(one_partition) == recount(latest)


def test_without_a_whole_changelog_the_reports_are_counted_again(
    one_partition: Settings, small: None, caplog: pytest.LogCaptureFixture
) -> None:
    messages, latest = stream(600, seed=26)
    send(one_partition, keyed(messages))
    take(one_partition)
    forget_records(one_partition, records(one_partition, "cases")[-2].offset, "cases")
    other = elsewhere(one_partition, "other")
    with holding(other) as worker:
        while worker._owned[0].progress.base < 0 or worker._owned[0].progress.copying:
            worker.step(100)
    assert stored_cases(other) == expected_cases(messages)
    # By now it is whole again.
    forget_records(one_partition, 500)
    take(elsewhere(one_partition, "third"))
    assert stored_cases(elsewhere(one_partition, "third")) == expected_cases(messages)
    assert detect_all(one_partition) == recount(latest)


def test_with_neither_changelog_nor_reports_the_worker_stops_with_instructions(
    one_partition: Settings, small: None
) -> None:
    messages, _ = stream(300, seed=27)
    send(one_partition, keyed(messages))
    take(one_partition)
    forget_records(one_partition, records(one_partition, "cases")[-1].offset, "cases")
    forget_records(one_partition, 100)
    shutil.rmtree(Path(one_partition.state_dir))
    with pytest.raises(StateError, match=r"every report from offset 0 on is .* begins at 100\. "):
        take(one_partition)


@pytest.mark.parametrize("missing", ["batch", "chunk"])
def test_a_gap_in_the_changelog_is_detected(
    one_partition: Settings,
    small: None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    messages, latest = stream(600, seed=28)
    send(one_partition, keyed(messages))
    take(one_partition)
    found = [(r.offset, decode_record(r)) for r in records(one_partition, "cases")]
    base = found[-1][1].progress.base
    assert base > 0
    if missing == "chunk":  # the second one of the copy at the base
        lost = next(n for n, r in found if n > base and r.copied is not None and r.copied[0])
    else:
        lost = [n for n, r in found if r.copied is None][-2]
    read = changelog_recovery.read_in_steps

    def skip_one(settings: Settings, topic: str, **options: Any) -> Any:
        for record, part in read(settings, topic, **options):
            if not (topic.endswith("cases") and record is not None and record.offset == lost):
                yield record, part

    other = elsewhere(one_partition, "other")
    with monkeypatch.context() as patched:
        patched.setattr(changelog_recovery, "read_in_steps", skip_one)
        take(other)
    assert "counting from the reports instead" in caplog.text
    assert stored_cases(other) == expected_cases(messages)
    assert detect_all(one_partition) == recount(latest)


def test_added_report_partitions_stop_the_workers(one_partition: Settings, tmp_path: Path) -> None:
    send(one_partition, keyed(stream(100, seed=29)[0]))
    take(one_partition)
    reports, changelogs = (
        f"{one_partition.topic_prefix}reports",
        f"{one_partition.topic_prefix}cases",
    )
    with closing(make_admin(one_partition)) as admin:
        admin.create_partitions({reports: NewPartitions(2)})
    rule = "the number of partitions must stay 1 once its reports are counted; got 2"
    with pytest.raises(StateError, match=rule):
        take(one_partition)
    with closing(
        make_admin(one_partition)
    ) as admin:  # the changelogs as well: they tell what was counted
        admin.create_partitions({changelogs: NewPartitions(2)})
    for settings in (one_partition, elsewhere(one_partition, "other")):
        with pytest.raises(StateError, match=rule):
            take(settings)


def test_a_different_number_of_changelog_partitions_is_refused(one_partition: Settings) -> None:
    with closing(make_admin(one_partition)) as admin:
        admin.create_partitions({f"{one_partition.topic_prefix}cases": NewPartitions(3)})
    with pytest.raises(StateError, match="the number of partitions must stay 3"):
        take(one_partition)


def test_a_detector_restores_between_polls_and_reports_progress(
    one_partition: Settings, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(600, seed=31)
    send(one_partition, keyed(messages))
    take(one_partition)
    detect_all(one_partition)
    shutil.rmtree(Path(one_partition.state_dir) / "detect")
    monkeypatch.setattr(detect_worker, "_RESTORE_SECONDS", 0.0001)  # a delta or two between polls
    said = []
    with closing(detector(one_partition)) as worker:
        while worker.detector is None:
            worker.step(1)
            said.append(worker.readiness())
        assert as_counts(worker.counts()) == recount(latest)
    fractions = [
        one_partition.fraction for one_partition in said if one_partition.phase is Phase.RESTORING
    ]
    assert fractions == sorted(fractions)
    assert len({fraction for fraction in fractions if 0 < fraction < 1}) >= 3


def test_a_delta_beyond_the_size_of_a_message_is_split_by_offsets(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=30)
    monkeypatch.setattr(limits, "RECORD_BYTES", 16_000)
    send(one_partition, keyed(messages))
    take(one_partition)
    found = deltas(one_partition)
    assert len(found) > 1
    assert sum(require_contiguous(found).values()) == len(messages)
    assert all(len(record.value) <= 16_000 for record in records(one_partition, "deltas"))
    assert detect_all(one_partition) == recount(latest)


def test_a_report_with_a_change_too_large_for_a_message_is_rejected(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECORD_BYTES", 3_000)
    send(one_partition, keyed([report(1), report(2)]))
    take(one_partition)
    reasons = [dict(record.headers)["reason"] for record in records(one_partition, "rejected")]
    assert len(reasons) == 2
    assert b"the change of a case must fit in 3000 bytes; got " in reasons[0]
    monkeypatch.undo()
    send(one_partition, keyed([report(3)]))
    shutil.rmtree(one_partition.state_dir)
    take(one_partition)
    assert detect_all(one_partition) == recount([report(3)])
