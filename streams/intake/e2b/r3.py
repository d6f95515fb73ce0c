"""ICH E2B(R3): one message, `PORR_IN049016UV`, as a report.

Paths and code systems are those of the ICH implementation guide, by element number (C.1.1). Roles
and reactions are joined to drugs by the identifiers of their elements. A null flavor is unknown,
and a criterion that is not stated is not denied.
"""

from collections.abc import Mapping
from datetime import date

from pydantic import ValidationError

from schemas.report import Link, OtherId, Patient, Reaction, Report, Reporter, Revision
from schemas.vocabulary import (
    AgeGroup,
    LinkKind,
    Outcome,
    Qualification,
    ReporterKind,
    ReportType,
    RevisionKind,
    Seriousness,
    Sex,
    VerificationState,
)
from streams.intake.countries import country_code
from streams.intake.e2b.codes import (
    AGE_GROUPS,
    CRITERIA_R3,
    KINDS,
    OUTCOMES_R3,
    QUALIFICATIONS,
    REPORT_TYPES,
    REVISIONS,
    SEXES,
)
from streams.intake.e2b.findings import MessageFindings
from streams.intake.e2b.r3_drugs import onset_days, read_drugs, relatedness_of, roles_of
from streams.intake.e2b.r3_elements import (
    CASE_IDS,
    OBSERVATIONS,
    coded,
    identifier,
    is_observation,
    is_true,
)
from streams.intake.e2b.tree import Element, attribute, find, find_all, text_of
from streams.intake.e2b.values import age_in_years, moment, stated, weight_in_kg, years_between
from streams.intake.text import clean

__all__ = ["MESSAGE_R3", "read_r3"]

MESSAGE_R3 = "PORR_IN049016UV"
"""Local name of a message."""

_EVENT = "controlActProcess/subject/investigationEvent"
_ORGANISATIONS = "subjectOf1/controlActEvent/author/assignedEntity"
_SENDER_ROOT = "2.16.840.1.113883.3.989.2.1.3.11"  # N.2.r.2
_OWN_ID, _WORLDWIDE_ID = f"{CASE_IDS}.1", f"{CASE_IDS}.2"  # C.1.1, C.1.8.1
_CHARACTERISTICS = "2.16.840.1.113883.3.989.2.1.1.23"  # C.1.3, C.1.11
_SOURCE_REPORT = "2"  # code of a related investigation: a primary source
_REQUIRED_INTERVENTION = "2.16.840.1.113883.3.989.5.1.2.2.1.3", "7"  # FDA.E.i.3.2h
_LONGEST_COUNTRY = 100  # characters
_LONGEST_CODE = 10  # digits; MedDRA has 8
_ELEMENTS = {
    "case_id": "C.1.8.1",
    "sender_case_id": "C.1.1",
    "first_received": "C.1.4",
    "latest_received": "C.1.5",
    "other_ids": "C.1.9.1",
    "links": "C.1.10",
    "revision": "C.1.11.2",
    "products": "G.k",
    "substances": "G.k.2.3.r",
    "relatedness": "G.k.9.i",
    "reactions": "E.i",
}


def read_r3(message: Element, findings: MessageFindings) -> Report | None:
    """Read a message; None if an element breaks a rule, which `findings` then names."""
    try:
        return _report(message, findings)
    except ValidationError as error:
        findings.refuse_model(error, _ELEMENTS)
        return None


def _report(message: Element, findings: MessageFindings) -> Report | None:
    event = find(message, _EVENT)
    if event is None:
        findings.refuse("C.1.1", "a message must hold an investigationEvent", None)
        return None
    role = find(event, "component/adverseEventAssessment/subject1/primaryRole")
    revision = _revision(event, findings)
    voids = revision is not None and revision.kind is RevisionKind.NULLIFICATION
    own, worldwide = identifier(event, _OWN_ID), identifier(event, _WORLDWIDE_ID)
    if not own and not worldwide:
        findings.refuse("C.1.1", "a message must state its case, here or in C.1.8.1", None)
    created = attribute(message, "controlActProcess/effectiveTime", "value")
    if stated(created) is None:
        findings.refuse("C.1.2", "must be a time, CCYYMMDDhhmmss with its offset", created)
    roles = roles_of(event, findings)
    days = onset_days(role, roles)
    reactions, criteria, country, confirmed = _reactions(role, days, findings)
    assessed = relatedness_of(event, _terms(role))
    products = read_drugs(role, roles, assessed, findings, is_required=not voids)
    if not voids and not reactions and "E.i.2.1b" not in findings.elements:
        findings.refuse("E.i.2.1b", "a case must have a reaction", None)
    first, latest = _received(event, findings)
    if findings.problems or first is None or latest is None:
        return None
    sender = _sender(event, message)
    return Report(
        case_id=clean(worldwide or own, 200) or "",
        message_id=_message_id(event, created, sender, own, revision),
        worldwide_id=clean(worldwide, 200),
        source="e2b",
        sender=sender,
        sender_case_id=clean(own, 200),
        other_ids=_other_ids(event),
        report_type=_report_type(event, findings),
        first_received=first,
        latest_received=latest,
        revision=revision,
        reporter=_reporter(event, findings),
        occurrence_country=country,
        patient=_patient(role, reactions, findings),
        products=products,
        reactions=reactions,
        seriousness=criteria,
        verification=VerificationState.HCP_CONFIRMED if confirmed else VerificationState.VALID_ICSR,
        links=_links(event),
    )


def _received(event: Element, findings: MessageFindings) -> tuple[date | None, date | None]:
    days = []
    for element, path in (("C.1.4", "effectiveTime/low"), ("C.1.5", "availabilityTime")):
        text = attribute(event, path, "value")
        days.append(stated(text))
        if days[-1] is None:
            findings.refuse(element, "must be a day, CCYYMMDD or with a time", text)
    return days[0], days[1]


def _message_id(
    event: Element, created: str, sender: str | None, own: str, revision: Revision | None
) -> str:
    """Return what orders the messages of a case received on one day.

    It is the time of C.1.5, so that a message that is sent again is the same one. An amendment
    keeps C.1.5 and is the later one by C.1.2.
    """
    latest = moment(attribute(event, "availabilityTime", "value"))
    amended = revision is not None and revision.kind is RevisionKind.AMENDMENT
    order = f"{latest}-{moment(created) if amended else '0'}"
    return f"{order} {sender or ''} {own}"[:200].strip()


def _revision(event: Element, findings: MessageFindings) -> Revision | None:
    kind_of = coded(event, "subjectOf2/investigationCharacteristic", _CHARACTERISTICS)
    code = attribute(kind_of.get("3"), "value", "code")
    kind = findings.mapped("C.1.11.1", REVISIONS, code)
    if kind is None:
        return None
    reason = clean(text_of(kind_of.get("4"), "value"), 2000)
    if reason is None:
        findings.refuse("C.1.11.2", f"a reason must be stated for the {kind.value}", None)
        return None
    return Revision(kind=kind, reason=reason)


def _report_type(event: Element, findings: MessageFindings) -> ReportType:
    kind_of = coded(event, "subjectOf2/investigationCharacteristic", _CHARACTERISTICS)
    code = attribute(kind_of.get("1"), "value", "code")
    return findings.mapped("C.1.3", REPORT_TYPES, code) or ReportType.UNKNOWN


def _sender(event: Element, message: Element) -> str | None:
    """Return the sender's organisation (C.3.2), else its message sender identifier (N.2.r.2)."""
    for entity in find_all(event, _ORGANISATIONS):
        inner = "representedOrganization/assignedEntity/representedOrganization/name"
        for path in (inner, "representedOrganization/name"):
            if name := clean(text_of(entity, path), 200):
                return name
    for device in find_all(message, "sender/device"):
        if number := clean(identifier(device, _SENDER_ROOT), 200):
            return number
    return None


def _other_ids(event: Element) -> tuple[OtherId, ...]:
    found = []
    for each in find_all(event, "subjectOf1/controlActEvent/id"):
        if number := clean(each.get("extension", ""), 200):
            source = clean(each.get("assigningAuthorityName", ""), 200)
            found.append(OtherId(source=source, case_id=number))
    return tuple(found)


def _links(event: Element) -> tuple[Link, ...]:
    path = "outboundRelationship/relatedInvestigation"
    return tuple(
        Link(kind=LinkKind.RELATED, case_id=number)
        for related in find_all(event, path)
        if attribute(related, "code", "nullFlavor") == "NA"
        for each in find_all(related, "subjectOf2/controlActEvent/id")
        if (number := clean(each.get("extension", ""), 200))
    )


def _reporter(event: Element, findings: MessageFindings) -> Reporter:
    """Return the primary source for regulatory purposes (C.2.r.5), else the first one."""
    sources = [
        relation
        for relation in find_all(event, "outboundRelationship")
        if attribute(relation, "relatedInvestigation/code", "code") == _SOURCE_REPORT
    ]
    if not sources:
        return Reporter()
    sources.sort(key=lambda relation: attribute(relation, "priorityNumber", "value") != "1")
    person = find(
        sources[0],
        "relatedInvestigation/subjectOf2/controlActEvent/author/assignedEntity/assignedPerson",
    )
    code = attribute(person, "asQualifiedEntity/code", "code")
    qualification = findings.mapped("C.2.r.4", QUALIFICATIONS, code)
    return Reporter(
        kind=ReporterKind.UNKNOWN if qualification is None else KINDS[qualification],
        qualification=qualification or Qualification.CONSUMER,
        country=_country(person, "asLocatedEntity/location/code", "C.2.r.3", findings),
    )


def _country(
    element: Element | None, path: str, name: str, findings: MessageFindings
) -> str | None:
    text = attribute(element, path, "code")
    code = country_code(text[:_LONGEST_COUNTRY])
    if text and code is None:
        findings.skip(name, text)
    return code


def _patient(
    role: Element | None, reactions: tuple[Reaction, ...], findings: MessageFindings
) -> Patient:
    observed = coded(role, "subjectOf2/observation", OBSERVATIONS)
    person = find(role, "player1")
    age = find(observed.get("3"), "value")
    years = None if age is None else age_in_years(age.get("value", ""), age.get("unit", ""))
    birth = stated(attribute(person, "birthTime", "value"))
    onset = min((each.onset for each in reactions if each.onset), default=None)
    if years is None and birth is not None and onset is not None:
        years = years_between(birth, onset)
    group = find(observed.get("4"), "value")
    sex = attribute(person, "administrativeGenderCode", "code")
    return Patient(
        age_years=years,
        age_group=_age_group(group, findings),
        sex=findings.mapped("D.5", SEXES, sex) or Sex.UNKNOWN,
        weight_kg=_weight(find(observed.get("7"), "value"), findings),
    )


def _age_group(value: Element | None, findings: MessageFindings) -> AgeGroup | None:
    if value is None:
        return None
    if value.get("nullFlavor"):
        return AgeGroup.UNKNOWN
    return findings.mapped("D.2.3", AGE_GROUPS, value.get("code", ""))


def _weight(value: Element | None, findings: MessageFindings) -> float | None:
    text = attribute(value, "", "value")
    weight = weight_in_kg(text)
    if text and weight is None:
        findings.skip("D.3", text)
    return weight


def _reactions(
    role: Element | None, days: Mapping[str, int], findings: MessageFindings
) -> tuple[tuple[Reaction, ...], tuple[Seriousness, ...], str | None, bool]:
    """Return the reactions, and of all of them: criteria, first country, medical confirmation."""
    reactions: list[Reaction] = []
    criteria: dict[Seriousness, None] = {}
    country, confirmed = None, False
    for observation in find_all(role, "subjectOf2/observation"):
        if not is_observation(observation, "29"):
            continue
        details = coded(observation, "outboundRelationship2/observation", OBSERVATIONS)
        n_days = days.get(attribute(observation, "id", "root").strip().lower())
        if reaction := _reaction(observation, details, n_days, findings):
            reactions.append(reaction)
        for code, criterion in CRITERIA_R3.items():
            if is_true(details.get(code)):
                criteria[criterion] = None
        system, code = _REQUIRED_INTERVENTION
        regional = coded(observation, "outboundRelationship2/observation", system)
        if is_true(regional.get(code)):
            criteria[Seriousness.MEDICALLY_IMPORTANT] = None
        confirmed = confirmed or is_true(details.get("24"))
        place = "location/locatedEntity/locatedPlace/code"
        country = country or _country(observation, place, "E.i.9", findings)
    return tuple(reactions), tuple(criteria), country, confirmed


def _terms(role: Element | None) -> dict[str, str]:
    """Return the MedDRA codes of the reactions by their identifiers."""
    return {
        attribute(observation, "id", "root").strip().lower(): code
        for observation in find_all(role, "subjectOf2/observation")
        if is_observation(observation, "29")
        and (code := attribute(observation, "value", "code").strip()[:_LONGEST_CODE])
    }


def _reaction(
    observation: Element,
    details: Mapping[str, Element],
    n_days: int | None,
    findings: MessageFindings,
) -> Reaction | None:
    value = find(observation, "value")
    code = attribute(value, "", "code").strip()
    if not (code.isascii() and code.isdigit() and len(code) <= _LONGEST_CODE):
        findings.refuse("E.i.2.1b", "a reaction must have a MedDRA code, a number", code)
        return None
    verbatim = text_of(value, "originalText") or text_of(details.get("30"), "value")
    onset = find(observation, "effectiveTime")
    low = None if onset is None else next(onset.iter("{*}low"), onset)
    outcome = attribute(details.get("27"), "value", "code")
    return Reaction(
        term=code,
        verbatim=clean(verbatim, 2000),
        code=code,
        dictionary="MedDRA",
        dictionary_version=clean(attribute(value, "", "codeSystemVersion"), 20),
        onset=stated(attribute(low, "", "value")),
        onset_days=n_days,
        outcome=findings.mapped("E.i.7", OUTCOMES_R3, outcome) or Outcome.UNKNOWN,
    )
