"""Reading of ICH E2B documents in tests."""

import io
from collections import Counter

from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.e2b.reader import read_document

__all__ = ["read", "read_one"]


def read(raw: bytes, unmapped: Counter[str] | None = None) -> tuple[list[Report], list[Rejected]]:
    """Return the reports and rejects of a document, `batch.xml`."""
    stream = io.BufferedReader(io.BytesIO(raw))
    found = list(read_document(stream, "batch.xml", Counter() if unmapped is None else unmapped))
    reports = [each for each in found if isinstance(each, Report)]
    return reports, [each for each in found if isinstance(each, Rejected)]


def read_one(raw: bytes, unmapped: Counter[str] | None = None) -> Report:
    """Return the only report of a document without rejects."""
    [report], rejects = read(raw, unmapped)
    assert rejects == []
    return report
