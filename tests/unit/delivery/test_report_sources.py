"""Reports of any format are read once each; JSON Lines may grow, an archive may be replaced."""

import os
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.delivery.report_sources import ReportTail
from streams.intake.native import decode_message
from tests.support.api_server import reported
from tests.support.archives import ArchiveOf
from tests.support.faers_quarters import joined_quarter
from tests.support.vaers_files import DATA, SYMPTOMS, VAX, data_row, symptoms_row, vax_row


def vaers(*ids: str) -> dict[str, str]:
    """Return the members of a VAERS archive with these reports, and a row that is rejected."""
    bad = data_row("9", recvdate="31/12/1990")
    return {
        "1990VAERSDATA.csv": DATA + "\r\n" + "".join(data_row(one) for one in ids) + bad,
        "1990VAERSVAX.csv": VAX + "\r\n" + "".join(vax_row(one) for one in ids),
        "1990VAERSSYMPTOMS.csv": SYMPTOMS + "\r\n" + "".join(symptoms_row(one) for one in ids),
    }


def cases(tail: ReportTail) -> list[str]:
    return [decode_message(raw).case_id for _, _, raw in tail.read()]


def test_every_format_is_read_and_a_file_of_lines_may_grow(
    archive_of: ArchiveOf, tmp_path: Path
) -> None:
    lines = tmp_path / "reports.jsonl"
    lines.write_text(reported("NE-1").model_dump_json() + "\n")
    archives = [
        archive_of("1990.zip", vaers("1", "2")),
        archive_of("q.zip", joined_quarter("20Q1")),
    ]
    tail = ReportTail([lines, *archives], lambda source: 0)
    found = cases(tail)
    assert found[:3] == ["NE-1", "VAERS-1", "VAERS-2"]
    assert len(found) > 3
    assert {name.partition("-")[0] for name in found[3:]} == {"FAERS"}
    with lines.open("a") as file:
        file.write(reported("NE-2").model_dump_json() + "\n")
    assert cases(tail) == ["NE-2"]


def test_an_archive_continues_where_it_was_stored_unless_it_was_replaced(
    archive_of: ArchiveOf,
) -> None:
    path = archive_of("1990.zip", vaers("1", "2"))
    places = [(source, position) for source, position, _ in ReportTail([path], _start).read()]
    stored = {source: position + 1 for source, position in places}
    assert cases(ReportTail([path], lambda source: stored.get(source, 0))) == []
    stored = dict([places[1]])
    assert cases(ReportTail([path], lambda source: stored.get(source, 0))) == ["VAERS-2"]
    os.utime(path, (1, 1))
    assert len(cases(ReportTail([path], lambda source: stored.get(source, 0)))) == 2


def _start(source: str) -> int:
    return 0


def test_a_file_of_no_known_format_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "reports.txt").write_text("x")
    for name, words in (("none.jsonl", "got nothing there"), ("reports.txt", "must be a zip file")):
        with pytest.raises(InputError, match=words):
            ReportTail([tmp_path / name], _start)
    assert ReportTail([], _start).where("f", 3) == "f, item 3"
