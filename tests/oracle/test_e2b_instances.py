"""FDA's E2B(R3) instances, by values read by hand from the XML, and against another reader."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import e2br3
import pytest

from schemas.report import Report
from streams.intake.e2b.codes import OUTCOMES_R3, ROLES_R3
from streams.intake.e2b.reader import read_e2b

pytestmark = pytest.mark.realdata

VALUES: dict[int, dict[str, Any]] = {
    1: {
        "case_id": "US-APHARMA-8744554B",  # C.1.8.1
        "sender_case_id": "US-APHARMA-8744554B",  # C.1.1
        "worldwide_id": "US-APHARMA-8744554B",
        "sender": "Big Pharma Drug",  # C.3.2; C.3.3.1 has the department, Management
        "first_received": date(2022, 6, 14),  # C.1.4, 10:10:10 in UTC-5
        "latest_received": date(2022, 6, 14),  # C.1.5
        "report_type": "spontaneous",  # C.1.3 is 1
        "revision": None,
        "other_ids": [],  # C.1.9.1 is NI
        "links": [],
        "reporter": ("physician", "US"),  # C.2.r.4 is 1, C.2.r.3
        "country": "US",  # E.i.9
        "patient": (48.0, "adult", "male", None),  # D.2.2, D.2.3 is 5, D.5 is 1; no D.3
        "reactions": [
            (
                *("10027940", "25.0", "THROMBOSE VEINEUSE PROFONDE"),
                *(date(2014, 10, 10), None, "not_recovered"),
            ),
            ("10009896", "25.0", "COLITE ISCHEMIQUE", date(2014, 10, 10), None, "recovered"),
        ],
        "seriousness": {"disability", "medically_important"},
        "verification": "valid_icsr",  # E.i.8 is not stated
        "products": [
            ("Drug A", ("Ingredient A",), "suspect", "UNKNOWN", "Oral", None, None),
            ("Drug B", ("Ingredient B",), "suspect", None, None, None, None),
            ("Drug C", ("Drug C",), "concomitant", None, None, None, None),  # no substance
        ],
        "relatedness": [
            (0, "10027940", "PHARMACEUTICAL COMPANY", "Global Introspection", "Not Suspected"),
            (0, "10009896", "PRIMARY SOURCE REPORTER", "Global Introspection", "Suspected"),
            (1, "10009896", "PHARMACEUTICAL COMPANY", "Global Introspection", "Not Suspected"),
            (1, "10027940", "PRIMARY SOURCE REPORTER", "Global Introspection", "Not Suspected"),
        ],
        "details": [
            ("NDA012345", "Big Pharma A Drug", None, "Embolism venous", "unknown", None),
            ("NDA012567", "Big Pharma B Drug", None, None, "unknown", None),
            (None, "Big Pharma C Drug", None, None, "unknown", None),
        ],
    },
    2: {
        "case_id": "US-APHARMA-8744554B",
        "sender_case_id": "US-APHARMA-8744554B-UPDATE-TESTING222",
        "worldwide_id": "US-APHARMA-8744554B",
        "sender": "Big Pharma Drug",
        "first_received": date(2022, 6, 15),
        "latest_received": date(2022, 6, 15),
        "report_type": "spontaneous",
        "revision": None,
        "other_ids": [],
        "links": [],
        "reporter": ("physician", "US"),
        "country": "US",
        "patient": (48.0, "adult", "male", None),
        "reactions": [
            (
                *("10027940", "25.0", "THROMBOSE VEINEUSE PROFONDE"),
                *(date(2014, 10, 10), None, "not_recovered"),
            ),
            ("10009896", "25.0", "COLITE ISCHEMIQUE", date(2014, 10, 10), None, "recovered"),
        ],
        "seriousness": {"disability", "medically_important"},
        "verification": "valid_icsr",
        "products": [
            # The lot 4577BN2-product-2-device1 is that of a device, not of a dosage.
            ("Drug A", ("ARGEMONE MEXICANA SEED OIL",), "suspect", "UNKNOWN", "Oral", None, None),
            ("Drug B", ("Ingredient B",), "suspect", None, None, None, None),
            ("Drug C", ("Drug C",), "concomitant", None, None, None, None),
        ],
        "relatedness": [  # reactions have the identifiers of instance 1, exchanged
            (0, "10009896", "PHARMACEUTICAL COMPANY", "Global Introspection", "Not Suspected"),
            (0, "10027940", "PRIMARY SOURCE REPORTER", "Global Introspection", "Suspected"),
            (1, "10027940", "PHARMACEUTICAL COMPANY", "Global Introspection", "Not Suspected"),
            (1, "10009896", "PRIMARY SOURCE REPORTER", "Global Introspection", "Not Suspected"),
        ],
        "details": [
            ("NDA012345", "Big Pharma A Drug", None, "Embolism venous", "unknown", None),
            ("NDA012567", "Big Pharma B Drug", None, None, "unknown", None),
            (None, "Big Pharma C Drug", None, None, "unknown", None),
        ],
    },
    6: {
        "case_id": "US-APHARMA-8744554B",
        "sender_case_id": "US-APHARMA-8744554B",
        "worldwide_id": "US-APHARMA-8744554B",
        "sender": "Big Pharma",
        "first_received": date(2022, 6, 14),
        "latest_received": date(2022, 6, 14),
        "report_type": "spontaneous",
        "revision": None,
        "other_ids": [
            ("Reporting Ltd Corporation", "FR-RPTLTD-15998"),
            ("European Medicines Agency", "EU-EMA-999999"),
        ],
        "links": ["FR-PHARMA-3448976655", "FR-QPHARMA-12345678"],
        "reporter": ("physician", "US"),
        "country": None,  # `eu` is not a country
        "patient": (10.0, "unknown", "male", 48.2),  # D.2.3 has a null flavor
        "reactions": [
            ("10027940", "12.0", "consciência alterada", date(2009, 1, 1), 10, "not_recovered"),
            ("10024381", "12.0", None, None, 10, "not_recovered"),
        ],
        "seriousness": {"death", "hospitalisation", "disability", "medically_important"},
        "verification": "hcp_confirmed",  # E.i.8 of the first reaction
        "products": [
            (
                *("Drug A", ("TERBINAFINE HYDROCHLORIDE", "ARGEMONE MEXICANA SEED OIL")),
                *("suspect", "4577BN2", "Free text route content"),
                *(date(2009, 1, 1), date(2009, 1, 1)),
            ),
            ("Drug B", ("Vaccinia virus",), "interacting", None, None, None, None),
        ],
        "relatedness": [
            (0, "10027940", "Reporter", "Introspection", "Highly related"),
            (0, "10024381", "Company", "algorithm", "Suspected"),
            (1, "10024381", "Company", "Bayesian", "Likely"),
            (1, "10024381", "Reporter", "Introspection", "Suspected"),
        ],
        "details": [
            (
                *("BLA012345", "Pharmacia and Upjohn Company", "10028813"),
                "Medication was prescribed to address sickness to the stomach.",
                *("dose_reduced", True),  # G.k.8 is 2; G.k.9.i.4 is 1
            ),
            ("BLA012345", "Big Biopharma", None, None, "unknown", None),
        ],
    },
}


def instance(real_data: Path, number: int) -> Path:
    return real_data / "e2b_r3" / f"FAERS2022Scenario{number}.xml"


def report_of(path: Path) -> Report:
    [report] = read_e2b(path)
    assert isinstance(report, Report)
    return report


@pytest.mark.parametrize("number", VALUES)
def test_an_instance_of_fda_is_read_as_its_xml_says(real_data: Path, number: int) -> None:
    report = report_of(instance(real_data, number))
    patient = report.patient
    assert {
        **{
            name: getattr(report, name)
            for name in (
                *("case_id", "sender_case_id", "worldwide_id", "sender"),
                *("first_received", "latest_received", "report_type", "revision", "verification"),
            )
        },
        "other_ids": [(each.source, each.case_id) for each in report.other_ids],
        "links": [each.case_id for each in report.links],
        "reporter": (report.reporter.qualification, report.reporter.country),
        "country": report.occurrence_country,
        "patient": (patient.age_years, patient.age_group, patient.sex, patient.weight_kg),
        "reactions": [
            (
                *(each.code, each.dictionary_version, each.verbatim),
                *(each.onset, each.onset_days, each.outcome),
            )
            for each in report.reactions
        ],
        "seriousness": set(report.seriousness),
        "products": [
            (
                *(each.verbatim, each.substances, each.role, each.lot),
                *(each.route, each.first_given, each.last_given),
            )
            for each in report.products
        ],
        "relatedness": [
            (number, each.reaction, each.source, each.method, each.result)
            for number, product in enumerate(report.products)
            for each in product.relatedness
        ],
        "details": [
            (
                *(each.licence, each.manufacturer, each.indication, each.indication_verbatim),
                *(each.action_taken, each.rechallenge),
            )
            for each in report.products
        ],
    } == VALUES[number]


def test_a_value_that_a_report_cannot_carry_is_counted(real_data: Path) -> None:
    unmapped: Counter[str] = Counter()
    list(read_e2b(instance(real_data, 6), unmapped))
    assert unmapped == {"E.i.9 'eu'": 1}


@pytest.mark.parametrize("number", VALUES)
def test_an_independent_reader_agrees(real_data: Path, number: int) -> None:
    path = instance(real_data, number)
    report = report_of(path)
    [message] = e2br3.parse(str(path)).messages
    other: Any = message.icsr
    assert report.case_id == other.worldwide_case_id
    assert report.sender_case_id == other.safety_report_id
    assert report.first_received.strftime("%Y%m%d") == other.first_received_date.raw[:8]
    assert report.latest_received.strftime("%Y%m%d") == other.most_recent_date.raw[:8]
    assert [(each.term, each.dictionary_version, each.outcome) for each in report.reactions] == [
        (each.meddra.code, each.meddra.code_system_version, OUTCOMES_R3[each.outcome.code])
        for each in other.reactions
    ]
    assert [(each.verbatim, each.role) for each in report.products] == [
        (each.product_name, ROLES_R3[each.role.code]) for each in other.drugs
    ]
    assert [each.substances for each in report.products] == [
        tuple(each.substances) or (each.product_name,) for each in other.drugs
    ]
    assert [
        (each.reaction, each.source, each.method, each.result)
        for product in report.products
        for each in product.relatedness
    ] == [
        (
            other.reactions[assessed.reaction_index].meddra.code,
            *(each.source.original_text, each.method.original_text, each.result),
        )
        for drug in other.drugs
        for assessed in drug.relatedness
        for each in assessed.assessments
    ]
    criteria = {
        "death": "results_in_death",
        "life_threatening": "life_threatening",
        "hospitalisation": "hospitalisation",
        "disability": "disabling",
        "congenital_anomaly": "congenital_anomaly",
        "medically_important": "other_medically_important",
    }
    assert set(report.seriousness) == {
        ours
        for ours, theirs in criteria.items()
        if any(getattr(each, theirs) is True for each in other.reactions)
    }
