"""The restricted comparator against the worked scenario and against a recount of the cases."""

import polars as pl
import pytest

from detectors.case_frames import CaseFrames
from detectors.information_component import information_component
from detectors.restricted_comparator import restricted_comparator, within_indication
from schemas.counts import COUNTS

PROGRESSION = "Malignant neoplasm progression"


def _counts(*cells: tuple[int, int, int, int]) -> pl.DataFrame:
    rows = [
        (f"product {place}", PROGRESSION, a, a + b, a + c, a + b + c + d)
        for place, (a, b, c, d) in enumerate(cells)
    ]
    return pl.DataFrame(rows, schema=dict(COUNTS), orient="row")


# The product class of the exosome scenario at its steps 11, 12, 13: among all reports, then among
# those of lung cancer. By a second code: ROR with Woolf's interval, to three digits.
@pytest.mark.parametrize(
    ("everyone", "ror", "within", "restricted"),
    [
        ((1, 63, 200, 19800), 1.571, (1, 2, 90, 210), (1.167, 0.104, 13.030)),
        ((3, 63, 200, 19800), 4.714, (3, 2, 90, 210), (3.500, 0.575, 21.304)),
        ((4, 63, 200, 19800), 6.286, (4, 2, 90, 210), (4.667, 0.840, 25.938)),
    ],
)
def test_the_scenario(
    everyone: tuple[int, int, int, int],
    ror: float,
    within: tuple[int, int, int, int],
    restricted: tuple[float, float, float],
) -> None:
    row = restricted_comparator(
        _counts(everyone),
        _counts(within),
        terms=["Lung cancer"],
        events_of_indication=[PROGRESSION.upper()],
    ).row(0, named=True)
    assert row["ror"] == pytest.approx(ror, abs=5e-4)
    names = ("ror_restricted", "ror_lower_restricted", "ror_upper_restricted")
    assert tuple(row[name] for name in names) == pytest.approx(restricted, abs=5e-4)
    assert row["event_is_indication"] is True


def test_the_ic_of_the_scenario_too() -> None:
    counts = _counts((4, 63, 200, 19800)), _counts((4, 2, 90, 210))
    row = restricted_comparator(*counts, terms=["x"], estimator=information_component)
    assert row["ic_restricted"].item() == pytest.approx(0.941, abs=5e-4)
    assert row["ic_lower_restricted"].item() == pytest.approx(-0.795, abs=5e-4)
    assert row["event_is_indication"].item() is False


def test_an_event_with_the_name_of_a_term_is_flagged_and_no_number_changes() -> None:
    everyone = _counts((4, 63, 200, 19800)), _counts((4, 2, 90, 210))
    named = restricted_comparator(*everyone, terms=[f" {PROGRESSION.lower()} "])
    other = restricted_comparator(*everyone, terms=["Lung cancer"])
    assert named["event_is_indication"].item() is True
    assert named.drop("event_is_indication").equals(other.drop("event_is_indication"))


def test_a_pair_not_counted_among_the_indication_has_nulls() -> None:
    everyone = _counts((4, 63, 200, 19800), (1, 9, 203, 19854))
    row = restricted_comparator(everyone, _counts((4, 2, 90, 210)), terms=["x"]).row(1, named=True)
    assert row["ror"] is not None
    assert row["n_observed_restricted"] is None
    assert row["ror_restricted"] is None
    assert row["ror_upper_restricted"] is None


def test_the_cases_of_an_area_are_those_with_any_of_its_terms() -> None:
    cases = pl.DataFrame({"case": ["p", "q", "r", "s", "t"]})
    drugs = pl.DataFrame({"case": ["p", "q", "r", "s"], "drug": ["A", "A", "B", "A"]})
    events = pl.DataFrame({"case": ["p", "q", "r", "t"], "event": ["ache"] * 4})
    indications = pl.DataFrame(
        {
            "case": ["p", "p", "q", "r", "s"],
            "indication": ["Lung cancer", "Acne", "acne", "LUNG CANCER", "Small cell lung cancer"],
        }
    )
    frames = CaseFrames(cases, drugs, events)
    area = within_indication(frames, indications, ["lung cancer", "small cell lung cancer "])
    # p, r, s; of these A in p and s, ache in p and r
    assert area.counts(frames.counts()).rows() == [
        ("A", "ache", 1, 2, 2, 3),
        ("B", "ache", 1, 1, 2, 3),
    ]
    assert area.cases["case"].to_list() == ["p", "r", "s"]
