"""Files of foreign formats are described by how they begin; nothing of them is quoted."""

import gzip
import json
from pathlib import Path

import pytest

from streams.intake.foreign_content import describe_content

OPENFDA = {"meta": {"results": {"total": 1}}, "results": [{"safetyreportid": "1"}]}
CASES = [
    (b"", "an empty file"),
    (b'[{"case_id": "A"}]', "a JSON array; write one report a line, each a JSON object"),
    (b' \r\n[\n {"case_id"', "a JSON array; write one report a line, each a JSON object"),
    (json.dumps(OPENFDA).encode(), "a download of openFDA, one JSON object with meta and results"),
    (
        json.dumps(OPENFDA, indent=2).encode(),
        "a download of openFDA, one JSON object with meta and results",
    ),
    (b'{\n  "case_id": "A"\n}', "a JSON object over several lines; write one report a line, "),
    (b'\xef\xbb\xbf{"case_id": "A"}', None),
    (b'{"meta": 1, "note": "results"}\n', None),
    (
        b'<?xml version="1.0"?>\n<!DOCTYPE ichicsr SYSTEM "x">\n<ichicsr lang="en">',
        "XML, an E2B me",
    ),
    (b'<MCCI_IN200100UV01 xmlns="urn:hl7-org:v3">', "XML, an E2B message"),
    (b"<cases><case/></cases>", "XML"),
    (b"<!DOCTYPE html><html><body>404", "a web page"),
    (b"case,drug,event\n1,A,B\n", "a table of 3 columns, separated by commas"),
    ("Fall;Präparat\n1;A, B\n".encode("cp1252"), "a table of 2 columns, separated by semicolons"),
    (b"a\tb\tc\td\n1\t2\t3\t4\n", "a table of 4 columns, separated by tabs"),
    (b"primaryid$caseid$drug_seq\n1$2$3\n", "a table of 3 columns, separated by $"),
    (b"Dear all, please\nfind attached\n", None),
    ('{"case_id": "A"}'.encode("utf-16"), "text in UTF-16; save it as UTF-8"),
    ('{"case_id": "A"}'.encode("utf-16-be"), "text in UTF-16; save it as UTF-8"),
    ('{"case_id": "A"}'.encode("utf-16-le"), "text in UTF-16; save it as UTF-8"),
    (b"PAR1\x15\x04", "a Parquet file"),
]


@pytest.mark.parametrize(("content", "looks"), CASES)
def test_content_is_described(content: bytes, looks: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))
    plain = describe_content(tmp_path / "a.jsonl")
    packed = describe_content(tmp_path / "a.jsonl.gz")
    if looks is None:
        assert (plain, packed) == (None, None)
    else:
        assert plain is not None
        assert plain.startswith(looks)
        assert packed == f"gzipped: {plain}"


def test_a_gzipped_file_of_another_name_is_described(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(b'{"case_id": "A"}\n'))
    assert describe_content(tmp_path / "a.jsonl") == "a gzipped file, whose name must end with .gz"
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(b"[]"))
    assert "(a JSON array; " in str(describe_content(tmp_path / "a.jsonl"))


def test_only_the_beginning_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b" " * (1 << 24) + b"["))
    assert describe_content(tmp_path / "a.gz") is None
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b torn")
    assert describe_content(tmp_path / "a.gz") == "gzipped: an empty file"
