"""FAERS quarters, written by hand: days that nobody stated are no days of onset or therapy."""

from datetime import date

import pytest

from streams.intake.faers.reader import read_faers
from tests.support.archives import ArchiveOf
from tests.support.faers_quarters import CURRENT, LEGACY, Tables, members, split


@pytest.mark.parametrize(
    ("layout", "quarter", "received"),
    [
        (LEGACY, "04Q1", "20040102"),
        (LEGACY, "12Q3", "20120702"),
        (LEGACY, "", "20040102"),
        (CURRENT, "12Q4", "20121002"),
    ],
)
@pytest.mark.parametrize(
    ("stated", "day"),
    [
        ("20030501", None),  # in May
        ("20030101", None),  # in 2003
        ("20030502", date(2003, 5, 2)),
        ("20030511", date(2003, 5, 11)),
        ("200305", None),
    ],
)
def test_a_first_of_a_month_is_no_day_until_2012(
    layout: dict[str, str],
    quarter: str,
    received: str,
    stated: str,
    day: date | None,
    archive_of: ArchiveOf,
) -> None:
    assert dates_of(archive_of, layout, quarter, received, stated) == (day, day, day)


@pytest.mark.parametrize(("quarter", "received"), [("13Q1", "20130102"), ("", "20130102")])
def test_a_first_of_a_month_is_a_day_since_2013(
    quarter: str, received: str, archive_of: ArchiveOf
) -> None:
    day = date(2003, 5, 1)
    assert dates_of(archive_of, CURRENT, quarter, received, "20030501") == (day, day, day)
    assert dates_of(archive_of, CURRENT, quarter, received, "200305") == (None, None, None)


@pytest.mark.parametrize(
    ("periods", "first", "last"),
    [
        ([("20170220", "20170225"), ("20170201", "20170301")], "20170201", "20170301"),
        ([("20170220", ""), ("", "20170301")], "20170220", "20170301"),
        ([("20170220", "20170225"), ("2016", "2016")], "", "20170225"),
        ([("20170220", "20170225"), ("201702", "201702")], "", ""),
        ([("20170201", "20170228"), ("201702", "201702")], "20170201", "20170228"),
        ([("20170220", "20170225"), ("201703", "201703")], "20170220", ""),
    ],
)
def test_a_period_of_an_unknown_day_leaves_the_first_or_the_last_open(
    periods: list[tuple[str, str]], first: str, last: str, archive_of: ArchiveOf
) -> None:
    tables: Tables = {
        "DEMO": [{}],
        "DRUG": [{"drug_seq": "1", "drugname": "ZINC"}],
        "THER": [{"dsg_drug_seq": "1", "start_dt": start, "end_dt": end} for start, end in periods],
    }
    for _ in range(2):  # in either order of the rows
        tables["THER"].reverse()

        [report], _ = split(read_faers(archive_of("q.zip", members(CURRENT, "17Q2", tables))))

        [product] = report.products
        found = [
            f"{day:%Y%m%d}" if day else "" for day in (product.first_given, product.last_given)
        ]
        assert found == [first, last]


def dates_of(
    archive_of: ArchiveOf, layout: dict[str, str], quarter: str, received: str, stated: str
) -> tuple[date | None, date | None, date | None]:
    """Onset, first and last administration, of a report that states one date for all three."""
    seq = "drug_seq" if layout is LEGACY else "dsg_drug_seq"
    tables: Tables = {
        "DEMO": [{"fda_dt": received, "event_dt": stated}],
        "DRUG": [{"drug_seq": "1", "drugname": "ZINC"}],
        "REAC": [{"pt": "Rash"}],
        "THER": [{seq: "1", "start_dt": stated, "end_dt": stated}],
    }
    [report], rejects = split(read_faers(archive_of("q.zip", members(layout, quarter, tables))))
    assert rejects == []
    [product], [reaction] = report.products, report.reactions
    return reaction.onset, product.first_given, product.last_given
