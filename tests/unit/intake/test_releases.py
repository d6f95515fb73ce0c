"""Releases of VAERS archives: scope, day, and which of them a marker closes."""

import zipfile
from datetime import date
from pathlib import Path

import pytest

from schemas.rejected import Rejected
from schemas.release import Release, ReleaseMarker
from schemas.report import Report
from streams.intake.files import read_source
from streams.intake.vaers import read_vaers

OTHERS = {"VAERSVAX.csv": "VAERS_ID,VAX_TYPE\n", "VAERSSYMPTOMS.csv": "VAERS_ID,SYMPTOM1\n"}
HEADER = "VAERS_ID,RECVDATE,STATE,CAGE_YR\n"
ROW = "7,02/28/2021,CA,40\n"


def archive(
    folder: Path, *tables: tuple[str, str], written: tuple[int, int, int] = (2021, 4, 30)
) -> Path:
    """Write an archive of DATA files, each with a name and rows."""
    path = folder / "VAERS.zip"
    members = {f"{name}VAERSDATA.csv": HEADER + rows for name, rows in tables}
    with zipfile.ZipFile(path, "w") as zipped:
        for member, content in {**OTHERS, **members}.items():
            zipped.writestr(zipfile.ZipInfo(member, (*written, 0, 0, 0)), content)
    return path


def read(
    path: Path, released_on: date | None = None
) -> tuple[dict[str, Release | None], list[ReleaseMarker]]:
    """Return the release of each case, and the markers, which come last."""
    found = [each for each in read_vaers(path, released_on=released_on)]
    kept = [each for each in found if not isinstance(each, Rejected)]
    reports = [each for each in kept if isinstance(each, Report)]
    markers = [each for each in kept if isinstance(each, ReleaseMarker)]
    assert kept == [*reports, *markers]
    return {report.case_id: report.release for report in reports}, markers


def test_an_archive_is_a_release_of_its_year_on_the_day_of_its_member(tmp_path: Path) -> None:
    releases, markers = read(archive(tmp_path, ("2021", ROW)))
    assert releases == {"VAERS-7": Release(scope="vaers/2021", released_on=date(2021, 4, 30))}
    assert markers == [ReleaseMarker(scope="vaers/2021", released_on=date(2021, 4, 30), n_cases=1)]


def test_the_day_of_a_release_can_be_stated(tmp_path: Path) -> None:
    path, day = archive(tmp_path, ("2021", ROW)), date(2021, 5, 9)
    releases, markers = read(path, day)
    assert releases["VAERS-7"] == Release(scope="vaers/2021", released_on=day)
    assert [marker.released_on for marker in markers] == [day]
    *_, (_, last) = read_source(path, released_on=day)
    assert last == markers[0]


@pytest.mark.parametrize("written", [(1980, 1, 1), (1980, 0, 0), (2021, 2, 30)])
def test_an_archive_without_a_day_is_no_release(
    tmp_path: Path, written: tuple[int, int, int]
) -> None:
    assert read(archive(tmp_path, ("2021", ROW), written=written)) == ({"VAERS-7": None}, [])


@pytest.mark.parametrize(
    "rows",
    [
        "",
        ROW + "x,02/28/2021,CA,41\n",  # no number
        ROW + "8,2021-02-28,CA,41\n",  # no date
        ROW + "8,02/28/2021,CA\n",  # a field too few
        ROW + "7,02/28/2021,NY,41\n",  # another report of that number
    ],
)
def test_an_empty_or_damaged_table_closes_no_release(tmp_path: Path, rows: str) -> None:
    releases, markers = read(archive(tmp_path, ("2021", rows)))
    assert set(releases) == ({"VAERS-7"} if rows else set())
    assert markers == []


def test_a_repeated_row_closes_its_release(tmp_path: Path) -> None:
    _, markers = read(archive(tmp_path, ("2021", ROW + ROW)))
    assert [marker.n_cases for marker in markers] == [1]


def test_each_file_of_an_archive_is_a_release_of_its_own(tmp_path: Path) -> None:
    tables = [
        ("2020", "5,02/28/2020,CA,40\n6,02/29/2020,CA,40\n"),
        ("2021", "bad,02/28/2021,CA,40\n8,02/28/2021,CA,40\n"),
        ("NonDomestic", "9,02/28/2021,FR,40\n"),
        ("", "10,02/28/2021,XX,40\n"),
    ]
    releases, markers = read(archive(tmp_path, *tables))
    scopes = {case: release.scope for case, release in releases.items() if release}
    assert scopes == {
        "VAERS-5": "vaers/2020",
        "VAERS-6": "vaers/2020",
        "VAERS-8": "vaers/2021",
        "VAERS-9": "vaers/nondomestic",
        "VAERS-10": "vaers/all",
    }
    closed = {marker.scope: marker.n_cases for marker in markers}
    assert closed == {"vaers/2020": 2, "vaers/nondomestic": 1, "vaers/all": 1}
