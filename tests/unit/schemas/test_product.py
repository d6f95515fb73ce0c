"""Products: lots are compared without what hands add."""

import pytest

from schemas.product import Product, normalise_lot


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
    ],
)
def test_lots_are_compared_without_what_hands_add(lot: str | None, normal: str | None) -> None:
    assert normalise_lot(lot) == normal
    assert Product(lot=lot).lot_normalised == normal
