"""ICH E2B documents are known by their content, whatever their names."""

import gzip
from pathlib import Path

import pytest

from streams.intake.e2b.content import begins_as_e2b, is_e2b, is_zip
from tests.support.archives import ArchiveOf
from tests.support.e2b_r2 import batch_of, message_of
from tests.support.e2b_r3 import REPORT
from tests.support.e2b_r3 import batch_of as batch_of_r3
from tests.support.e2b_r3 import message_of as message_of_r3


@pytest.mark.parametrize(
    "content",
    [
        batch_of([message_of()]),
        batch_of([message_of()], encoding="UTF-16"),
        batch_of([message_of()]).replace(b"<?xml", b"<!-- new --><?xml", 1),
        b"\xef\xbb\xbf \r\n" + batch_of([message_of()], encoding="UTF-8"),
        "<?xml version='1.0'?><ichicsr>".encode("utf-16-le"),
        "<?xml version='1.0'?><ichicsr>".encode("utf-16-be"),
        batch_of_r3([message_of_r3(REPORT)]),
        batch_of_r3([message_of_r3(REPORT)], prefix="hl7"),
        b"<PORR_IN049016UV xmlns='urn:hl7-org:v3'>",
        b"<safetyreport>",
    ],
)
def test_the_root_of_a_document_is_found(content: bytes) -> None:
    assert begins_as_e2b(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"verbatim": "<ichicsr>"}\n',
        b"<html><body>",
        b"<MCCI_IN200101UV01>",
        b"<ichicsrack>",
        b"<safetyreports>",
    ],
)
def test_other_content_is_none(content: bytes) -> None:
    assert not begins_as_e2b(content)


def test_a_file_is_known_gzipped_or_not(tmp_path: Path) -> None:
    for name, content in (
        ("batch.txt", batch_of([message_of()])),
        ("batch.gz", gzip.compress(batch_of([message_of()]))),
    ):
        (tmp_path / name).write_bytes(content)
        assert is_e2b(tmp_path / name)


def test_an_archive_is_no_document(archive_of: ArchiveOf, tmp_path: Path) -> None:
    assert is_zip(archive_of("a.zip", {"a.xml": batch_of([message_of()])}))
    (tmp_path / "a.xml").write_bytes(batch_of([message_of()]))
    assert not is_zip(tmp_path / "a.xml")
