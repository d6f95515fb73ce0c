"""Templates and catalogues of the desk: no word that a court could not read, both languages."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

CONSOLE = Path(str(files("streams.console")))
TEMPLATES = sorted(CONSOLE.joinpath("templates").glob("*.j2"))
PAGES = sorted(path.name for path in CONSOLE.joinpath("texts", "en").glob("*.toml"))
BANNED = re.compile(
    r"\b(caused|causes|due to|associated with|risk of|side effect|even more|alarming|unsafe|"
    r"told of|linked to|outbreak)\b|style=|javascript:|onclick|<script(?! type=\"module\" src)",
    re.I,
)
CAVEAT = "It does not show that the product caused the event."


def texts(language: str, page: str) -> dict[str, object]:
    return tomllib.loads(CONSOLE.joinpath("texts", language, page).read_text("utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_banned_word(path: Path) -> None:
    assert not BANNED.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_texts_have_no_banned_word_but_the_caveat(page: str) -> None:
    words = str(texts("en", page)).replace(CAVEAT, "")
    assert not BANNED.findall(words)


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_texts_and_places(page: str) -> None:
    english, japanese = texts("en", page), texts("ja", page)
    assert english.keys() == japanese.keys()
    for name, text in english.items():
        places = [set(re.findall(r"\{(\w+)\}", str(form))) for form in (text, japanese[name])]
        assert places[1] <= places[0], name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_that_a_template_names_is_there(path: Path) -> None:
    known = {f"{page.removesuffix('.toml')}.{name}" for page in PAGES for name in texts("en", page)}
    for name in re.findall(r't\("([\w.]+)"', path.read_text("utf-8")):
        found = name in known or any(each.startswith(name) for each in known)
        assert found, name


def test_the_script_is_under_ten_kilobytes() -> None:
    assert CONSOLE.joinpath("static", "worklist.js").stat().st_size < 10_000
