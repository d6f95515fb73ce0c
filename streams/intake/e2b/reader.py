"""Reader of ICH E2B files: an XML document, gzipped or not, or a zip archive of documents.

Reports are in the order of the file, since a batch may be too long to be sorted.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.archive import is_zip, open_archive
from streams.intake.bounded import BufferedBytes, open_unpacked
from streams.intake.e2b.content import e2b_members
from streams.intake.e2b.documents import Document, IcsrMessage, read_messages
from streams.intake.e2b.findings import MessageFindings
from streams.intake.e2b.r2 import read_r2
from streams.intake.e2b.r3 import read_r3

__all__ = ["read_document", "read_e2b", "report_of"]


_MOST_VALUES = 1_000  # different unmapped values of a run that are counted apart


def read_e2b(path: Path, unmapped: Counter[str] | None = None) -> Iterator[Report | Rejected]:
    """Read the messages of a file, each as a report or a reject.

    Parameters
    ----------
    unmapped
        Counts values that a report cannot carry, by element and value.

    Raises
    ------
    InputError
        The file cannot be read to its end, or is over a limit of `streams.intake.bounded`.
    """
    unmapped = Counter() if unmapped is None else unmapped
    if not (path.is_dir() or is_zip(path)):
        with open_unpacked(path) as stream:
            yield from read_document(stream, path.name, unmapped)
        return
    with open_archive(path) as archive:
        for member in e2b_members(archive):
            with archive.opened(member) as stream:
                yield from read_document(stream, archive.label(member), unmapped)


def read_document(
    stream: BufferedBytes, where: str, unmapped: Counter[str]
) -> Iterator[Report | Rejected]:
    """Read the messages of one document; `where` labels its rejects."""
    for item in read_messages(stream, Document(where)):
        if isinstance(item, Rejected):
            yield item
            continue
        report, findings = report_of(item)
        _add(unmapped, findings.unmapped)
        if report is not None:
            yield report
            continue
        yield Rejected(
            source=where,
            position=item.number,
            reason=findings.reason,
            raw=item.raw(),
            code=findings.code,
        )


def _add(unmapped: Counter[str], found: Counter[str]) -> None:
    """Add the unmapped values of a message; those of many different values by element alone."""
    for value, number in found.items():
        known = value in unmapped or len(unmapped) < _MOST_VALUES
        element = value.rpartition(" '")[0]
        unmapped[value if known else f"{element} (other values)"] += number


def report_of(message: IcsrMessage) -> tuple[Report | None, MessageFindings]:
    """Return the report of a message, or None, and what was noted of its elements."""
    findings = MessageFindings()
    if message.refusal is not None:
        findings.refuse_whole(*message.refusal)
        return None, findings
    read = read_r3 if message.release == 3 else read_r2
    report = read(message.element, findings)
    return (None if findings.problems else report), findings
