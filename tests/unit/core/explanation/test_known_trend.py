"""The trend of a pair as each day knew it, beside the trend of its cases as they are now."""

from datetime import date

import pytest

from detectors.rules import load_rules
from streams.core.cases.strata import default_age_bands
from streams.core.counting.case_history import CaseHistory
from streams.core.counting.windows import WindowSpec
from streams.core.explanation.known_trend import known_trend
from streams.runtime.embedded.replay import Replay
from tests.support.amended_cases import DRUG, EVENT, amended_reports, day_of, table_of

EPOCH = date(1970, 1, 1)


@pytest.fixture(scope="module")
def history() -> CaseHistory:
    made = CaseHistory(default_age_bands())
    run = Replay(
        [WindowSpec.parse("cumulative")],
        load_rules("mhra"),
        every=1,
        until=None,
        horizon=date(2030, 1, 1),
        on_alert=lambda alert: None,
        on_rejected=pytest.fail,
        on_delta=made.apply,
    )
    for _ in run.feed("test", enumerate(amended_reports())):
        pass
    return made


def test_each_day_counts_what_it_knew(history: CaseHistory) -> None:
    trend = known_trend(history, DRUG, EVENT, (day_of(40) - EPOCH).days)
    assert trend["day"][0] == day_of(2)  # the first case of the drug
    for row in trend.iter_rows(named=True):
        assert row["n_observed"] == table_of(amended_reports(), row["day"]).n_observed


def test_a_withdrawal_is_a_negative_number_of_new_cases(history: CaseHistory) -> None:
    trend = known_trend(history, DRUG, EVENT, (day_of(40) - EPOCH).days)
    new = dict(trend.select("day", "n_new").iter_rows())
    assert new[day_of(2)] == 1
    assert new[day_of(20)] == -1
    assert trend["n_new"].sum() == trend["n_observed"][-1] == 8


def test_a_day_has_the_numbers_of_its_alert(history: CaseHistory) -> None:
    """By hand: IC = log2((n + 1/2) / (E + 1/2)), with E of the table of the day."""
    trend = known_trend(history, DRUG, EVENT, (day_of(40) - EPOCH).days)
    last = trend.row(-1, named=True)
    table = table_of(amended_reports(), day_of(40))
    expected = table.n_drug * table.n_event / table.n_total
    assert last["expected"] == pytest.approx(expected, rel=1e-12)
    assert 2 ** last["ic"] == pytest.approx((8 + 0.5) / (expected + 0.5), rel=1e-12)
