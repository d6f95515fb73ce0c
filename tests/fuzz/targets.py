"""Parsers of what strangers send, each as a function of bytes that may refuse and never fail.

A target lets `TocsinError` pass, which is a refusal, and what else the parser documents; any other
exception, a hang or too much memory is a defect. Deltas are left out: only the case stage may write
them, and the Arrow reader ends the process for some damaged files.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from zipfile import ZipFile

from pydantic import ValidationError

from detectors.rules import load_rules
from schemas.errors import TocsinError
from schemas.normal_form import normal_drug, normal_term, spelling_of_drug, spelling_of_term
from schemas.rejected import Rejected
from schemas.visible_text import visible
from streams.cli.negative_controls import control_pairs
from streams.cli.printable import printable
from streams.core.signals.realert_policy import load_policy
from streams.delivery.alert_sources import parse_published, read_alert_lines
from streams.delivery.api.bodies import AskedSubscription
from streams.exports.spreadsheet import defused
from streams.intake.dates import date_range, parse_compact_date, parse_us_date
from streams.intake.e2b.ack.acknowledgement import acknowledge
from streams.intake.files import read_source
from streams.intake.formats import detect_format
from streams.intake.mapped.mapping import load_mapping
from streams.intake.mapped.proposal import propose_mapping
from streams.intake.mapped.reader import read_mapped
from streams.intake.native import decode_message
from streams.intake.notices import decode_notice, read_notices
from streams.intake.text import clean, decode_line, parse_decimal
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.embedded.case_stage import read_batch
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.settings import Settings

__all__ = ["SEPARATOR", "TARGETS"]

SEPARATOR = b"\xff\xfe\xff"
"""Between the members of an archive, in the bytes of a target that packs one."""

_HORIZON = date(2030, 1, 1)
_VAERS = ("2020VAERSDATA.csv", "2020VAERSVAX.csv", "2020VAERSSYMPTOMS.csv")
_FAERS = tuple(
    f"ascii/{table}18Q1.txt" for table in ("DEMO", "DRUG", "REAC", "OUTC", "RPSR", "THER", "INDI")
)
_JADER = tuple(f"{table}202406.csv" for table in ("demo", "drug", "reac", "hist"))
_CANADA = tuple(f"{table}.txt" for table in ("reports", "report_drug", "reactions", "report_links"))
_MAUDE = ("mdrfoi.txt", "foidev.txt", "patient.txt", "foidevproblem.txt")
_FOLDER = Path(tempfile.mkdtemp(prefix="tocsin-fuzz-"))


def _file(name: str, raw: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(raw)
    return path


def _packed(name: str, members: Sequence[str], raw: bytes) -> Path:
    path = _FOLDER / name
    with ZipFile(path, "w") as archive:
        for member, content in zip(members, raw.split(SEPARATOR), strict=False):
            archive.writestr(member, content)
    return path


def _read(path: Path, source_format: str | None = None) -> None:
    """Read a source to its end, and every message of it as the case stage does."""
    with suppress(TocsinError):
        found = source_format or detect_format(path)
        items = read_source(path, found, Counter())
        messages = [
            (number, item, None, ()) for number, item in items if not isinstance(item, Rejected)
        ]
        read_batch(messages, source="fuzz", horizon=_HORIZON)


def native(raw: bytes) -> None:
    """Read JSON Lines."""
    _read(_file("reports.jsonl", raw))


def native_gzip(raw: bytes) -> None:
    """Read a gzip file of JSON Lines, mostly a damaged one."""
    _read(_file("reports.jsonl.gz", raw))


def archive(raw: bytes) -> None:
    """Read a zip file, mostly a damaged one."""
    _read(_file("reports.zip", raw))


def vaers(raw: bytes) -> None:
    """Read a VAERS archive with these members."""
    _read(_packed("vaers.zip", _VAERS, raw), "vaers")


def faers(raw: bytes) -> None:
    """Read a FAERS archive with these members."""
    _read(_packed("faers.zip", _FAERS, raw), "faers")


def e2b(raw: bytes) -> None:
    """Read an ICH E2B document of either release, and acknowledge it."""
    path = _file("batch.xml", raw)
    _read(path, "e2b")
    with path.open("rb") as stream:
        found = acknowledge(stream, path.name)
    found.xml(number="ACK-1", now=datetime(2030, 1, 1, tzinfo=UTC))


def document(raw: bytes) -> None:
    """Read a JSON document by what it is taken for: openFDA, FHIR, MAUDE, an array."""
    path = _file("document.json", raw)
    _read(path)
    for name in ("openfda", "fhir", "maude", "array"):
        _read(path, name)


def jader(raw: bytes) -> None:
    """Read a JADER archive with these members."""
    _read(_packed("jader.zip", _JADER, raw), "jader")


def canada(raw: bytes) -> None:
    """Read an extract of Canada Vigilance with these members."""
    _read(_packed("canada.zip", _CANADA, raw), "canada_vigilance")


def maude(raw: bytes) -> None:
    """Read tables of MAUDE with these members."""
    _read(_packed("maude.zip", _MAUDE, raw), "maude")


def listing(raw: bytes) -> None:
    """Read a line listing, and propose a mapping of it by which it is read."""
    path = _file("listing.csv", raw)
    _read(path, "eudravigilance")
    with suppress(TocsinError):
        mapping = _file("proposed.toml", propose_mapping(path).encode())
        list(read_mapped(path, mapping))


def mapping(raw: bytes) -> None:
    """Read a mapping file."""
    with suppress(TocsinError):
        load_mapping(_file("mapping.toml", raw))


def message(raw: bytes) -> None:
    """Decode a message of the topic of reports."""
    with suppress(TocsinError):
        decode_message(raw)


def notice(raw: bytes) -> None:
    """Decode a notice, and read a file of them."""
    with suppress(TocsinError):
        decode_notice(raw)
    with suppress(TocsinError):
        list(read_notices(_file("notices.jsonl", raw)))


def alert(raw: bytes) -> None:
    """Decode a published message, and read a file of them."""
    with suppress(TocsinError):
        parse_published(raw, "fuzz")
    with suppress(TocsinError):
        list(read_alert_lines(_file("alerts.jsonl", raw)))


def settings(raw: bytes) -> None:
    """Read a settings file, a policy and rules."""
    path = _file("settings.toml", raw)
    readers: Sequence[Callable[[Path], object]] = (
        Settings.load,
        DetectorSettings.load,
        load_policy,
        load_rules,
    )
    for read in readers:
        with suppress(TocsinError):
            read(path)


def controls(raw: bytes) -> None:
    """Read a CSV file of negative controls."""
    with suppress(TocsinError):
        control_pairs(_file("controls.csv", raw))


def audit(raw: bytes) -> None:
    """Read and verify a log of decisions."""
    with suppress(TocsinError):
        AuditLog(_file("audit.jsonl", raw)).entries()


def subscription(raw: bytes) -> None:
    """Read the body of a request for a subscription."""
    with suppress(ValidationError, TocsinError):
        AskedSubscription.model_validate_json(raw)


def text(raw: bytes) -> None:
    """Clean names and values as readers, terminals and spreadsheets do."""
    found = raw.decode("utf-8", errors="replace")
    for normal, spelling in ((normal_drug, spelling_of_drug), (normal_term, spelling_of_term)):
        once = normal(found)
        assert normal(once) == once, f"{normal.__name__} is not idempotent"
        assert normal(spelling(found)) == once, f"{spelling.__name__} changes the normal form"
    assert printable(found).isprintable()
    assert visible(found) == visible(visible(found))
    assert not defused(found).startswith(("=", "+", "-", "@"))
    clean(found, 100)
    parse_decimal(found)
    parse_compact_date(found)
    parse_us_date(found)
    date_range(found)
    with suppress(UnicodeDecodeError):
        decode_line(raw)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        *(native, native_gzip, archive, vaers, faers, e2b, message, notice, alert, settings),
        *(controls, audit, subscription, text),
        *(document, jader, canada, maude, listing, mapping),
    )
}
"""Every target by name."""
