"""Acknowledgement of one document, of the release of its messages."""

from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from schemas.rejected import Rejected
from streams.intake.bounded import BufferedBytes
from streams.intake.e2b.ack.answers import MessageAnswer, answer_to, batch_from
from streams.intake.e2b.ack.release_2 import acknowledgement_r2
from streams.intake.e2b.ack.release_3 import acknowledgement_r3
from streams.intake.e2b.documents import ROOTS, Document, IcsrMessage, read_messages
from streams.intake.e2b.findings import MessageFindings
from streams.intake.e2b.reader import report_of
from streams.intake.e2b.tree import Element, local_name

__all__ = ["Acknowledgement", "acknowledge"]


@dataclass
class Acknowledgement:
    """The answers to the messages of a document, added while it is read."""

    document: Document
    answers: list[MessageAnswer] = field(default_factory=list)
    malformed: str | None = None
    release: int | None = None

    def add(self, item: IcsrMessage, findings: MessageFindings) -> None:
        """Add the answer to a message: it is accepted if it has no problem."""
        self.release = self.release or item.release
        self.answers.append(answer_to(item, findings))

    def break_off(self, rejected: Rejected) -> None:
        """Note why the rest of the document, or all of it, could not be read."""
        self.malformed = rejected.reason

    @property
    def n_accepted(self) -> int:
        """Return the number of accepted messages."""
        return sum(answer.is_accepted for answer in self.answers)

    def xml(self, *, number: str, now: datetime) -> bytes:
        """Return the acknowledgement as XML in UTF-8, once the document is read to its end.

        Parameters
        ----------
        number
            Number of the acknowledgement.
        now
            Time of its creation, with a time zone.
        """
        release = self.release or _release_of(self.document.root)
        batch = batch_from(self.document, release)
        write = acknowledgement_r3 if release == 3 else acknowledgement_r2
        root = write(batch, self.answers, self.malformed, number=number, now=now)
        raw: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)
        return raw


def acknowledge(stream: BufferedBytes, where: str) -> Acknowledgement:
    """Read a document and answer each of its messages; nothing of it is kept.

    Parameters
    ----------
    where
        Name of the document.
    """
    found = Acknowledgement(Document(where))
    for item in read_messages(stream, found.document):
        if isinstance(item, Rejected):
            found.break_off(item)
        else:
            found.add(item, report_of(item)[1])
    return found


def _release_of(root: Element | None) -> int:
    """Return the release of a document without a message, by its root."""
    return 2 if root is not None and local_name(root) == ROOTS[0] else 3
