"""The code lists of ICH E2B(R2) have the meaning of each number."""

import pytest

from streams.intake.e2b.codes import DOSE_UNITS_R2, ROUTES_R2


@pytest.mark.parametrize(
    ("code", "route"),
    [
        *(("001", "Auricular (otic)"), ("014", "Intra-articular"), ("030", "Intramuscular")),
        *(("042", "Intravenous (not otherwise specified)"), ("048", "Oral"), ("050", "Other")),
        *(("058", "Subcutaneous"), ("065", "Unknown"), ("067", "Vaginal")),
    ],
)
def test_a_route_has_its_number(code: str, route: str) -> None:
    assert ROUTES_R2[code] == route


@pytest.mark.parametrize(
    ("code", "unit"),
    [("001", "kg"), ("003", "mg"), ("012", "mL"), ("025", "IU"), ("030", "%"), ("032", "DF")],
)
def test_a_unit_has_its_number(code: str, unit: str) -> None:
    assert DOSE_UNITS_R2[code] == unit
