"""ICH E2B(R2) messages and batches, written by hand for tests."""

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

__all__ = ["DRUG", "FIELDS", "REACTION", "batch_of", "message_of"]

DOCTYPE = '<!DOCTYPE ichicsr SYSTEM "http://example.invalid/icsr21xml.dtd">'
FIELDS = {
    "safetyreportversion": "1",
    "safetyreportid": "DE-ACME-1",
    "primarysourcecountry": "DE",
    "occurcountry": "DE",
    "reporttype": "1",
    "serious": "1",
    "seriousnessdeath": "2",
    "seriousnesshospitalization": "1",
    "receivedateformat": "102",
    "receivedate": "20240105",
    "receiptdateformat": "102",
    "receiptdate": "20240105",
    "companynumb": "DE-ACME-1",
}
REACTION = {
    "primarysourcereaction": "Ausschlag",
    "reactionmeddraversionpt": "26.1",
    "reactionmeddrapt": "Rash",
    "reactionstartdateformat": "102",
    "reactionstartdate": "20240103",
    "reactionoutcome": "1",
}
DRUG = {
    "drugcharacterization": "1",
    "medicinalproduct": "Alfadrug",
    "drugbatchnumb": "L-77",
    "drugauthorizationnumb": "12345",
    "drugauthorizationholder": "Acme",
    "drugstructuredosagenumb": "10",
    "drugstructuredosageunit": "003",
    "drugadministrationroute": "048",
    "drugindication": "Pain",
    "drugstartdateformat": "102",
    "drugstartdate": "20240101",
    "actiondrug": "1",
    "drugrecurreadministration": "2",
}


def batch_of(
    messages: Iterable[str],
    *,
    encoding: str = "ISO-8859-1",
    doctype: str = DOCTYPE,
    sender: str = "ACME",
) -> bytes:
    """Return a batch of messages with a document type that no reader may fetch."""
    header = _elements({"messagetype": "ichicsr", "messagenumb": "B-1"})
    header += _elements({"messagesenderidentifier": sender, "messagereceiveridentifier": "AGENCY"})
    header += _elements({"messagedateformat": "204", "messagedate": "20240106101500"})
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n{doctype}\n<ichicsr lang="en">'
        f"<ichicsrmessageheader>{header}</ichicsrmessageheader>{''.join(messages)}</ichicsr>"
    )
    return text.encode(encoding)


def message_of(
    fields: Mapping[str, str] = FIELDS,
    *,
    patient: Mapping[str, str] | None = None,
    reactions: Iterable[Mapping[str, str]] = (REACTION,),
    drugs: Iterable[Mapping[str, str]] = (DRUG,),
    substances: Iterable[str] = ("ALFADRUG",),
    extra: str = "",
    organisation: str = "Acme",
) -> str:
    """Return a message; `substances` are those of each drug, `extra` further elements."""
    active = "".join(
        f"<activesubstance>{_elements({'activesubstancename': name})}</activesubstance>"
        for name in substances
    )
    parts = _elements(patient or {"patientonsetage": "33", "patientonsetageunit": "801"})
    parts += "".join(f"<reaction>{_elements(each)}</reaction>" for each in reactions)
    parts += "".join(f"<drug>{_elements(each)}{active}</drug>" for each in drugs)
    return (
        f"<safetyreport>{_elements(fields)}{extra}"
        "<primarysource><reportercountry>DE</reportercountry><qualification>1</qualification>"
        f"</primarysource><sender>{_elements({'senderorganization': organisation})}</sender>"
        f"<patient>{parts}</patient></safetyreport>"
    )


def _elements(values: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
