"""Recount of drug-event pairs from VAERS and FAERS files, the oracle of every way to such counts.

It shares nothing with the intake: no schema, no parser, no cleaning function. Both files' recounts
count cases with at least one suspect drug and at least one event. Messages are recounted in
`tests.support.law.recount` and `tests.support.alert_recount`.
"""

import csv
import io
import itertools
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

Counts = dict[tuple[str, str], tuple[int, int, int, int]]
"""(drug, event) to (n_observed, n_drug, n_event, n_total)."""


def tabulate(cases: Iterable[tuple[set[str], set[str]]]) -> Counts:
    """Count cases, each given as its drugs and its events."""
    pairs: Counter[tuple[str, str]] = Counter()
    by_drug: Counter[str] = Counter()
    by_event: Counter[str] = Counter()
    total = 0
    for drugs, events in cases:
        if drugs and events:
            total += 1
            by_drug.update(drugs)
            by_event.update(events)
            pairs.update(itertools.product(drugs, events))
    return {
        (drug, event): (observed, by_drug[drug], by_event[event], total)
        for (drug, event), observed in pairs.items()
    }


def recount_vaers(*paths: Path) -> Counts:
    """Recount whole VAERS archives by sets of report ids."""
    reports: set[int] = set()
    with_vaccine: dict[str, set[int]] = {}
    with_symptom: dict[str, set[int]] = {}
    for path in paths:
        with zipfile.ZipFile(path) as zipped:
            for name in zipped.namelist():
                text = io.TextIOWrapper(zipped.open(name), encoding="latin-1", newline="")
                for row in csv.DictReader(text):
                    report = int(row["VAERS_ID"])
                    if name.upper().endswith("DATA.CSV"):
                        reports.add(report)
                    elif name.upper().endswith("VAX.CSV"):
                        with_vaccine.setdefault(row["VAX_TYPE"].strip(), set()).add(report)
                    else:
                        for place in "12345":
                            term = row[f"SYMPTOM{place}"].strip()
                            with_symptom.setdefault(term, set()).add(report)
    with_vaccine.pop("", None)
    with_symptom.pop("", None)
    population = set().union(*with_vaccine.values()) & set().union(*with_symptom.values()) & reports
    with_symptom = {term: ids & population for term, ids in with_symptom.items()}
    counts = {}
    for vaccine, all_ids in with_vaccine.items():
        ids = all_ids & population
        for term, others in with_symptom.items():
            if both := len(ids & others):
                counts[vaccine, term] = (both, len(ids), len(others), len(population))
    return counts


def recount_faers(path: Path) -> Counts:
    """Recount a FAERS archive from the latest version of each case that was not deleted."""
    with zipfile.ZipFile(path) as zipped:
        members = {
            match[1].upper(): zipped.read(name).decode("utf-8-sig").splitlines()
            for name in zipped.namelist()
            if (match := re.search(r"(?:^|/)(DEMO|DRUG|REAC|DELE)\w*\.txt$", name, re.IGNORECASE))
        }
    deleted = {line.strip() for line in members.get("DELE", [])}
    latest: dict[str, tuple[tuple[int, str, int], str]] = {}
    for row in _dollar_rows(members["DEMO"]):
        case = row.get("caseid") or row["case"]
        report = row.get("primaryid") or row["isr"]
        rank = (int(row.get("caseversion") or 0), row["fda_dt"], int(report))
        if case not in deleted:
            latest[case] = max(latest.get(case, (rank, report)), (rank, report))
    drugs: dict[str, set[str]] = {report: set() for _, report in latest.values()}
    events: dict[str, set[str]] = {report: set() for report in drugs}
    for row in _dollar_rows(members["DRUG"]):
        report = row.get("primaryid") or row["isr"]
        if report in drugs and row["role_cod"] != "C":
            drugs[report] |= _substances(row.get("prod_ai", ""), row["drugname"])
    for row in _dollar_rows(members["REAC"]):
        report = row.get("primaryid") or row["isr"]
        if report in events:
            events[report].add(row["pt"].strip())
    return tabulate((drugs[report], events[report]) for report in drugs)


def _dollar_rows(lines: list[str]) -> Iterator[dict[str, str]]:
    names = lines[0].lower().split("$")
    for line in filter(None, lines[1:]):
        yield dict(zip(names, line.split("$"), strict=True))


def _substances(ingredients: str, name: str) -> set[str]:
    found = {part.strip() for part in ingredients.split("\\")} - {""}
    if not found:
        words = name.split()
        while words and re.fullmatch(r"/\d{8}/", words[-1]):
            words.pop()
        found = {" ".join(words)} - {""}
    return found
