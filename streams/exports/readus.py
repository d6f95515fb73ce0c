"""READUS-PV table of methods of a disproportionality analysis, filled in from a run.

Items that the run can answer are filled in. The others are marked for the authors, since a tool
that invented the reasons of a study would be worse than an empty cell.

Items 1a to 6a are numbered as in the checklist of the statement, and `abstract ...` as in its
checklist for abstracts; both were read. The later items were not at hand, so their topics have no
number: take it from the statement.

References
----------
.. [1] Fusaroli et al. (2024). The REporting of A Disproportionality Analysis for DrUg Safety Signal
   Detection Using Individual Case Safety Reports in PharmacoVigilance (READUS-PV): Development and
   Statement. Drug Safety 47(6), 575-584. doi 10.1007/s40264-024-01421-9. Tables 1 and 2.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.alert import CAVEAT, Alert, AlertKind, SignalGrade
from schemas.errors import InputError
from streams.core.signals.realert_policy import AlertPolicy
from streams.exports.case_counts import FLAGS, CaseCounts
from streams.exports.result_file import result_file
from streams.exports.spreadsheet import Sheet, write_csv

__all__ = ["FOR_THE_AUTHORS", "ReadusInput", "ReadusItem", "readus_items", "write_readus"]

FOR_THE_AUTHORS = "For the authors"
"""Placeholder of items that the run cannot answer."""


@dataclass(frozen=True)
class ReadusItem:
    """One item of the table.

    Attributes
    ----------
    number
        Number in the checklist; empty if it was not at hand.
    asked
        Topic of the item, in our words.
    answer
        Answer from the run; `None` if the authors have to write it.
    hint
        Advice to the authors: what to add, and where to find it.
    """

    number: str
    section: str
    asked: str
    answer: str | None = None
    hint: str = ""

    @property
    def answered(self) -> bool:
        """Return whether the run has an answer."""
        return self.answer is not None


@dataclass(frozen=True)
class ReadusInput:
    """Input of the table: the alerts, their policy and, if given, the source files."""

    alerts: Sequence[Alert]
    policy: AlertPolicy
    sources: Sequence[Path] = ()
    counts: CaseCounts | None = None


def readus_items(given: ReadusInput) -> list[ReadusItem]:
    """Return the items in the order of the statement.

    Raises
    ------
    InputError
        If there are no alerts, or they were made under another policy.
    """
    if not given.alerts:
        msg = "alerts: must hold signals of disproportionate reporting; got none"
        raise InputError(msg)
    newest = given.alerts[-1]
    if newest.policy_hash != given.policy.policy_hash:
        msg = (
            f"--policy: must be the policy that the alerts were made under, {newest.policy_hash}; "
            f"got {given.policy.policy_hash}"
        )
        raise InputError(msg)
    return [
        ReadusItem("1a", "Title", "names the design, the type of data and the database",
                   hint="'disproportionality analysis of individual case safety reports in ...'"),
        ReadusItem("1b", "Title", "names events and drugs under study, where there are any"),
        ReadusItem("2a", "Introduction", "drug, its use, the event, what is known"),
        ReadusItem("2b", "Introduction", "why the analysis was made"),
        ReadusItem("2c", "Introduction", "why such reports and this method suit the question"),
        ReadusItem("3", "Introduction", "objectives, with event, drug and reference group"),
        *_design(given, newest),
        *_data(given),
        *_variables(given),
        *_statistics(given, newest),
        *_results(given),
        ReadusItem("abstract 4a-4c", "Discussion", "findings, limits, what they imply",
                   hint=f"Every alert says: {CAVEAT}"),
        ReadusItem("", "Other", "funding, interests, registration of a protocol"),
        ReadusItem("", "Other", "access to code and data",
                   f"Tocsin {newest.code_version}, Apache-2.0. `tocsin recount` recomputes every "
                   "number from the reports; alerts name the input they were computed at.",
                   "where the reports can be had"),
    ]  # fmt: skip


def _design(given: ReadusInput, newest: Alert) -> list[ReadusItem]:
    windows = ", ".join(sorted({alert.window.label for alert in given.alerts}))
    days = [alert.evaluated_on for alert in given.alerts]
    evaluations = len(set(days))
    return [
        ReadusItem("4a, abstract 2a", "Design", "design and type of data",
                   "Disproportionality analysis of individual case safety reports."),
        ReadusItem("4b", "Design", "outline, primary and further analyses",
                   f"Every pair of a suspect drug and a reaction was tested again as reports came "
                   f"in. Windows: {windows}. Alerts on {evaluations} days from {min(days)} to "
                   f"{max(days)}, by the day the sender first received the report.",
                   "which analysis is the primary one; case-by-case review; literature"),
    ]  # fmt: skip


def _data(given: ReadusInput) -> list[ReadusItem]:
    named = {name for alert in given.alerts for name in alert.dictionary_versions or ()}
    coded = f" Reports of the signals' cases name {', '.join(sorted(named))}." if named else ""
    if given.counts is None:
        return [
            ReadusItem("5a, abstract 2b", "Data", "database, custodian, coverage, dictionaries",
                       hint="--source fills in the files"),
            ReadusItem("5b", "Data", "dates of extraction, pre-processing", _PREPARED,
                       "day of the download; --source fills in the files and what was left out"),
        ]  # fmt: skip
    counts = given.counts
    files = "; ".join(f"{path.name} (SHA-256 {_digest(path)})" for path in given.sources)
    drugs = counts.cases["drugs"].explode().n_unique()
    events = counts.cases["events"].explode().n_unique()
    days = counts.cases["day"].sort().to_list()
    first, last = (days[0], days[-1]) if days else (None, None)
    left_out = {
        reason: number
        for reason, number in sorted(counts.summary.population.items())
        if reason != "counted" and number
    }
    excluded = "; ".join(f"{reason}: {number:,}" for reason, number in left_out.items()) or "none"
    return [
        ReadusItem("5a, abstract 2b", "Data", "database, custodian, coverage, dictionaries",
                   f"Files: {files}. {drugs:,} distinct suspect drugs and {events:,} distinct "
                   f"reactions, in the spelling of the source.{coded}",
                   "name and custodian of the database"
                   + ("" if coded else "; dictionaries and their versions")),
        ReadusItem("5b, abstract 2c", "Data", "dates of extraction, pre-processing",
                   f"Cases first received from {first} to {last}. {_PREPARED} "
                   f"{counts.summary.messages:,} reports were read, "
                   f"{counts.summary.rejected.total():,} could not be; cases left out, by reason: "
                   f"{excluded}.",
                   "day of the download; why these choices"),
    ]  # fmt: skip


_PREPARED = (
    "Of each case the latest version counts, however they arrived. Left out are nullified cases, "
    "those that are not verified, those without a suspect drug or a reaction, and duplicates: "
    "named so by the sender, sharing a case number (worldwide, of the sender, or cross-listed), or "
    "decided by a person or by linkage; one of them stays. Names are compared in Unicode NFKC with "
    "single spaces."
)


def _variables(given: ReadusInput) -> list[ReadusItem]:
    population = "All counted cases; no restriction by age, sex, region or type of report."
    if given.counts is not None:
        population += f" {given.counts.cases.height:,} cases."
        if given.counts.unstated:
            silent = "; ".join(FLAGS[flag] for flag in given.counts.unstated)
            population += f" The reports do not state: {silent}."
    return [
        ReadusItem("6a", "Variables", "population and its restrictions", population),
        ReadusItem("", "Variables", "how drugs are defined",
                   "Each substance of a product whose role is suspect or interacting; without "
                   "substances its class, else its name as reported. Concomitants do not count.",
                   "groups of drugs, if any were formed"),
        ReadusItem("", "Variables", "how events are defined",
                   "Each distinct reaction term of a case, as coded by the source.",
                   "queries or groups of terms, if any were formed"),
        ReadusItem("", "Variables", "cases and non-cases",
                   "The unit is the case. Case: it has the event. Exposed: it has the drug. "
                   "Reference group: all other counted cases of the window."),
    ]  # fmt: skip


def _statistics(given: ReadusInput, newest: Alert) -> list[ReadusItem]:
    rules = " ".join(
        f"{rule.name} ({rule.grade}): {rule.sentence}; once on, until {rule.exit_sentence}."
        for rule in newest.rules
    )
    sets = len({alert.rules_hash for alert in given.alerts})
    changed = f" {sets} sets of rules were in force one after the other; these are the last." * (
        sets > 1
    )
    kept = ", ".join(f"{name} = {value}" for name, value in given.policy.model_dump().items())
    return [
        ReadusItem("abstract 2d", "Statistics", "measures and thresholds",
                   "A pair is a signal while any rule is on, and an alarm while one of the alarm "
                   f"is; else it is of the screening. {rules}{changed} Intervals are 95%, "
                   "two-sided; the IC has exact gamma bounds.",
                   "which of the measures the conclusions rest on"),
        ReadusItem("", "Statistics", "repeated looks and multiplicity",
                   "Pairs were tested each time the counts changed. "
                   + ("The anytime-valid test bounds the chance that a null pair ever alerts."
                      if newest.statistics.log_e_value is not None
                      else "No rule in force corrects for repeated looks or for the number of "
                      "pairs."),
                   ),
        ReadusItem("", "Statistics", "re-alert policy", f"{kept}."),
        ReadusItem("", "Statistics", "confounding, sensitivity analyses",
                   hint="other rules: `tocsin backtest`; other windows: `tocsin replay --window`"),
        ReadusItem("abstract 2e", "Statistics", "case-by-case analysis",
                   hint="`tocsin export ermr FILE.xlsx --source ...` lists the new cases"),
        ReadusItem("", "Statistics", "software",
                   f"Tocsin {newest.code_version}; rules SHA-256 {newest.rules_hash}; policy "
                   f"SHA-256 {newest.policy_hash}"
                   + (f"; prior of EBGM {newest.prior_id}." if newest.prior_id else ".")),
    ]  # fmt: skip


def _results(given: ReadusInput) -> list[ReadusItem]:
    latest = {alert.signal_key: alert for alert in given.alerts}.values()
    on = [alert for alert in latest if alert.rules_fired]
    alarms = sum(alert.grade is SignalGrade.ALARM for alert in on)
    # A correction may follow the revision that ended a signal.
    ended = {
        alert.signal_key: alert.kind
        for alert in given.alerts
        if alert.kind in (AlertKind.CLOSED, AlertKind.RETRACTION)
    }
    off = [alert.signal_key for alert in latest if not alert.rules_fired]
    retracted = sum(ended.get(key) is AlertKind.RETRACTION for key in off)
    return [
        ReadusItem("abstract 3", "Results", "findings with their precision",
                   f"{len(latest):,} pairs were a signal at some time, {len(on):,} are at the end, "
                   f"{alarms:,} of them alarms; "
                   f"{retracted:,} were retracted with their cases. Counts, estimates and bounds "
                   "of each stand in its alert.",
                   "the pairs that the work is about; the cases one by one"),
    ]  # fmt: skip


def write_readus(path: Path, items: Sequence[ReadusItem]) -> None:
    """Write the table as Markdown (`.md`) or CSV.

    Raises
    ------
    InputError
        If the path has another suffix.
    """
    columns = ("Item", "Section", "What is asked", "Answer", "For the authors")
    rows = [
        (
            item.number,
            item.section,
            item.asked,
            item.answer or FOR_THE_AUTHORS,
            item.hint or ("" if item.answered else "to write"),
        )
        for item in items
    ]
    if path.suffix == ".md":
        lines = ["# READUS-PV", "", _SOURCE, "", _line(columns), _line(["---"] * len(columns))]
        text = "\n".join([*lines, *map(_line, rows)]) + "\n"
        with result_file(path) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    elif path.suffix == ".csv":
        write_csv(path, Sheet("READUS-PV", columns, rows))
    else:
        msg = f"{path}: the file to write must end with .md or .csv; got {path.suffix!r}"
        raise InputError(msg)


_SOURCE = (
    "After Fusaroli et al. (2024), READUS-PV: Development and Statement, Drug Safety 47(6), "
    "575-584, doi 10.1007/s40264-024-01421-9. Items without a number: take it from the statement."
)


def _line(cells: Sequence[str]) -> str:
    safe = (" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(safe)} |"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
