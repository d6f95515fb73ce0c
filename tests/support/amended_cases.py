"""Reports of one pair, two of which are amended and one nullified weeks after they came."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from schemas.report import Patient, Reaction, Report, Revision
from schemas.vocabulary import RevisionKind, Seriousness, Sex
from tests.support.reports import make_report

__all__ = [
    "DRUG",
    "EVENT",
    "FIRST",
    "Table",
    "amended_reports",
    "day_of",
    "table_of",
    "versions_known_on",
]

FIRST = date(2024, 1, 1)
DRUG, EVENT = "zinc", "rash"
_N_OTHERS = 60


def day_of(number: int) -> date:
    """Return the day so many days after the first."""
    return FIRST + timedelta(days=number)


def _report(case_id: str, day: int, **stated: Any) -> Report:
    """Return a report of a case of its own lot and onset, received on a day."""
    place = int(case_id[1:])
    usual: dict[str, Any] = {
        "patient": Patient(
            age_years=0.3 if place % 2 else 40.0, sex=Sex.FEMALE if place % 3 else Sex.MALE
        ),
        "seriousness": (Seriousness.HOSPITALISATION,) if place % 4 else (),
        "reactions": (Reaction(term=EVENT, onset=day_of(day - 1)),),
    }
    return make_report(case_id, day=day_of(day), **{**usual, **stated})


def amended_reports() -> list[Report]:
    """Return 75 reports in order of receipt: of the pair in 10 cases, 8 at the end.

    On day 20 follow-up 2 of Z003 states another drug, and on day 30 that of Z004 a fatal outcome;
    on day 25 Z005 is nullified.
    """
    pair = [_report(f"Z{place:03}", 2 * place) for place in range(1, 6)]
    pair += [_report(f"Z{place:03}", 20 + place) for place in range(6, 11)]
    pair += [_report(f"X{day:03}", day, reactions=(Reaction(term="cough"),)) for day in (3, 12)]
    events = ("fever", "cough", "rash")
    others = [
        _report(
            f"Y{place:03}",
            place % 35,
            drugs=("iron",) if place % 2 else ("gold", "iron"),
            reactions=(Reaction(term=events[0 if place % 20 else 2 if place % 40 else 1]),),
        )
        for place in range(_N_OTHERS)
    ]
    amended = {"version": 2, "latest_received": day_of(20)}
    moved = _report("Z003", 6, drugs=("iron",), **amended)
    fatal = _report(
        "Z004",
        8,
        version=2,
        latest_received=day_of(30),
        seriousness=(Seriousness.DEATH, Seriousness.HOSPITALISATION),
    )
    revision = Revision(kind=RevisionKind.NULLIFICATION, reason="sent twice")
    gone = _report("Z005", 10, version=2, latest_received=day_of(25), revision=revision)
    # By day; on a day in order of ids.
    return sorted(
        [*pair, *others, moved, fatal, gone], key=lambda one: (one.latest_received, one.case_id)
    )


def versions_known_on(reports: Iterable[Report], day: date) -> dict[str, Report]:
    """Return the latest version of each case that had come by a day and counts."""
    latest: dict[str, Report] = {}
    for report in reports:
        if report.latest_received <= day:
            before = latest.get(report.case_id)
            if before is None or report.version > before.version:
                latest[report.case_id] = report
    return {case_id: report for case_id, report in latest.items() if report.revision is None}


@dataclass(frozen=True)
class Table:
    """A 2x2 table, counted one report at a time."""

    n_observed: int
    n_drug: int
    n_event: int
    n_total: int


def table_of(reports: Sequence[Report], day: date) -> Table:
    """Return the table of the pair on a day, from the versions that had come."""
    known = versions_known_on(reports, day).values()
    drug = [any(DRUG in product.substances for product in one.products) for one in known]
    event = [any(reaction.term == EVENT for reaction in one.reactions) for one in known]
    return Table(
        n_observed=sum(a and b for a, b in zip(drug, event, strict=True)),
        n_drug=sum(drug),
        n_event=sum(event),
        n_total=len(drug),
    )
