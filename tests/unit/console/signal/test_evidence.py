"""What is computed beside an alert is of the position that it was counted at."""

from datetime import date

import pytest

from schemas.alert import Alert
from streams.console.signal.evidence import Evidence, evidence_of
from tests.support.amended_cases import amended_reports, versions_known_on
from tests.support.signal_pages import ReplayedDesk

KEY = "zinc|rash|cumulative"


def _of(amended: ReplayedDesk, alert: Alert, day: date | None = None) -> Evidence:
    found = evidence_of(amended.desk.history, alert, day or alert.evaluated_on, by_sex=False)
    assert found is not None
    return found


def test_each_revision_has_the_numbers_that_it_published(amended: ReplayedDesk) -> None:
    """Recounted from the history, of cases amended and nullified since as well."""
    of_pair = [one for one in amended.alerts if one.signal_key == KEY]
    assert len(of_pair) == 7
    for alert in of_pair:
        found, statistics = _of(amended, alert), alert.statistics
        everything, adjusted = found.forest.head(2).iter_rows(named=True)
        assert everything["n_observed"] == alert.counts.n_observed
        assert everything["expected"] == pytest.approx(statistics.expected, rel=1e-12)
        assert everything["ic_lower"] == pytest.approx(statistics.ic_lower, rel=1e-9)
        assert adjusted["expected"] == pytest.approx(statistics.expected_adjusted, rel=1e-12)
        last = found.trend.row(-1, named=True)
        assert [last[name] for name in ("n_observed", "n_drug", "n_event", "n_total")] == [
            alert.counts.n_observed,
            alert.counts.n_drug,
            alert.counts.n_event,
            alert.counts.n_total,
        ]
        assert set(found.lanes["case_id"]) == set(alert.case_ids)


def test_a_case_that_turned_fatal_later_was_not_fatal_then(amended: ReplayedDesk) -> None:
    of_pair = [one for one in amended.alerts if one.signal_key == KEY]
    before = _of(amended, of_pair[1]).lanes.filter(case_id="Z004")
    now = _of(amended, of_pair[6]).lanes.filter(case_id="Z004")
    assert (before["fatal"].item(), now["fatal"].item()) == (False, True)


def test_neighbours_are_of_the_cases_of_the_day(amended: ReplayedDesk) -> None:
    alert = next(one for one in amended.alerts if one.signal_key == "iron|fever|cumulative")
    found = _of(amended, alert).neighbours
    known = versions_known_on(amended_reports(), alert.evaluated_on).values()
    gold = [one for one in known if any("gold" in each.substances for each in one.products)]
    fever = [one for one in gold if one.reactions[0].term == "fever"]
    (row,) = found.filter(product="gold").iter_rows(named=True)
    assert (row["n_observed"], row["n_observed_without"]) == (len(fever), 0)


def test_the_trend_goes_on_to_the_day_of_the_page(amended: ReplayedDesk) -> None:
    first = next(one for one in amended.alerts if one.signal_key == KEY)
    assert _of(amended, first, date(2024, 1, 25)).trend["day"][-1] == date(2024, 1, 25)


def test_without_cases_or_in_a_moving_window_nothing_is_computed(amended: ReplayedDesk) -> None:
    alert = amended.alerts[0]
    day = alert.evaluated_on
    assert evidence_of(None, alert, day, by_sex=False) is None
    moving = alert.model_copy(
        update={"window": alert.window.model_copy(update={"kind": "sliding"})}
    )
    assert evidence_of(amended.desk.history, moving, day, by_sex=False) is None
