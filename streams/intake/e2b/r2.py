"""ICH E2B(R2): one `safetyreport` as a report; also those of the FAERS quarterly files in XML.

Elements are named as in the document type, ICH's numbers (A.1.6) beside them. A flag is yes only if
it is 1; an absent one is not denied.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import ValidationError

from schemas.report import Link, OtherId, Report, Reporter, Revision
from schemas.vocabulary import (
    LinkKind,
    Qualification,
    ReporterKind,
    ReportType,
    RevisionKind,
    VerificationState,
)
from streams.intake.e2b.codes import CRITERIA_R2, KINDS, QUALIFICATIONS, REPORT_TYPES, REVISIONS
from streams.intake.e2b.findings import Findings
from streams.intake.e2b.r2_patient import (
    REACTION_TERM,
    country_of,
    read_drugs,
    read_patient,
    read_reactions,
)
from streams.intake.e2b.tree import Children, Element, children, text_of
from streams.intake.e2b.values import moment, stated
from streams.intake.text import clean

__all__ = ["MESSAGE_R2", "read_r2"]

MESSAGE_R2 = "safetyreport"
"""Local name of a message."""

_FAERS_SENDER = "fda-public use"  # of the quarterly files since 2012
_MESSAGE_DIGITS = 12  # as in the FAERS files in ASCII
_MOST_DIGITS = 12  # of a FAERS case number
_MOST_VERSIONS = 99  # a FAERS version has at most two digits
_YES = "1"
_ELEMENTS = {
    "case_id": "companynumb (A.1.10)",
    "sender_case_id": "safetyreportid (A.1.0.1)",
    "first_received": "receivedate (A.1.6)",
    "latest_received": "receiptdate (A.1.7)",
    "other_ids": "reportduplicate (A.1.11)",
    "links": "linkedreport (A.1.12)",
    "revision": "nullificationreason (A.1.13.1)",
    "products": "drug (B.4)",
    "substances": "activesubstancename (B.4.k.2.2)",
    "relatedness": "drugreactionrelatedness (B.4.k.18)",
    "reactions": "reaction (B.2)",
}


def read_r2(message: Element, findings: Findings) -> Report | None:
    """Read a message; None if an element breaks a rule, which `findings` then names."""
    try:
        return _report(message, findings)
    except ValidationError as error:
        findings.refuse_model(error, _ELEMENTS)
        return None


def _report(message: Element, findings: Findings) -> Report | None:
    parts = children(message)
    values = parts.texts
    patient = parts.first("patient")
    revision = _revision(values, findings)
    voids = revision is not None and revision.kind is RevisionKind.NULLIFICATION
    sender = _sender(message, parts)
    of_faers = sender.lower() == _FAERS_SENDER
    reactions = read_reactions(patient, findings)
    products = read_drugs(patient, findings, of_faers=of_faers, is_required=not voids)
    if not voids and not reactions and REACTION_TERM not in findings.elements:
        findings.refuse(REACTION_TERM, "a case must have a reaction", None)
    identity = _faers_identity(parts, findings) if of_faers else _identity(parts, sender, findings)
    first, latest = _received(values, findings)
    if findings.problems or first is None or latest is None:
        return None
    criteria = [code for name, code in CRITERIA_R2.items() if values.get(name) == _YES]
    report_type = values.get("reporttype", "")
    confirmed = values.get("medicallyconfirm") == _YES
    return Report(
        **identity,
        report_type=findings.mapped("reporttype (A.1.4)", REPORT_TYPES, report_type)
        or ReportType.UNKNOWN,
        first_received=first,
        latest_received=max(first, latest) if of_faers else latest,
        revision=revision,
        reporter=_reporter(parts, findings),
        occurrence_country=country_of(values, "occurcountry", "A.1.2", findings),
        patient=read_patient(patient, reactions, findings),
        products=products,
        reactions=reactions,
        seriousness=tuple(criteria),
        verification=VerificationState.HCP_CONFIRMED if confirmed else VerificationState.VALID_ICSR,
        links=tuple(
            Link(kind=LinkKind.RELATED, case_id=number)
            for each in parts.each("linkedreport")
            if (number := clean(each.texts.get("linkreportnumb", ""), 200))
        ),
    )


def _sender(message: Element, parts: Children) -> str:
    """Return the sender's organisation, else the sender in the header of the document."""
    if organisation := parts.first("sender").texts.get("senderorganization"):
        return organisation
    return text_of(message.getparent(), "ichicsrmessageheader/messagesenderidentifier").strip()


def _received(values: Mapping[str, str], findings: Findings) -> tuple[date | None, date | None]:
    days = []
    for name, number in (("receivedate", "A.1.6"), ("receiptdate", "A.1.7")):
        text = values.get(name, "")
        days.append(stated(text))
        if days[-1] is None:
            findings.refuse(f"{name} ({number})", "must be a day, CCYYMMDD", text)
    return days[0], days[1]


def _revision(values: Mapping[str, str], findings: Findings) -> Revision | None:
    code = values.get("casenullification", "")
    kind = findings.mapped("casenullification (A.1.13)", REVISIONS, code)
    if kind is None:
        return None
    reason = clean(values.get("nullificationreason", ""), 2000)
    if reason is None:
        rule = f"a reason must be stated for the {kind.value}"
        findings.refuse("nullificationreason (A.1.13.1)", rule, None)
        return None
    return Revision(kind=kind, reason=reason)


def _identity(parts: Children, sender: str, findings: Findings) -> dict[str, Any]:
    """Return the fields that identify a case and order its messages.

    Messages of a case, of either release, are ordered by the day of receipt, so every one is
    version 1; `safetyreportversion` orders those of one day.
    """
    values = parts.texts
    own = values.get("safetyreportid", "")
    worldwide = values.get("authoritynumb") or values.get("companynumb") or ""
    if not own and not worldwide:
        findings.refuse("safetyreportid (A.1.0.1)", "a message must state its case", None)
    version = values.get("safetyreportversion", "").rjust(3, "0")
    order = f"{moment(values.get('receiptdate', ''))}-{version}"
    return {
        "case_id": clean(worldwide or own, 200) or "",
        "message_id": f"{order} {sender} {own}"[:200].strip(),
        "worldwide_id": clean(worldwide, 200),
        "source": "e2b",
        "sender": clean(sender, 200),
        "sender_case_id": clean(own, 200),
        "other_ids": _other_ids(parts),
    }


def _faers_identity(parts: Children, findings: Findings) -> dict[str, Any]:
    """Return the fields that identify a FAERS case, as its files in ASCII do."""
    values = parts.texts
    case, version = values.get("safetyreportid", ""), values.get("safetyreportversion", "1")
    if not (case.isascii() and case.isdigit() and len(case) <= _MOST_DIGITS):
        findings.refuse("safetyreportid (A.1.0.1)", "must be the number of a FAERS case", case)
        return {}
    if not (version.isascii() and version.isdigit() and 0 < int(version) <= _MOST_VERSIONS):
        rule = f"must be a number from 1 to {_MOST_VERSIONS}"
        findings.refuse("safetyreportversion", rule, version)
        return {}
    first_other = next(iter(_other_ids(parts)), None)
    number = values.get("companynumb") or (first_other.case_id if first_other else "")
    return {
        "case_id": f"FAERS-{int(case)}",
        "version": int(version),
        "message_id": f"{int(case)}{int(version)}".zfill(_MESSAGE_DIGITS),
        "source": "faers",
        "sender": first_other.source if first_other else None,
        "sender_case_id": clean(number, 200),
    }


def _other_ids(parts: Children) -> tuple[OtherId, ...]:
    found = []
    for each in parts.each("reportduplicate"):
        if number := clean(each.texts.get("duplicatenumb", ""), 200):
            source = clean(each.texts.get("duplicatesource", ""), 200)
            found.append(OtherId(source=source, case_id=number))
    return tuple(found)


def _reporter(parts: Children, findings: Findings) -> Reporter:
    values, source = parts.texts, parts.first("primarysource").texts
    code = source.get("qualification", "")
    qualification = findings.mapped("qualification (A.2.1.4)", QUALIFICATIONS, code)
    country = country_of(source, "reportercountry", "A.2.1.3", findings)
    return Reporter(
        kind=ReporterKind.UNKNOWN if qualification is None else KINDS[qualification],
        qualification=qualification or Qualification.CONSUMER,
        country=country or country_of(values, "primarysourcecountry", "A.1.1", findings),
    )
