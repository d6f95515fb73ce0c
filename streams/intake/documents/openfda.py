"""openFDA drug events: downloads and answers of the API, and single events, as JSON.

An event is a case of FAERS in the terms of ICH E2B(R2). Its number is the case number of FAERS, so
that a case is counted once if both are read; before 2012Q4 it is the number of a message.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from schemas.errors import RejectCode
from schemas.product import Product
from schemas.rejected import Rejected
from schemas.report import Patient, Reaction, Report, Reporter
from schemas.visible_text import visible
from schemas.vocabulary import (
    ActionTaken,
    Outcome,
    ProductRole,
    Qualification,
    ReporterKind,
    ReportType,
    Sex,
)
from streams.intake.countries import country_code
from streams.intake.dates import date_range, parse_compact_date, stated_day
from streams.intake.delimited import Refusal, refusal
from streams.intake.documents.content import Content, open_documents
from streams.intake.documents.json_items import Items, json_items
from streams.intake.e2b.codes import (
    ACTIONS_R2,
    AGE_GROUPS,
    CRITERIA_R2,
    KINDS,
    OUTCOMES_R2,
    QUALIFICATIONS,
    REPORT_TYPES,
    ROLES_R2,
    SEXES,
)
from streams.intake.e2b.values import age_in_years, weight_in_kg
from streams.intake.faers.layout import substances_of
from streams.intake.refusals import quoted
from streams.intake.text import clean, count_unmapped

__all__ = ["is_openfda", "read_openfda"]

_RESULTS = re.compile(rb'"results"\s*:\s*\[')
_EVENT = re.compile(rb'"safetyreportid"\s*:')
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
_RECURRED: dict[str, bool | None] = {"1": True, "2": False, "3": None}

_SEXES = SEXES | {"": Sex.UNKNOWN}
_UNSTATED = ReporterKind.UNKNOWN, Qualification.CONSUMER  # GVP VI.B.2
_REPORTERS = {code: (KINDS[one], one) for code, one in QUALIFICATIONS.items()}
_Text = str | None


class _Substance(msgspec.Struct, frozen=True, gc=False):
    activesubstancename: _Text = None


class _Drug(msgspec.Struct, frozen=True, gc=False):
    drugcharacterization: _Text = None
    medicinalproduct: _Text = None
    activesubstance: _Substance | None = None
    drugbatchnumb: _Text = None
    drugauthorizationnumb: _Text = None
    drugdosagetext: _Text = None
    drugadministrationroute: _Text = None
    drugindication: _Text = None
    drugstartdate: _Text = None
    drugenddate: _Text = None
    actiondrug: _Text = None
    drugrecurreadministration: _Text = None


class _Reaction(msgspec.Struct, frozen=True, gc=False):
    reactionmeddrapt: _Text = None
    reactionmeddraversionpt: _Text = None
    reactionoutcome: _Text = None


class _Patient(msgspec.Struct, gc=False):
    patientonsetage: _Text = None
    patientonsetageunit: _Text = None
    patientagegroup: _Text = None
    patientsex: _Text = None
    patientweight: _Text = None
    drug: list[_Drug] | None = None
    reaction: list[_Reaction] | None = None


class _Source(msgspec.Struct, frozen=True, gc=False):
    qualification: _Text = None
    reportercountry: _Text = None


class _Duplicate(msgspec.Struct, gc=False):
    duplicatesource: _Text = None
    duplicatenumb: _Text = None


class _Event(msgspec.Struct, gc=False):
    """Used fields of an event; msgspec skips the others undecoded."""

    safetyreportid: _Text = None
    safetyreportversion: _Text = None
    receivedate: _Text = None
    receiptdate: _Text = None
    reporttype: _Text = None
    companynumb: _Text = None
    occurcountry: _Text = None
    primarysourcecountry: _Text = None
    seriousnessdeath: _Text = None
    seriousnesslifethreatening: _Text = None
    seriousnesshospitalization: _Text = None
    seriousnessdisabling: _Text = None
    seriousnesscongenitalanomali: _Text = None
    seriousnessother: _Text = None
    primarysource: _Source | None = None
    reportduplicate: _Duplicate | list[_Duplicate] | None = None
    patient: _Patient | None = None


_DECODE = msgspec.json.Decoder(_Event).decode


def is_openfda(content: Content) -> bool:
    """Return whether a document has drug events of openFDA, as results or one by itself."""
    head = content.head
    return head.startswith(b"{") and _EVENT.search(head) is not None and b'"case_id"' not in head


def read_openfda(path: Path, unmapped: Counter[str] | None = None) -> Iterator[Report | Rejected]:
    """Read the events of a document, gzipped or zipped or not, in its order.

    Parameters
    ----------
    unmapped
        Counts values that have no counterpart, by field and value.

    Yields
    ------
    Report or Rejected
        Every event gives one or the other.

    Raises
    ------
    InputError
        The document ends too early, or has no events.

    Notes
    -----
    The case was first received on RECEIVEDATE, and this version on RECEIPTDATE; if that is the
    earlier of the two, on RECEIVEDATE as well. A drug without an active substance is counted by
    its name. Other values that cannot be read are unknown.
    """
    counts = Counter() if unmapped is None else unmapped
    for stream, where, head in open_documents(path):
        items = Items(2, "results") if _RESULTS.search(head) else Items(0)
        for number, raw in json_items(stream, where, items):
            if isinstance(raw, Rejected):
                yield raw
                continue
            found = _report(raw, counts)
            if isinstance(found, Refusal):
                reason, code = found
                yield Rejected(source=where, position=number, raw=raw, reason=reason, code=code)
            else:
                yield found


class _Unmapped(list[tuple[str, str]]):
    """Fields and values that have no counterpart."""

    def code(self, field: str, value: _Text, table: dict[str, Any], default: Any = None) -> Any:
        """Return the counterpart of a value; the default if there is none, or no value."""
        if value is None:
            return default
        found = table.get(value, self)
        if found is not self:
            return found
        if text := value.strip():
            self.append((field, text))
        return default


def _report(raw: bytes, counts: Counter[str]) -> Report | Refusal:
    try:
        event = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(f"event: {error}", RejectCode.NOT_JSON)
    number = (event.safetyreportid or "").strip()
    version = (event.safetyreportversion or "0").strip()
    dates = [parse_compact_date(day or "") for day in (event.receivedate, event.receiptdate)]
    received = dates[0] or dates[1]
    if not number:
        return _refused("safetyreportid must be stated", "none")
    if not _NUMBER.fullmatch(version):
        return _refused("safetyreportversion must be a number", quoted(version))
    if received is None:
        got = quoted(f"{event.receivedate}, {event.receiptdate}")
        return _refused("receivedate or receiptdate must be YYYYMMDD", got)
    try:
        return _built(event, _case_id(number), int(version), (received, dates[1]), counts)
    except ValidationError as error:
        return refusal(error)


def _built(
    event: _Event,
    case_id: str,
    version: int,
    days: tuple[date, date | None],
    counts: Counter[str],
) -> Report:
    stated, (received, receipt) = event.patient or _Patient(), days
    reporter, *notes = _reporter(event.primarysource)
    patient, unmapped = _patient(stated)
    notes.append(unmapped)
    products, reactions = [], []
    for drug in stated.drug or []:
        product, unmapped = _product(drug)
        products.append(product)
        notes.append(unmapped)
    for one in stated.reaction or []:
        reaction, unmapped = _reaction(one)
        notes.append(unmapped)
        if reaction is not None:
            reactions.append(reaction)
    kind = _Unmapped()
    report_type = kind.code("reporttype", event.reporttype, REPORT_TYPES, ReportType.UNKNOWN)
    for field, value in chain(kind, *notes):
        count_unmapped(counts, field, value)
    return Report(
        case_id=case_id,
        version=version,
        source="openfda",
        sender=_sender(event.reportduplicate),
        sender_case_id=clean(event.companynumb or "", 200),
        report_type=report_type,
        first_received=received,
        latest_received=max(received, receipt or received),
        reporter=reporter,
        occurrence_country=country_code(event.occurcountry or event.primarysourcecountry or ""),
        patient=patient,
        products=tuple(products),
        reactions=tuple(reactions),
        seriousness=tuple(
            [met for name, met in CRITERIA_R2.items() if getattr(event, name) == "1"]
        ),
    )


def _refused(rule: str, got: str) -> Refusal:
    return Refusal(f"{rule}; got {got}", RejectCode.SCHEMA)


def _case_id(number: str) -> str:
    """Return the case number of FAERS; a number with a check digit is that of one message."""
    return f"FAERS-{int(number)}" if _NUMBER.fullmatch(number) else f"AERS-{number}"


def _sender(duplicates: _Duplicate | list[_Duplicate] | None) -> str | None:
    if isinstance(duplicates, list):
        duplicates = duplicates[0] if duplicates else None
    return clean(duplicates.duplicatesource or "", 200) if duplicates else None


@lru_cache(maxsize=4096)
def _reporter(source: _Source | None) -> tuple[Reporter, _Unmapped]:
    unmapped = _Unmapped()
    if source is None:
        return Reporter(), unmapped
    kind, qualification = unmapped.code(
        "primarysource.qualification", source.qualification, _REPORTERS, _UNSTATED
    )
    country = country_code(source.reportercountry or "")
    return Reporter(kind=kind, qualification=qualification, country=country), unmapped


def _patient(patient: _Patient) -> tuple[Patient, _Unmapped]:
    unmapped = _Unmapped()
    read = Patient(
        age_years=age_in_years(patient.patientonsetage or "", patient.patientonsetageunit or ""),
        age_group=unmapped.code("patient.patientagegroup", patient.patientagegroup, AGE_GROUPS),
        sex=unmapped.code("patient.patientsex", patient.patientsex, _SEXES, Sex.UNKNOWN),
        weight_kg=weight_in_kg(patient.patientweight or ""),
    )
    return read, unmapped


@lru_cache(maxsize=1 << 16)
def _reaction(reaction: _Reaction) -> tuple[Reaction | None, _Unmapped]:
    unmapped = _Unmapped()
    term = visible(reaction.reactionmeddrapt or "").strip()
    if not term:
        unmapped.append(("patient.reaction.reactionmeddrapt", ""))
        return None, unmapped
    read = Reaction(
        term=term,
        dictionary="MedDRA",
        dictionary_version=clean(reaction.reactionmeddraversionpt or "", 20),
        outcome=unmapped.code(
            "patient.reaction.reactionoutcome",
            reaction.reactionoutcome,
            OUTCOMES_R2,
            Outcome.UNKNOWN,
        ),
    )
    return read, unmapped


@lru_cache(maxsize=1 << 14)
def _product(drug: _Drug) -> tuple[Product, _Unmapped]:
    unmapped = _Unmapped()
    substance = drug.activesubstance.activesubstancename if drug.activesubstance else None
    name = drug.medicinalproduct or ""
    read = Product(
        verbatim=clean(name, 2000),
        substances=substances_of(substance or "", name),
        role=unmapped.code(
            "patient.drug.drugcharacterization",
            drug.drugcharacterization,
            ROLES_R2,
            ProductRole.CONCOMITANT,
        ),
        indication=clean(drug.drugindication or "", 500),
        route=clean(drug.drugadministrationroute or "", 200),
        dose=clean(drug.drugdosagetext or "", 1000),
        lot=clean(drug.drugbatchnumb or "", 200),
        licence=clean(drug.drugauthorizationnumb or "", 200),
        first_given=stated_day(date_range(drug.drugstartdate or "")),
        last_given=stated_day(date_range(drug.drugenddate or "")),
        action_taken=unmapped.code(
            "patient.drug.actiondrug", drug.actiondrug, ACTIONS_R2, ActionTaken.UNKNOWN
        ),
        rechallenge=unmapped.code(
            "patient.drug.drugrecurreadministration", drug.drugrecurreadministration, _RECURRED
        ),
    )
    return read, unmapped
