"""Oracle: a recount of the messages on the topic without any code of Tocsin.

A message counts if it is the highest version of its case so far and no nullification, and the case
is neither linked to another one nor of an older release than one that a marker on its partition
closed. That is all there is to know, given how `tests.chaos.reports` writes them. Which cases must
be linked, once all is read, is recounted from the numbers that they state, without reading links
(`Batch.tables`); what was counted at any moment before, with the links that were on the topic then
(`Batch.table`).
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.source_file_counts import Counts, tabulate

__all__ = ["Batch", "Closed", "Link", "Table", "Version", "mhra", "mhra_stays", "read"]

Table = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Version:
    """Counted facts of one readable message."""

    case: str
    version: int
    day: str  # on which it was received
    counted: bool
    drugs: tuple[str, ...]
    events: tuple[str, ...]
    first_day: str
    number: str | None  # that the patient has worldwide
    scope: str = ""  # of its release
    released_on: str = ""
    stratum: tuple[str, int, str] = ("", 0, "")  # quarter, age band and sex


@dataclass(frozen=True, slots=True)
class Link:
    """Facts of one decision on whether a case is a duplicate of another."""

    case: str
    decision: int
    away: bool  # whether it keeps the case out


@dataclass(frozen=True, slots=True)
class Closed:
    """A marker: the cases of its scope of older releases no longer count."""

    scope: str
    released_on: str


def read(value: bytes) -> Version | Link | Closed | None:
    """Parse a message; `None` for one that was written to be unreadable."""
    try:
        report = json.loads(value)
        if report.get("message_type") == "release_marker":
            return Closed(report["scope"], report["released_on"])
        release = report.get("release", {})
        if "master_case_id" in report:
            return Link(report["case_id"], report["decision"], report["state"] == "applied")
        return Version(
            report["case_id"],
            report["version"],
            report["latest_received"],
            "revision" not in report,
            tuple(
                name
                for product in report["products"]
                for name in product.get("substances") or [product["product_class"]]
            ),
            tuple(reaction["term"] for reaction in report["reactions"]),
            report["first_received"],
            report.get("worldwide_id"),
            release.get("scope", ""),
            release.get("released_on", ""),
            _stratum(report),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _stratum(report: dict[str, Any]) -> tuple[str, int, str]:
    year, month, _ = report["first_received"].split("-")
    patient = report.get("patient", {})
    age = patient.get("age_years")
    band = -1 if age is None else sum(age >= end for end in (0.5, 1, 2, 7, 18, 45, 65))
    return f"{year} {(int(month) - 1) // 3}", band, patient.get("sex", "unknown")


@dataclass
class Batch:
    """Batch count of the topic up to any offset of each partition."""

    messages: dict[int, list[Version | Link | Closed | None]] = field(default_factory=dict)
    reached: Counter[int] = field(default_factory=Counter)
    _latest: dict[str, Version] = field(default_factory=dict)
    _links: dict[str, Link] = field(default_factory=dict)
    _partitions: dict[str, int] = field(default_factory=dict)  # of each case
    _closed: dict[tuple[int, str], str] = field(default_factory=dict)  # newest release of a scope
    _pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    _drugs: Counter[str] = field(default_factory=Counter)
    _events: Counter[str] = field(default_factory=Counter)
    _total: int = 0
    _strata: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    _within: Counter[tuple[tuple[str, int, str], str]] = field(default_factory=Counter)  # names

    def advance(self, offsets: Iterable[tuple[int, int]]) -> None:
        """Apply the messages of each partition up to, excluding, an offset."""
        for partition, end in offsets:
            for message in self.messages[partition][self.reached[partition] : end]:
                if isinstance(message, Link):
                    self._decide(message)
                elif isinstance(message, Closed):
                    self._close(partition, message)
                elif message is not None:
                    self._partitions[message.case] = partition
                    self._take(message)
            self.reached[partition] = max(self.reached[partition], end)

    def table(self, drug: str, event: str) -> Table:
        """Return n_observed, n_drug, n_event and n_total of a pair."""
        return self._pairs[drug, event], self._drugs[drug], self._events[event], self._total

    def expected(self, drug: str, event: str) -> float:
        """Return the cases expected of a pair within quarter, age band and sex."""
        return sum(
            self._within[stratum, drug] * self._within[stratum, event] / total
            for stratum, total in self._strata.items()
            if total
        )

    def tables(self) -> Counts:
        """Recount from scratch, with links: one case of each patient.

        It is the first received, of several the one with the smallest id.
        """
        by_patient: dict[str, Version] = {}
        for one in self._latest.values():
            if one.counted and not self._is_withdrawn(one):
                patient = one.case if one.number is None else f"number {one.number}"
                other = by_patient.get(patient, one)
                by_patient[patient] = min(
                    one, other, key=lambda version: (version.first_day, version.case)
                )
        return tabulate(
            (set(version.drugs), set(version.events)) for version in by_patient.values()
        )

    @property
    def away(self) -> int:
        """Return the number of cases that links on the topic remove from the counts."""
        return sum(link.away for link in self._links.values())

    def _take(self, message: Version) -> None:
        stored = self._latest.get(message.case)
        if stored is not None and stored.version >= message.version:
            return
        self._latest[message.case] = message
        if not self._is_away(message.case):
            self._count(stored, -1)
            self._count(message, 1)

    def _close(self, partition: int, marker: Closed) -> None:
        place = partition, marker.scope
        if marker.released_on <= self._closed.get(place, ""):
            return
        there = [
            one
            for one in self._latest.values()
            if one.scope == marker.scope and self._partitions[one.case] == partition
        ]
        for one in there:
            self._count(one, -1)
        self._closed[place] = marker.released_on
        for one in there:
            self._count(one, 1)

    def _is_withdrawn(self, version: Version) -> bool:
        place = self._partitions[version.case], version.scope
        return version.released_on < self._closed.get(place, "")

    def _decide(self, link: Link) -> None:
        was = self._is_away(link.case)
        stored = self._links.get(link.case, link)
        # Of two with one number, the one that lets the case count holds.
        self._links[link.case] = max(
            stored, link, key=lambda decided: (decided.decision, not decided.away)
        )
        if self._is_away(link.case) != was:
            self._count(self._latest.get(link.case), 1 if was else -1)

    def _is_away(self, case: str) -> bool:
        return case in self._links and self._links[case].away

    def _count(self, version: Version | None, sign: int) -> None:
        if version is None or not version.counted or self._is_withdrawn(version):
            return
        for pair in itertools.product(version.drugs, version.events):
            self._pairs[pair] += sign
        for drug in version.drugs:
            self._drugs[drug] += sign
        for event in version.events:
            self._events[event] += sign
        self._total += sign
        self._strata[version.stratum] += sign
        for name in (*version.drugs, *version.events):
            self._within[version.stratum, name] += sign


def mhra(table: Table, least_prr: float = 2, least_chi2: float = 4) -> bool | None:
    """Return whether PRR >= 2, chi-square (Yates) >= 4 and 3 cases hold; `None` on the edge."""
    observed, drug, event, total = table
    b, c, d = drug - observed, event - observed, total - drug - event + observed
    if observed < 3:
        return False
    prr = math.inf if c == 0 else (observed / drug) * (total - drug) / c
    margins = drug * event * (total - drug) * (total - event)
    if margins == 0:
        return None
    excess = max(abs(observed * d - b * c) - total / 2, 0.0)
    chi2 = total * excess * excess / margins
    if min(abs(prr - least_prr), abs(chi2 - least_chi2)) < 1e-9:
        return None
    return prr >= least_prr and chi2 >= least_chi2


def mhra_stays(table: Table) -> bool | None:
    """Return whether a rule stays on: PRR >= 1.68, chi-square >= 2.71 and 3 cases hold."""
    return mhra(table, 1.68, 2.71)
