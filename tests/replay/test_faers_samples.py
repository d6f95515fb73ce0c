"""Three real samples of FAERS, one of each layout: counts, rejects and the deletion list."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from schemas.rejected import Rejected
from schemas.report import Report
from schemas.vocabulary import ProductRole
from streams.intake.faers.reader import read_faers
from streams.intake.faers.tables import DELETED_VERSION
from streams.intake.formats import detect_format
from tests.support.source_file_counts import recount_faers, tabulate

pytestmark = pytest.mark.realdata

LEGACY = "aers_ascii_2004q1.zip"
CURRENT = "faers_ascii_2017q2.zip"
NEWEST = "faers_real_sample_2026q2.zip"
SUSPECT = (ProductRole.SUSPECT, ProductRole.INTERACTING)


@pytest.mark.parametrize(
    ("name", "cases", "pairs"), [(LEGACY, 100, 685), (CURRENT, 100, 459), (NEWEST, 25, 18)]
)
def test_every_pair_equals_the_recount(name: str, cases: int, pairs: int, real_data: Path) -> None:
    path = real_data / "faers" / name
    assert detect_format(path) == "faers"
    latest: dict[str, Report] = {}
    versions = [found for found in read_faers(path) if isinstance(found, Report)]
    for report in versions:
        latest[report.case_id] = max(
            (report, latest.get(report.case_id, report)), key=lambda each: each.version
        )

    counts = tabulate(
        (
            {
                substance
                for product in report.products
                if product.role in SUSPECT
                for substance in product.substances
            },
            {reaction.term for reaction in report.reactions},
        )
        for report in latest.values()
    )

    assert sum(not report.is_nullified for report in versions) == cases
    assert len(counts) == pairs
    assert counts == recount_faers(path)


@pytest.mark.parametrize("name", [LEGACY, CURRENT])
def test_whole_cases_give_no_rejects(name: str, real_data: Path) -> None:
    found = read_faers(real_data / "faers" / name)

    assert [each for each in found if isinstance(each, Rejected)] == []


def test_rows_without_their_report_are_set_aside(real_data: Path) -> None:
    found = read_faers(real_data / "faers" / NEWEST)

    rejects = Counter(
        each.source.rsplit("/", 1)[-1] for each in found if isinstance(each, Rejected)
    )

    assert rejects == {"RPSR26Q2.txt": 25, "THER26Q2.txt": 22, "OUTC26Q2.txt": 21}


def test_the_deletion_list_nullifies(real_data: Path) -> None:
    found = read_faers(real_data / "faers" / NEWEST)

    deleted = [each for each in found if isinstance(each, Report) and each.is_nullified]

    assert len(deleted) == 24
    assert {report.version for report in deleted} == {DELETED_VERSION}
    assert {report.latest_received for report in deleted} == {date(2026, 6, 30)}
