"""Printed numbers: rounded, and on their own side of every threshold."""

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.alert import Window, WindowKind
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.numbers import (
    days,
    expected_cases,
    in_window,
    logarithm,
    month_and_year,
    percent,
    rate,
    ratio,
)

ENGLISH, JAPANESE = catalogue(Language.ENGLISH), catalogue(Language.JAPANESE)
LIMITS = st.lists(st.sampled_from([0.84, 1.0, 1.68, 2.0, 2.71, 4.0]), max_size=3)
VALUES = st.floats(0.001, 999_000)


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)


@given(VALUES, LIMITS)
@example(1.67999999, [1.68])
@example(2.7096, [2.71])
@example(0.8400000001, [0.84])
@example(999.6, [])
@example(9.996, [])
def test_a_ratio_is_near_its_value_and_on_its_side(value: float, limits: list[float]) -> None:
    text = ratio(value, ENGLISH, limits)
    printed = float(text.replace(",", ""))
    assert abs(printed - value) <= 0.005001 * value
    assert [_side(printed, limit) for limit in limits] == [_side(value, limit) for limit in limits]
    assert "e" not in text
    digits = text.replace(",", "").replace(".", "").lstrip("0")
    if not limits and value < 999:
        assert len(digits) == 3, "three significant digits, zeros kept"


@given(st.floats(-12, 12), st.sampled_from([(0.0,), (0.0, -0.25), ()]))
@example(-0.2500001, (0.0, -0.25))
@example(-0.0001, (0.0,))
@example(-0.0001, ())
def test_a_logarithm_has_two_decimals_or_more(value: float, limits: tuple[float, ...]) -> None:
    text = logarithm(value, limits)
    assert [_side(float(text), limit) for limit in limits] == [
        _side(value, limit) for limit in limits
    ] or abs(value) < 1e-15
    assert not text.startswith("-0.00") or float(text) != 0
    assert len(text.partition(".")[2]) >= 2


@given(st.floats(0, 5_000), st.integers(0, 5_000))
@example(25.951, 26)
@example(2.999, 3)
@example(9.96, 10)
def test_an_expected_number_never_prints_as_the_observed_one(expected: float, n: int) -> None:
    text = expected_cases(expected, n, ENGLISH)
    if text.startswith("fewer"):
        assert expected < 0.01
    elif abs(expected - n) > 1e-9:
        assert _side(float(text.replace(",", "")), n) == _side(expected, n)


def test_expected_numbers_have_two_digits_below_ten_and_are_whole_above() -> None:
    values = (0.0101, 0.5949, 1.0, 4.97, 9.949, 10.4, 217.6, 1234.4)
    found = [expected_cases(value, 0, ENGLISH) for value in values]
    assert found == ["0.010", "0.59", "1.0", "5.0", "9.9", "10", "218", "1,234"]


def test_rates_are_bounded() -> None:
    found = [rate(value, ENGLISH, (0.05, 0.2)) for value in (0.0, 0.0009, 0.0012, 0.05001, 1.7)]
    assert found == ["below 0.001", "below 0.001", "0.0012", "0.05001", "above 1"]
    assert rate(0.0, JAPANESE) == "0.001未満"
    assert rate(0.0004, ENGLISH, (0.0005,)) == "0.00040"  # a rule asks for less than 0.001


def test_large_and_small_ratios_are_bounded() -> None:
    found = [ratio(value, ENGLISH) for value in (0.0, 0.0001, 999_999.0, 3e12, 96_000.4, 2_117)]
    assert found == ["0", "below 0.001", "1,000,000", "above 1,000,000", "96,000", "2,120"]


def test_windows_are_named_in_words() -> None:
    month = Window(
        kind=WindowKind.MONTH,
        label="1990-07",
        first_day=date(1990, 7, 1),
        last_day=date(1990, 7, 31),
    )
    quarter = month.model_copy(update={"kind": WindowKind.QUARTER, "label": "1990-Q3"})
    sliding = month.model_copy(
        update={"kind": WindowKind.SLIDING, "first_day": date(1989, 8, 1), "label": "sliding-365d"}
    )
    every = month.model_copy(update={"kind": WindowKind.CUMULATIVE, "first_day": None})
    assert [in_window(each, ENGLISH) for each in (month, quarter, sliding, every)] == [
        "In July 1990, ",
        "In July to September 1990, ",
        "In the 365 days to 1990-07-31, ",
        "",
    ]
    assert [in_window(each, JAPANESE) for each in (month, quarter)] == [
        "1990年7月：",
        "1990年7月～9月：",
    ]


def test_days_months_and_percentages() -> None:
    first, last = date(2019, 10, 7), date(2019, 10, 9)
    assert days(first, last, ENGLISH) == "2019-10-07 to 2019-10-09"
    assert [days(first, first, ENGLISH), days(None, last, ENGLISH), days(None, None, ENGLISH)] == [
        "2019-10-07",
        "2019-10-09",
        "",
    ]
    assert month_and_year(first, ENGLISH) == "October 2019"
    assert [percent(3, 8), percent(25, 201), percent(0, 5)] == ["38%", "12.4%", "0%"]
