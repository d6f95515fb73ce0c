"""Formats are detected by members or names; the error of an unknown one lists the known."""

import re
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.intake.formats import detect_format
from tests.support.archives import ArchiveOf
from tests.support.e2b_r2 import batch_of, message_of


@pytest.mark.parametrize(
    ("member", "known"),
    [
        ("2021VAERSDATA.csv", "vaers"),
        ("VAERSDATA.CSV", "vaers"),
        ("ascii/DEMO17Q2.txt", "faers"),
        ("ASCII/demo12q4.TXT", "faers"),
        ("DEMO18Q1_new.txt", "faers"),
    ],
)
def test_a_zip_file_is_known_by_its_members(member: str, known: str, archive_of: ArchiveOf) -> None:
    assert detect_format(archive_of("reports", {"readme.pdf": "", member: ""})) == known


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "A.JSON", "a.jsonl.gz"])
def test_native_files_are_known_by_their_names(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"{}")

    assert detect_format(tmp_path / name) == "native"


def test_an_unknown_format_lists_the_known_ones(archive_of: ArchiveOf, tmp_path: Path) -> None:
    known = re.escape("a zip file with *VAERSDATA.csv, a zip file with DEMO*.txt, an ICH E2B")
    for content, got in (("drug,event", "a table of 2 columns"), ("hello", "a file that is none")):
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(InputError, match=rf"a\.csv: must be {known}.*; got {got}"):
            detect_format(tmp_path / "a.csv")
    with pytest.raises(InputError, match=rf"must be {known}.*; got a zip file with neither$"):
        detect_format(archive_of("other.zip", {"notes.txt": ""}))


def test_an_e2b_document_is_known_by_its_content(archive_of: ArchiveOf, tmp_path: Path) -> None:
    content = batch_of([message_of()])
    for name in ("batch.xml", "batch.json", "batch"):
        (tmp_path / name).write_bytes(content)
        assert detect_format(tmp_path / name) == "e2b"
    members = {"readme.pdf": "%PDF", "faers_xml/1_ADR12Q4.xml": content}
    assert detect_format(archive_of("batches.zip", members)) == "e2b"
