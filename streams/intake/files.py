"""Reader of source files of any format, item by item."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.report import Report
from streams.intake.authorities.canada_vigilance import read_canada_vigilance
from streams.intake.authorities.eudravigilance import read_line_listing
from streams.intake.authorities.jader import read_jader
from streams.intake.authorities.maude import read_maude
from streams.intake.bounded import ReadMeter
from streams.intake.delimited import RowTally
from streams.intake.documents.arrays import read_array
from streams.intake.documents.fhir import read_fhir
from streams.intake.documents.openfda import read_openfda
from streams.intake.e2b.reader import read_e2b
from streams.intake.faers.reader import read_faers
from streams.intake.formats import detect_format
from streams.intake.mapped.reader import read_mapped
from streams.intake.native import read_messages
from streams.intake.vaers import read_vaers

__all__ = ["READERS", "Reading", "SourceItem", "read_source"]

SourceItem = Report | ReleaseMarker | bytes | Rejected


@dataclass(frozen=True)
class Reading:
    """Options of a reader beside its file, and its counts.

    Parameters
    ----------
    repairs
        Damaged rows that were repaired, by the kind of repair.
    unmapped
        Values that a report cannot carry, by column or element and value.
    tally
        Rows of tables; of other formats every item is one.
    released_on
        Day of the release that a VAERS archive holds; by default the date of each DATA file.
    meter
        States how much was read, while the items are.
    """

    repairs: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    tally: RowTally = field(default_factory=RowTally)
    released_on: date | None = None
    meter: ReadMeter = field(default_factory=ReadMeter)


_Items = Iterator[tuple[int, SourceItem]]


def _numbered(items: Iterator[SourceItem]) -> _Items:
    return enumerate(items, start=1)


READERS: dict[str, Callable[[Path, Reading], _Items]] = {
    "native": lambda path, reading: read_messages(path, meter=reading.meter),
    "array": lambda path, _: read_array(path),
    "vaers": lambda path, reading: _numbered(
        read_vaers(path, released_on=reading.released_on, tally=reading.tally, meter=reading.meter)
    ),
    "faers": lambda path, reading: _numbered(
        read_faers(path, reading.repairs, reading.tally, reading.meter)
    ),
    "jader": lambda path, reading: _numbered(read_jader(path, reading.unmapped, reading.tally)),
    "canada_vigilance": lambda path, reading: _numbered(
        read_canada_vigilance(path, reading.unmapped, reading.tally)
    ),
    "eudravigilance": lambda path, reading: _numbered(
        read_line_listing(path, reading.unmapped, reading.tally)
    ),
    "maude": lambda path, reading: _numbered(read_maude(path, reading.unmapped, reading.tally)),
    "e2b": lambda path, reading: _numbered(read_e2b(path, reading.unmapped)),
    "fhir": lambda path, reading: _numbered(read_fhir(path, reading.unmapped)),
    "openfda": lambda path, reading: _numbered(read_openfda(path, reading.unmapped)),
}
"""Readers by the name of their format."""


def read_source(
    path: Path,
    source_format: str | None = None,
    repairs: Counter[str] | None = None,
    *,
    released_on: date | None = None,
    unmapped: Counter[str] | None = None,
    tally: RowTally | None = None,
    mapping: Path | None = None,
    meter: ReadMeter | None = None,
) -> Iterator[tuple[int, SourceItem]]:
    """Return the numbered items of a file: undecoded native messages, or reports and rejects.

    Reports of archives are in order of receipt. Native JSON Lines and JSON documents are in file
    order, since the order of a log is its order of arrival.

    Parameters
    ----------
    repairs, unmapped, tally, released_on, meter
        As in `Reading`.
    mapping
        A mapping file: the source is a table of any layout, and is read by it.
    """
    reading = Reading(
        repairs=Counter() if repairs is None else repairs,
        unmapped=Counter() if unmapped is None else unmapped,
        tally=tally or RowTally(),
        released_on=released_on,
        meter=meter or ReadMeter(),
    )
    if mapping is not None:
        return read_mapped(path, mapping, reading.unmapped, reading.tally)
    return READERS[source_format or detect_format(path)](path, reading)
