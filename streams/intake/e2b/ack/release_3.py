"""The ICH ICSR acknowledgement of release 3, `MCCI_IN200101UV01`."""

from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from streams.intake.e2b.ack.answers import BatchIdentity, MessageAnswer
from streams.intake.e2b.r3_elements import CASE_IDS
from streams.intake.e2b.tree import Element

__all__ = ["acknowledgement_r3"]

_NAMESPACE = "urn:hl7-org:v3"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_INTERACTIONS = "2.16.840.1.113883.1.6"
_KEYWORDS = "2.16.840.1.113883.3.989.2.1.1.24"
_ACCEPTED, _REJECTED = "CA", "CR"  # ACK.B.r.6
_TEXTS = {
    "AA": "every message was accepted",
    "AE": "some messages were rejected",
    "AR": "the batch could not be read; no message was accepted",
}


def acknowledgement_r3(
    batch: BatchIdentity,
    answers: Sequence[MessageAnswer],
    malformed: str | None,
    *,
    number: str,
    now: datetime,
) -> Element:
    """Return the acknowledgement of a batch of release 3.

    Parameters
    ----------
    malformed
        Why the rest of the batch could not be read; None if it could.
    number
        Number of the acknowledgement.
    now
        Time of its creation, with a time zone.
    """
    root = etree.Element(
        _name("MCCI_IN200101UV01"),
        {"ITSVersion": "XML_1.0"},
        nsmap={None: _NAMESPACE, "xsi": _INSTANCE},
    )
    written = now.strftime("%Y%m%d%H%M%S%z")
    _id(root, "20", number)  # ACK.M.1
    _child(root, "creationTime", value=written)  # ACK.M.4
    _child(root, "responseModeCode", code="D")
    _child(root, "interactionId", extension="MCCI_IN200101UV01", root=_INTERACTIONS)
    for answer in answers:
        _message(root, answer, written)
    _device(root, "receiver", "RCV", "18", batch.sender)  # ACK.M.3
    _device(root, "sender", "SND", "17", batch.receiver)  # ACK.M.2
    line = _keyword(root, "2", "acknowledgementLocalMessageNumber")
    local = _id(line, "21", number, name="value")  # ACK.A.2
    local.set(f"{{{_INSTANCE}}}type", "II")
    line = _keyword(root, "3", "dateOfIcsrBatchTransmission")
    _time(line, batch.sent)  # ACK.A.3
    code = _code(answers, malformed)
    acknowledgement = _child(root, "acknowledgement", typeCode=code)  # ACK.A.4
    _id(_child(acknowledgement, "targetBatch"), "22", batch.number)  # ACK.A.1
    text = _TEXTS[code] if malformed is None else f"{_TEXTS[code]}: {malformed}"
    _child(_child(acknowledgement, "acknowledgementDetail"), "text").text = text  # ACK.A.5
    return root


def _code(answers: Sequence[MessageAnswer], malformed: str | None) -> str:
    if malformed is not None and not any(answer.is_accepted for answer in answers):
        return "AR"
    accepted = malformed is None and all(answer.is_accepted for answer in answers)
    return "AA" if accepted else "AE"


def _message(root: Element, answer: MessageAnswer, written: str) -> None:
    message = _child(root, "MCCI_IN000002UV01")
    _id(message, "19", answer.worldwide or answer.own)  # ACK.B.r.2: our number of the case
    _child(message, "creationTime", value=written)
    _child(message, "interactionId", extension="MCCI_IN000002UV01", root=_INTERACTIONS)
    _child(message, "processingCode", code="P")
    _child(message, "processingModeCode", code="T")
    _child(message, "acceptAckCode", code="NE")
    _device(message, "receiver", "RCV", "16", answer.sender)  # ACK.B.r.3
    _device(message, "sender", "SND", "15", answer.receiver)  # ACK.B.r.4
    _time(_keyword(message, "1", "dateOfIcsrMessageCreation"), answer.created)  # ACK.B.r.5
    code = _ACCEPTED if answer.is_accepted else _REJECTED
    acknowledgement = _child(message, "acknowledgement", typeCode=code)  # ACK.B.r.6
    target = answer.message or answer.own
    _id(_child(acknowledgement, "targetMessage"), "1", target)  # ACK.B.r.1
    text = answer.comment or "accepted"
    _child(_child(acknowledgement, "acknowledgementDetail"), "text").text = text  # ACK.B.r.7


def _name(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _child(parent: Element, name: str, **attributes: str) -> Element:
    return etree.SubElement(parent, _name(name), attributes)


def _id(parent: Element, kind: str, number: str, *, name: str = "id") -> Element:
    root = f"{CASE_IDS}.{kind}"
    if not number:
        return _child(parent, name, nullFlavor="NI", root=root)
    return _child(parent, name, extension=number, root=root)


def _time(parent: Element, time: str) -> None:
    value = _child(parent, "value", **({"value": time} if time else {"nullFlavor": "NI"}))
    value.set(f"{{{_INSTANCE}}}type", "TS")


def _device(parent: Element, role: str, code: str, kind: str, number: str) -> None:
    device = _child(
        _child(parent, role, typeCode=code),
        "device",
        classCode="DEV",
        determinerCode="INSTANCE",
    )
    _id(device, kind, number)


def _keyword(parent: Element, code: str, name: str) -> Element:
    line = _child(parent, "attentionLine")
    _child(
        line,
        "keyWordText",
        code=code,
        codeSystem=_KEYWORDS,
        codeSystemVersion="1.0",
        displayName=name,
    )
    return line
