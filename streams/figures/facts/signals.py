"""Facts of the pictures of all signals, from their latest alerts and from all revisions."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from schemas.alert import Alert
from streams.figures.calendar_days import CalendarFacts, DayCount
from streams.figures.heat_map import HeatCell, HeatMapFacts
from streams.figures.months import MonthCounts, MonthsFacts
from streams.figures.volcano import SignalMark, VolcanoFacts

__all__ = ["calendar_facts", "heat_map_facts", "months_facts", "volcano_facts"]

_MOST_EVENTS, _MOST_DRUGS = 16, 14


def _is_new(alert: Alert, signed_off: date | None) -> bool:
    return signed_off is not None and alert.evaluated_on > signed_off


def volcano_facts(
    latest: Iterable[Alert],
    *,
    signed_off: date | None = None,
    addresses: Mapping[str, str] | None = None,
) -> VolcanoFacts:
    """Return the facts of a volcano of the signals that are on.

    The ratio is the information component within strata, the evidence the e-value within day and
    age band, both as published.

    Parameters
    ----------
    latest
        The latest revision of each signal.
    signed_off
        Day of the reader's last sign-off.
    addresses
        Addresses of pages by signal key.
    """
    return VolcanoFacts(
        [
            SignalMark(
                key=alert.signal_key,
                label=f"{alert.drug} × {alert.event}",
                log2_ratio=alert.statistics.ic_adjusted,
                log_e_value=alert.statistics.log_e_value_blocked,
                n_observed=alert.counts.n_observed,
                n_serious=alert.n_serious,
                n_fatal=alert.n_fatal,
                is_new=_is_new(alert, signed_off),
                address=(addresses or {}).get(alert.signal_key),
            )
            for alert in latest
            if alert.rules_fired
        ]
    )


def heat_map_facts(
    latest: Iterable[Alert],
    *,
    signed_off: date | None = None,
    most_events: int = _MOST_EVENTS,
    most_drugs: int = _MOST_DRUGS,
) -> HeatMapFacts:
    """Return the facts of a heat map: signals that are on and mostly serious, the strongest events.

    Events are in the order of the sums of their lower limits above zero, products in the order of
    their number of signals with these events.

    Parameters
    ----------
    latest
        The latest revision of each signal.
    signed_off
        Day of the reader's last sign-off.
    most_events, most_drugs
        Most rows and columns.
    """
    serious = [
        alert
        for alert in latest
        if alert.rules_fired and 2 * alert.n_serious >= alert.counts.n_observed
    ]
    sums = defaultdict[str, float](float)
    for alert in serious:
        lower = alert.statistics.ic_lower
        sums[alert.event] += max(lower, 0.0) if lower is not None else 0.0
    events = sorted(sums, key=lambda event: (-sums[event], event))[:most_events]
    shown = [alert for alert in serious if alert.event in set(events)]
    numbers = Counter(alert.drug for alert in shown)
    drugs = sorted(numbers, key=lambda drug: (-numbers[drug], drug))[:most_drugs]
    cells = [
        HeatCell(
            event=alert.event,
            drug=alert.drug,
            ic_lower=alert.statistics.ic_lower,
            n_observed=alert.counts.n_observed,
            is_new=_is_new(alert, signed_off),
        )
        for alert in shown
        if alert.drug in set(drugs)
    ]
    order = {event: place for place, event in enumerate(events)}
    cells.sort(key=lambda cell: (order[cell.event], drugs.index(cell.drug)))
    return HeatMapFacts(events, drugs, cells)


def calendar_facts(
    alerts: Iterable[Alert],
    *,
    last_day: date,
    first_day: date | None = None,
    signed_off: date | None = None,
) -> CalendarFacts:
    """Return the facts of a calendar of all revisions up to a day, by default of its year."""
    first = first_day or date(last_day.year, 1, 1)
    days = Counter(alert.evaluated_on for alert in alerts)
    counts = [DayCount(day, n) for day, n in sorted(days.items()) if first <= day <= last_day]
    return CalendarFacts(first, last_day, counts, signed_off)


def months_facts(alerts: Sequence[Alert]) -> MonthsFacts:
    """Return the facts of all revisions by month and kind."""
    counts = Counter((alert.evaluated_on.replace(day=1), alert.kind.value) for alert in alerts)
    by_month = defaultdict[date, dict[str, int]](dict)
    for (month, kind), n in counts.items():
        by_month[month][kind] = n
    return MonthsFacts([MonthCounts(month, by_month[month]) for month in sorted(by_month)])
