"""Axes: labels that fit."""

from datetime import date, timedelta

import pytest

from streams.figures.drawing.axes import day_axis, day_labels, even_top, value_grid, value_rows
from streams.figures.drawing.scales import DayScale, LinearScale
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import figure_texts

EN = figure_texts("en")


@pytest.mark.parametrize("days", [0, 1, 6, 20, 69, 71, 200, 900, 4000, 12_000, 60_000])
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", [120, 300, 900])
def test_labels_of_days_never_overlap(days: int, language: str, width: int) -> None:
    first = date(1850, 11, 20)
    scale = DayScale(first, first + timedelta(days=days), 40, 40 + width)
    labels = day_labels(scale, figure_texts(language), reach=20)
    assert labels
    ends = [scale(day) + 3 + text_width(label) for day, label in labels]
    starts = [scale(day) + 3 for day, _ in labels]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    assert ends[-1] <= scale.end + 20


def test_the_first_label_of_a_year_names_it() -> None:
    scale = DayScale(date(1998, 10, 1), date(1999, 6, 15), 0, 800)
    labels = [label for _, label in day_labels(scale, EN, reach=60)]
    assert labels == ["Oct 1998", "Nov", "Dec", "Jan 1999", "Feb", "Mar", "Apr", "May", "Jun"]


def test_a_few_days_are_labelled_as_days() -> None:
    scale = DayScale(date(2024, 2, 28), date(2024, 3, 1), 0, 300)
    assert [label for _, label in day_labels(scale, EN, reach=60)] == [
        "28 Feb 2024",
        "29 Feb",
        "1 Mar",
    ]


def test_no_label_is_better_than_one_that_is_cut() -> None:
    scale = DayScale(date(2024, 2, 3), date(2024, 2, 3), 0, 30)
    assert list(day_axis(scale, 10, EN, reach=0)) == []


def test_the_line_at_zero_is_heavier() -> None:
    scale = LinearScale(-2, 2, 0, 80)
    rows = "".join(value_rows(scale, (-2, 0, 2), 0, 100, EN))
    columns = "".join(value_grid(scale, (-2, 0, 2), 0, 100, lambda value: f"<{value}>"))
    assert (rows.count('class="zero"'), rows.count('class="g"')) == (1, 2)
    assert (columns.count('class="zero"'), columns.count("&lt;0&gt;")) == (1, 1)


@pytest.mark.parametrize(
    ("values", "top"), [([], 6), ([6.0], 6), ([6.01, None], 8), ([float("inf"), 9.5], 10)]
)
def test_an_even_end_holds_all_values(values: list[float | None], top: float) -> None:
    assert even_top(values) == top
