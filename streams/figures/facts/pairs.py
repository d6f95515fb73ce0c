"""Facts of the pictures of one pair, from named rows of `streams.core.explanation`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from schemas.alert import Alert
from schemas.vocabulary import VerificationState
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.drawing.receipts import ReceivedCases
from streams.figures.drawing.texts import FigureTexts, figure_texts
from streams.figures.evidence import EvidenceFacts, EvidencePoint
from streams.figures.facts.alerts import estimate_of
from streams.figures.forest import ForestFacts, ForestRow, RowKind
from streams.figures.neighbours import CountedEstimate, NeighbourRow, NeighboursFacts
from streams.figures.onset_curve import OnsetCase, OnsetCurveFacts
from streams.figures.swimlane import CaseLane, SwimlaneFacts
from streams.figures.trend import DatedMark, TrendFacts, TrendPoint, TrendRevision

__all__ = [
    "evidence_facts",
    "forest_facts",
    "neighbours_facts",
    "onset_facts",
    "swimlane_facts",
    "trend_facts",
]

Row = Mapping[str, Any]

_BEFORE_FIRST_CASE = timedelta(days=60)  # of the trend, for its margins to be seen
_BAND = re.compile(r"age (?P<low>[\d.]+) to below (?P<high>[\d.]+)")
_OLDEST = re.compile(r"age (?P<low>[\d.]+) and above")


def _estimate(row: Row, suffix: str = "") -> IntervalEstimate:
    return IntervalEstimate(*(row[f"{name}{suffix}"] for name in ("ic", "ic_lower", "ic_upper")))


def _state(row: Row) -> VerificationState | None:
    """Return the verification of a counted case: what a professional reports is a valid report."""
    return VerificationState.VALID_ICSR if row["by_professional"] else None


def trend_facts(
    daily: Iterable[Row],
    cases: Iterable[Row],
    alerts: Iterable[Alert],
    *,
    drug: str,
    event: str,
    last_day: date,
    notices: Sequence[DatedMark] = (),
    decisions: Sequence[DatedMark] = (),
    signed_off: date | None = None,
) -> TrendFacts:
    """Return the facts of a trend as of a day; what is later is left out.

    Parameters
    ----------
    daily
        Rows of `daily_trend`.
    cases
        Rows of `case_lanes`.
    alerts
        Revisions of the signal, in order.
    drug, event
        Names to show.
    last_day
        Day as of which the picture is.
    notices, decisions
        Marks on days.
    signed_off
        Day of the reader's last sign-off.
    """
    points = [
        TrendPoint(row["day"], row["n_observed"], row["expected"], _estimate(row))
        for row in daily
        if row["day"] <= last_day
    ]
    revisions = [
        TrendRevision(
            alert.revision, alert.evaluated_on, alert.counts.n_observed, estimate_of(alert, "ic")
        )
        for alert in alerts
        if alert.evaluated_on <= last_day
    ]
    days = Counter((row["received"], _state(row)) for row in cases if row["received"] <= last_day)
    received = [
        ReceivedCases(day, n, state)
        for (day, state), n in sorted(days.items(), key=lambda item: (item[0][0], str(item[0][1])))
    ]
    first_day = _first_day(points, received, last_day)
    return TrendFacts(
        drug=drug,
        event=event,
        first_day=first_day,
        last_day=last_day,
        points=_from(points, first_day),
        revisions=revisions,
        received=received,
        notices=[mark for mark in notices if first_day <= mark.day <= last_day],
        decisions=[mark for mark in decisions if first_day <= mark.day <= last_day],
        signed_off=signed_off,
    )


def _first_day(
    points: Sequence[TrendPoint], received: Sequence[ReceivedCases], last_day: date
) -> date:
    """Return the first day of a month: of the drug's first case, or shortly before the pair's."""
    first = points[0].day if points else last_day
    if received:
        first = max(first, received[0].day - _BEFORE_FIRST_CASE)
    return min(first, last_day).replace(day=1)


def _from(points: Sequence[TrendPoint], first_day: date) -> list[TrendPoint]:
    """Return the points from a day on, with the values that hold on it."""
    before = [point for point in points if point.day < first_day][-1:]
    start = [
        TrendPoint(first_day, point.n_observed, point.expected, point.estimate) for point in before
    ]
    later = [point for point in points if point.day >= first_day]
    return [*(start if not later or later[0].day > first_day else []), *later]


def forest_facts(
    rows: Iterable[Row], *, drug: str, event: str, language: str = "en"
) -> ForestFacts:
    """Return the facts of a forest from rows of `strata_forest`."""
    texts = figure_texts(language)
    found = [
        ForestRow(
            label=_subgroup_label(row["factor"], row["subgroup"], texts),
            n_observed=row["n_observed"],
            expected=row["expected"],
            estimate=_estimate(row),
            kind=RowKind(row["factor"]) if row["factor"] in _WHOLE else RowKind.STRATUM,
            group="all" if row["factor"] in _WHOLE else row["factor"],
        )
        for row in rows
    ]
    return ForestFacts(drug, event, found)


_WHOLE = {RowKind.ALL.value, RowKind.ADJUSTED.value}


def _subgroup_label(factor: str, subgroup: str, texts: FigureTexts) -> str:
    """Return a subgroup in words; a name that the catalogue does not have is its own."""
    for pattern, key in ((_BAND, "subgroup.age_band"), (_OLDEST, "subgroup.oldest")):
        found = pattern.fullmatch(subgroup)
        if found is not None:
            return texts.text(key, **found.groupdict())
    key = subgroup.replace(" ", "_") or factor
    return texts.find(f"subgroup.{factor}.{key}") or texts.find(f"subgroup.{key}") or subgroup


def neighbours_facts(
    rows: Iterable[Row], pair: Row, *, drug: str, event: str, names: Mapping[str, str] | None = None
) -> NeighboursFacts:
    """Return the facts of neighbours.

    Parameters
    ----------
    rows
        Rows of `neighbours_with_and_without`.
    pair
        The first row of `strata_forest`, or the last of `daily_trend`: the pair in all cases.
    drug, event
        Names to show.
    names
        Names of products to show, by the names they are counted under.
    """
    shown = names or {}
    return NeighboursFacts(
        drug=drug,
        event=event,
        pair=CountedEstimate(pair["n_observed"], _estimate(pair)),
        rows=[
            NeighbourRow(
                label=shown.get(row["product"], row["product"]),
                n_shared=row["n_shared"],
                everything=CountedEstimate(row["n_observed"], _estimate(row)),
                without=CountedEstimate(row["n_observed_without"], _estimate(row, "_without")),
            )
            for row in rows
        ],
    )


def swimlane_facts(
    cases: Iterable[Row],
    *,
    drug: str,
    event: str,
    signed_off: date | None = None,
    language: str = "en",
) -> SwimlaneFacts:
    """Return the facts of a swimlane from rows of `case_lanes`."""
    texts = figure_texts(language)
    lanes = [
        CaseLane(
            case_id=row["case_id"],
            patient=_patient(row, texts),
            received=row["received"],
            onset_days=row["onset_days"],
            outcome=_outcome(row, texts),
            is_grave=bool(row["fatal"] or row["life_threatening"]),
            state=_state(row),
        )
        for row in cases
    ]
    return SwimlaneFacts(drug, event, lanes, signed_off)


def _patient(row: Row, texts: FigureTexts) -> str:
    stated = [
        texts.find(f"subgroup.{factor}.{row[factor]}") or row[factor]
        for factor in ("age_group", "sex")
        if row[factor] != "unknown"
    ]
    return texts.listed(stated)


def _outcome(row: Row, texts: FigureTexts) -> str:
    for name in ("fatal", "life_threatening", "serious"):
        if row[name]:
            return texts.text(f"outcome.{name}")
    return ""


def evidence_facts(
    daily: Iterable[Row],
    alerts: Iterable[Alert],
    *,
    drug: str,
    event: str,
    last_day: date,
    signed_off: date | None = None,
) -> EvidenceFacts:
    """Return the facts of the evidence as of a day: the test after each day, and its revisions.

    Parameters
    ----------
    daily
        Rows of `daily_evidence`.
    alerts
        Revisions of the signal, in order; each is at `log_e_value_blocked` as it published it.
    drug, event
        Names to show.
    last_day
        Day as of which the picture is.
    signed_off
        Day of the reader's last sign-off.
    """
    published = [
        EvidencePoint(alert.evaluated_on, alert.statistics.log_e_value_blocked, alert.revision)
        for alert in alerts
        if alert.evaluated_on <= last_day
    ]
    days = {point.day for point in published if point.log_e_value is not None}
    computed = [
        EvidencePoint(row["day"], row["log_e_value"])
        for row in daily
        if row["day"] <= last_day and row["day"] not in days
    ]
    points = sorted([*published, *computed], key=lambda point: (point.day, point.revision or 0))
    first = points[0].day.replace(day=1) if points else last_day
    return EvidenceFacts(drug, event, first, last_day, points, signed_off)


def onset_facts(
    cases: Iterable[Row],
    *,
    subject: str,
    signed_off: date | None = None,
    letters: Mapping[str, str] | None = None,
) -> OnsetCurveFacts:
    """Return the facts of an onset curve.

    Parameters
    ----------
    cases
        Rows of `case_lanes`.
    subject
        The pair, lot or facility in words.
    signed_off
        Day of the reader's last sign-off.
    letters
        Letters of facilities by case id.
    """
    return OnsetCurveFacts(
        subject,
        [
            OnsetCase(
                day=row["onset"] or row["received"],
                is_onset=row["onset"] is not None,
                letter=(letters or {}).get(row["case_id"], ""),
                state=_state(row),
                is_new=signed_off is not None and row["received"] > signed_off,
            )
            for row in cases
        ],
    )
