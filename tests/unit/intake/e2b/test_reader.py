"""ICH E2B files: documents, gzipped or in zip archives, each message a report or a reject."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.e2b.reader import read_e2b
from tests.support.archives import ArchiveOf
from tests.support.e2b_r2 import FIELDS, batch_of, message_of
from tests.support.e2b_r3 import REPORT
from tests.support.e2b_r3 import batch_of as batch_of_r3
from tests.support.e2b_r3 import message_of as message_of_r3


def case(number: int, **changed: str) -> str:
    return message_of(FIELDS | {"companynumb": f"DE-ACME-{number}"} | changed)


def cases(path: Path) -> list[str]:
    return [each.case_id for each in read_e2b(path) if isinstance(each, Report)]


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "batch.xml"
    path.write_bytes(batch_of([case(2, receiptdate="20250101"), case(1)]))
    assert cases(path) == ["DE-ACME-2", "DE-ACME-1"]


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "batch.xml.gz"
    path.write_bytes(gzip.compress(batch_of([case(1)])))
    assert cases(path) == ["DE-ACME-1"]


def test_an_archive_may_hold_documents_of_both_releases(archive_of: ArchiveOf) -> None:
    members = {
        "readme.pdf": "%PDF",
        "xml/2_batch.XML": batch_of([case(1), case(2, receivedate="x")]),
        "xml/3_single": batch_of_r3([message_of_r3(REPORT)]),
    }
    path = archive_of("batches.zip", members)
    assert cases(path) == ["DE-ACME-1", "DE-ACME-1"]
    [rejected] = [each for each in read_e2b(path) if isinstance(each, Rejected)]
    assert (rejected.source, rejected.position) == ("batches.zip!xml/2_batch.XML", 2)


def test_a_member_that_is_xml_of_another_kind_is_a_reject(archive_of: ArchiveOf) -> None:
    members = {"1.xml": batch_of([case(1)]), "2.xml": "<MCCI_IN200101UV01/>", "3.txt": "notes"}
    path = archive_of("batches.zip", members)
    assert cases(path) == ["DE-ACME-1"]
    [rejected] = [each for each in read_e2b(path) if isinstance(each, Rejected)]
    assert (rejected.source, rejected.raw) == ("batches.zip!2.xml", b"<MCCI_IN200101UV01/>")
    assert rejected.reason == ("a member named .xml must be an ICH E2B document; got another root")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "batch.xml.gz"
    path.write_bytes(gzip.compress(batch_of([case(1)] * 500))[:-40])
    with pytest.raises(InputError, match=r"batch\.xml\.gz: must be readable to its end"):
        list(read_e2b(path))


def test_unmapped_values_of_many_kinds_are_counted_by_element(tmp_path: Path) -> None:
    path = tmp_path / "batch.xml"
    path.write_bytes(batch_of(case(n, reporttype=f"x{n}", occurcountry="EU") for n in range(1_200)))
    unmapped: Counter[str] = Counter()
    assert len(cases(path)) == 1_200
    list(read_e2b(path, unmapped))
    assert unmapped["occurcountry (A.1.2) 'EU'"] == 1_200
    assert unmapped["reporttype (A.1.4) 'x7'"] == 1
    assert unmapped["reporttype (A.1.4) (other values)"] == 201
    assert unmapped.total() == 2_400
