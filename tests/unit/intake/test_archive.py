"""What comes from outside is read within limits; damage is one clear line."""

import re
import zipfile
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.intake.archive import Limits, open_archive
from streams.intake.countries import country_code
from streams.intake.dates import parse_compact_date, parse_us_date
from streams.intake.formats import detect_format
from streams.intake.text import clean
from tests.support.archives import ArchiveOf


def names(path: Path, pattern: str) -> list[str]:
    with open_archive(path) as archive:
        return [member.filename for member in archive.find(pattern)]


def test_members_are_found_in_any_case_and_in_order_of_their_names(archive_of: ArchiveOf) -> None:
    path = archive_of(
        "mixed.zip",
        {
            "a/two.TXT": "",
            "B/one.txt": "",
            "__MACOSX/B/one.txt": "",
            "B/._one.txt": "",
            "x.csv": "",
        },
    )

    assert names(path, r"(.*/)?[^/]*\.txt") == ["a/two.TXT", "B/one.txt"]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("naïve".encode(), "utf-8"),
        ("naïve".encode("cp1252"), "cp1252"),
        (b"ends within a character \xc3", "cp1252"),
        (b"", "utf-8"),
    ],
)
def test_a_member_is_utf8_as_a_whole_or_cp1252(
    content: bytes, encoding: str, archive_of: ArchiveOf
) -> None:
    with open_archive(archive_of("one.zip", {"one.txt": content})) as archive:
        [member] = archive.find(".*")
        assert archive.encoding(member) == encoding


def test_lines_end_at_newlines_only(archive_of: ArchiveOf) -> None:
    content = "a\rb\x0bc\x85d\r\ne".encode()
    with open_archive(archive_of("one.zip", {"one.txt": content})) as archive:
        [member] = archive.find(".*")
        assert list(archive.lines(member)) == ["a\rb\x0bc\x85d\r\n".encode(), b"e"]


def test_a_member_over_the_size_limit_is_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("big.zip", {"one.txt": "x" * 11})
    with open_archive(path, Limits(member_bytes=10)) as archive:
        [member] = archive.find(".*")
        message = r"big\.zip: a member must unpack to at most 10 bytes; got 11 in one\.txt$"
        with pytest.raises(InputError, match=message):
            archive.encoding(member)
        with pytest.raises(InputError, match=message):
            list(archive.lines(member))


def test_a_member_packed_too_tightly_is_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("bomb.zip", {"one.txt": "0" * 100_000})
    with open_archive(path, Limits(ratio=50, ratio_from_bytes=1000)) as archive:
        [member] = archive.find(".*")
        message = r"must be packed at most 50 times; got \d{3} times in one\.txt$"
        with pytest.raises(InputError, match=message):
            archive.encoding(member)
    with open_archive(path, Limits(ratio=50, ratio_from_bytes=200_000)) as archive:
        assert archive.encoding(member) == "utf-8"


def test_a_damaged_member_is_one_clear_line(archive_of: ArchiveOf) -> None:
    path = archive_of("torn.zip", {"one.txt": "some text that is long enough to be packed"})
    whole = bytearray(path.read_bytes())
    whole[45] ^= 0xFF
    path.write_bytes(whole)
    with open_archive(path) as archive:
        [member] = archive.find(".*")
        with pytest.raises(InputError, match=r"must be a whole zip file; got .* in one\.txt$"):
            archive.encoding(member)


@pytest.mark.parametrize("opened", [detect_format, lambda path: names(path, ".*")])
def test_a_file_that_is_no_zip_is_refused(opened: object, tmp_path: Path) -> None:
    assert callable(opened)
    path = tmp_path / "cut.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"cut\.zip: must be a whole zip file; got [^\n]+$"):
        opened(path)
    with pytest.raises(InputError, match=r"no\.zip: must be a file; got nothing there$"):
        opened(tmp_path / "no.zip")
    with pytest.raises(InputError, match=r"must be a file; got a folder$"):
        opened(tmp_path)


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


def test_an_unknown_format_says_what_is_known(archive_of: ArchiveOf, tmp_path: Path) -> None:
    known = re.escape("a zip file with *VAERSDATA.csv, a zip file with DEMO*.txt, or a .jsonl")
    (tmp_path / "a.csv").write_text("drug,event")
    with pytest.raises(InputError, match=rf"a\.csv: must be {known}.*; got a file that is none"):
        detect_format(tmp_path / "a.csv")
    with pytest.raises(InputError, match=rf"must be {known}.*; got a zip file with neither$"):
        detect_format(archive_of("other.zip", {"notes.txt": ""}))


def test_an_encrypted_member_is_one_clear_line(archive_of: ArchiveOf) -> None:
    path = archive_of("locked.zip", {"one.txt": "text"})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[directory + 8] |= 1
    path.write_bytes(content)
    with open_archive(path) as archive, pytest.raises(InputError, match="encrypted"):
        archive.encoding(archive.find(".*")[0])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("US", "US"),
        ("United  Kingdom ", "GB"),
        ("SLOVAKIA (Slovak Republic)", "SK"),
        ("TANZANIA, UNITED REPUBLIC OF", "TZ"),
        ("CONGO", "CG"),
        ("CONGO, THE DEMOCRATIC REPUBLIC OF THE", "CD"),
        ("KOREA, DEMOCRATIC PEOPLE'S REPUBLIC OF", "KP"),
        ("VIRGIN ISLANDS (BRITISH)", "VG"),
        ("VIRGIN ISLANDS", None),
        ("KOREA", None),
        ("YUGOSLAVIA", None),
        ("EU", None),
        ("XX", None),
        ("COUNTRY NOT SPECIFIED", None),
        ("", None),
    ],
)
def test_countries(text: str, code: str | None) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20200229", date(2020, 2, 29)),
        ("20190229", None),
        ("2019", None),
        ("201902", None),
        ("00190228", None),
        ("２０１９０２２８", None),
    ],
)
def test_compact_dates(text: str, day: date | None) -> None:
    assert parse_compact_date(text) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("7/2/1990", date(1990, 7, 2)),
        (" 07/02/1990 ", date(1990, 7, 2)),
        ("02/07/90", None),
        ("01/01/0093", None),
        ("1990-07-02", None),
    ],
)
def test_us_dates(text: str, day: date | None) -> None:
    assert parse_us_date(text) == day


@pytest.mark.parametrize(
    ("text", "limit", "cleaned"),
    [
        ("a\tb\x00c\x9f", 9, "a bc"),
        ("\x01 ", 9, None),
        ("ab cd", 3, "ab"),
        ("é\u00a0ü", 9, "é\u00a0ü"),
    ],
)
def test_text_is_made_fit_for_the_schema(text: str, limit: int, cleaned: str | None) -> None:
    assert clean(text, limit) == cleaned


def test_unknown_packing_is_one_clear_line(archive_of: ArchiveOf) -> None:
    path = archive_of("odd.zip", {"one.txt": "text"})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[8] = content[directory + 10] = 97
    path.write_bytes(content)
    assert zipfile.is_zipfile(path)
    with open_archive(path) as archive, pytest.raises(InputError, match="not supported"):
        archive.encoding(archive.find(".*")[0])
