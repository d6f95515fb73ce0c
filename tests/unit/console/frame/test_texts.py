"""The texts of the pages: the same in every language, with the same places."""

import string

import pytest

from streams.console.frame.texts import Texts, texts_in
from streams.core.wording.catalogue import Language


def _places(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_both_languages_have_the_same_texts_and_places() -> None:
    english, japanese = (texts_in(language).templates for language in Language)
    assert english.keys() == japanese.keys()
    for name, template in english.items():
        translated = japanese[name]
        assert isinstance(template, str) == isinstance(translated, str), name
        if isinstance(template, str) and isinstance(translated, str):
            assert _places(template) == _places(translated), name
        elif not isinstance(template, str) and not isinstance(translated, str):
            assert set(template) == {"one", "other"}, name
            assert set(translated) == {"other"}, name
            assert _places(template["other"]) == _places(translated["other"]), name


def test_a_count_chooses_its_form_and_has_separators() -> None:
    english = Texts(Language.ENGLISH, {"a": {"one": "{n} case", "other": "{n} cases"}, "b": "{n}!"})
    assert [english("a", n=n) for n in (0, 1, 1234)] == ["0 cases", "1 case", "1,234 cases"]
    assert english("b", n=1000) == "1,000!"
    japanese = Texts(Language.JAPANESE, {"a": {"other": "{n}例"}})
    assert [japanese("a", n=n) for n in (1, 1234)] == ["1例", "1,234例"]


def test_a_text_is_found_or_not() -> None:
    texts = Texts(Language.ENGLISH, {"a": "b", "c": {"one": "d", "other": "e"}})
    assert [texts.find(name) for name in ("a", "c", "x")] == ["b", None, None]


def test_a_missing_text_or_value_is_a_defect() -> None:
    for wrong in (lambda: texts_in(Language.ENGLISH)("frame.no_such"), lambda: _with_place()("a")):
        with pytest.raises(KeyError):
            wrong()


def _with_place() -> Texts:
    return Texts(Language.ENGLISH, {"a": "{name}"})
