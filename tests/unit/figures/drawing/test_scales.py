"""Scales of values and days."""

from datetime import date
from itertools import pairwise
from math import inf

import pytest

from streams.figures.drawing.scales import DayScale, LinearScale, month_starts, nice_ticks


@pytest.mark.parametrize(
    ("value", "place"), [(-2, 10), (0, 30), (6, 90), (-9, 10), (inf, 90), (-inf, 10)]
)
def test_what_is_beyond_a_scale_is_at_its_end(value: float, place: float) -> None:
    assert LinearScale(-2, 6, 10, 90)(value) == place


def test_a_scale_without_extent_is_its_middle() -> None:
    assert LinearScale(3, 3, 0, 80)(3) == 40


def test_a_scale_knows_what_it_holds() -> None:
    scale = LinearScale(-2, 6, 0, 80)
    assert [scale.holds(value) for value in (-2, 6, 6.1, -inf)] == [True, True, False, False]
    days = DayScale(date(2024, 1, 1), date(2024, 1, 3), 0, 80)
    assert [days.holds(date(2024, 1, day)) for day in (1, 3, 4)] == [True, True, False]


def test_days_are_placed_by_their_distance() -> None:
    days = DayScale(date(2024, 2, 28), date(2024, 3, 1), 0, 80)
    assert [days(date(2024, 2, 28)), days(date(2024, 2, 29)), days(date(2024, 3, 1))] == [0, 40, 80]
    one = DayScale(date(2024, 1, 1), date(2024, 1, 1), 0, 80)
    assert one(date(2024, 1, 1)) == 0


def test_months_at_the_end_of_time() -> None:
    assert list(month_starts(date(9999, 11, 2), date.max)) == [date(9999, 12, 1)]
    assert list(month_starts(date(2024, 1, 2), date(2024, 1, 31))) == []


@pytest.mark.parametrize("high", [0, 1, 2, 3, 7, 12, 99, 100, 101, 3_456_789])
def test_ticks_hold_the_highest_and_are_few(high: int) -> None:
    ticks = nice_ticks(high)
    assert ticks[0] == 0
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 6
    assert len({b - a for a, b in pairwise(ticks)}) == 1
