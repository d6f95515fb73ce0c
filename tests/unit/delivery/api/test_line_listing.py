"""Fields of a line listing, and fields of the report that it leaves out."""

import sqlite3
from contextlib import closing
from datetime import date

from schemas.product import Product
from schemas.report import Patient, Reporter
from schemas.vocabulary import ReporterKind, Sex
from streams.delivery.api.line_listing import VERSION_TABLE, CaseVersions, KnownVersion, case_line
from tests.support.api_server import reported
from tests.support.reports import NULLIFIED, make_report


def test_a_line_has_codes_and_none_of_the_reporters_words() -> None:
    line = case_line(reported("NE-1"))
    (product,), (reaction,) = line.products, line.reactions
    assert (line.case_id, line.first_received, line.nullified) == ("NE-1", date(2019, 10, 7), False)
    assert (line.age_group, reaction.term) == ("adult", "Sepsis")
    assert (product.product_class, product.lot, product.facility_id) == ("exosome", "EX117", "C-A")
    text = line.model_dump_json()
    assert not any(words in text for words in ("Dr Who", "told me", "wife", "44"))


def test_a_nullified_case_says_so() -> None:
    assert case_line(make_report(revision=NULLIFIED)).nullified is True


def test_the_country_is_that_of_occurrence_else_of_the_reporter() -> None:
    reporter = Reporter(kind=ReporterKind.CONSUMER, country="US")
    assert case_line(make_report(reporter=reporter)).country == "US"
    there = make_report(reporter=reporter, occurrence_country="JP", patient=Patient(sex=Sex.MALE))
    line = case_line(there)
    assert (line.country, line.sex, line.reporter) == ("JP", "male", "consumer")


def test_missing_values_are_null() -> None:
    line = case_line(make_report(products=(Product(verbatim="Zn"),)))
    (product,) = line.products
    assert (product.substances, product.product_class, product.lot) == ((), None, None)
    assert product.facility_id is None
    assert line.country is None


def test_versions_are_ordered_as_they_replace_each_other() -> None:
    first, second = make_report(), make_report(version=2)
    gone = make_report(version=2, revision=NULLIFIED)
    found = [
        KnownVersion(case_line(report), report.message_id, "r", 0)
        for report in (gone, first, second)
    ]
    found.sort(key=lambda version: version.order)
    assert [(one.line.version, one.line.nullified) for one in found] == [
        (1, False),
        (2, False),
        (2, True),
    ]


def test_a_repeated_version_keeps_the_place_of_its_first_message() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(VERSION_TABLE)
        versions = CaseVersions(db)
        for position in (3, 7):
            versions.put(make_report(), source="r", position=position)
        (one,) = versions.of("A")
        assert (one.source, one.position) == ("r", 3)
        assert list(versions.of("A", {"r": 3})) == []
        assert versions.n_cases() == 1
