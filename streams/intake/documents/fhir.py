"""FHIR AdverseEvent, releases 4 and 5, in bundles, as lines of bulk data, or one by itself.

Profiles of AdverseEvent are read as well, such as those of HL7's guide for ICSRs. Events of one
case, which have its identifier, are one report. Resources are validated by `fhir.resources`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from schemas.errors import RejectCode
from schemas.product import Product
from schemas.rejected import Rejected
from schemas.report import Patient, Reaction, Report, Reporter, Revision
from schemas.vocabulary import (
    Outcome,
    Qualification,
    ReporterKind,
    RevisionKind,
    Seriousness,
    Sex,
)
from streams.intake.authorities.codes import Codes
from streams.intake.delimited import Refusal, refusal
from streams.intake.documents.content import Content, open_documents
from streams.intake.documents.fhir_references import Referenced, References, concept_name
from streams.intake.documents.json_items import Items, json_items
from streams.intake.e2b.codes import CRITERIA_R3
from streams.intake.e2b.values import age_in_years, years_between
from streams.intake.text import clean

__all__ = ["is_fhir", "read_fhir"]

_RESOURCE = re.compile(rb'"resourceType"\s*:\s*"[A-Z]')
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"')
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*)?", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_MEDDRA = ("terminology.hl7.org/CodeSystem/mdr", "www.meddra.org", "2.16.840.1.113883.6.163")
_ONSET_AGE = "ageattimeofonset"  # end of the extension's address in HL7's guide for ICSRs
_SEXES = {"male": Sex.MALE, "female": Sex.FEMALE, "other": Sex.UNKNOWN, "unknown": Sex.UNKNOWN}
_OUTCOMES = {
    "resolved": Outcome.RECOVERED,
    "recovering": Outcome.RECOVERING,
    "ongoing": Outcome.NOT_RECOVERED,
    "resolvedWithSequelae": Outcome.RECOVERED_WITH_SEQUELAE,
    "fatal": Outcome.FATAL,
    "unknown": Outcome.UNKNOWN,
}
_SERIOUSNESS: Mapping[str, Seriousness | None] = CRITERIA_R3 | {
    "non-serious": None,
    "Non-serious": None,
}
_REPORTERS = {
    "Practitioner": (
        ReporterKind.OTHER_HEALTH_PROFESSIONAL,
        Qualification.OTHER_HEALTH_PROFESSIONAL,
    ),
    "Patient": (ReporterKind.PATIENT, Qualification.CONSUMER),
    "RelatedPerson": (ReporterKind.CONSUMER, Qualification.CONSUMER),
}
_REPORTERS["PractitionerRole"] = _REPORTERS["Practitioner"]

_Json = dict[str, Any]
_DECODE = msgspec.json.Decoder(dict[str, Any]).decode


def is_fhir(content: Content) -> bool:
    """Return whether a document begins with a FHIR resource."""
    head = content.head
    return head.startswith(b"{") and _RESOURCE.search(head[:4_096]) is not None


def read_fhir(path: Path, unmapped: Counter[str] | None = None) -> Iterator[Report | Rejected]:
    """Read the adverse events of a document, in its order; other resources are what they refer to.

    Parameters
    ----------
    unmapped
        Counts values that have no counterpart, by element and value.

    Yields
    ------
    Report or Rejected
        A case gives a report: all its adverse events, or one by itself. An adverse event that is
        not valid, or states no day of recording and no event, is a reject, as is a resource that is
        no JSON object.

    Raises
    ------
    InputError
        The document ends too early, or has too many patients and products.

    Notes
    -----
    The case was first received on RECORDEDDATE, else DETECTED; this version on the later of that
    and META.LASTUPDATED. An event whose STATUS is entered-in-error nullifies its case.
    """
    codes = Codes(unmapped)
    for references, (stream, where, head) in zip(
        _references(path), open_documents(path), strict=True
    ):
        items = Items(2, "entry") if _BUNDLE.search(head) else Items(0)
        cases: dict[str, Report] = {}
        for number, raw in json_items(stream, where, items):
            if isinstance(raw, Rejected):
                yield raw
                continue
            for resource, _ in _resources(raw):
                found = _report(resource, references, codes)
                if isinstance(found, Refusal):
                    reason, code = found
                    yield Rejected(source=where, position=number, raw=raw, reason=reason, code=code)
                elif found is not None:
                    known = cases.get(found.case_id)
                    cases[found.case_id] = found if known is None else _united(known, found)
        yield from cases.values()


def _references(path: Path) -> Iterator[References]:
    """Yield what the resources of each document refer to, by reading it once before."""
    for stream, where, head in open_documents(path):
        found = References(where)
        items = Items(2, "entry") if _BUNDLE.search(head) else Items(0)
        for _, raw in json_items(stream, where, items):
            if isinstance(raw, bytes):
                for resource, full_url in _resources(raw):
                    found.add(resource, full_url)
        yield found


def _resources(raw: bytes) -> list[tuple[_Json, str]]:
    """Return the resources of an item and their addresses; an empty one if it is not valid JSON.

    A bundle in a bundle, which is a message of a batch, has several.
    """
    try:
        item = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [({}, "")]
    outer = item.get("resource", item)
    if not isinstance(outer, dict):
        return [({}, "")]
    inner = outer.get("entry") if outer.get("resourceType") == "Bundle" else None
    entries = inner if isinstance(inner, list) else [item]
    found = []
    for entry in entries:
        resource = entry.get("resource", entry) if isinstance(entry, dict) else {}
        full_url = entry.get("fullUrl") if isinstance(entry, dict) else ""
        found.append((resource if isinstance(resource, dict) else {}, str(full_url or "")))
    return found


@lru_cache(maxsize=2)
def _model(*, release_4: bool) -> type[BaseModel]:
    """Return the model of a release; the import takes half a second."""
    if release_4:
        from fhir.resources.R4B.adverseevent import AdverseEvent as Release4

        return Release4
    from fhir.resources.adverseevent import AdverseEvent as Release5

    return Release5


def _report(resource: _Json, references: References, codes: Codes) -> Report | Refusal | None:
    """Return the report of an adverse event; None for another resource."""
    if not resource:
        return Refusal("resource: must be a JSON object", RejectCode.NOT_JSON)
    if resource.get("resourceType") != "AdverseEvent":
        return None
    try:
        _model(release_4="event" in resource).model_validate(resource)
    except ValidationError as error:
        return refusal(error)
    except (RecursionError, TypeError, ValueError, AssertionError):
        return Refusal("AdverseEvent: must be valid; got one of another form", RejectCode.SCHEMA)
    if resource.get("actuality") != "actual":
        return Refusal("actuality: must be 'actual'; got a potential event", RejectCode.SCHEMA)
    event: _Json = resource.get("event") or resource.get("code") or {}
    days = [_day(resource.get(name)) for name in ("recordedDate", "detected")]
    received = days[0] or days[1]
    if received is None:
        return Refusal("recordedDate: must be a day; got none", RejectCode.SCHEMA)
    if not (_identifier(resource) or resource.get("id")):
        return Refusal("identifier: it, or an id, must be stated; got none", RejectCode.SCHEMA)
    if not concept_name(event):
        return Refusal("code: must name the event; got none", RejectCode.SCHEMA)
    try:
        return _built(resource, event, received, references, codes)
    except ValidationError as error:
        return refusal(error)


def _built(
    resource: _Json, event: _Json, received: date, references: References, codes: Codes
) -> Report:
    meta = resource.get("meta") or {}
    updated, version = _day(meta.get("lastUpdated")), str(meta.get("versionId", "1"))
    onset = _day(resource.get("occurrenceDateTime") or resource.get("date"))
    contained = resource.get("contained") or []
    patient = references.of(resource.get("subject"), contained)
    identifier, kind = _identifier(resource), _recorder(resource)
    reporter, qualification = _REPORTERS.get(
        kind,
        (ReporterKind.UNKNOWN, Qualification.CONSUMER),  # GVP VI.B.2
    )
    is_void = resource.get("status") == "entered-in-error"
    reason = "the status of the adverse event is entered-in-error"
    return Report(
        case_id=f"FHIR-{identifier or resource['id']}"[:200],
        version=int(version) if _NUMBER.fullmatch(version) else 1,
        source="fhir",
        sender_case_id=clean(identifier, 200),
        first_received=received,
        latest_received=max(received, updated or received),
        revision=Revision(kind=RevisionKind.NULLIFICATION, reason=reason) if is_void else None,
        reporter=Reporter(kind=reporter, qualification=qualification),
        patient=_patient(resource, patient, onset, codes),
        products=tuple(_products(resource, references, contained)),
        reactions=(_reaction(resource, event, onset, codes),),
        seriousness=tuple(_criteria(resource, codes)),
    )


def _united(first: Report, other: Report) -> Report:
    """Return the report of a case whose events are resources of their own."""
    products = dict.fromkeys((*first.products, *other.products))
    return first.model_copy(
        update={
            "version": max(first.version, other.version),
            "first_received": min(first.first_received, other.first_received),
            "latest_received": max(first.latest_received, other.latest_received),
            "products": tuple(products),
            "reactions": (*first.reactions, *other.reactions),
            "seriousness": tuple(dict.fromkeys((*first.seriousness, *other.seriousness))),
        }
    )


def _day(text: Any) -> date | None:
    """Return the day of a date or a time, as written; a month or a year is none."""
    match = _DAY.fullmatch(text.strip()) if isinstance(text, str) else None
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _identifier(resource: _Json) -> str:
    stated = resource.get("identifier")
    first = stated[0] if isinstance(stated, list) and stated else stated
    value = first.get("value") if isinstance(first, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _recorder(resource: _Json) -> str:
    """Return the type of who recorded the event."""
    recorder = resource.get("recorder") or {}
    reference = str(recorder.get("reference", ""))
    return str(recorder.get("type") or (reference.split("/")[-2:-1] or [""])[0])


def _patient(
    resource: _Json, patient: Referenced | None, onset: date | None, codes: Codes
) -> Patient:
    years = None
    for extension in resource.get("extension") or []:
        if str(extension.get("url", "")).lower().endswith(_ONSET_AGE):
            age = extension.get("valueAge") or {}
            years = age_in_years(str(age.get("value", "")), str(age.get("code", "")))
    birth = _day(patient.birth) if patient else None
    if years is None and birth and onset:
        years = years_between(birth, onset)
    sex = codes.get("Patient.gender", patient.gender, _SEXES, Sex.UNKNOWN) if patient else None
    return Patient(age_years=years, sex=sex or Sex.UNKNOWN)


def _products(resource: _Json, references: References, contained: list[_Json]) -> Iterator[Product]:
    for entity in resource.get("suspectEntity") or []:
        reference = entity.get("instance") or entity.get("instanceReference") or {}
        found = references.of(reference, contained) or Referenced()
        name = (
            concept_name(entity.get("instanceCodeableConcept"))
            or found.name
            or str(reference.get("display", "")).strip()
        )
        yield Product(
            verbatim=clean(name, 2000),
            substances=(name,) if name else (),
            lot=clean(found.lot, 200),
            manufacturer=clean(found.manufacturer, 500),
            first_given=_day(found.given),
            route=clean(found.route, 200),
            dose=clean(found.dose, 1000),
        )


def _reaction(resource: _Json, event: _Json, onset: date | None, codes: Codes) -> Reaction:
    codings = event.get("coding") or []
    meddra = next(
        (one for one in codings if any(mark in str(one.get("system")) for mark in _MEDDRA)), None
    )
    coding = meddra or (codings[0] if codings else {})
    outcomes = resource.get("outcome") or []
    outcome = outcomes[0] if isinstance(outcomes, list) and outcomes else outcomes
    return Reaction(
        term=coding.get("display") or concept_name(event),
        verbatim=clean(str(event.get("text", "")), 2000),
        code=clean(str(coding.get("code", "")), 50),
        dictionary="MedDRA" if meddra else None,
        dictionary_version=clean(str(coding.get("version", "")), 20),
        onset=onset,
        outcome=codes.get("outcome", _code(outcome), _OUTCOMES, Outcome.UNKNOWN),
    )


def _criteria(resource: _Json, codes: Codes) -> Iterator[Seriousness]:
    for coding in (resource.get("seriousness") or {}).get("coding") or []:
        stated = str(coding.get("code", ""))
        if (criterion := codes.get("seriousness", stated, _SERIOUSNESS, None)) is not None:
            yield criterion


def _code(concept: Any) -> str:
    """Return the code of a concept, else its text."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    if codings:
        return str(codings[0].get("code", ""))
    return str(concept.get("text", "")) if isinstance(concept, dict) else ""
