"""Answers to the messages of a batch: what was accepted, and which elements of others are wrong."""

from dataclasses import dataclass

from streams.intake.e2b.documents import Document, IcsrMessage
from streams.intake.e2b.findings import Findings
from streams.intake.e2b.r3_elements import CASE_IDS, identifier
from streams.intake.e2b.tree import Element, attribute, children, find, find_all

__all__ = ["Answer", "BatchIdentity", "answer_to", "batch_from"]

_MOST_TEXT = 250  # characters of a comment: the limit of ACK.B.r.7 and of `errormessagecomment`
_MOST_NUMBER = 200  # characters of an identifier
_EVENT = "controlActProcess/subject/investigationEvent"
_OWN_ID, _WORLDWIDE_ID = f"{CASE_IDS}.1", f"{CASE_IDS}.2"
_SENDER, _RECEIVER = f"{CASE_IDS}.11", f"{CASE_IDS}.12"
_BATCH_SENDER, _BATCH_RECEIVER, _BATCH = f"{CASE_IDS}.13", f"{CASE_IDS}.14", f"{CASE_IDS}.22"


@dataclass(frozen=True)
class Answer:
    """The answer to one message, with what identifies it to its sender."""

    is_accepted: bool
    comment: str  # names the elements; of an accepted message those that a report cannot carry
    message: str = ""  # N.2.r.1
    own: str = ""  # C.1.1, or A.1.0.1
    worldwide: str = ""  # C.1.8.1, or A.1.10.2
    authority: str = ""  # A.1.10.1
    version: str = ""  # of release 2
    created: str = ""  # N.2.r.4, or the receipt date (A.1.7)
    sender: str = ""  # N.2.r.2
    receiver: str = ""  # N.2.r.3


@dataclass(frozen=True)
class BatchIdentity:
    """What identifies a batch to its sender."""

    number: str = ""  # N.1.2, or `messagenumb`
    sender: str = ""  # N.1.3
    receiver: str = ""  # N.1.4
    sent: str = ""  # N.1.5, or `messagedate`


def answer_to(message: IcsrMessage, findings: Findings) -> Answer:
    """Return the answer to a message: it is accepted if it has no problem."""
    is_accepted = not findings.n_problems
    if is_accepted:
        lost = (f"{value} is not kept" for value in findings.unmapped)
        comment = _shortened("; ".join(lost), _MOST_TEXT)
    else:
        reason = findings.reason
        if len(reason) > _MOST_TEXT and findings.elements:
            reason = f"rejected for {', '.join(dict.fromkeys(findings.elements))}"
        comment = _shortened(reason, _MOST_TEXT)
    read = _identity_r3 if message.release == 3 else _identity_r2
    identity = {
        name: _shortened(text, _MOST_NUMBER) for name, text in read(message.element).items()
    }
    return Answer(is_accepted, comment, **identity)


def batch_from(document: Document, release: int) -> BatchIdentity:
    """Return what identifies a document that was read to its end."""
    root = document.root
    if root is None:
        return BatchIdentity()
    if release != 3:
        header = children(find(root, "ichicsrmessageheader")).texts
        names = ("messagenumb", "messagesenderidentifier", "messagereceiveridentifier")
        return BatchIdentity(*(header.get(name, "") for name in (*names, "messagedate")))
    return BatchIdentity(
        number=identifier(root, _BATCH),
        sender=_device(root, "sender", _BATCH_SENDER),
        receiver=_device(root, "receiver", _BATCH_RECEIVER),
        sent=attribute(root, "creationTime", "value"),
    )


def _identity_r3(message: Element) -> dict[str, str]:
    event = find(message, _EVENT)
    return {
        "message": identifier(message, _OWN_ID),
        "own": "" if event is None else identifier(event, _OWN_ID),
        "worldwide": "" if event is None else identifier(event, _WORLDWIDE_ID),
        "created": attribute(message, "creationTime", "value"),
        "sender": _device(message, "sender", _SENDER),
        "receiver": _device(message, "receiver", _RECEIVER),
    }


def _identity_r2(message: Element) -> dict[str, str]:
    values = children(message).texts
    return {
        "own": values.get("safetyreportid", ""),
        "worldwide": values.get("companynumb", ""),
        "authority": values.get("authoritynumb", ""),
        "version": values.get("safetyreportversion", ""),
        "created": values.get("receiptdate", ""),
    }


def _device(parent: Element, role: str, root: str) -> str:
    for device in find_all(parent, f"{role}/device"):
        if number := identifier(device, root):
            return number
    return ""


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
