"""Signals as a table in the layout of EMA's electronic reaction monitoring report (eRMR).

The table has one row per drug-event pair that was ever a signal, with new and total cases. A column
without data is left out and listed on the sheet `About`, since an empty cell or a zero would state
that there are no such cases.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from schemas.alert import CAVEAT, Alert, WindowKind
from schemas.decision import Assessment, AuditEntry, SignalState
from schemas.errors import InputError
from streams.core.alerts.assessment import assessed
from streams.core.alerts.undecided import RevisionDays
from streams.core.signals.signal_key import names_of_key
from streams.exports.case_counts import FLAGS, CaseCounts, Period
from streams.exports.spreadsheet import Cell, Sheet

__all__ = ["ErmrInput", "ermr_sheets"]

_REGIONS = {
    "europe": "Europe",
    "north_america": "N America",
    "japan": "Japan",
    "asia": "Asia",
    "rest_of_world": "Rest",
}
_PAIRS = {
    "hcp": "HCP",
    "serious": "Serious",
    "fatal": "Fatal",
    "rechallenge": "Positive rechallenge",
    "paediatric": "Paediatric",
    "geriatric": "Geriatric",
    "spontaneous": "Spontaneous",
}
_NEVER_KNOWN = (
    "SOC, HLT, SMQ, IME/DME, listedness: need licensed dictionaries and product information",
    "EEA, medication error, observed, literature: the reports do not say",
    "relative ROR of children and the old: its definition was not at hand; their own ROR is given",
)


@dataclass(frozen=True)
class ErmrInput:
    """Input of the table.

    Attributes
    ----------
    alerts
        Every revision, in order.
    period
        Period in which cases count as new; its last day is the day of the table.
    counts
        Case counts; without them, totals are those of each signal's latest revision.
    decisions
        Latest entry of the audit log for each signal; `None` without a log.
    assessments
        Assessment of each signal with a decision, from that log.
    sources
        Names of the files from which the cases were counted.
    audit_head
        Number of entries and last hash of that log, in words; `None` without a log.
    """

    alerts: Sequence[Alert]
    period: Period
    counts: CaseCounts | None = None
    decisions: Mapping[str, AuditEntry] | None = None
    assessments: Mapping[str, Assessment] = field(default_factory=dict)
    sources: Sequence[str] = ()
    audit_head: str | None = None


def ermr_sheets(given: ErmrInput) -> list[Sheet]:
    """Return the table, the sheet `About`, and the new cases if the reports are given.

    Raises
    ------
    InputError
        If no alert has the cumulative window up to the day, or a signal has no case in the files.
    """
    last = given.period.last
    published = [
        alert
        for alert in given.alerts
        if alert.window.kind is WindowKind.CUMULATIVE and alert.evaluated_on <= last
    ]
    latest = sorted(
        {alert.signal_key: alert for alert in published}.values(),
        key=lambda alert: (alert.drug, alert.event),
    )
    if not latest:
        msg = f"alerts: must hold signals of the cumulative window up to {last}; got none"
        raise InputError(msg)
    pairs = pl.DataFrame(
        [(*names_of_key(alert.signal_key), alert.drug, alert.event) for alert in latest],
        schema=dict.fromkeys(("drug", "event", "drug_label", "event_label"), pl.String()),
        orient="row",
    )
    counted = given.counts.of_pairs(pairs, given.period) if given.counts else None
    columns = _columns(given)
    numbers: list[dict[str, Any]] = (
        [{}] * len(latest) if counted is None else counted.rows(named=True)
    )
    if counted is not None:
        _require_cases(latest, counted)
    changes = _changes(published, given.period)
    rows = [
        [cell(_Row(alert, row, changes.get(alert.signal_key))) for cell in columns.values()]
        for alert, row in zip(latest, numbers, strict=True)
    ]
    sheets = [Sheet("eRMR", list(columns), rows), _about(given, len(latest))]
    if given.counts is not None:
        sheets.insert(1, _new_cases(given.counts, pairs, given.period))
    return sheets


@dataclass(frozen=True)
class _Row:
    alert: Alert
    counted: Mapping[str, Any]
    changes: str | None


def _columns(given: ErmrInput) -> dict[str, Callable[[_Row], Cell]]:
    columns: dict[str, Callable[[_Row], Cell]] = {
        "Active substance": lambda row: row.alert.drug,
        "Reaction PT": lambda row: row.alert.event,
    }
    columns |= _counted_columns(given.counts) if given.counts else _published_columns()
    columns |= {
        "Changes": lambda row: row.changes,
        "Grade": lambda row: row.alert.grade.value,
        "Signal": lambda row: row.alert.signal_key,
        "Revision": lambda row: row.alert.revision,
        "Last told": lambda row: row.alert.evaluated_on,
        "Due": lambda row: row.alert.due,
    }
    if given.decisions is not None:
        decided = given.decisions

        def entry(row: _Row) -> AuditEntry | None:
            return decided.get(row.alert.signal_key)

        columns |= {
            "Disposition": lambda row: (
                (e.decision.to if (e := entry(row)) else SignalState.DETECTED).value
            ),
            "Decided by": lambda row: e.decision.by if (e := entry(row)) else None,
            "Justification": lambda row: (e.decision.reason or None) if (e := entry(row)) else None,
            "Last change": lambda row: e.at.date() if (e := entry(row)) else None,
            "Assignee": lambda row: (
                of.assignee if (of := given.assessments.get(row.alert.signal_key)) else None
            ),
            **_due_columns(given),
        }
    return columns


def _due_columns(given: ErmrInput) -> dict[str, Callable[[_Row], Cell]]:
    """Return the columns of the day that somebody must decide by, from the revisions so far."""
    last, history = given.period.last, RevisionDays()
    for alert in given.alerts:
        if alert.evaluated_on <= last:
            history.add(alert)

    def due(row: _Row) -> date | None:
        assessment = assessed(row.alert, given.assessments, history.of, today=last).assessment
        return None if assessment is None else assessment.due

    return {
        "Due": due,
        "Overdue since": lambda row: day if (day := due(row)) and day < last else None,
    }


def _counted_columns(counts: CaseCounts) -> dict[str, Callable[[_Row], Cell]]:
    """Return the columns computed from the cases, without those that no case states."""

    def of(name: str) -> Callable[[_Row], Cell]:
        return lambda row: row.counted[name]

    columns = {"New": of("new_all"), "Tot": of("tot_all")}
    for flag, title in _PAIRS.items():
        if flag not in counts.unstated:
            columns |= {f"New {title}": of(f"new_{flag}"), f"Tot {title}": of(f"tot_{flag}")}
    regions = {flag: title for flag, title in _REGIONS.items() if flag not in counts.unstated}
    columns |= {f"Tot {title}": of(f"tot_{flag}") for flag, title in regions.items()}
    columns |= {"Expected": of("expected"), "ROR (-) All": of("ror_lower"), "ROR All": of("ror")}
    columns |= {"IC025": of("ic_lower"), "SDR": _rules_on}
    columns |= {f"ROR (-) {title}": of(f"ror_lower_{flag}") for flag, title in regions.items()}
    for flag in ("paediatric", "geriatric"):
        if flag not in counts.unstated:
            columns[f"ROR (-) {_PAIRS[flag]}"] = of(f"ror_lower_{flag}")
    return columns


def _published_columns() -> dict[str, Callable[[_Row], Cell]]:
    """Return the columns taken from the latest revision, which has no number of new cases."""
    return {
        "Tot": lambda row: row.alert.counts.n_observed,
        "Tot before": lambda row: p.n_observed if (p := row.alert.previous) else None,
        "Tot Serious": lambda row: row.alert.n_serious,
        "Tot Fatal": lambda row: row.alert.n_fatal,
        "Tot Paediatric": lambda row: row.alert.n_paediatric,
        "Regions": lambda row: ", ".join(row.alert.regions) or None,
        "Expected": lambda row: row.alert.statistics.expected,
        "ROR (-) All": lambda row: row.alert.statistics.ror_lower,
        "ROR All": lambda row: row.alert.statistics.ror,
        "IC025": lambda row: row.alert.statistics.ic_lower,
        "SDR": _rules_on,
    }


def _rules_on(row: _Row) -> Cell:
    return ", ".join(row.alert.rules_fired) or "no"


def _changes(published: Sequence[Alert], period: Period) -> dict[str, str]:
    """Describe the published revisions of each signal within the period."""
    found: dict[str, list[str]] = {}
    for alert in published:
        if alert.evaluated_on >= period.first:
            reasons = ", ".join(reason.value for reason in alert.reasons)
            change = f"{alert.evaluated_on} {alert.kind.value}: {reasons}"
            found.setdefault(alert.signal_key, []).append(change)
    return {key: "; ".join(changes) for key, changes in found.items()}


def _require_cases(latest: Sequence[Alert], counted: pl.DataFrame) -> None:
    for alert, cases in zip(latest, counted["tot_all"], strict=True):
        if alert.rules_fired and not cases:
            msg = (
                f"--source: must be the files that the alerts were made from; got no case of the "
                f"signal {alert.signal_key!r} in them"
            )
            raise InputError(msg)


def _new_cases(counts: CaseCounts, pairs: pl.DataFrame, period: Period) -> Sheet:
    columns: dict[str, Callable[[Mapping[str, Any]], Cell]] = {
        "Active substance": lambda case: case["drug_label"],
        "Reaction PT": lambda case: case["event_label"],
        "Case": lambda case: case["case_id"],
        "First received": lambda case: case["day"],
        "Age group": lambda case: case["age"],
        "Sex": lambda case: case["sex"],
        "Region": lambda case: case["region"],
        "Serious": lambda case: _yes(case["serious"]),
        "Fatal": lambda case: _yes(case["fatal"]),
    }
    labelled = counts.new_cases(pairs, period).join(
        pairs, on=["drug", "event"], how="left", maintain_order="left"
    )
    cases = labelled.iter_rows(named=True)
    rows = [[cell(case) for cell in columns.values()] for case in cases]
    return Sheet("New cases", list(columns), rows)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _about(given: ErmrInput, signals: int) -> Sheet:
    period, day = given.period, given.period.last
    rows: list[tuple[str, Cell]] = [
        ("Caveat", CAVEAT),
        ("As of", day),
        ("Signals", signals),
        ("Rows", "every pair that was a signal of the cumulative window, also if it is none now"),
        ("Confidential", "authority tier: counts are not masked"),
    ]
    if given.counts is None:
        rows += [
            ("Tot", "of the latest revision, on the day `Last told`; later cases are not in it"),
            ("Tot before", "of the revision before that one"),
            ("Left out", "New, HCP, rechallenge, geriatric, regions: give the reports, --source"),
        ]
    else:
        rows += [
            ("Sources", ", ".join(given.sources)),
            ("New", f"first received from {period.first} to {period.last} ({period.label})"),
            ("Tot", f"counted cases first received up to {day}, in their latest version"),
            ("ROR (-)", "lower bound of the 95% interval; of a region, among its cases alone"),
            ("An empty estimate", "is undefined for these counts, or unbounded above"),
            ("SDR", "rules that were on in the latest revision; an exit is laxer than an entry"),
        ]
        if given.counts.unstated:
            silent = "; ".join(FLAGS[flag] for flag in given.counts.unstated)
            rows.append(("Left out", f"no report states: {silent}"))
    coded = {name for alert in given.alerts for name in alert.dictionary_versions or ()}
    if coded:
        rows.append(("Dictionaries", f"of the signals' cases: {', '.join(sorted(coded))}"))
    rows += [("Left out", why) for why in _NEVER_KNOWN]
    if given.decisions is None:
        rows.append(
            ("Left out", "disposition, justification, assignee: give the assessment log, --audit")
        )
    if given.audit_head is not None:
        rows.append(("Decisions", given.audit_head))
    newest = max(given.alerts, key=lambda alert: alert.evaluated_on)
    rows.append(("Grade", "alarm if a rule of that grade is on in the latest revision"))
    rows += [
        (f"Rules of the {rule.grade}", f"{rule.name}: {rule.sentence}") for rule in newest.rules
    ]
    rows += [
        ("Rules, SHA-256", newest.rules_hash),
        ("Policy, SHA-256", newest.policy_hash),
        ("Tocsin", newest.code_version),
        ("Text", "that begins with = + - @ has a ' in front, so that it is not run as a formula"),
    ]
    return Sheet("About", ("What", "Meaning"), rows)
