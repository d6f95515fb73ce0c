"""The catalogues of safety alerts and law lines: both languages have the same texts and values."""

import string

import pytest

from schemas.safety_alert import SAFETY_CAVEAT, EndReason, SafetyChange
from schemas.vocabulary import ReporterKind, VerificationState
from streams.core.wording.catalogue import Catalogue, Language, catalogue

ROOMS = ("safety.", "duty.", "country.")


def values_by_name(words: Catalogue) -> dict[str, set[str | None]]:
    """Return the placeholders of each text, forms of a count together."""
    found: dict[str, set[str | None]] = {}
    for name, template in words.templates.items():
        if name.startswith(ROOMS):
            values = {value for _, value, _, _ in string.Formatter().parse(template) if value}
            found.setdefault(name.removesuffix(".one").removesuffix(".other"), set()).update(values)
    return found


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    english, japanese = (values_by_name(catalogue(language)) for language in Language)
    assert len(english) > 200
    assert english == japanese


def test_the_caveat_of_the_schema_is_that_of_the_catalogue() -> None:
    assert catalogue(Language.ENGLISH).text("safety.caveat") == SAFETY_CAVEAT


@pytest.mark.parametrize("language", Language)
def test_every_code_of_a_closed_vocabulary_has_its_words(language: Language) -> None:
    names = catalogue(language).templates.keys()
    for kind in ReporterKind:
        assert {f"safety.who.{kind}", f"safety.advisor.{kind}"} <= names
    assert {f"safety.state.{state}" for state in VerificationState} <= names
    assert {f"safety.reason.ended.{reason}" for reason in EndReason} <= names
    for change in SafetyChange:
        forms = {f"safety.change.{change}", f"safety.change.{change}.other"}
        assert forms & names, change
