"""Makers of hostile files: bombs, endless lines, archives whose directory lies, links and pipes."""

import gzip
import json
import os
import random
import zipfile
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path

from tests.support.e2b_r2 import FIELDS, message_of
from tests.support.faers_quarters import CURRENT, members
from tests.support.vaers_files import DATA, SYMPTOMS, VAX, data_row, symptoms_row, vax_row

MIB, GIB = 1 << 20, 1 << 30
_REPORT = {
    "case_id": "A",
    "first_received": "2024-01-31",
    "latest_received": "2024-01-31",
    "products": [{"substances": ["zinc"]}],
    "reactions": [{"term": "Rash"}],
}
GOOD = json.dumps(_REPORT).encode() + b"\n"
DENSE = random.Random(7).randbytes(6_000).hex().encode().ljust(MIB, b"x")
"""A MiB that deflate packs about 150 times, below the limit of the ratio."""

Pieces = Iterable[bytes]
Make = Callable[[Path], Path]
"""Writes a file into a folder and returns its path."""


def lines_of(*lines: bytes, name: str = "reports.jsonl") -> Make:
    """Return a maker of a native file: one good report, then these lines."""
    return file_of(name, [GOOD, *(line + b"\n" for line in lines)])


def file_of(name: str, pieces: Pieces) -> Make:
    def make(folder: Path) -> Path:
        path = folder / name
        with gzip.open(path, "wb") if name.endswith(".gz") else path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        return path

    return make


def e2b_of(*pieces: Pieces, name: str = "batch.xml", document_type: bytes = b"") -> Make:
    """Return a maker of a batch of E2B(R2): a good message, these pieces, and a good message.

    Parameters
    ----------
    document_type
        Declarations of a document type, inside its brackets.
    """
    header = b'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE ichicsr ['
    beginning = header + document_type + b']><ichicsr lang="en">' + e2b_message()
    last = e2b_message(case=b"DE-ACME-9")
    return file_of(name, [beginning, *chain(*pieces), last, b"</ichicsr>"])


def e2b_message(*, case: bytes = b"DE-ACME-1", drug: bytes = b"zinc") -> bytes:
    """Return a message of E2B(R2), with this XML in the name of its drug."""
    message = message_of(FIELDS | {"companynumb": "CASE"}, substances=("DRUG",)).encode()
    return message.replace(b"CASE", case).replace(b"DRUG", drug)


def sparse_lines(*holes: int) -> Make:
    """Return a maker of a native file with lines of NUL bytes, which take no room on the disk."""

    def make(folder: Path) -> Path:
        path = folder / "reports.jsonl"
        with path.open("wb") as file:
            file.write(GOOD)
            for size in holes:
                file.seek(size, os.SEEK_CUR)
                file.write(b"\n")
        return path

    return make


def zip_of(files: Mapping[str, Pieces], change: Callable[[bytearray], None] | None = None) -> Make:
    """Return a maker of a zip file from the pieces of its members, whose bytes may be changed."""

    def make(folder: Path) -> Path:
        path = folder / "reports.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, pieces in files.items():
                with zipped.open(name, "w") as member:
                    for piece in pieces:
                        member.write(piece)
        if change is not None:
            content = bytearray(path.read_bytes())
            change(content)
            path.write_bytes(content)
        return path

    return make


def vaers(rows: Pieces, *, header: str = DATA, prefix: str = "") -> dict[str, Pieces]:
    good = data_row("1").encode()
    return {
        f"{prefix}2021VAERSDATA.csv": [f"{header}\r\n".encode(), good, *rows],
        f"{prefix}2021VAERSVAX.csv": [f"{VAX}\r\n{vax_row('1')}".encode()],
        f"{prefix}2021VAERSSYMPTOMS.csv": [f"{SYMPTOMS}\r\n{symptoms_row('1')}".encode()],
    }


def faers(rows: Pieces) -> dict[str, Pieces]:
    files = members(CURRENT, "17Q2", {"DEMO": [{}], "DRUG": [{"drugname": "A"}]})
    found: dict[str, Pieces] = {
        name: [text.encode() if isinstance(text, str) else text] for name, text in files.items()
    }
    found["ascii/DEMO17Q2.txt"] = [*found["ascii/DEMO17Q2.txt"], *rows]
    return found


def many_members(folder: Path) -> Path:
    path = folder / "reports.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        for number in range(100_000):
            zipped.writestr(str(number), b"")
    return path


def overlapping(folder: Path) -> Path:
    """Write an archive whose directory names one packed member a thousand times."""
    path = folder / "reports.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, pieces in vaers([DENSE] * 20).items():
            with zipped.open(name, "w") as member:
                for piece in pieces:
                    member.write(piece)
        zipped.filelist.extend(zipped.filelist[:1] * 1_000)
    return path


def cut(make: Make, part: float) -> Make:
    def make_and_cut(folder: Path) -> Path:
        path = make(folder)
        os.truncate(path, int(path.stat().st_size * part))
        return path

    return make_and_cut


def stated_size(size: int) -> Callable[[bytearray], None]:
    """Return a change of the central directory: its first member states another unpacked size."""

    def change(content: bytearray) -> None:
        entry = content.index(b"PK\x01\x02")
        content[entry + 24 : entry + 28] = size.to_bytes(4, "little")

    return change


def stated_elsewhere(content: bytearray) -> None:
    """Change the central directory: its first member starts where there is nothing."""
    entry = content.index(b"PK\x01\x02")
    content[entry + 42 : entry + 46] = (1 << 31).to_bytes(4, "little")


def link_to(target: str) -> Make:
    def make(folder: Path) -> Path:
        path = folder / "reports.jsonl"
        path.symlink_to(target)
        return path

    return make


def named_pipe(folder: Path) -> Path:
    path = folder / "reports.jsonl"
    os.mkfifo(path)
    return path


def report(**changes: object) -> bytes:
    return json.dumps({**_REPORT, **changes}).encode()
