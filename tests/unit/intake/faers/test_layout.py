"""The codes, units and names of FAERS."""

import pytest

from schemas.vocabulary import (
    AgeGroup,
    Qualification,
    ReporterKind,
)
from streams.intake.faers.layout import patient_of, quarter_end, reporter_of, substances_of


@pytest.mark.parametrize(
    ("age", "code", "years"),
    [
        ("5", "DEC", 50.0),
        ("42", "YR", 42.0),
        ("6", "MON", 0.5),
        ("26", "WK", 26 * 7 / 365.25),
        ("3", "DY", 3 / 365.25),
        ("12", "HR", 0.5 / 365.25),
        ("42", "", None),
        ("999", "YR", None),
        ("-3", "YR", None),
        ("", "YR", None),
    ],
)
def test_ages_are_in_years(age: str, code: str, years: float | None) -> None:
    expected = None if years is None else pytest.approx(years, rel=1e-12)

    assert patient_of(age, code, "", "", "", "").age_years == expected


@pytest.mark.parametrize(
    ("weight", "code", "kilograms"),
    [("70", "KG", 70.0), ("3500", "GMS", 3.5), ("0", "KG", None), ("701", "KG", None)],
)
def test_weights_are_in_kilograms(weight: str, code: str, kilograms: float | None) -> None:
    assert patient_of("", "", "", "", weight, code).weight_kg == kilograms


@pytest.mark.parametrize(
    ("code", "group"), [*zip("NICTAE?", [*[*AgeGroup][:6], None], strict=True)]
)
def test_age_groups(code: str, group: AgeGroup | None) -> None:
    assert patient_of("", "", code, "", "", "").age_group is group


@pytest.mark.parametrize(
    ("code", "kind", "qualification"),
    [
        ("MD", ReporterKind.PHYSICIAN, Qualification.PHYSICIAN),
        ("PH", ReporterKind.PHARMACIST, Qualification.PHARMACIST),
        ("HP", ReporterKind.OTHER_HEALTH_PROFESSIONAL, Qualification.OTHER_HEALTH_PROFESSIONAL),
        ("OT", ReporterKind.OTHER_HEALTH_PROFESSIONAL, Qualification.OTHER_HEALTH_PROFESSIONAL),
        ("CN", ReporterKind.CONSUMER, Qualification.CONSUMER),
        ("LW", ReporterKind.LAWYER, Qualification.LAWYER),
        ("", ReporterKind.UNKNOWN, Qualification.CONSUMER),
    ],
)
def test_reporters(code: str, kind: ReporterKind, qualification: Qualification) -> None:
    reporter = reporter_of(code, "US")

    assert (reporter.kind, reporter.qualification) == (kind, qualification)


@pytest.mark.parametrize(
    ("ingredients", "name", "substances"),
    [
        ("A\\B\\A", "x", ("A", "B")),
        (" \\ ", "Tylenol", ("Tylenol",)),
        ("", " compazine   /00013302/ /00013301/ ", ("compazine",)),
        ("", "ADVAIR DISKUS 100/50", ("ADVAIR DISKUS 100/50",)),
        ("", "/00587301/", ()),
        ("", "", ()),
    ],
)
def test_substances(ingredients: str, name: str, substances: tuple[str, ...]) -> None:
    assert substances_of(ingredients, name) == substances


def test_the_quarter_is_that_of_the_file_and_not_of_its_folder() -> None:
    assert quarter_end("FAERS_19Q4/DELETED.txt") is None
