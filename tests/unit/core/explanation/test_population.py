"""The frames of a run against its reports, counted in Python."""

from datetime import date

import polars as pl
import pytest

from schemas.report import Report
from streams.core.explanation.population import STRATUM_COLUMN, Population
from tests.support.explained import explained_run, population, reports, run
from tests.support.replays import Replayed, founding_case, replayed


@pytest.fixture(scope="module")
def done() -> Replayed:
    return run()


@pytest.fixture(scope="module")
def found(done: Replayed) -> Population:
    return population(done)


def _counted(name: str, term: str) -> tuple[int, int, int, int]:
    def has(report: Report) -> tuple[bool, bool]:
        drugs = {substance for one in report.products for substance in one.substances}
        return name in drugs, term in {one.term for one in report.reactions}

    both = [has(report) for report in reports()]
    return (
        sum(drug and event for drug, event in both),
        sum(drug for drug, _ in both),
        sum(event for _, event in both),
        len(both),
    )


def test_counts_are_those_of_the_reports_and_of_the_window(found: Population) -> None:
    for name, term in (("zinc", "rash"), ("iron", "cough"), ("gold", "fever")):
        pair = pl.DataFrame({"drug": [name], "event": [term]})
        assert found.frames.counts(pair).row(0)[2:] == _counted(name, term)


def test_strata_give_the_expected_cases_of_the_window(done: Replayed, found: Population) -> None:
    given = explained_run(done)
    table = done.run.detector.all_counts(adjusted=True).filter(drug="zinc", event="rash")
    strata = found.frames.counts_by(STRATUM_COLUMN)
    expected = 0.0
    for one in strata.tables(found.pair, where="test"):
        expected += float(one.n_drug[0]) * float(one.n_event[0]) / one.n_total
    assert expected == pytest.approx(table["expected_adjusted"].item(), rel=1e-12)
    assert strata.totals["n"].sum() == 124
    assert given.last_day == (date(2024, 4, 29) - date(1970, 1, 1)).days


def test_a_case_is_known_by_what_its_report_states(found: Population) -> None:
    of_first = found.frames.cases.filter(case="C001").drop("day").row(0, named=True)
    assert of_first == {
        "case": "C001",
        "year": "2024",
        "quarter": "2024 Q1",
        "age_band": "age 0 to below 0.5",
        "sex": "female",
        "region": "unknown",
        "reporter": "other or unknown",
        "seriousness": "not serious",
        "stratum": "2024 Q1, age 0 to below 0.5, female",
    }
    assert found.frames.cases.filter(case="C003")["sex"].item() == "male"


def test_onsets_are_of_dated_products_and_events(found: Population) -> None:
    """The k-th report is of a dose 10 + k mod 7 days before, and an onset k mod 5 days later."""
    wanted = {(f"C{place:03}", place % 5, 10 + place % 7) for place in range(1, 11)}
    rows = found.onsets.select("case", "onset_days", "report_days").rows()
    assert set(rows) == wanted
    assert found.onsets["drug"].unique().to_list() == ["zinc"]


def test_names_of_lots_are_among_the_frames_only_if_asked_for() -> None:
    told, notices = founding_case()
    done = replayed(told, notices=notices)
    names = set(population(done, "msc-supernatant-exosome", "sepsis").frames.drugs["drug"])
    assert not {name for name in names if name.startswith("lot:")}
    lots = {name for name in done.run.detector.codes.drugs.names if name.startswith("lot:")}
    asked = min(lots)
    among = population(done, asked, "sepsis")
    assert set(among.frames.drugs["drug"]) - names == {asked}
    assert among.cases_with(drug=asked).height == (
        done.run.detector.all_counts().filter(drug=asked)["n_drug"].max()
    )


def test_indications_are_those_that_are_stated() -> None:
    told, notices = founding_case()
    done = replayed(told, notices=notices)
    found = population(done, "msc-supernatant-exosome", "malignant neoplasm progression")
    own = found.cases_with(drug=found.drug, event=found.event)
    stated = found.indications.join(own, on="case", how="semi")["indication"].to_list()
    assert stated
    assert all(stated)
