"""Figures of the page of a signal, from its alerts, its cases and what is computed about them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl
from markupsafe import Markup

from schemas.alert import Alert
from schemas.case_line import CaseLine
from schemas.vocabulary import VerificationState
from streams.console.cases.listing import CaseRow
from streams.console.frame.texts import Texts
from streams.console.signal.evidence import Evidence
from streams.console.signal.ledger import LedgerEntry
from streams.core.wording.catalogue import catalogue
from streams.core.wording.names import country, plain_product_name
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.drawing.receipts import ReceivedCases
from streams.figures.evidence import EvidenceFacts, EvidencePoint, evidence
from streams.figures.forest import ForestFacts, ForestRow, RowKind, forest
from streams.figures.neighbours import CountedEstimate, NeighbourRow, NeighboursFacts, neighbours
from streams.figures.restricted import RestrictedFacts, RestrictedRow, restricted
from streams.figures.swimlane import CaseLane, SwimlaneFacts, swimlane
from streams.figures.trend import DatedMark, TrendFacts, TrendPoint, TrendRevision, trend

__all__ = [
    "IN_PRINT",
    "ON_SCREEN",
    "SignalFigures",
    "Widths",
    "restricted_figure",
    "signal_figures",
    "trend_rows",
]

_GRAVE = frozenset({"death", "life_threatening"})
_BAND = re.compile(r"age ([\d.]+) (?:to below ([\d.]+)|and above)")
_SHORTEST = 3  # characters of an id without the name of its database


@dataclass(frozen=True, slots=True)
class Widths:
    """Widths of the figures [px]: those of the page, or those of print."""

    trend: float = 940
    half: float = 452
    neighbours: float = 930
    evidence: float = 344


ON_SCREEN = Widths()
IN_PRINT = Widths(trend=680, half=680, neighbours=680, evidence=680)


@dataclass(frozen=True, slots=True)
class SignalFigures:
    """Pictures as SVG.

    Attributes
    ----------
    evidence
        The anytime-valid test by day; None if it tested no day.
    """

    trend: Markup
    forest: Markup
    swimlane: Markup
    neighbours: Markup
    evidence: Markup | None


def signal_figures(
    found: Evidence,
    alerts: Sequence[Alert],
    rows: Sequence[CaseRow],
    ledger: Sequence[LedgerEntry],
    day: date,
    t: Texts,
    widths: Widths,
    signed_off: date | None = None,
) -> SignalFigures:
    """Return the pictures of a revision.

    Parameters
    ----------
    found
        What is computed about it.
    alerts
        The revisions of the signal up to it, in order.
    rows
        Its cases as they were known.
    ledger
        Notices and decisions known on the day.
    day
        Last day of the trend.
    signed_off
        Day of the reader's last sign-off: what came later is drawn as new.
    """
    alert, language = alerts[-1], t.language.value
    drug, event = plain_product_name(alert.drug, t.language), alert.event
    states = {row.line.case_id: _state(row.line) for row in rows}
    tested = None
    if not found.path.is_empty():
        facts = _evidence_facts(found.path, alerts, drug, event)
        tested = Markup(evidence(facts, width=widths.evidence, language=language))
    return SignalFigures(
        trend=Markup(
            trend(
                replace(
                    _trend_facts(found, alerts, states, ledger, day, (drug, event), t),
                    signed_off=signed_off,
                ),
                width=widths.trend,
                language=language,
            )
        ),
        forest=Markup(
            forest(
                ForestFacts(drug, event, tuple(_forest_rows(found.forest, t))),
                width=widths.half,
                language=language,
            )
        ),
        swimlane=Markup(
            swimlane(
                SwimlaneFacts(drug, event, tuple(_lanes(found.lanes, rows, t)), signed_off),
                width=widths.half,
                language=language,
            )
        ),
        neighbours=Markup(
            neighbours(
                _neighbours_facts(found, alert, drug, event, t),
                width=widths.neighbours,
                language=language,
            )
        ),
        evidence=tested,
    )


def restricted_figure(alerts: Sequence[Alert], t: Texts, width: float) -> Markup:
    """Return the ratio of each revision among all reports and within the indication."""
    alert = alerts[-1]
    rows = [
        RestrictedRow(
            label=t("signal.step", number=one.revision, day=one.evaluated_on.isoformat()),
            n_observed=one.counts.n_observed,
            everything=_ratio(one.statistics, one.unbounded or ()),
            within=None if one.restricted is None else _ratio(one.restricted.statistics, ()),
        )
        for one in alerts
    ]
    facts = RestrictedFacts(plain_product_name(alert.drug, t.language), alert.event, rows)
    return Markup(restricted(facts, width=width, language=t.language.value))


def trend_rows(table: pl.DataFrame) -> pl.DataFrame:
    """Return the days of a trend on which a printed number changed, and the last one.

    A signal of nine years has three thousand days, most of them alike to two decimals.
    """
    if table.is_empty():
        return table
    printed = table.select(pl.col("ic", "ic_lower", "ic_upper").round(2), "n_observed")
    # `ne_missing`: two undefined numbers are printed alike.
    changed = printed.select(pl.any_horizontal(pl.all().ne_missing(pl.all().shift(1)))).to_series()
    place = pl.int_range(table.height, eager=True)
    return table.filter(changed | (place == 0) | (place == table.height - 1))


def _trend_facts(
    found: Evidence,
    alerts: Sequence[Alert],
    states: Mapping[str, VerificationState | None],
    ledger: Sequence[LedgerEntry],
    day: date,
    pair: tuple[str, str],
    t: Texts,
) -> TrendFacts:
    points = [
        TrendPoint(row["day"], row["n_observed"], row["expected"], _estimate(row))
        for row in trend_rows(found.trend).iter_rows(named=True)
    ]
    received = (
        found.lanes.select("received", "case_id")
        .with_columns(state=pl.Series([states.get(name) for name in found.lanes["case_id"]]))
        .group_by("received", "state", maintain_order=True)
        .len()
    )
    return TrendFacts(
        *pair,
        first_day=points[0].day if points else alerts[0].evaluated_on,
        last_day=day,
        points=points,
        revisions=[
            TrendRevision(
                one.revision,
                one.evaluated_on,
                one.counts.n_observed,
                _published(one.statistics),
            )
            for one in alerts
        ],
        received=[
            ReceivedCases(row["received"], row["len"], _known_state(row["state"]))
            for row in received.iter_rows(named=True)
        ],
        notices=[
            DatedMark(entry.day, t(f"signal.{entry.what}"))
            for entry in ledger
            if entry.decision is None and entry.day <= day
        ],
        decisions=[
            DatedMark(entry.day, t(f"signal.{entry.what}"))
            for entry in ledger
            if entry.decision is not None and entry.day <= day
        ],
    )


def _known_state(name: str | None) -> VerificationState | None:
    return None if name is None else VerificationState(name)


def _state(line: CaseLine) -> VerificationState | None:
    """Return the verification of a case; None if nobody states who reported."""
    state = VerificationState(line.verification)
    unsaid = line.reporter == "unknown" and state is VerificationState.REPORTED
    return None if unsaid else state


def _forest_rows(table: pl.DataFrame, t: Texts) -> Iterator[ForestRow]:
    kinds = {"all": RowKind.ALL, "adjusted": RowKind.ADJUSTED}
    for row in table.iter_rows(named=True):
        factor = row["factor"]
        yield ForestRow(
            label=t(f"signal.forest_{factor}")
            if factor in kinds
            else _subgroup(factor, row["subgroup"], t),
            n_observed=row["n_observed"],
            expected=row["expected"],
            estimate=_estimate(row),
            kind=kinds.get(factor, RowKind.STRATUM),
            group="" if factor in kinds else factor,
        )


def _subgroup(factor: str, name: str, t: Texts) -> str:
    """Return a subgroup in words; a name without words of its own, such as a year, as it is."""
    if factor == "region":
        return t.find(f"signal.subgroup_region_{name}") or country(name, catalogue(t.language))
    if band := _BAND.fullmatch(name):
        low, high = band.groups()
        return (
            t("signal.band_from", low=low) if high is None else t("signal.band", low=low, high=high)
        )
    known = t.find(f"signal.subgroup_{factor}_{name.replace(' ', '_')}")
    return known or name


def _lanes(table: pl.DataFrame, rows: Iterable[CaseRow], t: Texts) -> Iterator[CaseLane]:
    of_case = {row.line.case_id: row.line for row in rows}
    shared = len(_shared_prefix(table["case_id"].to_list()))
    for row in table.iter_rows(named=True):
        line = of_case.get(row["case_id"])
        criteria = () if line is None else line.seriousness
        words = [t(f"signal.short_{one}") for one in criteria if t.find(f"signal.short_{one}")]
        yield CaseLane(
            case_id=row["case_id"][shared:],
            patient=""
            if line is None
            else t(
                "signal.patient_short",
                age=t(f"signal.short_age_{line.age_group}"),
                sex=t(f"signal.short_sex_{line.sex}"),
            ),
            received=row["received"],
            onset_days=row["onset_days"],
            outcome=", ".join(words),
            is_grave=bool(_GRAVE & set(criteria)),
            state=None if line is None else _state(line),
        )


def _shared_prefix(names: Sequence[str]) -> str:
    """Return what all ids have before their last hyphen, and it: the name of their database.

    >>> _shared_prefix(["VAERS-118884", "VAERS-118916"]), _shared_prefix(["A-111", "B-222"])
    ('VAERS-', '')
    """
    heads = {"".join(name.rpartition("-")[:2]) for name in names}
    too_short = any(len(name.rpartition("-")[2]) < _SHORTEST for name in names)
    return heads.pop() if len(heads) == 1 and not too_short else ""


def _product(name: str, t: Texts) -> str:
    """Return the name of a product by its normal form; codes of the catalogue are in capitals."""
    code = name.upper()
    known = catalogue(t.language).find(f"product.{code}") is not None
    return plain_product_name(code if known else name, t.language)


def _neighbours_facts(
    found: Evidence, alert: Alert, drug: str, event: str, t: Texts
) -> NeighboursFacts:
    return NeighboursFacts(
        drug,
        event,
        CountedEstimate(alert.counts.n_observed, _published(alert.statistics)),
        [
            NeighbourRow(
                _product(row["product"], t),
                row["n_shared"],
                CountedEstimate(row["n_observed"], _estimate(row)),
                CountedEstimate(row["n_observed_without"], _estimate(row, "_without")),
            )
            for row in found.neighbours.iter_rows(named=True)
        ],
    )


def _evidence_facts(
    path: pl.DataFrame, alerts: Sequence[Alert], drug: str, event: str
) -> EvidenceFacts:
    revisions = {one.evaluated_on: one.revision for one in alerts}
    points = [
        EvidencePoint(row["day"], row["log_e_value"], revisions.get(row["day"]))
        for row in path.iter_rows(named=True)
    ]
    return EvidenceFacts(
        drug,
        event,
        first_day=points[0].day,
        last_day=max(points[-1].day, alerts[-1].evaluated_on),
        points=points,
    )


def _estimate(row: Mapping[str, Any], suffix: str = "") -> IntervalEstimate:
    return IntervalEstimate(*(row[f"{name}{suffix}"] for name in ("ic", "ic_lower", "ic_upper")))


def _published(statistics: Any) -> IntervalEstimate:
    return IntervalEstimate(statistics.ic, statistics.ic_lower, statistics.ic_upper)


def _ratio(statistics: Any, unbounded: Sequence[str]) -> IntervalEstimate:
    values = (getattr(statistics, name) for name in ("ror", "ror_lower", "ror_upper"))
    names = ("ror", "ror_lower", "ror_upper")
    return IntervalEstimate(
        *(
            float("inf") if value is None and name in unbounded else value
            for name, value in zip(names, values, strict=True)
        )
    )
