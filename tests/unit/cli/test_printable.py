"""Text of others is escaped before it is printed."""

import pytest

from streams.cli.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2021VAERSDATA.csv é 日本 'x'", "2021VAERSDATA.csv é 日本 'x'"),
        ("\x1b[31m\x07\x9b\n\r", r"\x1b[31m\x07\u009b\n\r"),
        ("\u202etxt.exe\udcff", r"\u202etxt.exe\udcff"),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
