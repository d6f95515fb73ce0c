"""Characters that nobody sees leave a text."""

import pytest

from schemas.visible_text import visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("zinc oxide", "zinc oxide"),
        ("zinc\u00a0oxide \u03b1", "zinc\u00a0oxide \u03b1"),
        ("zi\x00n\x7fc\x9b", "zinc"),  # controls of both sets
        ("zinc\toxide\x1f\x85", "zinc oxide  "),  # those that separate
        ("zinc\u2028oxide", "zinc oxide"),
        ("\u202ecniz\u202c \u2066a\u2069", "cniz a"),  # overrides and isolates of direction
        ("z\u200bi\u200dn\u2060c\ufeff", "zinc"),  # zero width
        ("zi\u00adnc", "zinc"),  # soft hyphen
        ("\u3164\u115f\u034f", ""),  # fillers
        ("zinc\ufe0f\U000e0100", "zinc"),  # variation selectors
        ("z\U000e0041", "z"),  # tags
        ("zinc\ud800", "zinc"),  # half of a surrogate pair
        ("", ""),
    ],
)
def test_only_what_is_seen_stays(text: str, seen: str) -> None:
    assert visible(text) == seen
