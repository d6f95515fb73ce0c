"""A partition of the case stage: which messages it counts, rejects or re-routes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from schemas.errors import RejectCode
from schemas.link import CaseLink
from schemas.rejected import Rejected
from schemas.vocabulary import LinkBasis, LinkState
from streams.runtime.broker.partitioner import partition_of
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.observer import Observer
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore
from streams.runtime.state.changelog import Progress
from streams.runtime.wire import limits
from streams.runtime.wire.batches import Batch, ReportTimes
from streams.runtime.wire.deltas import decode_outgoing
from streams.runtime.wire.rerouting import REROUTED_FROM, Rerouted
from streams.runtime.workers.case_partition import CasePartition
from tests.support.work import HORIZON, raw

AT = TopicPartition("pv.reports", 0)
PARTITIONS = 4
OWN, *ELSEWHERE = sorted(range(40), key=lambda case: partition_of(f"C{case}", PARTITIONS))
"""A case of partition 0; others, the last of which are of partition 3."""


class Told(Observer):
    def __init__(self) -> None:
        self.rejected: list[Rejected] = []
        self.counted: list[CountedBatch] = []

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        self.rejected += rejected
        self.counted.append(counted)


@contextmanager
def partition(
    folder: Path, told: Told, partitions: int = 1, *, key_required: bool = False
) -> Iterator[CasePartition]:
    """Open partition 0 of so many, which publishes nothing: its outbox waits."""
    unused: Any = None
    publisher: Any = SimpleNamespace(busy=True, settled=lambda: False)
    with RocksStore(folder / "0", f"pv.reports[0] of {partitions}") as store:
        yield CasePartition(
            Settings(key_required=key_required),
            unused,
            unused,
            AT,
            partitions,
            store,
            publisher,
            Progress(),
            next_offset=0,
            published=0,
            rejected=frozenset(),
            observer=told,
        )


def record(offset: int, key: bytes | None, value: bytes, headers: Any = ()) -> Any:
    return SimpleNamespace(
        offset=offset, value=value, key=key, headers=headers, timestamp=1_000 + offset
    )


def report_of(offset: int, case: int, headers: Any = ()) -> Any:
    return record(offset, f"C{case}".encode(), raw(case), headers)


def test_a_change_that_fits_in_no_record_is_too_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limits, "RECORD_BYTES", 3_000)
    told = Told()
    with partition(tmp_path, told) as owned:
        owned.count([report_of(0, 1), record(1, b"", b"{"), report_of(2, 2)], 3)
    codes = {one.position: one.code for one in told.rejected}
    assert codes == {0: RejectCode.TOO_LONG, 1: RejectCode.NOT_JSON, 2: RejectCode.TOO_LONG}
    assert told.rejected[0].reason.startswith("report: the change of a case must fit in 3000 byt")


def test_messages_of_other_partitions_are_in_the_outbox_and_not_in_the_counts(
    tmp_path: Path,
) -> None:
    foreign, last = ELSEWHERE[-1], ELSEWHERE[-2]
    link = CaseLink(
        case_id=f"C{last}",
        master_case_id=f"C{OWN}",
        state=LinkState.APPLIED,
        basis=LinkBasis.MANUAL,
        decision=1,
        decided_on=HORIZON,
        decided_by="assessor",
        reason="one patient",
    )
    value = link.model_dump_json().encode()
    told = Told()
    records = [
        report_of(0, foreign, [("trace", b"1")]),
        report_of(1, OWN),
        record(2, f"C{last}".encode(), value),
        record(3, b"C1", raw(2)),
    ]
    with partition(tmp_path, told, PARTITIONS) as owned:
        owned.count(records, 4)
        assert [version.case_id for version in owned.store.versions()] == [f"C{OWN}"]
        (entry,) = owned.store.unpublished()
        assert owned.tally == {"first": 1, "rejected": 1, "rerouted": 2}
    outgoing = decode_outgoing(entry.outgoing)
    assert outgoing.rerouted == [
        Rerouted(
            3,
            f"C{foreign}".encode(),
            raw(foreign),
            [("trace", b"1"), (REROUTED_FROM, b"pv.reports[0]@0")],
            1_000,
        ),
        Rerouted(3, f"C{last}".encode(), value, [(REROUTED_FROM, b"pv.reports[0]@2")], 1_002),
    ]
    assert outgoing.times == ReportTimes(1_001, 1_003), "the copies have those of the others"
    assert [(one.position, one.code) for one in told.rejected] == [(3, RejectCode.KEY)]
    assert [len(counted.rerouted) for counted in told.counted] == [2]


def test_a_message_without_a_key_is_rejected_where_keys_are_required(tmp_path: Path) -> None:
    told = Told()
    with partition(tmp_path, told, PARTITIONS, key_required=True) as owned:
        owned.count([record(0, None, raw(OWN)), record(1, None, raw(ELSEWHERE[-1]))], 2)
        assert not [*owned.store.versions()]
    assert [one.code for one in told.rejected] == [RejectCode.KEY] * 2


def test_a_message_without_a_key_counts_on_the_partition_of_its_case(tmp_path: Path) -> None:
    told = Told()
    records = [record(number, None, raw(case)) for number, case in enumerate((OWN, ELSEWHERE[-1]))]
    with partition(tmp_path, told, PARTITIONS) as owned:
        owned.count([*records, record(2, b"", raw(OWN))], 3)
        assert [version.case_id for version in owned.store.versions()] == [f"C{OWN}"]
        (entry,) = owned.store.unpublished()
    (copy,) = decode_outgoing(entry.outgoing).rerouted
    assert (copy.partition, copy.key) == (3, f"C{ELSEWHERE[-1]}".encode())
    assert [(one.position, one.code) for one in told.rejected] == [(2, RejectCode.KEY)]


def test_a_re_routed_message_that_is_misplaced_again_is_rejected(tmp_path: Path) -> None:
    told = Told()
    with partition(tmp_path, told, PARTITIONS) as owned:
        owned.count([report_of(0, ELSEWHERE[-1], [(REROUTED_FROM, b"pv.reports[3]@7")])], 1)
        (entry,) = owned.store.unpublished()
    assert decode_outgoing(entry.outgoing).rerouted == []
    assert [(one.position, one.code) for one in told.rejected] == [(0, RejectCode.PARTITION)]
    assert told.rejected[0].raw == raw(ELSEWHERE[-1])


def test_a_re_routed_message_counts_where_its_case_is(tmp_path: Path) -> None:
    told = Told()
    with partition(tmp_path, told, PARTITIONS) as owned:
        owned.count([report_of(0, OWN, [(REROUTED_FROM, b"pv.reports[3]@7")])], 1)
        assert owned.tally == {"first": 1, "rejected": 0}
    assert told.rejected == []


def test_a_report_that_is_too_large_is_rejected_alone_among_re_routed_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limits, "RECORD_BYTES", 3_000)
    told = Told()
    with partition(tmp_path, told, PARTITIONS) as owned:
        owned.count([report_of(0, ELSEWHERE[-1]), report_of(1, OWN)], 2)
        outbox = [decode_outgoing(each.outgoing) for each in owned.store.unpublished()]
    assert [(one.position, one.code) for one in told.rejected] == [(1, RejectCode.TOO_LONG)]
    assert [copy.origin for each in outbox for copy in each.rerouted] == ["pv.reports[0]@0"]
