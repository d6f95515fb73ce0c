"""Cleaning of text and parsing of numbers from source files."""

import pytest

from streams.intake.text import clean, parse_decimal


@pytest.mark.parametrize(
    ("text", "limit", "cleaned"),
    [
        ("a\tb\x00c\x9f", 9, "a bc"),
        ("\x01 ", 9, None),
        ("ab cd", 3, "ab"),
        ("é\u00a0ü", 9, "é\u00a0ü"),
    ],
)
def test_text_is_cleaned_and_truncated(text: str, limit: int, cleaned: str | None) -> None:
    assert clean(text, limit) == cleaned


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (" 12.50 ", 12.5),
        ("3.", 3.0),
        (".5", 0.5),
        ("999999999", 999_999_999.0),
        ("1000000000", None),  # ten digits: no age, weight or dose is so large
        ("-1", None),
        ("1e3", None),
        ("1,5", None),
        ("nan", None),
        ("٣", None),
        (".", None),
        ("", None),
    ],
)
def test_a_plain_number_is_read_and_anything_else_is_unknown(
    text: str, number: float | None
) -> None:
    assert parse_decimal(text) == number
