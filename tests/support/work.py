"""A case stage and a detector without a broker, for tests of observers."""

import json
from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.rejected import Rejected
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.embedded.case_stage import CaseStage, CountedBatch, Incoming, read_batch
from streams.runtime.observability.observer import Applied
from streams.runtime.observability.readiness import Blocked, Phase, Readiness
from streams.runtime.state.case_store import MemoryStore
from streams.runtime.wire.batches import Batch
from tests.support.reports import make_report

HORIZON = date(2024, 6, 1)


def stuck(partition: int = 3, reason: str = "takeover") -> Readiness:
    """Return what a worker says of which one partition is blocked."""
    return Readiness(Phase.BLOCKED, blocked=(Blocked(partition, reason, 7.0, "no answer"),))


def raw(case: int, day: int = 1, **fields: object) -> bytes:
    """Return a report in JSON; odd cases are of one pair, so that it stands out."""
    odd = case % 2
    report = make_report(
        f"C{case}", day=date(2024, 3, day), drugs=[f"drug {odd}"], events=[f"event {odd}"]
    )
    return report.model_copy(update=fields).model_dump_json().encode()


def watched(case: int, **fields: object) -> bytes:
    """Return a report in JSON whose product is of the domain's vocabulary."""
    report = json.loads(raw(case))
    report["products"] = [{"product_class": "msc-supernatant-exosome", "role": "suspect"}]
    return json.dumps(report | fields).encode()


class Work:
    """A case stage and a detector without a broker."""

    def __init__(self) -> None:
        self.stage = CaseStage(MemoryStore(), partition=3, keep_outbox=False)
        self.detector = Detector([WindowSpec.parse("cumulative")], load_rules(["mhra", "ic"]))
        self.offset = 100
        self.deltas = 17

    def count(
        self, values: Sequence[bytes], *, keys: Sequence[bytes | None] | None = None
    ) -> tuple[Batch, CountedBatch, list[Rejected]]:
        """Count messages that follow those before."""
        first, self.offset = self.offset, self.offset + len(values)
        keyed = zip(values, keys or [None] * len(values), strict=True)
        versions, rejected = read_batch(
            [Incoming(first + place, value, key) for place, (value, key) in enumerate(keyed)],
            source="pv.reports[3]",
            horizon=HORIZON,
        )
        counted = self.stage.count(
            [version for _, version in versions],
            rejected,
            first_offset=first,
            next_offset=self.offset,
        )
        return Batch("pv.reports", 3, first, self.offset), counted, rejected

    def apply(
        self, batch: Batch, counted: CountedBatch, headers: Mapping[str, bytes] | None = None
    ) -> Applied:
        """Apply the delta of a batch."""
        fresh = self.detector.apply(counted.delta)
        self.deltas += 1
        source = Batch("pv.deltas", 0, self.deltas - 1, self.deltas)
        return Applied(batch, source, headers or {}, fresh, 0.25, 0.0)

    def evaluate(self) -> list[Alert]:
        """Return the alerts that are due."""
        return self.detector.evaluate(self.detector.watermark)


def changes(counted: CountedBatch) -> tuple[int, int]:
    """Return how many cases entered and left, counted one by one."""
    signs = counted.delta.changes.get_column("n").cast(pl.Int64).to_list()
    return signs.count(1), signs.count(-1)
