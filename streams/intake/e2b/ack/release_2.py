"""The ICH ICSR acknowledgement of release 2, `ichicsrack`."""

from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from streams.intake.e2b.ack.answers import BatchIdentity, MessageAnswer
from streams.intake.e2b.tree import Element

__all__ = ["acknowledgement_r2"]

_DAY, _SECOND = "102", "204"  # formats of dates
_ALL_ACCEPTED, _SOME_REJECTED, _NOT_READ = "01", "02", "03"
_ACCEPTED, _REJECTED = "01", "02"


def acknowledgement_r2(
    batch: BatchIdentity,
    answers: Sequence[MessageAnswer],
    malformed: str | None,
    *,
    number: str,
    now: datetime,
) -> Element:
    """Return the acknowledgement of a batch of release 2.

    Parameters
    ----------
    malformed
        Why the rest of the batch could not be read; None if it could.
    number
        Number of the acknowledgement.
    now
        Time of its creation.
    """
    root = etree.Element("ichicsrack", lang="en")
    header = etree.SubElement(root, "ichicsrmessageheader")
    _add(header, "messagetype", "ichicsrack")
    _add(header, "messageformatversion", "1.0")
    _add(header, "messageformatrelease", "1.0")
    _add(header, "messagenumb", number)
    _add(header, "messagesenderidentifier", batch.receiver)
    _add(header, "messagereceiveridentifier", batch.sender)
    _add(header, "messagedateformat", _SECOND)
    _add(header, "messagedate", now.strftime("%Y%m%d%H%M%S"))
    acknowledgement = etree.SubElement(root, "acknowledgment")
    message = etree.SubElement(acknowledgement, "messageacknowledgment")
    _add(message, "icsrmessagenumb", batch.number)
    _add(message, "localmessagenumb", number)
    _add(message, "icsrmessagesenderidentifier", batch.sender)
    _add(message, "icsrmessagereceiveridentifier", batch.receiver)
    _add(message, "icsrmessagedateformat", _SECOND if batch.sent else "")
    _add(message, "icsrmessagedate", batch.sent)
    _add(message, "transmissionacknowledgmentcode", _code(answers, malformed))
    _add(message, "parsingerrormessage", malformed or "")
    for answer in answers:
        _report(acknowledgement, answer)
    return root


def _code(answers: Sequence[MessageAnswer], malformed: str | None) -> str:
    if malformed is not None and not any(answer.is_accepted for answer in answers):
        return _NOT_READ
    accepted = malformed is None and all(answer.is_accepted for answer in answers)
    return _ALL_ACCEPTED if accepted else _SOME_REJECTED


def _report(parent: Element, answer: MessageAnswer) -> None:
    report = etree.SubElement(parent, "reportacknowledgment")
    _add(report, "safetyreportid", answer.own)
    _add(report, "safetyreportversion", answer.version)
    _add(report, "localreportnumb", answer.authority or answer.worldwide or answer.own)
    _add(report, "authoritynumb", answer.authority)
    _add(report, "companynumb", answer.worldwide)
    _add(report, "receiptdateformat", _DAY if answer.created else "")
    _add(report, "receiptdate", answer.created)
    _add(report, "reportacknowledgmentcode", _ACCEPTED if answer.is_accepted else _REJECTED)
    _add(report, "errormessagecomment", answer.comment)


def _add(parent: Element, name: str, text: str) -> None:
    """Add an element with a text; one without is left out, as the document type demands."""
    if text:
        etree.SubElement(parent, name).text = text
