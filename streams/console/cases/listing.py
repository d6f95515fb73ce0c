"""Lines of the cases of a signal: the facts of the pair in each, as of a day."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from schemas.alert import Alert
from schemas.case_line import CaseLine, LineProduct, LineReaction
from schemas.normal_form import normal_drug, normal_term
from streams.core.signals.signal_key import names_of_key
from streams.delivery.api.line_listing import KnownVersion

__all__ = ["CaseRow", "case_row", "listed", "plain_row"]

_SUSPECT = frozenset({"suspect", "interacting"})


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case of a pair.

    Attributes
    ----------
    line
        Its latest version as of the day.
    is_new
        Whether the previous revision did not count it.
    versions
        Numbers of its versions, in order of arrival.
    product, reaction
        The product and reaction of the pair in it; None if it states another spelling.
    given_with
        Its other products.
    """

    line: CaseLine
    is_new: bool
    versions: tuple[int, ...]
    product: LineProduct | None
    reaction: LineReaction | None
    given_with: tuple[str, ...]


def listed(
    alert: Alert, known: Iterable[KnownVersion], new: Collection[str]
) -> tuple[CaseRow, ...]:
    """Return the cases of a revision, the latest received first.

    Parameters
    ----------
    known
        Every version of its cases as of the day, in order of arrival.
    new
        Cases that the previous revision did not count.
    """
    of_case: dict[str, list[KnownVersion]] = {}
    for version in known:
        of_case.setdefault(version.line.case_id, []).append(version)
    rows = [
        case_row(alert.signal_key, versions, is_new=case_id in new)
        for case_id, versions in of_case.items()
    ]
    return tuple(
        sorted(rows, key=lambda row: (row.line.first_received, row.line.case_id), reverse=True)
    )


def case_row(key: str, versions: list[KnownVersion], *, is_new: bool) -> CaseRow:
    """Return the row of a case of a signal from its versions, in order of arrival."""
    drug, event = names_of_key(key)
    line = max(versions, key=lambda version: version.order).line
    product = next((one for one in line.products if _is_of(one, drug)), None)
    return CaseRow(
        line=line,
        is_new=is_new,
        versions=tuple(version.line.version for version in versions),
        product=product,
        reaction=next((one for one in line.reactions if normal_term(one.term) == event), None),
        given_with=tuple(
            sorted(
                {_name(one) for one in line.products if not _is_of(one, drug)}
                - {"", "" if product is None else _name(product)}
            )
        ),
    )


def plain_row(line: CaseLine) -> CaseRow:
    """Return the row of a case that no pair is asked of: its first suspect product and reaction."""
    suspects = [product for product in line.products if product.role in _SUSPECT]
    return CaseRow(
        line=line,
        is_new=False,
        versions=(line.version,),
        product=next(iter(suspects), None),
        reaction=next(iter(line.reactions), None),
        given_with=tuple(sorted({_name(one) for one in line.products} - {""})),
    )


def _is_of(product: LineProduct, drug: str) -> bool:
    """Return whether a product is that of a pair: a substance, class, lot or facility."""
    kind, _, unit = drug.partition(":")
    return product.role in _SUSPECT and (
        any(normal_drug(name) == drug for name in product.substances)
        or product.product_class == drug
        or (kind == "lot" and product.lot == unit)
        or (kind == "facility" and product.facility_id == unit)
    )


def _name(product: LineProduct) -> str:
    return ", ".join(product.substances) or product.product_class or ""
