"""Templates: the same names and the same values in every language."""

import string

import pytest

from streams.core.wording.catalogue import Catalogue, Language, capitalised, catalogue


def _names(language: Language) -> dict[str, set[str]]:
    """Return the values that each template takes, by its name without the form of a count."""
    found: dict[str, set[str]] = {}
    for name, template in catalogue(language).templates.items():
        values = {field for _, field, _, _ in string.Formatter().parse(template) if field}
        base = name.removesuffix(".one").removesuffix(".other")
        found.setdefault(base, set()).update(values)
    return found


def test_both_languages_have_the_same_templates_and_values() -> None:
    english, japanese = _names(Language.ENGLISH), _names(Language.JAPANESE)
    # Families and indications have their English labels in the domain's vocabulary.
    only = {
        name
        for name in japanese.keys() ^ english.keys()
        if not name.startswith(("family.", "indication."))
    }
    assert only == set()
    differ = {name for name in english if english[name] != japanese[name]}
    # English has no number where the count is one: `first fatal case`.
    assert differ == set()


def test_one_and_many_have_their_forms() -> None:
    words = catalogue(Language.ENGLISH)
    assert [words.count("count.case", n) for n in (0, 1, 2, 1234)] == [
        "0 cases",
        "1 case",
        "2 cases",
        "1,234 cases",
    ]
    assert catalogue(Language.JAPANESE).count("count.case", 1) == "症例数1例"


def test_sentences_begin_with_a_capital_and_end_with_a_stop() -> None:
    words = catalogue(Language.ENGLISH)
    assert words.sentences(["first", "", "IC025 second"]) == "First. IC025 second."
    assert catalogue(Language.JAPANESE).sentences(["一", "二"]) == "一。二。"
    assert capitalised("") == ""


def test_a_missing_template_or_value_is_a_defect() -> None:
    words = Catalogue(Language.ENGLISH, {"a.b": "{x} and {y}"})
    assert words.text("a.b", x=1, y=2) == "1 and 2"
    assert words.find("a.c") is None
    with pytest.raises(KeyError):
        words.text("a.c")
    with pytest.raises(KeyError):
        words.text("a.b", x=1)
