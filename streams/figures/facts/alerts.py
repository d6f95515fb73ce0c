"""Facts of pictures from alerts: estimates, revisions, ratios within the indication."""

import math
from collections.abc import Iterable

from schemas.alert import Alert
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.drawing.texts import figure_texts
from streams.figures.marks.interval_cell import IntervalCellFacts
from streams.figures.marks.revisions_spark import RevisionPoint
from streams.figures.restricted import RestrictedFacts, RestrictedRow

__all__ = ["estimate_of", "interval_cell_facts", "restricted_facts", "revision_points"]


def estimate_of(alert: Alert, measure: str) -> IntervalEstimate:
    """Return a measure of an alert with its bounds: unbounded ones infinite, undefined ones None.

    Parameters
    ----------
    alert
        The alert.
    measure
        Name of a statistic with bounds, such as `ic` [log2 units] or `ror` [ratio].
    """
    return _estimate(alert.statistics, measure, alert.unbounded or ())


def _estimate(statistics: object, measure: str, unbounded: Iterable[str]) -> IntervalEstimate:
    values = []
    for name in (measure, f"{measure}_lower", f"{measure}_upper"):
        value = getattr(statistics, name)
        values.append(math.inf if value is None and name in unbounded else value)
    return IntervalEstimate(*values)


def interval_cell_facts(alert: Alert, signed_off: Alert | None = None) -> IntervalCellFacts:
    """Return the interval of a signal now, and at the revision that the reader signed off."""
    before = None if signed_off is None else estimate_of(signed_off, "ic")
    return IntervalCellFacts(estimate_of(alert, "ic"), before, is_on=bool(alert.rules_fired))


def revision_points(alerts: Iterable[Alert]) -> list[RevisionPoint]:
    """Return the revisions of a signal for its spark."""
    return [RevisionPoint(alert.evaluated_on, estimate_of(alert, "ic")) for alert in alerts]


def restricted_facts(alerts: Iterable[Alert], *, language: str = "en") -> RestrictedFacts | None:
    """Return the ratios of the revisions that were compared within the indication; None if none."""
    texts = figure_texts(language)
    held = [alert for alert in alerts if alert.restricted is not None]
    if not held:
        return None
    rows = [
        RestrictedRow(
            label=texts.full_day(alert.evaluated_on),
            n_observed=alert.counts.n_observed,
            everything=estimate_of(alert, "ror"),
            within=_estimate(alert.restricted.statistics, "ror", ()) if alert.restricted else None,
        )
        for alert in held
    ]
    return RestrictedFacts(held[-1].drug, held[-1].event, rows)
