"""Texts of alerts, recomputed from their fields."""

import pytest

from streams.core.recount.texts import TEXTS, text_values
from tests.support.worded_alerts import STUPOR

WRITTEN = STUPOR.model_copy(update={"code_version": "0.1.0"})


def test_the_texts_are_those_of_the_fields() -> None:
    found = text_values(WRITTEN)
    assert set(found) == set(TEXTS)
    assert {name: getattr(WRITTEN, name) for name in TEXTS} == found


def test_a_changed_field_changes_the_texts() -> None:
    more = WRITTEN.counts.model_copy(update={"n_observed": 27})
    changed = text_values(WRITTEN.model_copy(update={"counts": more}))
    assert changed["sentence"] != WRITTEN.sentence


@pytest.mark.parametrize("update", [{"code_version": "0.0.9"}, {"headline": ""}])
def test_texts_of_another_version_are_not_compared(update: dict[str, str]) -> None:
    assert text_values(WRITTEN.model_copy(update=update)) == {}
