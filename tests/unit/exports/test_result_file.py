"""Result files have their name only once they are complete, whatever interrupts the command."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from streams.exports.result_file import result_file


class Complete(Exception):
    pass


def test_a_file_has_its_name_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    with result_file(path) as part:
        assert part.suffix == ".xlsx"
        part.write_text("new")
        assert not path.exists()
    assert (path.read_text(), os.listdir(tmp_path)) == ("new", ["out.xlsx"])


def _write(path: Path, text: str, error: BaseException | type[BaseException]) -> None:
    with result_file(path, kept_after=Complete) as part:
        part.write_text(text)
        raise error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), SystemExit()]
)
def test_an_interrupted_block_leaves_the_folder_as_it_was(
    error: BaseException, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    for path in (old, tmp_path / "new"):
        with pytest.raises(type(error)):
            _write(path, "torn", error)
    assert (old.read_text(), os.listdir(tmp_path)) == ("old", ["old"])


def test_a_file_that_is_complete_in_spite_of_an_error_is_kept(tmp_path: Path) -> None:
    with pytest.raises(Complete):
        _write(tmp_path / "out", "whole", Complete())
    assert (tmp_path / "out").read_text() == "whole"
    assert os.listdir(tmp_path) == ["out"]


def test_a_result_is_its_owners_only_from_its_first_byte_on(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        (tmp_path / "old").touch()
        (tmp_path / "old").chmod(0o664)
        for name in ("old", "new"):
            with result_file(tmp_path / name) as part:
                assert stat.S_IMODE(part.stat().st_mode) == 0o600, "before anything is in it"
                part.write_text(name)
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    finally:
        os.umask(mask)


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    with result_file(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "new"


def test_a_pipe_and_a_device_are_written_directly(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    with result_file(tmp_path / "pipe") as part:
        part.write_bytes(b"through")
    reader.join(10)
    assert read == [b"through"]
    for device in ("/dev/null", "/dev/stdout", "/dev/fd/1"):
        with result_file(Path(device)) as part:
            assert part == Path(device), "also if the shell sent it to a file"


def test_a_file_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(NotADirectoryError, match=r"'.*/file/out'"),
        result_file(tmp_path / "file" / "out"),
    ):
        pass
