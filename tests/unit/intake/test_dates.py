"""Dates of the sources; a partial or impossible date is unknown."""

from datetime import date

import pytest

from streams.intake.dates import last_day_of_quarter, parse_compact_date, parse_us_date


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20200229", date(2020, 2, 29)),
        ("20190229", None),
        ("2019", None),
        ("201902", None),
        ("00190228", None),
        ("２０１９０２２８", None),
    ],
)
def test_compact_dates(text: str, day: date | None) -> None:
    assert parse_compact_date(text) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("7/2/1990", date(1990, 7, 2)),
        (" 07/02/1990 ", date(1990, 7, 2)),
        ("02/07/90", None),
        ("01/01/0093", None),
        ("1990-07-02", None),
    ],
)
def test_us_dates(text: str, day: date | None) -> None:
    assert parse_us_date(text) == day


@pytest.mark.parametrize(
    ("year", "quarter", "last"),
    [
        (2024, 1, date(2024, 3, 31)),
        (2024, 2, date(2024, 6, 30)),
        (2024, 3, date(2024, 9, 30)),
        (2024, 4, date(2024, 12, 31)),
    ],
)
def test_a_quarter_ends_with_its_third_month(year: int, quarter: int, last: date) -> None:
    assert last_day_of_quarter(year, quarter) == last
