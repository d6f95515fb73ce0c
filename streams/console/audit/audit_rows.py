"""Rows of the audit: visits and decisions in one list, the latest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Literal
from urllib.parse import quote

from schemas.decision import AuditEntry
from streams.console.access.visits import Visit, VisitKind, VisitLog

__all__ = ["DECIDED", "AuditFilter", "AuditRow", "RowsPage", "rows_page"]

DECIDED = "decided"
"""Kind of the rows of the log of decisions."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows are asked for.

    Attributes
    ----------
    reader
        Only rows of this person; empty: of all.
    kind
        A `VisitKind` or `DECIDED`; empty: all.
    signal
        Only rows about this signal; empty: all.
    visits_of
        Only visits of this person, whatever is asked; None: of all.
    """

    reader: str = ""
    kind: str = ""
    signal: str = ""
    visits_of: str | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row.

    Attributes
    ----------
    log
        Where it is from: the log of `visits` or of `decisions`.
    number
        Its number there.
    subject
        Address or change of a visit; signal of a decision.
    step
        States before and after a decision; empty of a visit.
    detail
        Where a visit came from; reason of a decision.
    digest
        Hash of a decision's entry; empty of a visit.
    """

    log: Literal["visits", "decisions"]
    number: int
    at: datetime
    kind: str
    reader: str
    subject: str
    step: tuple[str, ...] = ()
    detail: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class RowsPage:
    """A page of rows.

    Attributes
    ----------
    before_visit, before_decision
        Where the next page begins in each log; None on the last page.
    """

    rows: list[AuditRow]
    before_visit: int | None
    before_decision: int | None


def rows_page(
    visits: VisitLog | None,
    entries: Iterable[AuditEntry],
    asked: AuditFilter,
    *,
    most: int,
    before_visit: int | None,
    before_decision: int | None,
) -> RowsPage:
    """Return the latest rows of both logs that pass a filter.

    Parameters
    ----------
    visits
        The log of visits; None if there is none.
    entries
        The log of decisions.
    most
        Number of rows.
    before_visit, before_decision
        Only rows of smaller numbers than these; None: the latest.
    """
    seen = _visits(visits, asked, most + 1, before_visit)
    decided = [
        _of_entry(entry)
        for entry in sorted(entries, key=lambda entry: -entry.number)
        if _passes(entry, asked) and entry.number < (before_decision or entry.number + 1)
    ]
    found = list(islice(merge(seen, decided, key=lambda row: row.at, reverse=True), most + 1))
    rows = found[:most]
    if len(found) <= most:
        return RowsPage(rows, None, None)
    return RowsPage(
        rows,
        _last(rows, "visits", before_visit),
        _last(rows, "decisions", before_decision),
    )


def _last(rows: Iterable[AuditRow], log: str, before: int | None) -> int:
    """Return the smallest number that was shown of a log; without one, where the page began."""
    return min((row.number for row in rows if row.log == log), default=before or 2**62)


def _visits(
    visits: VisitLog | None, asked: AuditFilter, most: int, before: int | None
) -> list[AuditRow]:
    own, reader = asked.visits_of, asked.reader or None
    if visits is None or asked.kind == DECIDED or (own is not None and reader not in (None, own)):
        return []
    found = visits.latest(
        most,
        before=before,
        reader=reader if own is None else own,
        kind=VisitKind(asked.kind) if asked.kind else None,
        about=quote(asked.signal, safe=""),
    )
    return [_of_visit(visit) for visit in found]


def _passes(entry: AuditEntry, asked: AuditFilter) -> bool:
    decision = entry.decision
    return (
        asked.kind in ("", DECIDED)
        and asked.reader in ("", decision.by)
        and asked.signal in ("", decision.signal_key)
    )


def _of_visit(visit: Visit) -> AuditRow:
    return AuditRow(
        "visits",
        visit.number,
        visit.at,
        visit.kind.value,
        visit.reader,
        visit.subject,
        detail=visit.client,
    )


def _of_entry(entry: AuditEntry) -> AuditRow:
    return AuditRow(
        "decisions",
        entry.number,
        entry.at,
        DECIDED,
        entry.decision.by,
        entry.decision.signal_key,
        step=(entry.frm.value, entry.decision.to.value),
        detail=entry.decision.reason,
        digest=entry.hash,
    )
