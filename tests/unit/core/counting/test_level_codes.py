"""Which pairs are scored, and which are left when lots, facilities and families are taken out."""

import numpy as np
import pytest

from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.sorted_counts import Keys
from streams.core.counting.vocabulary import Vocabulary
from tests.support.frames import log_row, make_log

DRUGS = ["zinc", "engineered-ev", "lot:A1", "facility:C-A"]
EVENTS = ["Sepsis", "family:infection"]


@pytest.fixture
def levels() -> LevelCodes:
    found = LevelCodes()
    # One name at a time: it learns what is new, and nothing twice.
    drugs, events = Vocabulary(), Vocabulary()
    for drug in DRUGS:
        drugs.learn([drug])
        found.learn(drugs, events)
    events.learn(EVENTS)
    found.learn(drugs, events)
    return found


def keys(*pairs: tuple[str, str]) -> Keys:
    codes = [(DRUGS.index(drug) << 32) | EVENTS.index(event) for drug, event in pairs]
    return np.array(codes, dtype=np.int64)


@pytest.mark.parametrize(
    ("drug", "event", "scored", "plain"),
    [
        ("zinc", "Sepsis", True, True),
        ("engineered-ev", "Sepsis", True, True),
        ("lot:A1", "Sepsis", True, False),
        ("facility:C-A", "Sepsis", True, False),
        ("engineered-ev", "family:infection", True, False),
        ("zinc", "family:infection", False, False),
        ("lot:A1", "family:infection", False, False),
    ],
)
def test_a_family_is_scored_with_classes_alone(
    levels: LevelCodes, drug: str, event: str, scored: bool, plain: bool
) -> None:
    key = keys((drug, event))
    assert levels.is_scored(key).tolist() == [scored]
    assert levels.scored(key).tolist() == (key.tolist() if scored else [])
    assert levels.is_plain(key).tolist() == [plain]
    assert levels.is_of_product(key).tolist() == [plain and drug == "zinc"]


def test_rows_keep_their_products_classes_and_terms(levels: LevelCodes) -> None:
    rows = make_log([log_row(0, drugs=[0, 1, 2, 3], events=[0, 1]), log_row(1, drugs=[2])])
    left = levels.without_levels(rows)
    assert left.select("drugs", "events").rows() == [([0, 1], [0]), ([], [0])]
    assert left.drop("drugs", "events").equals(rows.drop("drugs", "events"))


def test_without_levels_among_the_names_the_rows_are_the_same() -> None:
    plain = LevelCodes()
    plain.learn(Vocabulary(["zinc"]), Vocabulary(["Rash"]))
    rows = make_log([log_row(0)])
    assert plain.without_levels(rows).equals(rows)
