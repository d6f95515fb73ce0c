"""Formats are detected by members or names; the error of an unknown one lists the known."""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from schemas.errors import InputError
from schemas.report import Report
from streams.cli.replay_commands import Format as Option
from streams.intake.files import READERS, read_source
from streams.intake.formats import FORMATS, Format, detect_format
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
    (tmp_path / name).write_bytes(gzip.compress(b"{}") if name.endswith(".gz") else b"{}")

    assert detect_format(tmp_path / name) == "native"


def test_an_unknown_format_lists_the_known_ones(archive_of: ArchiveOf, tmp_path: Path) -> None:
    known = re.escape("a zip file or a folder with *VAERSDATA.csv, with DEMO*.txt, ")
    for content, got in (("drug,event", "a table of 2 columns"), ("hello", "a file that is none")):
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(InputError, match=rf"a\.csv: must be {known}.*; got {got}"):
            detect_format(tmp_path / "a.csv")
    with pytest.raises(InputError, match=rf"must be {known}.*; got a zip file with none of these$"):
        detect_format(archive_of("other.zip", {"notes.txt": ""}))


def test_each_format_has_a_reader_and_an_option() -> None:
    names = {known.name for known in FORMATS}
    assert names == set(get_args(Format)) == set(READERS) == {each.value for each in Option}
    assert len(names) == len(FORMATS)


VAERS = {
    "2024VAERSDATA.csv": "VAERS_ID,RECVDATE\n7,02/29/2024\n",
    "2024VAERSVAX.csv": "VAERS_ID,VAX_TYPE\n7,FLU\n",
    "2024VAERSSYMPTOMS.csv": "VAERS_ID,SYMPTOM1\n7,Rash\n",
}


def _unpacked(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_an_unpacked_folder_and_its_table_are_read_as_their_zip_file_is(
    archive_of: ArchiveOf, tmp_path: Path
) -> None:
    folder = _unpacked(tmp_path / "unpacked", VAERS)
    (packed,) = (
        one for _, one in read_source(archive_of("2024.zip", VAERS)) if isinstance(one, Report)
    )
    for path in (folder, folder / "2024VAERSDATA.csv"):
        assert detect_format(path) == "vaers"
        ((_, report),) = read_source(path)
        assert report == packed.model_copy(update={"release": None})


def test_a_folder_of_two_formats_is_refused(tmp_path: Path) -> None:
    folder = _unpacked(tmp_path / "both", VAERS | {"DEMO24Q1.txt": ""})
    with pytest.raises(InputError, match=r"must hold files of one format; got vaers and faers$"):
        detect_format(folder)


def test_a_folder_of_nothing_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"got a folder with none of these$"):
        detect_format(_unpacked(tmp_path / "other", {"a.txt": "x", "b.txt": "x"}))


def test_an_e2b_document_is_known_by_its_content(archive_of: ArchiveOf, tmp_path: Path) -> None:
    content = batch_of([message_of()])
    for name in ("batch.xml", "batch.json", "batch"):
        (tmp_path / name).write_bytes(content)
        assert detect_format(tmp_path / name) == "e2b"
    members = {"readme.pdf": "%PDF", "faers_xml/1_ADR12Q4.xml": content}
    assert detect_format(archive_of("batches.zip", members)) == "e2b"


def test_documents_about_tables_are_not_opened(archive_of: ArchiveOf) -> None:
    path = archive_of("faers.zip", {"DEMO24Q1.txt": "", "readme.xml": batch_of([message_of()])})
    assert detect_format(path) == "faers"
