"""SVG elements as text."""

import pytest

from streams.figures.drawing.elements import (
    coordinate,
    fitted_text,
    path_of,
    picture,
    rectangle,
    tag,
    text_at,
)
from streams.figures.drawing.text_width import text_width
from tests.support.pictures import entries_of, root_of


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (-0.0, "0"), (-0.04, "0"), (10.0, "10"), (100.05, "100"), (-2.55, "-2.5")],
)
def test_a_coordinate_has_one_decimal_at_most(value: float, shown: str) -> None:
    assert coordinate(value) == shown


def test_what_others_wrote_is_escaped() -> None:
    hostile = "<script>\"'&\x00\u202e"
    text = text_at(1, 2, hostile, cls='"')
    assert "<script>" not in text
    assert root_of(text).text == "<script>\"'&"
    assert root_of(tag("rect", cls=hostile)).get("class") == "<script>\"'&"


def test_an_attribute_without_a_value_is_left_out() -> None:
    assert tag("rect", fill=None, x=1) == '<rect x="1"/>'


def test_a_negative_size_is_none() -> None:
    assert 'width="0" height="0"' in rectangle(1, 2, -3, -0.1, "st")


def test_a_text_that_is_too_long_is_shortened_with_its_whole_in_a_tooltip() -> None:
    words = "a preferred term that is long"
    root = root_of(fitted_text(0, 0, words, 80))
    assert root[0].text == words
    shown = root[0].tail or ""
    assert shown.endswith("…")
    assert text_width(shown) <= 80
    assert root_of(fitted_text(0, 0, words, 800)).text == words
    assert fitted_text(0, 0, "", 80) == ""


def test_small_text_has_more_room() -> None:
    words = "eleven cases"
    room = text_width(words, 10.5) + 0.1
    assert "…" in fitted_text(0, 0, words, room, "t")
    assert "…" not in fitted_text(0, 0, words, room, "t s")


def test_a_path_may_be_closed() -> None:
    assert path_of([(0, 1), (2, 3)], "g") == '<path d="M0 1 2 3" class="g"/>'
    assert path_of([(0, 1), (2, 3)], "g", closed=True) == '<path d="M0 1 2 3z" class="g"/>'


def test_a_picture_without_a_name_is_hidden_from_screen_readers() -> None:
    hidden = root_of(picture(None, 10, 5, "title", ["one"], []))
    assert hidden.get("aria-hidden") == "true"
    assert not hidden.get("role")
    named = picture("p", 10, 5, "title", ["one: 1", "two: 2\nlines"], [])
    assert root_of(named).get("viewBox") == "0 0 10 5"
    assert entries_of(named) == ["one: 1", "two: 2 lines"]
