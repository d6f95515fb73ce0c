"""Reader of ICH E2B files: an XML document, gzipped or not, or a zip archive of documents.

Reports are in the order of the file, since a batch may be too long to be sorted.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipInfo

from schemas.errors import RejectCode
from schemas.rejected import LONGEST_BEGINNING, Rejected
from schemas.report import Report
from streams.intake.archive import Archive, is_zip, open_archive
from streams.intake.bounded import BufferedBytes, open_unpacked
from streams.intake.e2b.content import e2b_members
from streams.intake.e2b.documents import Document, IcsrMessage, read_messages
from streams.intake.e2b.findings import Findings
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
        members = list(e2b_members(archive))
        for member in members:
            with archive.opened(member) as stream:
                yield from read_document(stream, archive.label(member), unmapped)
        read = {member.filename for member in members}
        for member in archive.find(r".*\.xml"):
            if member.filename not in read:
                yield _no_document(archive, member)


def _no_document(archive: Archive, member: ZipInfo) -> Rejected:
    with archive.opened(member) as stream:
        raw = stream.read(LONGEST_BEGINNING)
    return Rejected(
        source=archive.label(member),
        position=1,
        reason="a member named .xml must be an ICH E2B document; got another root",
        raw=raw,
        code=RejectCode.SCHEMA,
    )


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


def report_of(message: IcsrMessage) -> tuple[Report | None, Findings]:
    """Return the report of a message, or None, and what was noted of its elements."""
    findings = Findings()
    if message.refusal is not None:
        findings.refuse_whole(*message.refusal)
        return None, findings
    read = read_r3 if message.release == 3 else read_r2
    report = read(message.element, findings)
    return (None if findings.problems else report), findings
