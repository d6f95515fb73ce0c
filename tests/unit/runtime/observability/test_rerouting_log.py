"""The log of re-routed messages: one line a minute, with the number since the line before."""

import logging
from collections import Counter
from typing import Any

import pytest

from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.rerouting_log import ReroutingLog
from streams.runtime.wire.batches import Batch
from streams.runtime.wire.rerouting import Rerouted


def rerouted(*offsets: int) -> CountedBatch:
    copies = [
        Rerouted(1, b"C1", b"{}", [("rerouted-from", f"pv.reports[3]@{each}".encode())], -1)
        for each in offsets
    ]
    unused: Any = None
    return CountedBatch(unused, b"", Counter(), Counter(), copies)


def test_a_minute_has_one_line_with_the_number_since_the_last_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [100.0]
    log = ReroutingLog(clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        for seconds, batch in (
            (0, rerouted()),
            (0, rerouted(5, 6)),
            (59, rerouted(7)),
            (0.5, rerouted(8)),
            (1, rerouted()),
            (0, rerouted(9, 10, 11)),
            (59, rerouted(12)),
        ):
            now[0] += seconds
            log.batch_counted(Batch("pv.reports", 3, 0, 20), batch, [], 0.1)
    names = ("event", "number", "example")
    fields = [tuple(vars(line)[name] for name in names) for line in caplog.records]
    assert fields == [
        ("rerouted", 2, "pv.reports[3]@5"),
        ("rerouted", 5, "pv.reports[3]@9"),
    ]
    assert caplog.messages[0] == (
        "re-routed 2 messages to the partitions of their cases, such as pv.reports[3]@5"
    )
