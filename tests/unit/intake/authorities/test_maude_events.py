"""An event of MAUDE as a report: numbered outcomes, ages with units, several patients."""

from datetime import date

import pytest

from schemas.vocabulary import Seriousness
from streams.intake.authorities.codes import Codes
from streams.intake.authorities.maude_events import Device, DeviceEvent, DevicePatient, report_of

EVENT = DeviceEvent("7", "", "", date(2004, 8, 1), "", "", "US", (), (), (), ())
DEVICE = Device("*", "PUMP ONE", "ACME", "L1", "JPA")


@pytest.mark.parametrize(
    ("age", "years"),
    [("18 MO", 1.5), ("45 YR", 45.0), ("45 YEARS", None), ("7 DA", 7 / 365.25), ("200 YR", None)],
)
def test_an_age_has_a_unit(age: str, years: float | None) -> None:
    report = report_of(EVENT._replace(patients=[DevicePatient(age, "", ())]), Codes(None))
    assert report.patient.age_years == years


def test_of_several_patients_none_is_the_patient() -> None:
    patients = [DevicePatient("45 YR", "Male", ["1. D"]), DevicePatient("5 YR", "Male", ["N"])]
    report = report_of(EVENT._replace(patients=patients), Codes(None))
    assert report.patient.age_years is None
    assert report.seriousness == (Seriousness.DEATH,)


def test_a_device_without_a_generic_name_has_its_brand() -> None:
    report = report_of(EVENT._replace(devices=[DEVICE]), Codes(None))
    assert report.products[0].substances == ("PUMP ONE",)
    assert report.other_ids == ()
    assert report.occurrence_country == "US"


def test_problems_are_named_once_and_not_if_none_is_known() -> None:
    report = report_of(EVENT._replace(patient_problems=["Pain", "Pain ", "Unknown"]), Codes(None))
    assert [one.term for one in report.reactions] == ["Pain"]
