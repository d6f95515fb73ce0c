"""Cleaning of text and parsing of numbers from source files."""

import pytest

from streams.intake.text import clean, decode_line, parse_decimal


@pytest.mark.parametrize(
    ("text", "limit", "cleaned"),
    [
        ("a\tb\x00c\x9f", 9, "a bc"),
        ("\x01 ", 9, None),
        ("\u202ea\u200bb\u3164", 9, "ab"),
        ("\u202e", 9, None),
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


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("naïve".encode(), "naïve"),
        ("naïve".encode("cp1252"), "naïve"),
        (b"ends within a character \xc3", "ends within a character Ã"),
        (b"\x81\x80", "\ufffd€"),  # the first is of neither encoding
        (b"", ""),
    ],
)
def test_a_line_is_utf8_or_cp1252(raw: bytes, text: str) -> None:
    assert decode_line(raw) == text
