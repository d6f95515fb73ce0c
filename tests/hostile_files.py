"""Hostile files and what becomes of each: `python -m tests.hostile_files` prints the table.

Each file is replayed by a child process, whose time and peak memory are measured.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path

from tests.support.cli import COMMAND
from tests.support.hostile_documents import HOSTILE_DOCUMENTS
from tests.support.hostile_files import (
    DENSE,
    GIB,
    GOOD,
    MIB,
    Make,
    cut,
    e2b_message,
    e2b_of,
    faers,
    file_of,
    lines_of,
    link_to,
    many_members,
    named_pipe,
    overlapping,
    report,
    sparse_lines,
    stated_elsewhere,
    stated_size,
    vaers,
    zip_of,
)
from tests.support.vaers_files import DATA

__all__ = ["HOSTILE", "MOST_MEGABYTES", "MOST_SECONDS", "Hostile", "Outcome", "measure"]

MOST_SECONDS, MOST_MEGABYTES = 20, 300

_TOO_LONG = "a line must have at most 1048576 bytes"
_NOT_JSON = "report: Invalid JSON"
_NO_COLUMNS = "the first line must name"
_TOO_TIGHT = "must be packed at most 200 times"
_NO_ZIP = "must be a whole zip file"
_NO_ROW = "a row must have 29 fields"
_NO_ENTITY = "a message must hold no entity reference; got &"
_NOT_WELL_FORMED = "the document must be well-formed XML within the limits of its parser"
_LAUGHS = b'<!ENTITY l0 "lol">' + b"".join(
    b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 11)
)
_NOT_CLOSED = e2b_message(case=b"A").replace(b"</safetyreport>", b"")
_FIRST_DRUG, _, _ = e2b_message(case=b"A").partition(b"<drug>")
_QUOTED = b'9,07/02/1990,,,,,,,"'
_SHORT_LINES = DENSE[:6_000] + b"\n" + (b"x" * 63 + b"\n") * 16_000  # a MiB


@dataclass(frozen=True)
class Hostile:
    """A hostile file, how to write it, and what the error, or the reason of its rejects, says."""

    name: str
    make: Make
    says: str
    rejects: int | None = None  # items that are rejected; none if the file is refused as a whole


@dataclass(frozen=True)
class Outcome:
    """What a replay of a file ended with; `seconds` are of the processor."""

    code: int
    said: str
    seconds: float
    megabytes: float

    @property
    def rejects(self) -> int:
        """Number of rejected items in the summary."""
        found = re.search(r"(?m)^(?:│ | *)rejected[ │\s]+([0-9,]+)\b", self.said)
        return int(found[1].replace(",", "")) if found else 0


HOSTILE = (
    Hostile(
        "gzip: a line of 1 GiB, packed 1,000 times",
        file_of("reports.jsonl.gz", [b"0" * MIB] * 1_024),
        "a file " + _TOO_TIGHT,
    ),
    Hostile(
        "gzip: a line of 1 GiB, packed 150 times",
        file_of("reports.jsonl.gz", [GOOD, *[DENSE] * 1_024]),
        *(_TOO_LONG, 1),
    ),
    Hostile(
        "zip: a member packed 1,000 times",
        zip_of(vaers([b"0" * MIB] * 500)),
        "a member " + _TOO_TIGHT,
    ),
    Hostile(
        "zip: a member that is a zip file",
        zip_of({**vaers([]), "2021VAERSDATA.csv": [b"PK\x03\x04", DENSE]}),
        _NO_COLUMNS,
    ),
    Hostile("zip: 100,000 members", many_members, "a directory must have at most 4194304 bytes"),
    Hostile("zip: 1,000 members share their bytes", overlapping, "times in all members together"),
    Hostile("a line of 1 GiB", sparse_lines(GIB), _TOO_LONG, 1),
    Hostile("500 lines of 1,000,000 bytes", sparse_lines(*[1_000_000] * 500), _NOT_JSON, 500),
    Hostile("VAERS: a line of 1 GiB", zip_of(vaers([DENSE] * 1_024)), _TOO_LONG, 1),
    Hostile("FAERS: a line of 1 GiB", zip_of(faers([DENSE] * 1_024)), _TOO_LONG, 1),
    Hostile(
        "VAERS: a field of 1 GiB in quotes, on one line",
        zip_of(vaers([_QUOTED, *[DENSE] * 1_024, b'"\r\n'])),
        *(_TOO_LONG, 1),
    ),
    Hostile(
        "VAERS: a field of 16 MiB in quotes, on lines of 64 bytes",
        zip_of(vaers([_QUOTED, *[_SHORT_LINES] * 16, b'"\r\n'])),
        *(_NO_ROW, 16 * 16_001 + 1),
    ),
    Hostile(
        "VAERS: an open quote on each of 300,000 lines",
        zip_of(vaers([b'x","\r\n' * 300_000])),
        "must be quoted CSV; got so many unmatched quotes",
    ),
    Hostile("a million empty lines", lines_of(b"\n" * 1_000_000), "cases counted", 0),
    Hostile(
        "VAERS: a million empty lines",
        zip_of(vaers([b"\r\n" * 1_000_000])),
        *("cases counted", 0),
    ),
    Hostile(
        "VAERS: a header of a million columns",
        zip_of(vaers([], header=DATA + "," * 1_000_000)),
        _NO_COLUMNS + " at most 1000 columns",
    ),
    Hostile("JSON nested 900,000 deep", lines_of(b"[" * 900_000), "recursion limit", 1),
    Hostile(
        "JSON nested 200,000 deep in a field",
        lines_of(report(products=7).replace(b"7", b'[{"x":' * 100_000)),
        *(_NOT_JSON, 1),
    ),
    Hostile(
        "a number of 900,000 digits",
        lines_of(report(version=7).replace(b"7", b"9" * 900_000)),
        *("number out of range", 1),
    ),
    Hostile(
        "a number beyond any float",
        lines_of(report(patient={"age_years": 7}).replace(b"7", b"1e999999")),
        *("patient.age_years: ", 1),
    ),
    Hostile(
        "a key that is named twice",
        lines_of(report()[:-1] + b', "case_id": "B"}'),
        *("holds the field 'case_id' twice", 1),
    ),
    Hostile("NUL bytes", lines_of(bytes(100_000)), _NOT_JSON, 1),
    Hostile(
        "UTF-16",
        file_of("reports.jsonl", [GOOD.decode().encode("utf-16")]),
        "looks like text in UTF-16",
    ),
    Hostile(
        "VAERS: UTF-16",
        zip_of({**vaers([]), "2021VAERSDATA.csv": [f"{DATA}\r\n".encode("utf-16")]}),
        _NO_COLUMNS,
    ),
    Hostile("zip: member names with ..", zip_of(vaers([b"x\n"], prefix="../../etc/")), _NO_ROW, 1),
    Hostile(
        "zip: member names with escape sequences",
        zip_of(vaers([b"x\n"], prefix="\x1b]52;c;eA==\x07\x9b2J/")),
        *(_NO_ROW, 1),
    ),
    Hostile(
        "zip: member names of 4,000 letters",
        zip_of(vaers([b"x\n"], prefix="n" * 4_000)),
        _NO_ROW,
        1,
    ),
    Hostile("zip: cut off", cut(zip_of(vaers([])), 0.7), _NO_ZIP),
    Hostile(
        "gzip: cut off",
        cut(lines_of(GOOD * 1_000, name="reports.jsonl.gz"), 0.7),
        "must be readable to its end",
    ),
    Hostile("zip: a member is longer than stated", zip_of(vaers([]), stated_size(100)), _NO_ZIP),
    Hostile(
        "zip: a member is shorter than stated",
        zip_of(vaers([]), stated_size(9_999)),
        *("cases counted", 0),
    ),
    Hostile("zip: a member is not where stated", zip_of(vaers([]), stated_elsewhere), _NO_ZIP),
    Hostile("a link to an endless device", link_to("/dev/zero"), "must be a file; got a device"),
    Hostile("a link to itself", link_to("reports.jsonl"), "must be a file; got a link to itself"),
    Hostile("a named pipe", named_pipe, "must be a file; got a named pipe"),
    Hostile(
        "E2B: an external entity, a file",
        e2b_of(
            [e2b_message(case=b"A", drug=b"&x;")],
            document_type=b'<!ENTITY x SYSTEM "file:///etc/passwd">',
        ),
        *(_NO_ENTITY, 1),
    ),
    Hostile(
        "E2B: external entities of a parameter and a document type, on the network",
        e2b_of(document_type=b'<!ENTITY % x SYSTEM "http://192.0.2.1/x.dtd"> %x;'),
        *("cases counted", 0),
    ),
    Hostile(
        "E2B: 10,000,000,000 entities in a text",
        e2b_of([e2b_message(case=b"A", drug=b"&l10;")], document_type=_LAUGHS),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: 10,000,000,000 entities in an attribute",
        e2b_of([e2b_message(case=b"A", drug=b'<b a="&l10;"/>')], document_type=_LAUGHS),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: elements nested 1,000,000 deep",
        e2b_of([_FIRST_DRUG, b"<a>" * 1_000_000]),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: a message of 32 MiB",
        e2b_of([_FIRST_DRUG, *[b"<a/>" * (MIB // 4)] * 32, b"</patient></safetyreport>"]),
        *("a message must have at most 4194304 bytes without attachments", 1),
    ),
    Hostile(
        "E2B: a message of 1 GiB",
        e2b_of([_FIRST_DRUG, *[b"<a/>" * (MIB // 4)] * 1_024, b"</patient></safetyreport>"]),
        *("a message of more than 67108864 bytes", 1),
    ),
    Hostile(
        "E2B: a text of 1 GiB",
        e2b_of([_FIRST_DRUG, b"<summary>", *[b"x" * MIB] * 1_024]),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: an attribute of 1 GiB",
        e2b_of([_FIRST_DRUG, b'<a b="', *[b"<x>" * (MIB // 3)] * 1_024]),
        *("a tag of more than 8388608 bytes", 1),
    ),
    Hostile(
        "E2B: a million attributes",
        e2b_of([_FIRST_DRUG, b"<a", *(b' a%d=""' % number for number in range(1_000_000))]),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: a million names",
        e2b_of([_FIRST_DRUG, *(b"<a%d/>" % number for number in range(1_000_000))]),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: 300,000 reactions without a term",
        e2b_of([_FIRST_DRUG, b"<reaction/>" * 300_000, b"</patient></safetyreport>"]),
        *("reaction 2 must have a MedDRA term", 1),
    ),
    Hostile(
        "E2B: 1 GiB of elements between messages",
        e2b_of([b"<a/>" * (MIB // 4)] * 1_024),
        *("more than 1048576 bytes outside of messages", 1),
    ),
    Hostile(
        "E2B: a comment of 1 GiB",
        e2b_of([b"<!--", *[b"x" * MIB] * 1_024, b"-->"]),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: an attachment of 9 MB",
        e2b_of(
            [
                _FIRST_DRUG,
                b'<summary><text representation="B64">' + b"QUJD" * 2_250_000,
                b"</text></summary><drug><drugcharacterization>1</drugcharacterization>"
                b"<medicinalproduct>zinc</medicinalproduct></drug></patient></safetyreport>",
            ]
        ),
        *("cases counted", 0),
    ),
    Hostile(
        "E2B: bytes that are not of the declared encoding",
        e2b_of([e2b_message(case=b"A", drug="Café".encode("latin-1"))]),
        *(_NOT_WELL_FORMED, 1),
    ),
    Hostile(
        "E2B: an encoding that nobody knows",
        file_of("batch.xml", [b'<?xml version="1.0" encoding="x-no"?><ichicsr>', e2b_message()]),
        *(_NOT_WELL_FORMED, None),
    ),
    Hostile("E2B: a message cut off", e2b_of([_NOT_CLOSED]), *(_NOT_WELL_FORMED, 1)),
    Hostile(
        "E2B: zip, a member packed 1,000 times",
        zip_of({"batch.xml": [b"<ichicsr>", *[b" " * MIB] * 500]}),
        "a member " + _TOO_TIGHT,
    ),
    Hostile(
        "E2B: gzip, packed 1,000 times",
        e2b_of([b" " * MIB] * 512, name="batch.xml.gz"),
        *(_NOT_WELL_FORMED, 1),
    ),
    *starmap(Hostile, HOSTILE_DOCUMENTS),
)


# A process begins with the peak of the one that started it, which a run of tests makes large: the
# child is started, and waited for, by a process that does nothing else.
_MEASURES = """
import json, os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
found = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
"""


def measure(hostile: Hostile, folder: Path) -> Outcome:
    """Write a file and replay it in a child process, which is killed if it hangs."""
    path, said, rejects = hostile.make(folder), folder / "said.txt", folder / "rejects.jsonl"
    usage = folder / "usage.json"
    # Of many rejects the summary says why; written, they are as long as the file.
    written = ["--rejects", str(rejects)] if hostile.rejects == 1 else []
    with said.open("wb") as output:
        helper = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                _MEASURES,
                usage,
                *COMMAND,
                "replay",
                path,
                *written,
            ],
            env={**os.environ, "COLUMNS": "200"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            helper.wait(10 * MOST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(helper.pid, signal.SIGKILL)
            raise
    code, seconds, kilobytes = json.loads(usage.read_text())
    lines = rejects.read_text().splitlines() if rejects.exists() else []
    reasons = [json.loads(line)["reason"] for line in lines]
    return Outcome(
        code,
        "\n".join([said.read_text(), *reasons]),
        seconds,
        kilobytes / 1024,
    )


def main() -> None:
    """Print what becomes of each file, as a table in Markdown."""
    print("| file | outcome | seconds | MB |\n|---|---|---:|---:|")
    for hostile in HOSTILE:
        with tempfile.TemporaryDirectory() as name:
            found = measure(hostile, Path(name))
        rejects = f"{found.rejects:,} rejected" if found.rejects else "read"
        outcome = "refused" if hostile.rejects is None else rejects
        cells = (hostile.name, f"{outcome}: `{hostile.says}`", f"{found.seconds:.1f}")
        print(f"| {' | '.join(cells)} | {found.megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
