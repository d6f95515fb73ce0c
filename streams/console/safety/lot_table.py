"""Cases by lot and clinic as a table with every zero written, and by day of onset as a curve."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from string import ascii_uppercase

from schemas.domain import domain_vocabulary
from schemas.safety_alert import SafetyAlert
from schemas.vocabulary import VerificationState
from streams.core.cases.domain_case import DomainCase
from streams.figures.onset_curve import OnsetCase

__all__ = ["By", "LotRow", "LotTable", "lot_table", "onset_cases", "same_hazard"]

_EPOCH = date(1970, 1, 1)


class By(StrEnum):
    """Unit that the columns are of."""

    CLINIC = "clinic"
    DISTRIBUTOR = "distributor"
    MANUFACTURER = "manufacturer"


_UNITS: Mapping[By, Callable[[DomainCase], Sequence[str]]] = {
    By.CLINIC: lambda case: case.facilities,
    By.DISTRIBUTOR: lambda case: case.distributors,
    By.MANUFACTURER: lambda case: case.manufacturers,
}


@dataclass(frozen=True, slots=True)
class LotRow:
    """The cases of one lot, of all other lots, or without a stated lot.

    Attributes
    ----------
    name
        The lot, normalised; `other` or `none` if `is_rest`.
    spellings
        The lot as typed in these cases.
    cells
        Number of cases by column, zeros too.
    total
        Number of its cases, each once.
    """

    name: str
    is_rest: bool
    spellings: Sequence[str]
    cells: Sequence[int]
    total: int


@dataclass(frozen=True, slots=True)
class LotTable:
    """Cases by lot and unit.

    Attributes
    ----------
    units
        Names of the columns; then follow those of any other unit and of none stated.
    letters
        Letter of each named unit, as in the curve.
    """

    units: Sequence[str]
    letters: Mapping[str, str]
    rows: Sequence[LotRow]

    @property
    def n_lots(self) -> int:
        """Return the number of named lots."""
        return sum(not row.is_rest for row in self.rows)


def same_hazard(alert: SafetyAlert, cases: Iterable[DomainCase]) -> list[DomainCase]:
    """Return the cases that the rule of a cluster would count, whatever their lot and clinic."""
    vocabulary, rule = domain_vocabulary(), alert.rule
    family = None if rule is None else rule.family
    return [
        case
        for case in cases
        if vocabulary.classes_of(case.product_class)[-1] == alert.product_class
        and (family is None or family in map(vocabulary.family, case.terms))
        and (rule is None or not rule.serious_only or case.serious)
    ]


def lot_table(
    alert: SafetyAlert,
    cases: Sequence[DomainCase],
    spellings: Callable[[str, Iterable[str]], Sequence[str]],
    by: By = By.CLINIC,
) -> LotTable:
    """Return the cases of a hazard by lot and unit.

    Parameters
    ----------
    alert
        The cluster. Rows and columns are named for the lots and units of its cases.
    cases
        Result of `same_hazard`.
    spellings
        Returns a lot as typed in some cases.
    """
    unit_of = _UNITS[by]
    own = [case for case in cases if case.case_id in alert.case_ids]
    lots = sorted({lot for case in own for lot in case.lots})
    units = sorted({unit for case in own for unit in unit_of(case)})
    columns: list[Callable[[DomainCase], bool]] = [
        *(_names(unit_of, unit) for unit in units),
        lambda case: bool(unit_of(case)) and not set(units) & set(unit_of(case)),
        lambda case: not unit_of(case),
    ]

    def row(name: str, found: Sequence[DomainCase], *, is_rest: bool = False) -> LotRow:
        return LotRow(
            name=name,
            is_rest=is_rest,
            spellings=() if is_rest else spellings(name, [case.case_id for case in found]),
            cells=tuple(sum(map(column, found)) for column in columns),
            total=len(found),
        )

    rows = [row(lot, [case for case in cases if lot in case.lots]) for lot in lots]
    elsewhere = [case for case in cases if case.lots and not set(lots) & set(case.lots)]
    rows.append(row("other", elsewhere, is_rest=True))
    rows.append(row("none", [case for case in cases if not case.lots], is_rest=True))
    return LotTable(tuple(units), _letters(units), tuple(rows))


def onset_cases(
    alert: SafetyAlert, cases: Iterable[DomainCase], letters: Mapping[str, str]
) -> list[OnsetCase]:
    """Return the cases of a cluster by their day of onset, or of receipt where none is stated."""
    return [
        OnsetCase(
            day=_EPOCH + timedelta(days=case.received if case.onset is None else case.onset),
            is_onset=case.onset is not None,
            letter="".join(letters.get(name, "") for name in case.facilities),
            state=VerificationState.VALID_ICSR if case.by_professional else None,
        )
        for case in cases
        if case.case_id in alert.case_ids
    ]


def _names(
    unit_of: Callable[[DomainCase], Sequence[str]], unit: str
) -> Callable[[DomainCase], bool]:
    return lambda case: unit in unit_of(case)


def _letters(units: Sequence[str]) -> dict[str, str]:
    """Return a letter for each unit; two of them after the twenty-sixth."""
    n = len(ascii_uppercase)
    return {
        unit: (ascii_uppercase[i // n - 1] if i >= n else "") + ascii_uppercase[i % n]
        for i, unit in enumerate(units)
    }
