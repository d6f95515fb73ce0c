"""Dates of the sources; a partial or impossible date is unknown."""

from datetime import date

import pytest

from streams.intake.dates import (
    DateRange,
    as_stated,
    date_range,
    last_day_of_quarter,
    parse_compact_date,
    parse_us_date,
    stated_day,
)


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


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("20200229", (date(2020, 2, 29), date(2020, 2, 29))),
        (" 202002 ", (date(2020, 2, 1), date(2020, 2, 29))),
        ("2020", (date(2020, 1, 1), date(2020, 12, 31))),
        ("202013", None),
        ("0020", None),
        ("20200230", None),
        ("20200", None),
        ("", None),
    ],
)
def test_a_date_states_a_day_a_month_or_a_year(text: str, stated: DateRange | None) -> None:
    assert date_range(text) == stated
    assert stated_day(stated) == parse_compact_date(text)


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("20031101", "200311"),
        (" 20030101", "2003"),
        ("20030102", "20030102"),
        ("20031111", "20031111"),
        ("200301", "200301"),
        ("2001", "2001"),
        ("", ""),
    ],
)
def test_a_completed_date_states_a_month_or_a_year(text: str, stated: str) -> None:
    assert as_stated(text) == stated
