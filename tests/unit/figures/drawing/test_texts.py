"""Numbers, days and texts of both languages."""

from datetime import date
from math import inf, nan

import pytest

from streams.figures.drawing.texts import figure_texts

EN, JA = figure_texts("en"), figure_texts("ja")
DAY = date(1999, 6, 15)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "undefined"),
        (nan, "undefined"),
        (inf, "unbounded"),
        (0, "0"),
        (0.030879, "0.0309"),
        (0.9996, "1.00"),
        (9.996, "10.0"),
        (1416.2, "1,420"),
        (2_500_000, "2,500,000"),
        (-2.5, "−2.50"),
        (3e20, "10²⁰"),
    ],
)
def test_significant_digits(value: float | None, shown: str) -> None:
    assert EN.significant(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(4.437, "4.44"), (-0.001, "0.00"), (-0.25, "−0.25"), (None, "undefined")]
)
def test_decimals(value: float | None, shown: str) -> None:
    assert EN.decimal(value) == shown


def test_powers() -> None:
    assert (EN.power(-12), EN.power_of_two(-1), EN.power_of_two(4)) == ("10⁻¹²", "0.5", "16")


def test_days_and_months() -> None:
    assert (EN.day(DAY), EN.full_day(DAY)) == ("15 Jun", "15 Jun 1999")
    assert (JA.day(DAY), JA.full_day(DAY)) == ("6月15日", "1999年6月15日")
    assert (EN.month(DAY), EN.month(DAY, year=True), EN.year(DAY)) == ("Jun", "Jun 1999", "1999")
    assert (JA.month(DAY), JA.month(DAY, year=True), JA.year(DAY)) == (
        "6月",
        "1999年6月",
        "1999年",
    )
    assert (EN.weekday(DAY), JA.weekday(DAY)) == ("Tue", "火")


def test_counts_have_their_form() -> None:
    assert [EN.count("cases", n) for n in (0, 1, 1234)] == ["0 cases", "1 case", "1,234 cases"]
    assert JA.count("cases", 1234) == "1,234例"


def test_an_unknown_text_or_language_is_a_defect() -> None:
    with pytest.raises(KeyError):
        EN.text("trend.nothing")
    with pytest.raises(FileNotFoundError):
        figure_texts("de")
    assert EN.find("trend.nothing") is None
