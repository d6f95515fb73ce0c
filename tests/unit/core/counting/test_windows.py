"""Windows: how they are asked for, what they are called, and which days they hold."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from schemas.alert import WindowKind
from schemas.errors import InputError
from streams.core.counting.case_log import CaseLog
from streams.core.counting.count_changes import CountChanges
from streams.core.counting.windows import Tally, WindowedCounts, WindowSpec
from tests.support.frames import log_row, make_log

EPOCH = date(1970, 1, 1)


@pytest.mark.parametrize(
    ("text", "kind", "days"),
    [
        ("cumulative", WindowKind.CUMULATIVE, None),
        ("month", WindowKind.MONTH, None),
        ("quarter", WindowKind.QUARTER, None),
        ("sliding:1", WindowKind.SLIDING, 1),
        ("sliding:365", WindowKind.SLIDING, 365),
    ],
)
def test_a_window_is_asked_for_by_name(text: str, kind: WindowKind, days: int | None) -> None:
    assert WindowSpec.parse(text) == WindowSpec(kind, days)


@pytest.mark.parametrize(
    "text",
    [
        *("", "week", "Month", "month:3", "cumulative:1", "sliding", "sliding:", "sliding:0"),
        *("sliding:-7", "sliding:7d", "sliding:1.5", "sliding: 7", "sliding:²", "sliding:9999999"),
        "sliding:" + "9" * 5000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(
        InputError,
        match=r"^window: cumulative, month, quarter or sliding:DAYS must be given; got '",
    ):
        WindowSpec.parse(text)


@pytest.mark.parametrize(
    ("text", "start", "label", "first", "last"),
    [
        ("month", "2024-02-01", "2024-02", "2024-02-01", "2024-02-29"),
        ("month", "2023-02-01", "2023-02", "2023-02-01", "2023-02-28"),
        ("month", "1900-02-01", "1900-02", "1900-02-01", "1900-02-28"),
        ("month", "2000-02-01", "2000-02", "2000-02-01", "2000-02-29"),
        ("month", "2023-12-01", "2023-12", "2023-12-01", "2023-12-31"),
        ("quarter", "2024-01-01", "2024-Q1", "2024-01-01", "2024-03-31"),
        ("quarter", "2024-04-01", "2024-Q2", "2024-04-01", "2024-06-30"),
        ("quarter", "2024-07-01", "2024-Q3", "2024-07-01", "2024-09-30"),
        ("quarter", "2023-10-01", "2023-Q4", "2023-10-01", "2023-12-31"),
    ],
)
def test_a_tumbling_window_has_the_days_of_its_label(
    text: str, start: str, label: str, first: str, last: str
) -> None:
    spec = WindowSpec.parse(text)
    assert spec.label(date.fromisoformat(start)) == label
    window = spec.window(label, date(2030, 1, 1))
    assert (str(window.first_day), str(window.last_day)) == (first, last)
    assert (window.label, window.kind) == (label, spec.kind)


def test_a_cumulative_window_is_open_to_the_past() -> None:
    window = WindowSpec.parse("cumulative").window("cumulative", date(2024, 2, 29))
    assert (window.first_day, window.last_day) == (None, date(2024, 2, 29))


@pytest.mark.parametrize(
    ("days", "today", "first"),
    [
        (1, "2024-03-01", "2024-03-01"),
        (2, "2024-03-01", "2024-02-29"),
        (2, "2023-03-01", "2023-02-28"),
        (366, "2024-12-31", "2024-01-01"),
        (365, "2023-12-31", "2023-01-01"),
    ],
)
def test_a_sliding_window_ends_today_and_holds_that_many_days(
    days: int, today: str, first: str
) -> None:
    spec = WindowSpec.parse(f"sliding:{days}")
    assert spec.label(EPOCH) == f"sliding-{days}d"
    window = spec.window(spec.label(EPOCH), date.fromisoformat(today))
    assert (str(window.first_day), str(window.last_day)) == (first, today)


def _rows(*cases: tuple[int, int], n: int = 1) -> pl.DataFrame:
    """Rows of the log: (seq, day), each one case of drug 0 and event 0."""
    return make_log(log_row(seq, day=day, n=n) for seq, day in cases)


class _Fed:
    """A log and a window, fed alike."""

    def __init__(self, text: str) -> None:
        self.log = CaseLog()
        self.window = WindowedCounts(WindowSpec.parse(text))

    def feed(self, rows: pl.DataFrame) -> set[str]:
        self.log.append(rows)
        return self.window.fold(CountChanges.of(rows))

    def totals(self) -> dict[str, int]:
        return {label: int(t.totals.counts.sum()) for label, t in self.window.tallies.items()}


def test_a_sliding_window_takes_days_in_and_lets_them_go() -> None:
    fed = _Fed("sliding:3")
    assert fed.feed(_rows((0, 10), (1, 11))) == {"sliding-3d"}
    fed.window.advance(11, fed.log)
    assert fed.totals() == {"sliding-3d": 2}
    for today, total in ((12, 2), (13, 1), (14, 0), (100, 0)):
        fed.window.advance(today, fed.log)
        assert fed.totals() == {"sliding-3d": total}


def test_a_late_case_enters_the_sliding_window_that_covers_its_day() -> None:
    fed = _Fed("sliding:3")
    fed.window.advance(12, fed.log)
    assert fed.feed(_rows((0, 10), (1, 9), (2, 13))) == {"sliding-3d"}
    assert fed.totals() == {"sliding-3d": 1}
    fed.window.advance(13, fed.log)
    assert fed.totals() == {"sliding-3d": 1}
    fed.feed(_rows((3, 13), n=-1))
    assert fed.totals() == {"sliding-3d": 0}


def test_a_sliding_window_jumps_over_its_own_length() -> None:
    fed = _Fed("sliding:3")
    fed.feed(_rows((0, 10), (1, 15), (2, 50)))
    for today, total in ((10, 1), (17, 1), (18, 0), (52, 1)):
        fed.window.advance(today, fed.log)
        assert fed.totals() == {"sliding-3d": total}


def test_a_window_never_moves_back() -> None:
    fed = _Fed("sliding:3")
    fed.feed(_rows((0, 10), (1, 13)))
    fed.window.advance(13, fed.log)
    fed.window.advance(10, fed.log)
    assert fed.totals() == {"sliding-3d": 1}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cumulative", {"cumulative": 5}),
        ("month", {"1969-12": 1, "2023-12": 1, "2024-01": 1, "2024-02": 1, "2024-03": 1}),
        ("quarter", {"1969-Q4": 1, "2023-Q4": 1, "2024-Q1": 3}),
    ],
)
def test_each_day_falls_into_its_instance(text: str, labels: dict[str, int]) -> None:
    days = ("1969-12-31", "2023-12-31", "2024-01-01", "2024-02-29", "2024-03-31")
    numbers = [(date.fromisoformat(day) - EPOCH).days for day in days]
    fed = _Fed(text)
    touched = fed.feed(_rows(*enumerate(numbers)))
    assert (fed.totals(), touched) == (labels, set(labels))


def test_an_untouched_instance_is_not_named() -> None:
    fed = _Fed("month")
    fed.feed(_rows((0, 0)))
    assert fed.feed(_rows((1, 40))) == {"1970-02"}
    assert fed.feed(_rows()) == set()


def test_a_table_keeps_the_order_asked_for_and_knows_absent_pairs() -> None:
    tally = Tally()
    tally.fold(CountChanges.of(_rows((0, 0), (1, 0))))
    table = tally.table(np.array([7 << 32 | 1, 0]))
    assert table.rows() == [(7 << 32 | 1, 0, 0, 0, 2), (0, 2, 2, 2, 2)]
    assert tally.table(np.array([0]), np.array([2])).rows() == [(0, 2, 2, 2, 2)]
    assert tally.table(np.empty(0, dtype=np.int64)).height == 0
