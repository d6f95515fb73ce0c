"""Archives are read within limits; damage gives one error line."""

import zipfile
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.intake.archive import open_archive
from streams.intake.bounded import Limits
from streams.intake.formats import detect_format
from tests.support.archives import ArchiveOf, write_zip


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
    ("stamp", "day"),
    [
        ((2021, 3, 5, 12, 0, 0), date(2021, 3, 5)),
        ((1980, 1, 1, 0, 0, 0), None),
        ((2021, 0, 0, 0, 0, 0), None),
    ],
)
def test_the_day_of_a_member_is_known_if_the_archive_states_one(
    stamp: tuple[int, int, int, int, int, int], day: date | None, archive_of: ArchiveOf
) -> None:
    with open_archive(archive_of("one.zip", {"one.txt": ""})) as archive:
        [member] = archive.find(".*")
        member.date_time = stamp
        assert archive.written(member) == day


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
            list(archive.lines(member))


def test_a_member_packed_too_tightly_is_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("bomb.zip", {"one.txt": "0" * 100_000})
    with open_archive(path, Limits(ratio=50, ratio_from_bytes=1000)) as archive:
        [member] = archive.find(".*")
        message = r"must be packed at most 50 times; got \d{3} times in one\.txt$"
        with pytest.raises(InputError, match=message):
            list(archive.lines(member))
    with open_archive(path, Limits(ratio=50, ratio_from_bytes=200_000)) as archive:
        assert list(archive.lines(member)) == [b"0" * 100_000]


def test_a_damaged_member_is_one_error_line(archive_of: ArchiveOf) -> None:
    path = archive_of("torn.zip", {"one.txt": "some text that is long enough to be packed"})
    whole = bytearray(path.read_bytes())
    whole[45] ^= 0xFF
    path.write_bytes(whole)
    with open_archive(path) as archive:
        [member] = archive.find(".*")
        with pytest.raises(InputError, match=r"must be a whole zip file; got .* in one\.txt$"):
            list(archive.lines(member))


@pytest.mark.parametrize("opened", [detect_format, lambda path: names(path, ".*")])
def test_a_file_that_is_not_a_zip_is_refused(opened: object, tmp_path: Path) -> None:
    assert callable(opened)
    path = tmp_path / "cut.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"cut\.zip: must be a whole zip file; got [^\n]+$"):
        opened(path)
    with pytest.raises(InputError, match=r"no\.zip: must be a file; got nothing there$"):
        opened(tmp_path / "no.zip")


def test_an_encrypted_member_is_one_error_line(archive_of: ArchiveOf) -> None:
    path = archive_of("locked.zip", {"one.txt": "text"})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[directory + 8] |= 1
    path.write_bytes(content)
    with open_archive(path) as archive, pytest.raises(InputError, match="encrypted"):
        list(archive.lines(archive.find(".*")[0]))


def test_an_unknown_compression_method_is_one_error_line(archive_of: ArchiveOf) -> None:
    path = archive_of("odd.zip", {"one.txt": "text"})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[8] = content[directory + 10] = 97
    path.write_bytes(content)
    assert zipfile.is_zipfile(path)
    with open_archive(path) as archive, pytest.raises(InputError, match="not supported"):
        list(archive.lines(archive.find(".*")[0]))


def test_members_that_unpack_to_too_much_together_are_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("many.zip", {f"{number}.txt": "0" * 1_000 for number in range(100)})
    with open_archive(path, Limits(ratio=5, ratio_from_bytes=10_000)) as archive:
        message = r"must be packed at most 5 times; got \d+ times in all members together$"
        with pytest.raises(InputError, match=message):
            list(archive.lines(archive.find(".*")[0]))


def test_an_archive_of_too_many_members_is_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("many.zip", {f"{number}.txt": "" for number in range(11)})
    with open_archive(path, Limits(members=11)) as archive:
        assert len(archive.find(".*")) == 11
    with (
        pytest.raises(InputError, match=r"must have at most 10 members; got 11$"),
        open_archive(path, Limits(members=10)),
    ):
        pass


def test_a_long_directory_is_refused_before_it_is_read(archive_of: ArchiveOf) -> None:
    path = archive_of("long.zip", {"n" * 4_000 + ".txt": "", "m" * 4_000: ""})
    with (
        pytest.raises(InputError, match=r"a directory must have at most 8000 bytes; got 8\d\d\d$"),
        open_archive(path, Limits(directory_bytes=8_000)),
    ):
        pass


def test_a_name_that_is_not_the_text_it_is_marked_as_is_one_error_line(
    archive_of: ArchiveOf,
) -> None:
    path = archive_of("named.zip", {"2020VAERSDATÁ.csv": "VAERS_ID"})
    path.write_bytes(path.read_bytes().replace("Á".encode(), b"\xa0\xa0"))
    with pytest.raises(
        InputError, match=r"named\.zip: must be a whole zip file; got 'utf-8' codec"
    ):
        detect_format(path)


def test_a_folder_has_its_files_and_the_members_of_its_zip_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.TXT").write_text("one\ntwo\n")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    write_zip(tmp_path / "b.zip", {"inner/b.txt": "three\n", "__MACOSX/._b.txt": "fork"})
    with open_archive(tmp_path) as folder:
        found = folder.find(r"(.*/)?[^/]*\.txt")
        assert [member.filename for member in found] == ["b.zip/inner/b.txt", "sub/a.TXT"]
        assert [list(folder.lines(member)) for member in found] == [
            [b"three\n"],
            [b"one\n", b"two\n"],
        ]
        assert folder.label(found[1]) == f"{tmp_path.name}!sub/a.TXT"
        assert folder.written(found[1]) is None


def test_a_table_is_read_with_its_neighbours_of_the_same_release(tmp_path: Path) -> None:
    for name in ("DEMO18Q1_new.txt", "DRUG18Q1.txt", "DRUG18Q2.txt", "notes.txt"):
        (tmp_path / name).write_text("x")
    with open_archive(tmp_path / "DRUG18Q1.txt") as folder:
        assert [one.filename for one in folder.find(".*")] == ["DEMO18Q1_new.txt", "DRUG18Q1.txt"]


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).touch()
    limits = Limits(members=2)
    with pytest.raises(InputError, match="must have at most 2 files; got more"):
        open_archive(tmp_path, limits).__enter__()
