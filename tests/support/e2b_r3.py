"""ICH E2B(R3) messages and batches, written from reports for tests."""

from collections.abc import Iterable
from datetime import date
from uuid import NAMESPACE_OID, uuid5
from xml.sax.saxutils import escape, quoteattr

from schemas.product import Product
from schemas.report import Patient, Reaction, Report, Reporter
from schemas.vocabulary import (
    AgeGroup,
    Qualification,
    ReporterKind,
    Seriousness,
    Sex,
    VerificationState,
)
from streams.intake.e2b import codes

__all__ = ["REPORT", "batch_of", "message_of"]

IDS = "2.16.840.1.113883.3.989.2.1.3"
LISTS = "2.16.840.1.113883.3.989.2.1.1"
OBSERVATIONS = f"{LISTS}.19"
MEDDRA = "2.16.840.1.113883.6.163"
REPORT_TYPES = {value: code for code, value in codes.REPORT_TYPES.items()}
REVISIONS = {value: code for code, value in codes.REVISIONS.items()}
SEXES = {value: code for code, value in codes.SEXES.items()}
AGE_GROUPS = {value: code for code, value in codes.AGE_GROUPS.items()}
QUALIFICATIONS = {value: code for code, value in codes.QUALIFICATIONS.items()}
ROLES = {value: code for code, value in codes.ROLES_R3.items()}
OUTCOMES = {value: code for code, value in codes.OUTCOMES_R3.items()}
ACTIONS = {value: code for code, value in codes.ACTIONS_R3.items()}
CRITERIA = {value: code for code, value in codes.CRITERIA_R3.items()}
REPORT = Report(
    case_id="DE-ACME-1",
    worldwide_id="DE-ACME-1",
    source="e2b",
    sender="Acme",
    sender_case_id="DE-ACME-1",
    first_received=date(2024, 1, 5),
    latest_received=date(2024, 1, 5),
    reporter=Reporter(
        kind=ReporterKind.PHYSICIAN, qualification=Qualification.PHYSICIAN, country="DE"
    ),
    occurrence_country="DE",
    patient=Patient(age_years=33, age_group=AgeGroup.ADULT, sex=Sex.FEMALE, weight_kg=70),
    products=(Product(verbatim="Alfadrug", substances=("ALFADRUG",), lot="L-77"),),
    reactions=(
        Reaction(term="10037844", code="10037844", dictionary="MedDRA", dictionary_version="27.0"),
    ),
    seriousness=(Seriousness.HOSPITALISATION,),
)


def batch_of(messages: Iterable[str], *, number: str = "B1", prefix: str = "") -> bytes:
    """Return a batch of messages; with a prefix, every element is written with it."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<MCCI_IN200100UV01 xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ITSVersion="XML_1.0">'
        f'<id root="{IDS}.22" extension={quoteattr(number)}/>'
        '<creationTime value="20240106101500+0900"/><responseModeCode code="D"/>'
        f'<name code="1" codeSystem="{LISTS}.1"/>'
        f"{''.join(messages)}"
        f'<receiver><device><id root="{IDS}.14" extension="BATCHRECEIVER"/></device></receiver>'
        f'<sender><device><id root="{IDS}.13" extension="BATCHSENDER"/></device></sender>'
        "</MCCI_IN200100UV01>"
    )
    if prefix:
        text = text.replace("</", "\0").replace("<", f"<{prefix}:").replace("\0", f"</{prefix}:")
        text = text.replace(f"<{prefix}:?xml", "<?xml").replace("xmlns=", f"xmlns:{prefix}=")
    return text.encode()


def message_of(
    report: Report, *, created: str = "20240106101500+0900", number: str = "M1", narrative: str = ""
) -> str:
    """Return a message with everything of a report that the elements of E2B(R3) can carry.

    Parameters
    ----------
    created
        Date of creation (C.1.2).
    number
        Message identifier (N.2.r.1).
    narrative
        XML inside the element of the narrative (H.1).
    """
    return (
        f'<PORR_IN049016UV><id root="{IDS}.1" extension={quoteattr(number)}/>'
        f'<creationTime value="{created}"/>'
        f'<receiver><device><id root="{IDS}.12" extension="RECEIVER"/></device></receiver>'
        f'<sender><device><id root="{IDS}.11" extension="SENDER"/></device></sender>'
        f'<controlActProcess><effectiveTime value="{created}"/><subject>'
        f"{_event(report, narrative)}</subject></controlActProcess></PORR_IN049016UV>"
    )


def _event(report: Report, narrative: str) -> str:
    own = _identifier(1, report.sender_case_id)
    worldwide = _identifier(2, report.worldwide_id or report.case_id)
    text = f"<text>{narrative}</text>" if narrative else ""
    others = "".join(
        "<subjectOf1><controlActEvent><id"
        f"{_optional('assigningAuthorityName', other.source)} root={quoteattr(f'{IDS}.3')} "
        f"extension={quoteattr(other.case_id)}/></controlActEvent></subjectOf1>"
        for other in report.other_ids
    )
    links = "".join(
        '<outboundRelationship><relatedInvestigation><code nullFlavor="NA"/><subjectOf2>'
        f'<controlActEvent><id root="{IDS}.2" extension={quoteattr(link.case_id)}/>'
        "</controlActEvent></subjectOf2></relatedInvestigation></outboundRelationship>"
        for link in report.links
    )
    return (
        f"<investigationEvent>{own}{worldwide}{text}"
        f'<effectiveTime><low value="{_day(report.first_received)}"/></effectiveTime>'
        f'<availabilityTime value="{_day(report.latest_received)}"/>'
        f"{_assessment(report)}{links}{_source(report)}{_sender(report)}{others}"
        f"{_characteristics(report)}</investigationEvent>"
    )


def _identifier(kind: int, number: str | None) -> str:
    return f'<id root="{IDS}.{kind}" extension={quoteattr(number)}/>' if number else ""


def _optional(name: str, value: str | None) -> str:
    return f" {name}={quoteattr(value)}" if value else ""


def _element(name: str, text: str | None) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def _day(day: date) -> str:
    return day.strftime("%Y%m%d").zfill(8)


def _source(report: Report) -> str:
    """Return two primary sources, of which the second is that for regulatory purposes."""
    country = report.reporter.country
    located = (
        f'<asLocatedEntity><location><code code="{country}"/></location></asLocatedEntity>'
        if country
        else ""
    )
    other = '<asQualifiedEntity><code code="4"/></asQualifiedEntity>'
    known = report.reporter.kind is not ReporterKind.UNKNOWN
    code = (
        f'code="{QUALIFICATIONS[report.reporter.qualification]}"' if known else 'nullFlavor="UNK"'
    )
    qualified = f"<asQualifiedEntity><code {code}/></asQualifiedEntity>"
    return "".join(
        f"<outboundRelationship>{priority}<relatedInvestigation>"
        f'<code code="2" codeSystem="{LISTS}.22"/><subjectOf2><controlActEvent><author>'
        f"<assignedEntity><assignedPerson>{person}</assignedPerson></assignedEntity></author>"
        "</controlActEvent></subjectOf2></relatedInvestigation></outboundRelationship>"
        for priority, person in (
            ("", other),
            ('<priorityNumber value="1"/>', f"{qualified}{located}"),
        )
    )


def _sender(report: Report) -> str:
    organisation = (
        "<representedOrganization><name>Department</name><assignedEntity>"
        f"<representedOrganization>{_element('name', report.sender)}</representedOrganization>"
        "</assignedEntity></representedOrganization>"
        if report.sender
        else ""
    )
    return (
        "<subjectOf1><controlActEvent><author><assignedEntity>"
        f'<code code="1" codeSystem="{LISTS}.7"/>{organisation}'
        "</assignedEntity></author></controlActEvent></subjectOf1>"
    )


def _characteristics(report: Report) -> str:
    found = [("1", f'<value code="{REPORT_TYPES[report.report_type]}"/>')]
    if report.revision is not None:
        found.append(("3", f'<value code="{REVISIONS[report.revision.kind]}"/>'))
        found.append(("4", _element("value", report.revision.reason)))
    return "".join(
        f'<subjectOf2><investigationCharacteristic><code code="{code}" codeSystem="{LISTS}.23"/>'
        f"{value}</investigationCharacteristic></subjectOf2>"
        for code, value in found
    )


def _assessment(report: Report) -> str:
    reactions = "".join(
        _reaction(report, reaction, number) for number, reaction in enumerate(report.reactions)
    )
    drugs = "".join(
        _drug(report, product, number) for number, product in enumerate(report.products)
    )
    roles = "".join(
        f'<component><causalityAssessment><code code="20" codeSystem="{OBSERVATIONS}"/>'
        f'<value code="{ROLES[product.role]}"/><subject2><productUseReference>'
        f'<id root="{_uuid("drug", number).upper()}"/></productUseReference></subject2>'
        "</causalityAssessment></component>"
        for number, product in enumerate(report.products)
    )
    codes_of_reactions = [reaction.code for reaction in report.reactions]
    assessed = "".join(
        f'<component><causalityAssessment><code code="39" codeSystem="{OBSERVATIONS}"/>'
        f"{_element('value', each.result)}<methodCode>{_element('originalText', each.method)}"
        "</methodCode><author><assignedEntity><code>"
        f"{_element('originalText', each.source)}</code></assignedEntity></author>"
        "<subject1><adverseEffectReference>"
        f'<id root="{_uuid("reaction", codes_of_reactions.index(each.reaction))}"/>'
        "</adverseEffectReference></subject1><subject2><productUseReference>"
        f'<id root="{_uuid("drug", number)}"/></productUseReference></subject2>'
        "</causalityAssessment></component>"
        for number, product in enumerate(report.products)
        for each in product.relatedness
    )
    return (
        "<component><adverseEventAssessment><subject1><primaryRole>"
        f'{_person(report)}{reactions}<subjectOf2><organizer><code code="4" '
        f'codeSystem="{LISTS}.20"/>{drugs}</organizer></subjectOf2></primaryRole></subject1>'
        f"{roles}{assessed}</adverseEventAssessment></component>"
    )


def _uuid(kind: str, number: int) -> str:
    return str(uuid5(NAMESPACE_OID, f"{kind} {number}"))


def _person(report: Report) -> str:
    patient = report.patient
    found = []
    if patient.age_years is not None:
        found.append(("3", f'<value value="{patient.age_years}" unit="a"/>'))
    if patient.age_group is not None:
        group = AGE_GROUPS.get(patient.age_group)
        found.append(("4", f'<value code="{group}"/>' if group else '<value nullFlavor="UNK"/>'))
    if patient.weight_kg is not None:
        found.append(("7", f'<value value="{patient.weight_kg}" unit="kg"/>'))
    observations = "".join(
        f'<subjectOf2><observation><code code="{code}" codeSystem="{OBSERVATIONS}"/>{value}'
        "</observation></subjectOf2>"
        for code, value in found
    )
    sex = f'<administrativeGenderCode code="{SEXES[patient.sex]}"/>'
    return f"<player1><name>JD</name>{sex}</player1>{observations}"


def _reaction(report: Report, reaction: Reaction, number: int) -> str:
    onset = reaction.onset
    time = f'<effectiveTime><low value="{_day(onset)}"/></effectiveTime>' if onset else ""
    details = [
        (CRITERIA[criterion], _truth(value=criterion in report.seriousness))
        for criterion in Seriousness
    ]
    if report.verification is VerificationState.HCP_CONFIRMED:
        details.append(("24", _truth(value=True)))
    details.append(("27", f'<value code="{OUTCOMES[reaction.outcome]}"/>'))
    observations = "".join(
        "<outboundRelationship2><observation>"
        f'<code code="{code}" codeSystem="{OBSERVATIONS}"/>{value}</observation>'
        "</outboundRelationship2>"
        for code, value in details
    )
    country = report.occurrence_country
    place = (
        f'<location><locatedEntity><locatedPlace><code code="{country}"/></locatedPlace>'
        "</locatedEntity></location>"
        if country
        else ""
    )
    return (
        f'<subjectOf2><observation><id root="{_uuid("reaction", number)}"/>'
        f'<code code="29" codeSystem="{OBSERVATIONS}"/>{time}'
        f'<value code="{reaction.code}" codeSystem="{MEDDRA}"'
        f"{_optional('codeSystemVersion', reaction.dictionary_version)}>"
        f"{_element('originalText', reaction.verbatim)}</value>{place}{observations}"
        "</observation></subjectOf2>"
    )


def _truth(*, value: bool) -> str:
    return '<value value="true"/>' if value else '<value nullFlavor="NI"/>'


def _drug(report: Report, product: Product, number: int) -> str:
    substances = "".join(
        f"<ingredient><ingredientSubstance>{_element('name', name)}</ingredientSubstance>"
        "</ingredient>"
        for name in product.substances
    )
    licence = f"<id{_optional('extension', product.licence)}/>" if product.licence else ""
    holder = (
        "<holder><role><playingOrganization>"
        f"{_element('name', product.manufacturer)}</playingOrganization></role></holder>"
        if product.manufacturer
        else ""
    )
    return (
        f'<component><substanceAdministration><id root="{_uuid("drug", number)}"/>'
        f"<consumable><instanceOfKind><kindOfProduct>{_element('name', product.verbatim)}"
        f"<asManufacturedProduct><subjectOf><approval>{licence}{holder}</approval></subjectOf>"
        f"</asManufacturedProduct>{substances}</kindOfProduct></instanceOfKind></consumable>"
        f"{_intervals(report) if number == 0 else ''}{_dosage(product)}{_recurrence(product)}"
        f'{_indication(product)}<inboundRelationship><act><code code="'
        f'{ACTIONS[product.action_taken]}" codeSystem="{LISTS}.15"/></act></inboundRelationship>'
        "</substanceAdministration></component>"
    )


def _intervals(report: Report) -> str:
    return "".join(
        f'<outboundRelationship1 typeCode="SAS"><pauseQuantity value="{reaction.onset_days}" '
        f'unit="d"/><actReference><id root="{_uuid("reaction", number)}"/></actReference>'
        "</outboundRelationship1>"
        for number, reaction in enumerate(report.reactions)
        if reaction.onset_days is not None
    )


def _dosage(product: Product) -> str:
    days = (("low", product.first_given), ("high", product.last_given))
    period = "".join(f'<{name} value="{_day(day)}"/>' for name, day in days if day)
    number, _, unit = (product.dose or "").partition(" ")
    lot = (
        "<consumable><instanceOfKind><productInstanceInstance>"
        f"{_element('lotNumberText', product.lot)}</productInstanceInstance></instanceOfKind>"
        "</consumable>"
        if product.lot
        else ""
    )
    route = f"<routeCode>{_element('originalText', product.route)}</routeCode>"
    dose = f'<doseQuantity value="{number}" unit={quoteattr(unit)}/>' if unit else ""
    text = "" if unit else _element("text", product.dose)
    return (
        f"<outboundRelationship2><substanceAdministration>{text}<effectiveTime><comp>{period}"
        f"</comp></effectiveTime>{route if product.route else ''}{dose}{lot}"
        "</substanceAdministration></outboundRelationship2>"
    )


def _recurrence(product: Product) -> str:
    if product.rechallenge is None:
        return ""
    return (
        f'<outboundRelationship2><observation><code code="31" codeSystem="{OBSERVATIONS}"/>'
        f'<value code="{1 if product.rechallenge else 2}"/></observation></outboundRelationship2>'
    )


def _indication(product: Product) -> str:
    return (
        f'<inboundRelationship><observation><code code="19" codeSystem="{OBSERVATIONS}"/>'
        f"<value{_optional('code', product.indication)}>"
        f"{_element('originalText', product.indication_verbatim)}</value></observation>"
        "</inboundRelationship>"
    )
