"""Coded values have their counterpart; what has none is counted, what is blank is not."""

from collections import Counter

from streams.intake.authorities.codes import Codes

SEXES = {"F": "female", "U": None}


def test_a_value_has_its_counterpart_or_the_default() -> None:
    unmapped: Counter[str] = Counter()
    codes = Codes(unmapped)
    assert [codes.get("sex", value, SEXES, "?") for value in (" F ", "U", "X", "")] == [
        *("female", None, "?", "?"),
    ]
    codes.absent("term")
    assert unmapped == {"sex 'X'": 1, "term ''": 1}
