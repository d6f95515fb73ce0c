"""Numbers and days of tables: read back, they are the numbers that went in."""

import math

from hypothesis import given
from hypothesis import strategies as st

from streams.console.frame.formats import count, logarithm, three_digits


def _read(text: str) -> float:
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


@given(st.integers(-(10**15), 10**15))
def test_counts_are_exact(n: int) -> None:
    assert _read(count(n)) == n


@given(st.floats(-1e14, 1e14).filter(lambda value: value == 0 or abs(value) > 1e-9))
def test_three_digits_are_right(value: float) -> None:
    text = three_digits(value)
    assert "e" not in text
    assert math.isclose(_read(text), value, rel_tol=0.005001)
    digits = text.replace(",", "").replace(".", "").lstrip("\N{MINUS SIGN}0").rstrip("0")
    assert len(digits) <= 3


def test_what_is_not_finite_has_a_sign() -> None:
    assert three_digits(math.inf) == "∞"
    assert three_digits(-math.inf) == "\N{MINUS SIGN}∞"


@given(st.floats(-1e6, 1e6))
def test_logarithms_have_two_decimals_and_no_minus_zero(value: float) -> None:
    text = logarithm(value)
    assert abs(_read(text) - value) <= 0.005000001
    assert text != "\N{MINUS SIGN}0.00"
    assert len(text.partition(".")[2]) == 2
