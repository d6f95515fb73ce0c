"""What holds of every picture: well formed, named, inside its box, the same everywhere."""

import re
from collections.abc import Iterator
from functools import partial
from importlib.resources import files

import pytest

from streams.figures.drawing.texts import figure_texts
from streams.figures.standalone import standalone
from tests.support.picture_facts import (
    EMPTY_PICTURES,
    EXTREME_PICTURES,
    USUAL_PICTURES,
    Draw,
)
from tests.support.pictures import elements, entries_of, extents, root_of

BANNED = re.compile(r"caus(e|ed|es|ing)\b|due to|associated with|risk of|\boccurred\b", re.I)
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def _all() -> Iterator[tuple[str, Draw]]:
    for kind, drawn in (
        ("usual", USUAL_PICTURES),
        ("empty", EMPTY_PICTURES),
        ("extreme", EXTREME_PICTURES),
    ):
        for name, draw in drawn.items():
            for language in ("en", "ja"):
                yield f"{kind} {name} {language}", partial(draw, language=language)
                yield (
                    f"{kind} {name} {language} 680",
                    partial(draw, language=language, width=680),
                )


ALL = dict(_all())


@pytest.mark.parametrize("name", ALL)
def test_it_is_well_formed_and_named(name: str) -> None:
    root = root_of(ALL[name](name="own"))
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "own-title own-desc")
    ids = {each.get("id"): each for each in root.iter() if each.get("id")}
    assert (ids["own-title"].text or "").strip()
    assert (ids["own-desc"].text or "").strip()


@pytest.mark.parametrize("name", ALL)
def test_nothing_in_it_breaks_a_strict_policy(name: str) -> None:
    for each in root_of(ALL[name]()).iter():
        assert not {key for key in each.attrib if key == "style" or key.startswith("on")}
        assert each.tag.rpartition("}")[2] not in ("style", "script", "image", "foreignObject")


@pytest.mark.parametrize("name", ALL)
def test_ids_begin_with_its_name_and_stand_once(name: str) -> None:
    svg = ALL[name](name="first")
    ids = [each.get("id", "") for each in root_of(svg).iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    assert all(each.startswith("first-") for each in ids)
    used = re.findall(r"url\(#([^)]+)\)", svg)
    assert set(used) <= set(ids)


@pytest.mark.parametrize("name", ALL)
def test_no_text_leaves_it(name: str) -> None:
    svg = ALL[name]()
    root = root_of(svg)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    outside = [
        each
        for each in extents(svg)
        if each.left < -1 or each.right > width + 1 or not 6 <= each.baseline <= height
    ]
    assert outside == []


@pytest.mark.parametrize("name", ALL)
def test_it_is_no_wider_than_asked(name: str) -> None:
    width = float(root_of(ALL[name]()).get("width", 0))
    assert width == 680 if name.endswith("680") else width <= 1334


@pytest.mark.parametrize("name", ALL)
def test_the_same_facts_give_the_same_picture(name: str) -> None:
    assert ALL[name]() == ALL[name]()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_page_print_and_file_have_the_same_marks(name: str, theme: str) -> None:
    page = ALL[name]()
    file = standalone(page, theme)
    assert entries_of(file) == entries_of(page)
    for tag in ("rect", "circle", "path", "line"):
        drawn = [each.attrib for each in elements(file, tag) if each.get("class") != "ground"]
        assert drawn == [each.attrib for each in elements(page, tag)]
    assert "var(" not in file


def test_an_empty_picture_says_so() -> None:
    for name, draw in EMPTY_PICTURES.items():
        texts = [each.words for each in extents(draw())]
        empty = {text for key, text in figure_texts("en").templates.items() if "empty" in key}
        said = empty & {*texts, *entries_of(draw())}
        assert said or name == "volcano", name


def test_both_languages_have_the_same_texts() -> None:
    english, japanese = figure_texts("en").templates, figure_texts("ja").templates
    assert {key for key in english if not key.endswith(".one")} == japanese.keys()
    for key, text in japanese.items():
        places = re.findall(r"{(\w+)}", text)
        assert sorted(places) == sorted(re.findall(r"{(\w+)}", english[key])), key


def test_japanese_pictures_are_japanese() -> None:
    for name, draw in USUAL_PICTURES.items():
        if name != "bars":  # its words are given
            title = root_of(draw(language="ja"))[0].text or ""
            assert JAPANESE.search(title), name


def test_no_text_says_that_a_product_caused_an_event() -> None:
    for language in ("en", "ja"):
        text = files("streams.figures").joinpath("texts", f"{language}.toml").read_text("utf-8")
        assert not BANNED.search(text)
        assert "原因" not in text
