"""Measures of a small population by hand, and what is left out where nothing can be said."""

import math

import pytest

from streams.core.explanation.section import Section
from tests.support.explained import run, sections
from tests.support.replays import Replayed, founding_case, replayed


@pytest.fixture(scope="module")
def done() -> Replayed:
    return run()


@pytest.fixture(scope="module")
def found(done: Replayed) -> dict[str, Section]:
    return sections(done)


def _values(section: Section) -> dict[str, float]:
    return {row["measure"]: row["value"] for row in section.rows}


def test_the_crude_measures_are_those_of_the_table(found: dict[str, Section]) -> None:
    values = _values(found["measures"])
    # 10 of 18 cases of zinc, and 6 of the 106 others.
    assert [values[name] for name in ("n_observed", "n_drug", "n_event", "n_total")] == [
        *(10, 18, 16, 124),
    ]
    assert values["ror"] == pytest.approx(10 * 100 / (8 * 6))
    assert values["expected"] == pytest.approx(18 * 16 / 124)
    assert values["ic"] == pytest.approx(math.log2(10.5 / (18 * 16 / 124 + 0.5)))
    # 5 drugs and names of events, of which every pair could be reported.
    assert "corrected for 12 possible pairs" in (found["measures"].remark or "")
    assert values["fisher_mid_p_bh"] >= values["fisher_mid_p"]
    assert 0 < values["llr_p"] <= 0.05


def test_strata_add_up_and_say_how_many_they_compare_with(found: dict[str, Section]) -> None:
    rows = found["strata"].rows
    assert sum(row["n_observed"] for row in rows) == 10
    comparators = sum(row["n_total"] - row["n_drug"] for row in rows if row["n_observed"])
    remark = found["strata"].remark or ""
    assert f"hold {comparators:,} comparators" in remark
    (pooled,) = found["mantel_haenszel"].rows
    assert pooled["expected"] == pytest.approx(sum(row["expected"] for row in rows))


def test_subgroups_of_one_factor_add_up_and_are_compared(found: dict[str, Section]) -> None:
    rows = [row for row in found["subgroups"].rows if row["factor"] == "sex"]
    assert sum(row["n_observed"] for row in rows) == 10
    female, male = sorted(rows, key=lambda row: row["subgroup"])
    assert female["ror_ratio"] == pytest.approx(female["ror"] / male["ror"])
    assert male["ror_ratio"] == pytest.approx(1 / female["ror_ratio"])
    # Of one year, region and kind of reporter there is nothing to compare.
    assert {row["factor"] for row in found["subgroups"].rows} == {"age_band", "sex"}


def test_the_adjusted_odds_ratio_names_its_products(found: dict[str, Section]) -> None:
    (row,) = found["adjusted_odds_ratio"].rows
    assert row["lower"] > 1
    assert (found["adjusted_odds_ratio"].remark or "").startswith("Products: iron.")


def test_an_indication_of_no_case_is_said(found: dict[str, Section]) -> None:
    assert found["restricted"].rows == []
    assert (found["restricted"].remark or "").startswith("0 of 10 cases state an indication")


def test_the_founding_case_is_not_supported_within_its_indication() -> None:
    told, notices = founding_case()
    done = replayed(told, notices=notices)
    found = sections(done, ("msc-supernatant-exosome", "Malignant neoplasm progression"))
    (row,) = found["restricted"].rows
    alert = next(
        alert
        for alert in reversed(done.alerts)
        if alert.event == "Malignant neoplasm progression" and alert.restricted
    )
    assert alert.restricted is not None
    assert row["n_observed_restricted"] == alert.restricted.counts.n_observed
    assert row["ror_lower_restricted"] is None or row["ror_lower_restricted"] <= 1


def test_a_pair_without_a_case_is_counted_all_the_same(done: Replayed) -> None:
    found = sections(done, ("gold", "rash"))
    values = _values(found["measures"])
    assert (values["n_observed"], values["n_drug"], values["n_event"]) == (0, 40, 16)
    assert found["co_named"].rows == []
    assert found["sequential"].rows == [] or found["sequential"].rows[0]["n_so_far"] == 0
