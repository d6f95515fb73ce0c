"""Products: lots are compared without what hands add."""

import pytest

from schemas.product import Product, in_other_letters, normalise_lot


@pytest.mark.parametrize(
    ("lot", "normal"),
    [
        (None, None),
        ("", None),
        (" - ", None),
        ("EX-117", "EX117"),
        ("ex 117 ", "EX117"),
        ("ＥＸ－１１７", "EX117"),
        ("ex_117/b", "EX117B"),
        ("ロット7", "ロット7"),
        ("unknown", None),
        ("un\u200bknown", None),
        ("E\x00X\u202e117", "EX117"),
        ("\u3164", None),
        ("N/A", None),
        ("Not available", None),
        ("UNK-1", "UNK1"),
        ("ЕХ-117", "EX117"),  # Cyrillic
        ("ех 117", "EX117"),  # in lower case
        ("ΕΧ117", "EX117"),  # Greek
        ("EX١١٧", "EX117"),  # Arabic-Indic digits
        ("EX۱۱۷", "EX117"),  # of Persian
        ("РОЖ-1", "РОЖ1"),  # Ж has no twin: the lot is Cyrillic
        ("NОΝЕ", None),
    ],
)
def test_lots_are_compared_without_what_hands_add(lot: str | None, normal: str | None) -> None:
    assert normalise_lot(lot) == normal
    assert Product(lot=lot).lot_normalised == normal


@pytest.mark.parametrize(
    ("lot", "other"),
    [
        ("EX117", False),
        ("ＥＸ１１７", False),  # width only
        ("ロット7", False),
        ("РОЖ-1", False),
        ("NОΝЕ", False),
        (None, False),
        ("ЕХ-117", True),
        ("EX١١٧", True),
    ],
)
def test_a_lot_in_letters_that_look_alike_is_known(lot: str | None, other: bool) -> None:
    assert in_other_letters(lot) is other
