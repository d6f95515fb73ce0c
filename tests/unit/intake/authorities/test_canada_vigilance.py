"""Canada Vigilance: tables without headers, ingredients by product, duplicates of the first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.rejected import Rejected
from schemas.report import Link, OtherId, Report
from schemas.vocabulary import (
    LinkKind,
    Outcome,
    ProductRole,
    Qualification,
    ReportType,
    Seriousness,
    Sex,
)
from streams.intake.authorities.canada_layout import (
    DRUGS,
    INDICATIONS,
    INGREDIENTS,
    LINKS,
    REACTIONS,
    REPORTS,
)
from streams.intake.authorities.canada_vigilance import read_canada_vigilance
from streams.intake.delimited import Dialect
from streams.intake.formats import detect_format
from tests.support.archives import ArchiveOf

FIRST = {
    "report_id": "11",
    "report_no": "000000011",
    "version_no": "2",
    "received": "2014-03-12",
    "first_received": "06-MAR-14",
    "mah_no": "H-1",
    "type": "Spontaneous",
    "gender": "Female",
    "age_years": "54",
    "outcome": "Recovered/resolved",
    "weight": "150",
    "weight_unit": "Pound",
    "death": "2",
    "hospitalisation": "1",
    "reporter": "Pharmacist",
    "e2b_id": "CA-X-1",
    "company_no": "X-1",
}
SECOND = {"report_id": "12", "report_no": "E2B_12", "first_received": "2014-03-09"}
DRUG = {"report_drug_id": "5", "report_id": "11", "product_id": "7", "name": "ALFA FORTE"}
DRUG |= {"role": "Suspect", "route": "Oral", "dose": "10", "dose_unit": "Milligram"}
REACTION = {"report_id": "11", "term": "Rash", "meddra": "v.26.1"}
CONTENT = {"product_id": "7", "ingredient": "ALFA"}
USE = {"report_drug_id": "5", "indication": "Pain"}
TABLES: Mapping[str, tuple[Dialect, Sequence[Mapping[str, str]]]] = {
    "reports": (REPORTS, [FIRST, SECOND]),
    "report_drug": (DRUGS, [DRUG]),
    "reactions": (REACTIONS, [REACTION]),
    "drug_product_ingredients": (INGREDIENTS, [CONTENT, CONTENT | {"ingredient": "BETA"}]),
    "report_drug_indication": (INDICATIONS, [USE]),
    "report_links": (LINKS, []),
}


def _line(dialect: Dialect, row: Mapping[str, str]) -> str:
    assert dialect.names is not None
    assert set(row) <= set(dialect.names)
    return "$".join(f'"{row.get(name, "")}"' for name in dialect.names)


def _path(archive_of: ArchiveOf, **rows: Sequence[Mapping[str, str]]) -> Path:
    members = {
        f"cvponline_extract_20240630/{name}.txt": "".join(
            f"{_line(dialect, row)}\r\n" for row in rows.get(name, usual)
        )
        for name, (dialect, usual) in TABLES.items()
    }
    return archive_of("extract_extrait.zip", members)


def _read(path: Path, unmapped: Counter[str] | None = None) -> list[Report | Rejected]:
    return list(read_canada_vigilance(path, unmapped))


def test_columns_are_as_many_as_those_of_the_extract() -> None:
    assert [len(dialect.names or ()) for dialect, _ in TABLES.values()] == [42, 22, 10, 5, 6, 5]


def test_a_report_has_the_fields_of_its_rows(archive_of: ArchiveOf) -> None:
    path = _path(archive_of)
    assert detect_format(path) == "canada_vigilance"
    second, report = _read(path)
    assert isinstance(second, Report)
    assert (second.case_id, second.first_received) == ("CANADA-E2B_12", date(2014, 3, 9))
    assert isinstance(report, Report)
    assert (report.case_id, report.version) == ("CANADA-000000011", 2)
    assert (report.first_received, report.latest_received) == (
        date(2014, 3, 6),
        date(2014, 3, 12),
    )
    assert (report.source, report.occurrence_country) == ("canada_vigilance", "CA")
    assert report.sender_case_id == "X-1"
    assert report.other_ids == (
        OtherId(source="e2b", case_id="CA-X-1"),
        OtherId(source="holder", case_id="H-1"),
    )
    assert report.report_type is ReportType.SPONTANEOUS
    assert report.reporter.qualification is Qualification.PHARMACIST
    assert (report.patient.age_years, report.patient.sex) == (54.0, Sex.FEMALE)
    assert report.patient.weight_kg == pytest.approx(68.0388555)
    assert report.seriousness == (Seriousness.HOSPITALISATION,)
    (product,) = report.products
    assert (product.verbatim, product.substances) == ("ALFA FORTE", ("ALFA", "BETA"))
    assert (product.role, product.route) == (ProductRole.SUSPECT, "Oral")
    assert (product.indication, product.dose) == ("Pain", "10 Milligram")
    (reaction,) = report.reactions
    assert (reaction.term, reaction.dictionary_version) == ("Rash", "26.1")
    assert reaction.outcome is Outcome.RECOVERED


def test_the_outcome_of_several_reactions_is_that_of_none(archive_of: ArchiveOf) -> None:
    _, report = _read(_path(archive_of, reactions=[REACTION, REACTION | {"term": "Pyrexia"}]))
    assert isinstance(report, Report)
    assert [one.outcome for one in report.reactions] == [Outcome.UNKNOWN] * 2


@pytest.mark.parametrize(
    "links",
    [
        [("11", "E2B_12")],
        [("12", "000000011")],
        [("11", "E2B_12"), ("12", "000000011")],
    ],
)
def test_the_later_one_of_duplicates_is_the_duplicate(
    links: list[tuple[str, str]], archive_of: ArchiveOf
) -> None:
    rows = [{"report_id": one, "kind": "Duplicate", "other_no": other} for one, other in links]
    second, first = _read(_path(archive_of, report_links=rows))
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert first.links == ()
    assert second.links == (Link(kind=LinkKind.DUPLICATE_OF, case_id="CANADA-000000011"),)


def test_a_link_to_a_report_that_is_not_there_is_counted(archive_of: ArchiveOf) -> None:
    unmapped: Counter[str] = Counter()
    rows = [{"report_id": "11", "kind": "Duplicate", "other_no": "999"}]
    _, report = _read(_path(archive_of, report_links=rows), unmapped)
    assert isinstance(report, Report)
    assert report.links == ()
    assert unmapped.total() == 1


def test_values_without_a_counterpart_are_counted(archive_of: ArchiveOf) -> None:
    unmapped: Counter[str] = Counter()
    drugs = [DRUG | {"role": "Odd"}, DRUG | {"role": "Treatment"}]
    _, report = _read(_path(archive_of, report_drug=drugs), unmapped)
    assert isinstance(report, Report)
    assert [one.role for one in report.products] == [ProductRole.CONCOMITANT] * 2
    assert unmapped == {"role 'odd'": 1}


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("reports", SECOND | {"report_id": "x"}, "report_id must be a number; got 'x'"),
        ("reports", SECOND | {"version_no": "x"}, "version_no must be a number; got 'x'"),
        ("reports", SECOND | {"first_received": "2014"}, "a date of receipt must be YYYY-MM-DD"),
        ("reports", FIRST | {"gender": "Male"}, "report_id must be that of one row"),
        ("report_drug", DRUG | {"report_id": "99"}, "a report_drug row must have a readable"),
        ("reactions", REACTION | {"report_id": "99"}, "a reactions row must have a readable"),
        ("report_links", {"report_id": "99"}, "a report_links row must have a readable report"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected(
    table: str, row: Mapping[str, str], reason: str, archive_of: ArchiveOf
) -> None:
    dialect, usual = TABLES[table]
    rejected, *reports = _read(_path(archive_of, **{table: [*usual, row]}))
    assert [isinstance(one, Report) for one in reports] == [True, True]
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(reason)
    assert rejected.position == len(usual) + 1
    assert rejected.raw.decode() == _line(dialect, row)


def test_an_extract_without_drugs_is_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("a.zip", {"reports.txt": "", "reactions.txt": ""})
    with pytest.raises(InputError, match=r"must hold reports\.txt, report_drug\.txt and react"):
        _read(path)
