"""Files of pictures: their styles inside, with literal colours."""

import re
from functools import partial

import pytest

from streams.figures.standalone import THEMES, standalone
from streams.figures.trend import trend
from tests.support.picture_facts import TREND
from tests.support.pictures import elements, root_of

SHEETS = {"light": "#ffffff", "dark": "#1b1c1f", "print": "#ffffff"}
INKS = {"light": "#1c1b19", "dark": "#eceae5", "print": "#000000"}


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_is_its_colours(theme: str) -> None:
    (style,) = elements(standalone(trend(TREND), theme), "style")
    rules = style.text or ""
    assert f".fig .ground {{ fill: {SHEETS[theme]}; }}" in rules
    assert f".fig text {{ fill: {INKS[theme]}; }}" in rules
    assert "var(" not in rules


def test_every_class_that_is_drawn_has_a_rule() -> None:
    svg = standalone(trend(TREND))
    (style,) = elements(svg, "style")
    ruled = set(re.findall(r"\.([a-z][a-z0-9]*)", style.text or ""))
    used = {
        cls
        for each in root_of(svg).iter()
        for cls in each.get("class", "").split()
        if each.tag.rpartition("}")[2] not in ("svg",)
    }
    # `on` and `k` are the usual ink, `valid` and `reported` are patterns.
    assert used - ruled <= {"on", "k", "valid", "reported"}


def test_another_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of light, dark, print; got 'sepia'"):
        standalone(trend(TREND), "sepia")


def test_a_halo_is_drawn_below_its_text() -> None:
    page, file = trend(TREND), standalone(trend(TREND))
    haloed = [each.text for each in elements(page, "text", "halo")]
    assert haloed
    texts = elements(file, "text")
    for words in haloed:
        below, above = [each for each in texts if each.text == words][:2]
        assert "halo" in below.get("class", "")
        assert "halo" not in above.get("class", "")


def test_japanese_texts_have_their_face() -> None:
    draw = partial(trend, TREND, language="ja")
    marked = {each.text for each in elements(standalone(draw()), "text", "ja")}
    assert "受領日別の症例" in marked
    assert "r1" not in marked
