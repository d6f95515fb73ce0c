"""A partition of the case stage: a report whose change is too large is set aside alone."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from schemas.errors import RejectCode
from schemas.rejected import Rejected
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.observer import Observer
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore
from streams.runtime.state.changelog import Progress
from streams.runtime.wire import limits
from streams.runtime.wire.batches import Batch
from streams.runtime.workers.case_partition import CasePartition
from tests.support.work import raw

AT = TopicPartition("pv.reports", 0)


class Told(Observer):
    def __init__(self) -> None:
        self.rejected: list[Rejected] = []

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        self.rejected += rejected


def test_a_change_that_fits_in_no_record_is_too_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limits, "RECORD_BYTES", 3_000)
    told = Told()
    unused: Any = None
    publisher: Any = SimpleNamespace(busy=True, settled=lambda: False)  # the outbox waits
    with RocksStore(tmp_path / "0", "pv.reports[0] of 1") as store:
        partition = CasePartition(
            Settings(),
            unused,
            unused,
            AT,
            1,
            store,
            publisher,
            Progress(),
            next_offset=0,
            published=0,
            rejected=frozenset(),
            observer=told,
        )
        records = [
            SimpleNamespace(offset=offset, value=value, key=key, headers=(), timestamp=-1)
            for offset, (key, value) in enumerate([(b"C1", raw(1)), (b"", b"{"), (b"C2", raw(2))])
        ]
        partition.count(records, 3)
    codes = {one.position: one.code for one in told.rejected}
    assert codes == {0: RejectCode.TOO_LONG, 1: RejectCode.NOT_JSON, 2: RejectCode.TOO_LONG}
    assert told.rejected[0].reason.startswith("report: the change of a case must fit in 3000 byt")
