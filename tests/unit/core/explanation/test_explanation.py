"""The explanation of a pair as a whole: all methods, in one order, for any pair that is named."""

import pytest

from schemas.errors import InputError
from tests.support.explained import explained_run, run, sections
from tests.support.replays import Replayed

ORDER = [
    *(
        "rules",
        "fragility",
        "calibrated",
        "alerts",
        "measures",
        "strata",
        "mantel_haenszel",
        "subgroups",
    ),
    *("adjusted_odds_ratio", "restricted", "co_named", "masking", "interaction", "onset"),
    "sequential",
]


@pytest.fixture(scope="module")
def done() -> Replayed:
    return run()


def test_every_method_has_a_section_in_one_order(done: Replayed) -> None:
    for pair in (("ZINC", "Rash"), ("gold", "rash"), ("iron", "cough")):
        assert list(sections(done, pair)) == ORDER


def test_rows_of_a_section_have_the_same_columns(done: Replayed) -> None:
    for section in sections(done).values():
        assert len({tuple(row) for row in section.rows}) <= 1, section.name
        assert section.rows or section.remark, section.name


def test_spellings_of_a_name_give_the_same_explanation(done: Replayed) -> None:
    assert sections(done, ("Zinc.", " rash ")) == sections(done, ("zinc", "RASH"))


@pytest.mark.parametrize(
    ("drug", "event", "what"), [("nickel", "rash", "drug"), ("zinc", "gout", "event")]
)
def test_a_name_that_no_case_has_is_refused(
    done: Replayed, drug: str, event: str, what: str
) -> None:
    with pytest.raises(InputError, match=f"must name the {what}; got .* which none does"):
        sections(done, (drug, event))


def test_the_same_run_explains_the_same(done: Replayed) -> None:
    again = run()
    assert explained_run(again).last_day == explained_run(done).last_day
    assert sections(again) == sections(done)
