"""Every measure has its interval or the reason that it has none."""

import pytest

from schemas.tables import Counts
from streams.console.frame.texts import texts_in
from streams.console.signal.measures_table import Comparator, compared_with
from streams.core.wording.catalogue import Language
from tests.support.alerts import signal
from tests.support.signal_pages import ReplayedDesk


def test_all_reports_have_the_measures_of_the_alert(amended: ReplayedDesk) -> None:
    alert = next(one for one in amended.alerts if one.statistics.ror is not None)
    table = compared_with(Comparator.ALL, alert, None)
    assert table.counts == alert.counts
    rows = {row.name: row for row in table.rows}
    ror, statistics = rows["measure_ror"].now, alert.statistics
    assert ror is not None
    assert statistics.ror is not None
    assert float(ror.value.replace(",", "")) == pytest.approx(statistics.ror, rel=5e-3)
    assert rows["measure_ic"].now is not None
    assert rows["measure_ebgm"].now is None
    assert rows["measure_ebgm"].why == "why_no_prior"
    assert rows["measure_ebgm"].level == 90


@pytest.mark.parametrize("comparator", list(Comparator))
def test_every_row_says_why_it_has_no_bound(amended: ReplayedDesk, comparator: Comparator) -> None:
    texts = texts_in(Language.ENGLISH)
    for alert in amended.alerts:
        for row in compared_with(comparator, alert, None).rows:
            assert texts(f"signal.{row.why}")
            assert texts(f"signal.{row.name}")


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ((3, 5, 3, 100), "why_no_other"),
        ((3, 3, 5, 100), "why_all_event"),
        ((3, 100, 3, 100), "why_all_product"),
        ((0, 3, 5, 100), "why_no_case"),
    ],
)
def test_a_ratio_without_a_value_says_which_cell_is_empty(
    counts: tuple[int, int, int, int], why: str
) -> None:
    names = ("n_observed", "n_drug", "n_event", "n_total")
    alert = signal(3)
    alert = alert.model_copy(
        update={
            "counts": Counts(**dict(zip(names, counts, strict=True))),
            "statistics": alert.statistics.model_copy(update={"ror": None}),
        }
    )
    rows = {row.name: row for row in compared_with(Comparator.ALL, alert, None).rows}
    assert rows["measure_ror"].now is None
    assert rows["measure_ror"].why == why


def test_strata_state_their_comparators_and_the_indication_says_why_it_is_not_asked(
    amended: ReplayedDesk,
) -> None:
    alert = amended.alerts[-1]
    strata = compared_with(Comparator.STRATA, alert, amended.alerts[-2])
    assert strata.n_comparators == alert.n_comparators is not None
    assert strata.rows[0].name == "measure_ic_adjusted"
    assert strata.rows[0].before is not None
    asked = compared_with(Comparator.INDICATION, alert, None)
    assert (asked.rows, asked.missing) == ((), "indication_not_treated")
    unstated = alert.model_copy(update={"indication_confounding": None})
    missing = compared_with(Comparator.INDICATION, unstated, None).missing
    assert missing == "indication_not_stated"


def test_few_cases_in_a_cell_are_said(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    n = alert.counts.n_observed
    few = alert.counts.model_copy(update={"n_event": n + 4, "n_drug": n + 9, "n_total": 900})
    assert compared_with(Comparator.ALL, alert.model_copy(update={"counts": few}), None).few == 4
    enough = few.model_copy(update={"n_event": n + 5})
    assert (
        compared_with(Comparator.ALL, alert.model_copy(update={"counts": enough}), None).few is None
    )
