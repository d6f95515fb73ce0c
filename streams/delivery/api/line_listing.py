"""Line listings: the line of a case from its report."""

from schemas.case_line import CaseLine, LineProduct, LineReaction
from schemas.product import Product, normalise_lot
from schemas.report import Report
from schemas.vocabulary import RevisionKind
from streams.core.cases.strata import age_group

__all__ = ["case_line"]


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
