"""Facts from alerts: undefined and unbounded values stay apart."""

from math import inf
from typing import Any

from schemas.alert import Alert, Statistics
from schemas.scrutiny import Restricted
from schemas.tables import Counts, RestrictedStatistics
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.facts.alerts import (
    estimate_of,
    interval_cell_facts,
    restricted_facts,
    revision_points,
)
from tests.support.alerts import signal


def alert(unbounded: tuple[str, ...] | None = (), **statistics: float) -> Alert:
    values = {**dict.fromkeys(Statistics.model_fields), **statistics}
    return signal(3).model_copy(update={"statistics": Statistics(**values), "unbounded": unbounded})


def restricted(**statistics: float) -> Restricted:
    values: dict[str, Any] = {**dict.fromkeys(RestrictedStatistics.model_fields), **statistics}
    return Restricted(
        indication="cancer",
        n_stating=3,
        counts=Counts(n_observed=3, n_drug=9, n_event=12, n_total=305),
        statistics=RestrictedStatistics(**values),
        rules_fired=(),
        rules_not_asked=(),
        supported=False,
    )


def test_a_null_is_unbounded_only_if_the_alert_says_so() -> None:
    numbers = {"ror": 9.0, "ror_lower": 2.0}
    assert estimate_of(alert(("ror_upper",), **numbers), "ror") == IntervalEstimate(9.0, 2.0, inf)
    assert estimate_of(alert((), **numbers), "ror") == IntervalEstimate(9.0, 2.0, None)
    assert estimate_of(alert(None), "ic") == IntervalEstimate(None, None, None)


def test_the_interval_cell_has_the_signed_off_revision_as_a_ghost() -> None:
    now = alert(ic=2.0, ic_lower=1.0, ic_upper=3.0)
    before = alert(ic=1.0, ic_lower=0.0, ic_upper=2.0)
    facts = interval_cell_facts(now, before)
    assert facts.now == IntervalEstimate(2.0, 1.0, 3.0)
    assert facts.before == IntervalEstimate(1.0, 0.0, 2.0)
    assert facts.is_on
    off = now.model_copy(update={"rules_fired": ()})
    assert not interval_cell_facts(off).is_on
    assert interval_cell_facts(off).before is None


def test_revisions_are_points_in_order() -> None:
    alerts = [alert(ic=value) for value in (1.0, 2.0)]
    assert [point.estimate.value for point in revision_points(alerts)] == [1.0, 2.0]
    assert {point.day for point in revision_points(alerts)} == {alerts[0].evaluated_on}


def test_only_compared_revisions_are_rows() -> None:
    plain = alert(ror=4.75, ror_lower=1.5, ror_upper=15.25)
    assert restricted_facts([plain]) is None
    compared = plain.model_copy(
        update={"restricted": restricted(ror=3.5, ror_lower=0.5, ror_upper=21.25)}
    )
    facts = restricted_facts([plain, compared], language="ja")
    assert facts is not None
    (row,) = facts.rows
    assert (row.label, row.n_observed) == ("2024年1月1日", 3)
    assert row.everything == IntervalEstimate(4.75, 1.5, 15.25)
    assert row.within == IntervalEstimate(3.5, 0.5, 21.25)
