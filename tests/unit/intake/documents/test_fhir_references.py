"""References lead to patients and products, by address, by type and id, or within a resource."""

from typing import Any

import pytest

from schemas.errors import InputError
from streams.intake.documents import fhir_references
from streams.intake.documents.fhir_references import Referenced, References, concept_name

DRUG = {"coding": [{"code": "1", "display": "ALFA"}]}


def _of(reference: str, *resources: dict[str, Any], url: str = "") -> Referenced | None:
    references = References("a.json")
    for resource in resources:
        references.add(resource, url)
    return references.of({"reference": reference})


@pytest.mark.parametrize(
    ("concept", "name"),
    [
        ({"coding": [{"code": "1"}, {"display": "Rash"}], "text": "a rash"}, "Rash"),
        ({"coding": [{"code": "1"}], "text": "a rash"}, "a rash"),
        ({"coding": [{"code": "1"}]}, "1"),
        ({"coding": 7}, ""),
        ("Rash", ""),
        (None, ""),
    ],
)
def test_a_concept_has_a_name(concept: Any, name: str) -> None:
    assert concept_name(concept) == name


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ({"resourceType": "Medication", "id": "1", "code": DRUG}, "ALFA"),
        ({"resourceType": "Immunization", "id": "1", "vaccineCode": DRUG}, "ALFA"),
        (
            {"resourceType": "MedicationRequest", "id": "1", "medicationCodeableConcept": DRUG},
            "ALFA",
        ),
        ({"resourceType": "MedicationUsage", "id": "1", "medication": {"concept": DRUG}}, "ALFA"),
    ],
)
def test_a_product_has_a_name(resource: dict[str, Any], name: str) -> None:
    found = _of(f"{resource['resourceType']}/1", resource)
    assert found is not None
    assert found.name == name


def test_a_product_in_a_product_is_resolved() -> None:
    given = {
        "resourceType": "MedicationAdministration",
        "id": "2",
        "medicationReference": {"reference": "Medication/1"},
        "effectiveDateTime": "2024-01-02",
        "dosage": {"text": "10 mg", "route": {"text": "oral"}},
    }
    medication = {
        "resourceType": "Medication",
        "id": "1",
        "code": DRUG,
        "batch": {"lotNumber": "L1"},
        "manufacturer": {"display": "ACME"},
    }
    assert _of("MedicationAdministration/2", given, medication) == Referenced(
        name="ALFA",
        lot="L1",
        manufacturer="ACME",
        given="2024-01-02",
        route="oral",
        dose="10 mg",
        product="Medication/1",
    )


def test_a_reference_is_an_address_or_a_type_and_id() -> None:
    patient = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1990-01-01"}
    found = Referenced(gender="female", birth="1990-01-01")
    for reference in ("Patient/p", "https://a.example/fhir/Patient/p", "Patient/p/_history/3"):
        assert _of(reference, patient) == found
    assert _of("urn:uuid:1", patient, url="urn:uuid:1") == found
    assert _of("Patient/q", patient) is None
    assert _of("Observation/1", {"resourceType": "Observation", "id": "1"}) is None


def test_a_contained_resource_is_found() -> None:
    contained = [{"resourceType": "Medication", "id": "m", "code": DRUG}]
    found = References("a.json").of({"reference": "#m"}, contained)
    assert found is not None
    assert found.name == "ALFA"
    assert References("a.json").of({"reference": "#x"}, contained) is None


def test_too_many_resources_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_references, "_MOST", 1)
    with pytest.raises(InputError, match=r"a\.json: at most 1 patients and products are held"):
        _of("Patient/1", *({"resourceType": "Patient", "id": str(n)} for n in range(2)))
