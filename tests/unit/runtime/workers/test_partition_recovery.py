"""Recovery from a changelog that is trimmed meanwhile: by another worker, or by retention."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import StateError
from streams.core.cases.transitions import CaseVersion
from streams.runtime.broker import topic_reader
from streams.runtime.broker.membership import Membership
from streams.runtime.settings import Settings
from streams.runtime.state.changelog import Progress
from streams.runtime.workers import partition_publisher, partition_recovery
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.partition_publisher import Superseded
from streams.runtime.workers.partition_recovery import recover
from tests.support.scripted_changelog import (
    CASES,
    NUMBER,
    REPORTS,
    ScriptedChangelog,
    expected,
    pairs,
)

MID_RESTORE = 6  # number of the poll: three for last records, then two of six batches each
AFTERWARDS = 7

Recover = Callable[[ScriptedChangelog], CasePartition]


@pytest.fixture
def recovered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recover:
    """Recover the partition, on a disk that never had it."""

    def run(log: ScriptedChangelog) -> CasePartition:
        log.topics.serve(monkeypatch, partition_recovery, topic_reader)
        log.topics.committed[REPORTS] = NUMBER
        monkeypatch.setattr(partition_recovery, "partition_producer", lambda settings, at: at)
        for module in (partition_recovery, partition_publisher):
            monkeypatch.setattr(module, "discard", lambda producer: None)
        consumer = log.topics.consumer()
        consumer.assign([REPORTS])
        recovery = recover(Settings(state_dir=tmp_path), consumer, Membership(), REPORTS)
        while True:
            try:
                next(recovery)
            except StopIteration as done:
                partition: CasePartition = done.value
                return partition

    return run


def cases(partition: CasePartition) -> dict[str, CaseVersion]:
    return {version.case_id: version for version in partition.store.versions()}


@pytest.mark.parametrize("poll", range(1, AFTERWARDS + 1))
def test_cases_are_restored_from_the_newest_base(recovered: Recover, poll: int) -> None:
    """The old log holds a case for a while, which the copy no longer has."""
    log = ScriptedChangelog()
    log.topics.before("poll", poll, log.copy_and_delete)
    with closing(recovered(log)) as partition:
        assert cases(partition) == expected()
        assert (partition.next_offset, partition.published) == (NUMBER, NUMBER)
        if poll < AFTERWARDS:
            assert partition.progress == log.progress


def test_without_a_base_the_cases_are_counted_from_the_reports(
    recovered: Recover, caplog: pytest.LogCaptureFixture
) -> None:
    log = ScriptedChangelog()
    log.topics.before("poll", MID_RESTORE, lambda: log.topics.delete_before(CASES, 9))
    with closing(recovered(log)) as partition:
        assert (partition.next_offset, partition.published) == (0, NUMBER)
        assert cases(partition) == {}, "nothing of the old log"
        assert partition.progress == Progress()
    (record,) = (r for r in caplog.records if "counting from the reports" in r.getMessage())
    assert vars(record)["error"] == "pv.cases[0]: what it began with is deleted"


def test_without_a_base_and_without_reports_it_stops_with_instructions(recovered: Recover) -> None:
    log = ScriptedChangelog()

    def forget() -> None:
        log.topics.delete_before(CASES, 9)
        log.topics.delete_before(REPORTS, 2)

    log.topics.before("poll", MID_RESTORE, forget)
    with pytest.raises(StateError, match="every report from offset 0 on is needed to know the"):
        recovered(log)


def test_a_worker_that_was_fenced_meanwhile_gives_way(recovered: Recover) -> None:
    """The other one has published more, and has copied that."""
    log = ScriptedChangelog()

    def go_on() -> None:
        log.batch(NUMBER, pairs([NUMBER]))
        log.topics.delete_before(CASES, log.copy(range(NUMBER + 1)))

    log.topics.before("poll", MID_RESTORE, go_on)
    with pytest.raises(Superseded, match=r"restore pv\.reports\[0\]: another worker has published"):
        recovered(log)
