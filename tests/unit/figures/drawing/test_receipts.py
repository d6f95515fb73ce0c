"""The lane of cases by day of receipt."""

from datetime import date, timedelta

import pytest

from streams.figures.drawing.receipts import ReceivedCases, receipts_in_words, received_cases
from streams.figures.drawing.scales import DayScale
from streams.figures.drawing.texts import figure_texts

DAY = date(2024, 1, 1)
X = DayScale(DAY, DAY + timedelta(days=99), 0, 990)
EN = figure_texts("en")


def drawn(received: list[ReceivedCases]) -> str:
    return "".join(received_cases(received, X, 50, EN, name="p", signed_off=None))


@pytest.mark.parametrize(("n", "boxes"), [(1, 1), (2, 2), (3, 0)])
def test_few_cases_of_a_day_are_boxes(n: int, boxes: int) -> None:
    assert drawn([ReceivedCases(DAY, n)]).count('class="st ') == boxes


def test_many_days_that_overlap_are_bars() -> None:
    narrow = DayScale(DAY, DAY + timedelta(days=99), 0, 99)
    days = [ReceivedCases(DAY + timedelta(days=day), 1) for day in range(60)]
    svg = "".join(received_cases(days, narrow, 50, EN, name="p", signed_off=None))
    assert svg.count('class="barfill"') == 2  # January and February
    assert "at most 31" in svg
    assert drawn(days).count('class="st ') == 60


def test_cases_of_other_days_and_none_are_left_out() -> None:
    other = [ReceivedCases(DAY - timedelta(days=1), 1), ReceivedCases(DAY, 0)]
    assert 'class="st ' not in drawn(other)


def test_numbers_in_words() -> None:
    assert list(receipts_in_words([ReceivedCases(DAY, 2)], EN)) == [
        "Received 2024-01-01: 2 cases, not stated"
    ]
