"""Files are read within limits: their kind, the length of a line, the compression ratio."""

import gzip
import io
import os
import tracemalloc
from pathlib import Path

import pytest

from schemas.errors import InputError, RejectCode
from schemas.rejected import LONGEST_BEGINNING, Rejected
from streams.intake.bounded import (
    RECORD_BYTES,
    Limits,
    bounded_lines,
    next_items,
    open_unpacked,
    require_file,
)

LINE = b"x" * 9 + b"\n"


def reject(position: int, length: int, beginning: bytes) -> Rejected:
    return Rejected(
        source="a.txt",
        position=position,
        reason=f"a line must have at most 10 bytes; got {length}",
        raw=beginning,
        code=RejectCode.TOO_LONG,
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (LINE * 2, [LINE, LINE]),
        (b"1\n" + b"y" * 10 + b"\n2", [b"1\n", reject(2, 11, b"y" * 10 + b"\n"), b"2"]),
        (b"y" * 10, [b"y" * 10]),
        (b"y" * 11, [reject(1, 11, b"y" * 11)]),
        (b"y" * 12 + b"\n\n", [reject(1, 13, b"y" * 11), b"\n"]),
        (b"", []),
    ],
)
def test_a_line_beyond_the_limit_is_a_reject_and_reading_goes_on(
    content: bytes, found: list[bytes | Rejected]
) -> None:
    assert list(bounded_lines(io.BufferedReader(io.BytesIO(content), 4), "a.txt", 10)) == found


def test_a_line_of_many_chunks_is_never_held_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        file.truncate(200 * RECORD_BYTES)
        file.seek(0, io.SEEK_END)
        file.write(b"\n" + LINE)
    tracemalloc.start()
    try:
        with path.open("rb", buffering=RECORD_BYTES) as stream:
            overlong, line = bounded_lines(stream, "a.txt")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(overlong, Rejected)
    assert overlong.reason.endswith(f"; got {200 * RECORD_BYTES + 1}")
    assert overlong.raw == bytes(LONGEST_BEGINNING)
    assert line == LINE
    assert peak < 10 * RECORD_BYTES


def test_a_gzip_bomb_is_refused_where_its_ratio_is_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(LINE * 100_000))
    limits = Limits(ratio=50, ratio_from_bytes=300_000)
    message = r"bomb\.jsonl\.gz: a file must be packed at most 50 times; got \d+ times in its first"
    with pytest.raises(InputError, match=message), open_unpacked(path, limits) as file:
        file.read(1_000_000)
    for lenient in (Limits(ratio=1_000, ratio_from_bytes=300_000), Limits(ratio=50)):
        with open_unpacked(path, lenient) as file:
            assert file.read(1_000_001) == LINE * 100_000


@pytest.mark.parametrize(
    ("kind", "got"),
    [
        ("folder", "a folder"),
        ("pipe", "a named pipe"),
        ("device", "a device"),
        ("link to a device", "a device"),
        ("link to nothing", "a link to nothing"),
        ("link to itself", "a link to nothing"),
        ("nothing", "nothing there"),
    ],
)
def test_only_a_regular_file_is_read(kind: str, got: str, tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path(os.devnull)
    elif kind.startswith("link"):
        targets = {"device": os.devnull, "nothing": "away", "itself": path.name}
        path.symlink_to(targets[kind.split()[-1]])
    with pytest.raises(InputError, match=rf"must be a file; got {got}$"):
        require_file(path)
    with pytest.raises(InputError, match=rf"must be a file; got {got}$"), open_unpacked(path):
        pass


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(LINE)
    link = tmp_path / "two.jsonl"
    link.symlink_to("one.jsonl")
    with open_unpacked(link) as file:
        assert file.read(11) == LINE


def test_a_chunk_ends_at_a_number_of_items_or_of_bytes() -> None:
    long = Rejected(source="a.txt", position=3, reason="too long", raw=b"x" * 40)
    items = [(1, b"x" * 30), (2, b"x" * 30), (3, long), (4, b""), (5, b""), (6, b"")]
    remaining = iter(items)
    chunks = [list(next_items(remaining, 2, most_bytes=60)) for _ in range(4)]
    assert chunks == [items[:2], items[2:4], items[4:], []]
    remaining = iter(items)
    assert list(next_items(remaining, 9, most_bytes=60)) == items[:2]
    assert list(next_items(iter([long, b"x" * 30, b""]), 9, most_bytes=60)) == [long, b"x" * 30]
