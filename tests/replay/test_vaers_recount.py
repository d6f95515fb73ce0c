"""The reports read from four real years of VAERS give the counts of a recount from the files."""

from pathlib import Path

import pytest

from schemas.release import ReleaseMarker
from schemas.report import Report
from streams.intake.formats import detect_format
from streams.intake.vaers import read_vaers
from tests.support.source_file_counts import recount_vaers, tabulate

pytestmark = pytest.mark.realdata

YEARS = (1990, 1991, 1992, 1993)
ALL_PAIRS = 4821
REPORTS = {1990: 2106, 1991: 9936, 1992: 10691, 1993: 10149}


@pytest.fixture(scope="module")
def reports(real_data: Path) -> dict[int, list[Report]]:
    read: dict[int, list[Report]] = {}
    for year in YEARS:
        path = real_data / "vaers" / f"{year}VAERSData.zip"
        assert detect_format(path) == "vaers"
        found = list(read_vaers(path))
        read[year] = [report for report in found if isinstance(report, Report)]
        markers = [each for each in found if isinstance(each, ReleaseMarker)]
        assert [marker.n_cases for marker in markers] == [len(read[year])]
        assert len(read[year]) + 1 == len(found), "no row of the published files is rejected"
    return read


def test_every_report_is_read(reports: dict[int, list[Report]]) -> None:
    assert {year: len(found) for year, found in reports.items()} == REPORTS


@pytest.mark.parametrize("years", [*((year,) for year in YEARS), YEARS], ids=str)
def test_every_pair_equals_the_recount(
    years: tuple[int, ...], reports: dict[int, list[Report]], real_data: Path
) -> None:
    counts = tabulate(
        (
            {substance for product in report.products for substance in product.substances},
            {reaction.term for reaction in report.reactions},
        )
        for year in years
        for report in reports[year]
    )

    recount = recount_vaers(*(real_data / "vaers" / f"{year}VAERSData.zip" for year in years))

    assert years != YEARS or len(recount) == ALL_PAIRS
    assert counts == recount
