"""Widths of texts, beside those of the vendored face."""

from importlib.resources import as_file, files

import pytest
from fontTools.ttLib import TTFont

from streams.figures.drawing.text_width import shortened, text_width


@pytest.mark.parametrize("face", ["Inter-Regular.ttf", "Inter-Semibold.ttf"])
def test_no_text_is_wider_than_estimated(face: str) -> None:
    with as_file(files("streams.figures").joinpath("fonts", face)) as path:
        font = TTFont(path)
        glyphs, widths, unit = font.getBestCmap(), font["hmtx"], font["head"].unitsPerEm
        for words in ("Intussusception with RV", "0123456789", "4.44 [−3.46, 5.16]", "Żółć Ωµ"):
            real = 12 * sum(widths[glyphs[ord(each)]][0] for each in words) / unit
            assert real <= text_width(words) <= 1.12 * real, words


def test_ideographs_are_as_wide_as_high() -> None:
    assert text_width("症例数", 10) == 30
    assert text_width("ｶﾞ", 10) < 20  # half-width


def test_combining_marks_have_no_width() -> None:
    assert text_width("e\u0301") == text_width("e")


@pytest.mark.parametrize("room", [0, 5, 12, 40, 80, 1000])
def test_a_shortened_text_fits(room: float) -> None:
    for words in ("", "RV", "Mental retardation severity unspecified", "不均衡報告シグナル"):
        short = shortened(words, room)
        assert text_width(short) <= room
        assert short == words or short == "" or short.endswith("…")


def test_a_text_that_fits_stays() -> None:
    assert shortened("RV", text_width("RV")) == "RV"
