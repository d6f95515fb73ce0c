"""Dates, ages and weights of ICH E2B; one that cannot be read is unknown."""

from datetime import date

import pytest

from streams.intake.e2b.values import age_in_years, moment, stated, stated_range


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20240105", date(2024, 1, 5)),
        (" 202401051012 ", date(2024, 1, 5)),
        ("20240105235959.1234+1400", date(2024, 1, 5)),
        ("20240105000000-11", date(2024, 1, 5)),
        ("20240105101500Z", date(2024, 1, 5)),
        *((text, None) for text in ("", "202401", "2024", "20240230", "18991231", "2024-01-05")),
        *((text, None) for text in ("20240105+", "20240105+9", "2" * 99, "２０２４０１０５")),
    ],
)
def test_a_day_is_the_senders_own(text: str, day: date | None) -> None:
    assert stated(text) == day


def test_a_month_and_a_year_are_ranges() -> None:
    assert stated_range("202402") == (date(2024, 2, 1), date(2024, 2, 29))
    assert stated_range("2024") == (date(2024, 1, 1), date(2024, 12, 31))


def test_times_are_ordered_in_utc() -> None:
    times = ["20240105", "20240105235959+1400", "20240105101500+0000", "20240105101500-0100"]
    assert sorted(times, key=moment) == times
    assert moment("20241399000000+0100") == "20241399000000"


@pytest.mark.parametrize(
    ("number", "unit", "years"),
    [
        *(("2", unit, 2.0) for unit in ("a", "801")),
        *(("6", unit, 0.5) for unit in ("mo", "802")),
        *(("5", unit, 50.0) for unit in ("10.a", "{decade}", "800")),
        *(("0", unit, 0.0) for unit in ("d", "wk", "h", "803", "804", "805")),
        *(("151", "a", None), ("x", "a", None), ("-1", "a", None), ("1", "", None)),
    ],
)
def test_an_age_has_a_unit(number: str, unit: str, years: float | None) -> None:
    assert age_in_years(number, unit) == years


def test_smaller_units_are_parts_of_a_year() -> None:
    assert age_in_years("52", "wk") == pytest.approx(1, rel=0.01)
    assert age_in_years("365", "d") == pytest.approx(1, rel=0.01)
    assert age_in_years("8766", "h") == pytest.approx(1, rel=1e-12)
