"""Cases by lot and clinic: every zero written, each case counted once in a total."""

from dataclasses import dataclass
from datetime import date

from schemas.safety_alert import AlertCategory, SafetyAlert
from streams.console.safety.lot_table import By, lot_table, onset_cases, same_hazard
from streams.core.cases.domain_case import DomainCase
from tests.support.safety_desk import recorded, story

LAST = date(2024, 12, 31)


def cluster() -> SafetyAlert:
    return next(
        alert
        for alert in reversed(story().published)
        if isinstance(alert, SafetyAlert) and alert.category is AlertCategory.LOT_CLUSTER
    )


def case(name: str, **changes: object) -> DomainCase:
    base = recorded().cases_on(LAST)["NE-1"]
    fields = {each: getattr(base, each) for each in base.__struct_fields__}
    return DomainCase(**{**fields, "case_id": name, **changes})


def no_spellings(lot: str, case_ids: object) -> tuple[str, ...]:
    return ()


@dataclass
class Table:
    names: list[str]
    cells: list[tuple[int, ...]]
    totals: list[int]


def table_of(cases: list[DomainCase], by: By = By.CLINIC) -> Table:
    found = lot_table(cluster(), cases, no_spellings, by)
    return Table(
        [row.name for row in found.rows],
        [tuple(row.cells) for row in found.rows],
        [row.total for row in found.rows],
    )


def test_rows_are_the_lots_any_other_and_none() -> None:
    others = [
        case("X-1", lots=["ZZ9"], facilities=["C-Z"]),
        case("X-2", lots=[], facilities=[]),
        case("X-3", lots=["EX117", "ZZ9"], facilities=["C-A", "C-B"]),
    ]
    found = table_of([*own_cases(), *others])
    assert found.names == ["EX117", "other", "none"]
    # Clinics A, B and C; any other; none stated. The third case is in two columns, once in all.
    assert found.cells == [(3, 2, 1, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1)]
    assert found.totals == [5, 1, 1]


def own_cases() -> list[DomainCase]:
    return [one for one in recorded().cases_on(LAST).values() if one.case_id in cluster().case_ids]


def test_zeros_are_written() -> None:
    assert table_of(own_cases()).cells[1:] == [(0, 0, 0, 0, 0), (0, 0, 0, 0, 0)]


def test_other_columns_are_of_distributors_and_makers() -> None:
    cases = [case("NE-1", distributors=["D-1"]), case("NE-2", manufacturers=["M-1"])]
    assert table_of(cases, By.DISTRIBUTOR).cells[0] == (1, 0, 1)
    assert table_of(cases, By.MANUFACTURER).cells[0] == (1, 0, 1)


def test_the_hazard_is_that_of_the_rule() -> None:
    cases = [
        case("S-1"),
        case("S-2", serious=False),
        case("S-3", terms=["Malignant neoplasm progression"]),
    ]
    assert [one.case_id for one in same_hazard(cluster(), cases)] == ["S-1"]


def test_a_case_without_onset_is_at_its_receipt() -> None:
    letters = {"C-A": "A"}
    cases = [case("NE-1", onset=None, received=19_000, facilities=["C-A"]), case("X-9")]
    (found,) = onset_cases(cluster(), cases, letters)
    assert (found.day, found.is_onset, found.letter) == (date(2022, 1, 8), False, "A")


def test_clinics_beyond_the_alphabet_have_letters_of_their_own() -> None:
    cases = [case("NE-1", facilities=[f"C{i:03}" for i in range(30)])]
    letters = lot_table(cluster(), cases, no_spellings).letters
    assert len(set(letters.values())) == 30
    assert (letters["C000"], letters["C025"], letters["C026"]) == ("A", "Z", "AA")
