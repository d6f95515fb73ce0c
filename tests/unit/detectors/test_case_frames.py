"""Cases and counts by stratum: what they count, and what they refuse."""

import re

import polars as pl
import pytest

from detectors.case_frames import CaseFrames, StratifiedCounts
from schemas.counts import COUNTS
from schemas.errors import CountsError

CASES = pl.DataFrame({"case": [1, 2, 3, 4], "sex": ["f", None, "m", "f"]})
DRUGS = pl.DataFrame({"case": [1, 1, 1, 2, 3], "drug": ["A", "A", "B", "A", "B"]})
EVENTS = pl.DataFrame({"case": [1, 1, 3, 4], "event": ["rash", "rash", "ache", "rash"]})

ONE = pl.DataFrame({"stratum": ["f"], "drug": ["A"], "event": ["rash"], "n": [2]})
ONE_DRUG = pl.DataFrame({"stratum": ["f"], "drug": ["A"], "n": [3]})
ONE_EVENT = pl.DataFrame({"stratum": ["f"], "event": ["rash"], "n": [4]})
ONE_TOTAL = pl.DataFrame({"stratum": ["f"], "n": [9]})
PAIR = pl.DataFrame({"drug": ["A"], "event": ["rash"]})


def test_a_case_counts_once_a_pair_however_many_rows_name_it() -> None:
    counts = CaseFrames(CASES, DRUGS, EVENTS).counts()
    assert dict(counts.schema) == dict(COUNTS)
    assert counts.rows() == [
        ("A", "rash", 1, 2, 2, 4),
        ("B", "ache", 1, 2, 1, 4),
        ("B", "rash", 1, 2, 2, 4),
    ]


def test_pairs_asked_for_come_in_their_order_with_zeros() -> None:
    pairs = pl.DataFrame({"drug": ["C", "A"], "event": ["rash", "ache"]})
    counts = CaseFrames(CASES, DRUGS, EVENTS).counts(pairs)
    assert counts.rows() == [("C", "rash", 0, 0, 2, 4), ("A", "ache", 0, 2, 1, 4)]


def test_what_is_not_known_is_the_stratum_unknown() -> None:
    strata = CaseFrames(CASES, DRUGS, EVENTS).counts_by("sex")
    assert sorted(strata.totals.rows()) == [("f", 2), ("m", 1), ("unknown", 1)]
    assert sorted(strata.drug_margins.rows()) == [
        ("f", "A", 1),
        ("f", "B", 1),
        ("m", "B", 1),
        ("unknown", "A", 1),
    ]


def test_strata_add_up_to_the_whole() -> None:
    frames = CaseFrames(CASES, DRUGS, EVENTS)
    pairs = frames.counts().select("drug", "event")
    assert frames.counts_by("sex").pooled(pairs, where="test").rows() == frames.counts().rows()


def test_a_part_of_the_cases_keeps_their_drugs_and_events() -> None:
    part = CaseFrames(CASES, DRUGS, EVENTS).among(pl.DataFrame({"case": [3, 4, 4, 99]}))
    assert part.counts().rows() == [("B", "ache", 1, 1, 1, 2)]
    assert part.cases["case"].to_list() == [3, 4]


def test_the_frames_handed_in_are_left_as_they_are() -> None:
    drugs = DRUGS.clone()
    CaseFrames(CASES, drugs, EVENTS)
    assert drugs.equals(DRUGS)


@pytest.mark.parametrize(
    ("cases", "drugs", "events", "message"),
    [
        (
            CASES.drop("case"),
            DRUGS,
            EVENTS,
            "CaseFrames: cases need the columns ['case']; got ['sex']",
        ),
        (
            CASES,
            DRUGS.drop("drug"),
            EVENTS,
            "CaseFrames: drugs need the columns ['case', 'drug']; got ['case']",
        ),
        (
            CASES,
            DRUGS,
            EVENTS.with_columns(event=pl.lit(7)),
            "CaseFrames: events need text in the column event; got Int32",
        ),
        (
            CASES,
            DRUGS.with_columns(drug=pl.lit(None, pl.String)),
            EVENTS,
            "CaseFrames: drugs must have no null in ['case', 'drug']; got 5 rows that break it, "
            "first {'case': 1, 'drug': None}",
        ),
        (
            pl.concat([CASES, CASES[2:3]]),
            DRUGS,
            EVENTS,
            "CaseFrames: a case must stand in one row; got 2 rows that break it, first {'case': 3}",
        ),
        (
            CASES[1:],
            DRUGS,
            EVENTS,
            "CaseFrames: drugs must belong to a case of the population; got 2 rows that break it, "
            "first {'case': 1, 'drug': 'A'}",
        ),
        (
            CASES,
            DRUGS,
            EVENTS.with_columns(pl.col("case").cast(pl.String)),
            "CaseFrames: case must be Int64 in events too; got String",
        ),
    ],
)
def test_case_frames_refuse(
    cases: pl.DataFrame, drugs: pl.DataFrame, events: pl.DataFrame, message: str
) -> None:
    with pytest.raises(CountsError, match=f"^{re.escape(message)}$"):
        CaseFrames(cases, drugs, events)


def test_a_message_about_cases_names_no_fact_of_a_patient() -> None:
    with pytest.raises(CountsError) as raised:
        CaseFrames(pl.concat([CASES, CASES]), DRUGS, EVENTS)
    assert "sex" not in str(raised.value)


def test_the_cases_to_keep_must_be_of_the_populations_type() -> None:
    frames = CaseFrames(CASES, DRUGS, EVENTS)
    with pytest.raises(CountsError, match=r"^CaseFrames: case must be Int64 in the cases to keep"):
        frames.among(pl.DataFrame({"case": ["3"]}))


def test_a_stratum_needs_its_column() -> None:
    with pytest.raises(CountsError, match=r"^CaseFrames: cases need the column 'region'; got "):
        CaseFrames(CASES, DRUGS, EVENTS).counts_by("region")


@pytest.mark.parametrize(
    ("observed", "drugs", "events", "totals", "message"),
    [
        (
            ONE.drop("event"),
            ONE_DRUG,
            ONE_EVENT,
            ONE_TOTAL,
            "StratifiedCounts: observed need the columns ['stratum', 'drug', 'event', 'n']; got ",
        ),
        (
            ONE,
            ONE_DRUG,
            ONE_EVENT,
            ONE_TOTAL.with_columns(stratum=pl.lit(None, pl.String)),
            "StratifiedCounts: totals must have no null in ['stratum', 'n']; got 1 rows",
        ),
        (
            ONE,
            ONE_DRUG.with_columns(n=pl.lit(3.0)),
            ONE_EVENT,
            ONE_TOTAL,
            "StratifiedCounts: drug_margins need an integer column n; got Float64",
        ),
        (
            ONE,
            ONE_DRUG,
            ONE_EVENT.with_columns(n=-pl.col("n")),
            ONE_TOTAL,
            "StratifiedCounts: event_margins must hold counts of cases; got 1 rows that break it, "
            "first {'stratum': 'f', 'event': 'rash', 'n': -4}",
        ),
        (
            pl.concat([ONE, ONE]),
            ONE_DRUG,
            ONE_EVENT,
            ONE_TOTAL,
            "StratifiedCounts: observed must have one row for each ['stratum', 'drug', 'event']; ",
        ),
        (
            ONE,
            ONE_DRUG.with_columns(n=pl.lit(10)),
            ONE_EVENT,
            ONE_TOTAL,
            "StratifiedCounts: drug_margins must have a stratum with a total they do not exceed; ",
        ),
        (
            ONE,
            ONE_DRUG,
            ONE_EVENT.with_columns(stratum=pl.lit("m")),
            ONE_TOTAL,
            "StratifiedCounts: event_margins must have a stratum with a total they do not exceed; ",
        ),
        (
            ONE.with_columns(n=pl.lit(4)),
            ONE_DRUG,
            ONE_EVENT,
            ONE_TOTAL,
            "StratifiedCounts: observed must have both margins and not exceed them; got 1 rows",
        ),
        (
            ONE,
            ONE_DRUG.clear(),
            ONE_EVENT,
            ONE_TOTAL,
            "StratifiedCounts: observed must have both margins and not exceed them; got 1 rows",
        ),
        (
            ONE,
            ONE_DRUG,
            ONE_EVENT.clear(),
            ONE_TOTAL,
            "StratifiedCounts: observed must have both margins and not exceed them; got 1 rows",
        ),
    ],
)
def test_stratified_counts_refuse(
    observed: pl.DataFrame,
    drugs: pl.DataFrame,
    events: pl.DataFrame,
    totals: pl.DataFrame,
    message: str,
) -> None:
    with pytest.raises(CountsError, match=f"^{re.escape(message)}"):
        StratifiedCounts(observed, drugs, events, totals)


def test_margins_that_leave_no_room_are_found_when_a_pair_meets_them() -> None:
    strata = StratifiedCounts(ONE.clear(), ONE_DRUG, ONE_EVENT, ONE_TOTAL.with_columns(n=pl.lit(6)))
    message = (
        "test: n_drug + n_event - n_observed <= n_total must hold in every stratum; 1 pairs break "
        "it in 'f', first {'drug': 'A', 'event': 'rash'} with 1 cases too many"
    )
    with pytest.raises(CountsError, match=f"^{re.escape(message)}$"):
        strata.pooled(PAIR, where="test")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (PAIR.drop("event"), "test: pairs need the columns ['drug', 'event']; got ['drug']"),
        (
            PAIR.with_columns(drug=pl.lit(None, pl.String)),
            "test: pairs must have no null in ['drug', 'event']; got 1 rows that break it",
        ),
        (
            pl.concat([PAIR, PAIR]),
            "test: a pair must stand in one row; got 2 rows that break it, first {'drug': 'A'",
        ),
    ],
)
def test_pairs_are_named_once(pairs: pl.DataFrame, message: str) -> None:
    strata = StratifiedCounts(ONE, ONE_DRUG, ONE_EVENT, ONE_TOTAL)
    with pytest.raises(CountsError, match=f"^{re.escape(message)}"):
        strata.pooled(pairs, where="test")
