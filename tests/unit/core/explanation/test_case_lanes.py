"""Cases of a pair one by one, as their reports state them."""

from datetime import date

from schemas.report import Revision
from schemas.vocabulary import RevisionKind
from streams.core.explanation.case_lanes import case_lanes
from tests.support.explained import explained_run, in_order, run
from tests.support.replays import replayed
from tests.support.reports import make_report


def test_each_case_has_what_its_report_states() -> None:
    given = explained_run(run())
    lanes = case_lanes(given.view, "zinc", "rash", given.last_day)
    stated = {
        each.case_id: each
        for each in in_order()
        if "zinc" in str(each.products) and any(one.term == "rash" for one in each.reactions)
    }
    assert set(lanes["case_id"]) == set(stated)
    assert len(stated) == 10
    assert lanes["received"].is_sorted()
    for row in lanes.iter_rows(named=True):
        report = stated[row["case_id"]]
        onset = next(one.onset for one in report.reactions if one.term == "rash")
        (given_on,) = [one.first_given for one in report.products if one.first_given]
        assert onset
        assert given_on
        assert (row["received"], row["onset"]) == (report.first_received, onset)
        assert row["onset_days"] == (onset - given_on).days
        assert row["sex"] == report.patient.sex.value
        assert (row["serious"], row["fatal"], row["life_threatening"]) == (False, False, False)


def test_a_case_without_days_has_none() -> None:
    given = explained_run(run())
    lanes = case_lanes(given.view, "gold", "cough", given.last_day)
    assert lanes.height == 40
    assert lanes["onset"].null_count() == lanes["onset_days"].null_count() == 40


def test_cases_after_the_day_are_left_out() -> None:
    given = explained_run(run())
    day = (date(2024, 2, 1) - date(1970, 1, 1)).days
    lanes = case_lanes(given.view, "gold", "cough", day)
    assert 0 < lanes.height < 40
    assert max(lanes["received"].to_list()) <= date(2024, 2, 1)


def test_a_withdrawn_case_has_no_lane() -> None:
    first = make_report("C1", drugs=["zinc"], events=["rash"])
    voided = Revision(kind=RevisionKind.NULLIFICATION, reason="not a case")
    withdrawn = make_report("C1", drugs=["zinc"], version=2, revision=voided)
    other = make_report("C2", drugs=["zinc"], events=["rash"])
    given = explained_run(replayed([first, other, withdrawn]))
    lanes = case_lanes(given.view, "zinc", "rash", given.last_day)
    assert lanes["case_id"].to_list() == ["C2"]


def test_a_name_that_no_case_has_gives_no_lane() -> None:
    given = explained_run(run())
    assert case_lanes(given.view, "nickel", "rash", given.last_day).is_empty()
