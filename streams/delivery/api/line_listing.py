"""Line listings: the line of a case from its report, and every version of it as it came."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.case_line import CaseLine, LineProduct, LineReaction
from schemas.product import Product, normalise_lot
from schemas.report import Report
from schemas.vocabulary import RevisionKind
from streams.core.cases.strata import age_group

__all__ = ["VERSION_TABLE", "CaseVersions", "KnownVersion", "case_line"]

VERSION_TABLE = """
CREATE TABLE IF NOT EXISTS version (
    case_id TEXT NOT NULL, version INTEGER NOT NULL, received TEXT NOT NULL,
    nullified INTEGER NOT NULL, message TEXT NOT NULL, source TEXT NOT NULL,
    position INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (case_id, version, received, nullified, message)
) WITHOUT ROWID;
"""
"""Every version of every case, with the place of the message that brought it first."""


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """One version of a case.

    Attributes
    ----------
    source, position
        Place of the first message that brought it.
    """

    line: CaseLine
    message: str
    source: str
    position: int

    @property
    def order(self) -> tuple[int, str, bool, str]:
        """Return what versions of a case are ordered by: the last one is the current one."""
        line = self.line
        return line.version, line.latest_received.isoformat(), line.nullified, self.message


class CaseVersions:
    """The versions of cases in an open database with `VERSION_TABLE`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put(self, report: Report, *, source: str, position: int) -> None:
        """Store a version; a repeated one keeps the place of its first message."""
        line = case_line(report)
        self._db.execute(
            "INSERT OR IGNORE INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                line.case_id,
                line.version,
                line.latest_received.isoformat(),
                line.nullified,
                report.message_id,
                source,
                position,
                line.model_dump_json(),
            ),
        )

    def of(self, case_id: str, before: Mapping[str, int] | None = None) -> Iterator[KnownVersion]:
        """Yield the versions of a case, the current one last.

        Parameters
        ----------
        before
            First position that is not known yet, by source; by default all is known.
        """
        for message, source, position, body in self._db.execute(
            "SELECT message, source, position, body FROM version WHERE case_id = ? "
            "ORDER BY version, received, nullified, message",
            (case_id,),
        ):
            if before is None or position < before.get(source, 0):
                line = CaseLine.model_validate_json(body)
                yield KnownVersion(line, message, source, position)

    def n_cases(self) -> int:
        """Return the number of cases."""
        (number,) = self._db.execute("SELECT COUNT(DISTINCT case_id) FROM version").fetchone()
        return int(number)


def case_line(report: Report) -> CaseLine:
    """Return the line of a report, with the fields of `CaseLine` only.

    Parameters
    ----------
    report
        A report, or any object with the attributes of one (`streams.intake.native`).
    """
    revision, patient, reporter = report.revision, report.patient, report.reporter
    return CaseLine(
        case_id=report.case_id,
        version=report.version,
        nullified=revision is not None and revision.kind is RevisionKind.NULLIFICATION,
        first_received=report.first_received,
        latest_received=report.latest_received,
        country=report.occurrence_country or reporter.country,
        age_group=age_group(patient.age_years, patient.age_group),
        sex=patient.sex.value,
        reporter=reporter.kind.value,
        qualification=reporter.qualification.value,
        verification=report.verification.value,
        seriousness=tuple(criterion.value for criterion in report.seriousness),
        reactions=tuple(
            LineReaction(
                term=reaction.term,
                onset=reaction.onset,
                onset_days=reaction.onset_days,
                outcome=reaction.outcome.value,
            )
            for reaction in report.reactions
        ),
        products=tuple(map(_product, report.products)),
    )


def _product(product: Product) -> LineProduct:
    return LineProduct(
        role=product.role.value,
        substances=tuple(product.substances),
        product_class=product.product_class,
        indication=product.indication,
        route=product.route,
        lot=normalise_lot(product.lot),
        manufacturer=product.manufacturer,
        facility_id=product.facility.facility_id if product.facility else None,
        supply_route=product.supply_route.value,
        dechallenge=product.dechallenge,
        rechallenge=product.rechallenge,
    )
