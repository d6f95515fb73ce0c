"""Snapshots beside the work: of one moment, one at a time, and no reason to stop counting."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.rules import load_rules
from schemas.delta import Delta
from schemas.errors import StateError
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.observability.observer import Observer
from streams.runtime.state.snapshot import read_snapshot
from streams.runtime.workers import snapshot_writer
from streams.runtime.workers.snapshot_writer import SnapshotWriter
from tests.support.deltas import case_change, make_delta
from tests.support.source_file_counts import Counts, tabulate

TOPIC = "pv.deltas"
Case = tuple[date, list[str], list[str]]


def new_detector() -> Detector:
    return Detector([WindowSpec.parse("cumulative"), WindowSpec.parse("month")], load_rules("mhra"))


def deltas(number: int, seed: int) -> Iterator[tuple[Delta, dict[str, Case]]]:
    """Yield deltas of cases that enter, change and leave; and what holds after each."""
    chance = random.Random(seed)
    current: dict[str, Case] = {}
    for start in range(number):
        rows: list[dict[str, Any]] = []

        def row(case_id: str, case: Case, n: int) -> None:
            day, drugs, events = case
            change = case_change(case_id, day=day, drugs=drugs, events=events, n=n)
            rows.append(change)  # noqa: B023 - called within the turn

        for _ in range(20):
            # New names come all the time, as does a change of an old case.
            known = chance.random() < 0.3 and bool(current)
            case_id = chance.choice(list(current)) if known else f"C{chance.randrange(10**9)}"
            if case_id in current:
                row(case_id, current.pop(case_id), -1)
                if chance.random() < 0.3:
                    continue
            day = date(2024, 1, 1) + timedelta(days=chance.randrange(60))
            drugs = [f"drug {chance.randrange(5 + start)}"]
            current[case_id] = (day, drugs, [f"event {chance.randrange(5 + start)}"])
            row(case_id, current[case_id], 1)
        delta = make_delta(start, rows, next_offset=start + 1, watermark=19_800)
        yield delta, dict(current)


def recounted(cases: dict[str, Case]) -> Counts:
    return tabulate((set(drugs), set(events)) for _, drugs, events in cases.values())


def counted(detector: Detector) -> Counts:
    frame = detector.all_counts().filter(pl.col("window") == "cumulative")
    columns = ("drug", "event", "n_observed", "n_drug", "n_event", "n_total")
    return {
        (drug, event): (a, b, c, d) for drug, event, a, b, c, d in frame.select(columns).iter_rows()
    }


class Told(Observer):
    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def snapshot_finished(self, outcome: str, seconds: float) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.outcomes[outcome] += 1


class Gate:
    """Writing waits here until it may go on, or ends here as a killed process does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.reached = threading.Event(), threading.Event()
        self.raises: BaseException | None = None
        self.passed = 0
        write = snapshot_writer.write_frozen

        def gated(*arguments: Any, **options: Any) -> None:
            self.reached.set()
            assert self.opened.wait(20)
            if self.raises is not None:
                raise self.raises
            self.passed += 1
            write(*arguments, **options)

        monkeypatch.setattr(snapshot_writer, "write_frozen", gated)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.opened.set()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def writer(tmp_path: Path, told: Told) -> SnapshotWriter:
    return SnapshotWriter(tmp_path / "detect", TOPIC, told)


def ended(writer: SnapshotWriter) -> None:
    deadline = time.monotonic() + 20
    while writer.busy:
        assert time.monotonic() < deadline
        writer.collect()
        time.sleep(0.005)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_snapshot_taken_while_counting_goes_on_is_of_its_moment(
    writer: SnapshotWriter, gate: Gate, told: Told, tmp_path: Path, seed: int
) -> None:
    detector, taken_at = new_detector(), 40
    for number, (delta, current) in enumerate(deltas(120, seed), 1):
        detector.apply(delta)
        if number == taken_at:
            writer.begin(detector, number)
            gate.reached.wait(20)
            then, offsets, names = current, dict(detector.offsets), len(detector.codes.drugs)
            frame = detector.all_counts()
    # Sixty more batches, merges of the log and new names lie between the taking and the writing.
    assert len(detector.codes.drugs) > names
    gate.opened.set()
    ended(writer)
    assert told.outcomes == {"written": 1}
    restored = new_detector()
    assert read_snapshot(tmp_path / "detect", restored, topic=TOPIC) == taken_at
    assert counted(restored) == recounted(then)
    assert_frame_equal(restored.all_counts(), frame)
    assert (restored.offsets, len(restored.codes.drugs)) == (offsets, names)
    # And it goes on from there as if nothing had been.
    for delta, current in list(deltas(120, seed))[taken_at:]:
        assert restored.apply(delta)
        last = current
    assert counted(restored) == counted(detector) == recounted(last)
    assert_frame_equal(restored.all_counts(), detector.all_counts())


def test_a_crash_in_the_middle_leaves_the_one_before(
    writer: SnapshotWriter, gate: Gate, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.opened.set()
    detector = new_detector()
    stream = deltas(20, 4)
    number = 10
    for delta, current in islice(stream, number):
        detector.apply(delta)
        then = current
    writer.begin(detector, number)
    ended(writer)
    detector.apply(next(stream)[0])

    class Killed(BaseException):
        pass

    def cut(self: pl.DataFrame, file: Path) -> None:
        file.write_bytes(b"PAR1")
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(pl.DataFrame, "write_parquet", cut)
        writer.begin(detector, number + 1)
        with pytest.raises(Killed):
            ended(writer)
    assert (tmp_path / "detect.new").exists(), "it broke off while it wrote"
    restored = new_detector()
    assert read_snapshot(tmp_path / "detect", restored, topic=TOPIC) == number
    assert counted(restored) == recounted(then)


def test_one_is_written_at_a_time(
    writer: SnapshotWriter, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    detector = new_detector()
    writer.begin(detector, 1)
    with caplog.at_level(logging.WARNING, "streams"):
        writer.begin(detector, 2)
    (record,) = caplog.records
    assert record.getMessage() == "the previous snapshot is still being written"
    assert vars(record)["path"] == str(writer._folder)
    gate.opened.set()
    ended(writer)
    assert gate.passed == 1
    assert read_snapshot(writer._folder, new_detector(), topic=TOPIC) == 1
    writer.begin(detector, 3)
    ended(writer)
    assert read_snapshot(writer._folder, new_detector(), topic=TOPIC) == 3


def test_failures_are_told_and_end_the_detector_only_if_they_persist(
    writer: SnapshotWriter, gate: Gate, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    gate.opened.set()
    detector = new_detector()
    full = OSError(28, "No space left on device")
    for raises in (full, full, None, full, full):
        gate.raises = raises
        writer.begin(detector, 7)
        ended(writer)
    assert told.outcomes == {"failed": 4, "written": 1}
    assert read_snapshot(writer._folder, new_detector(), topic=TOPIC) == 7
    writer.begin(detector, 8)
    with pytest.raises(
        StateError, match=r"3 in a row failed, the last: .*No space left.*Make room"
    ):
        ended(writer)
    errors = [
        vars(record)["error"]
        for record in caplog.records
        if record.getMessage() == "snapshot not written"
    ]
    assert errors == ["[Errno 28] No space left on device"] * 5


def test_closing_waits_for_the_one_under_way_and_writes_the_last(
    writer: SnapshotWriter, gate: Gate, told: Told
) -> None:
    detector = new_detector()
    detector.apply(next(deltas(1, 5))[0])
    writer.begin(detector, 1)
    threading.Timer(0.2, gate.opened.set).start()
    writer.finish(detector, 2)
    assert not writer.busy
    assert told.outcomes == {"written": 2}
    assert read_snapshot(writer._folder, new_detector(), topic=TOPIC) == 2
    # On a standby, or after a failed batch, there is nothing to write.
    writer.finish(None, 3)
    writer.finish(detector, None)
    assert told.outcomes == {"written": 2}


def test_a_last_one_that_fails_does_not_keep_the_detector_from_closing(
    writer: SnapshotWriter, gate: Gate, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    gate.opened.set()
    gate.raises = OSError(28, "No space left on device")
    for _ in range(3):
        writer.finish(new_detector(), 1)
    assert told.outcomes == {"failed": 3}
    assert "3 in a row failed" in vars(caplog.records[-1])["error"]
