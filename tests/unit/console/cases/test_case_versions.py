"""Every field of a line is compared, and has a name in both languages."""

import pytest
from fastapi import HTTPException

from schemas.case_line import CaseLine, LineProduct, LineReaction
from schemas.product import Product
from streams.console.cases.case_versions import versions_differ
from streams.console.frame.texts import texts_in
from streams.core.wording.catalogue import Language
from streams.delivery.api.line_listing import KnownVersion, case_line
from tests.support.reports import NULLIFIED, make_report


def _known(*versions: CaseLine) -> list[KnownVersion]:
    return [KnownVersion(line, "m", "pv.reports[0]", place) for place, line in enumerate(versions)]


def test_what_changed_comes_first_with_both_values() -> None:
    first = case_line(make_report(products=(Product(substances=("zinc",)),)))
    second = case_line(
        make_report(
            version=2,
            revision=NULLIFIED,
            products=(Product(substances=("zinc",), lot="A1", dechallenge=True),),
        )
    )
    found = versions_differ(_known(first, second), 1, 2)
    changed = {(row.field, row.part): (row.was, row.now) for row in found.rows if row.changed}
    assert changed == {
        ("version", None): ("1", "2"),
        ("nullified", None): ("no", "yes"),
        ("products_lot", 1): ("", "A1"),
        ("products_dechallenge", 1): ("", "yes"),
    }
    places = [row.changed for row in found.rows]
    assert places == sorted(places, reverse=True)
    assert found.numbers == (1, 2)


def test_a_product_that_was_left_out_is_struck() -> None:
    first = case_line(make_report(drugs=("zinc", "iron")))
    second = case_line(make_report(version=2, drugs=("zinc",)))
    rows = {(row.field, row.part): row for row in versions_differ(_known(first, second), 1, 2).rows}
    assert (rows["products_substances", 2].was, rows["products_substances", 2].now) == ("iron", "")


def test_an_unknown_version_is_not_found() -> None:
    known = _known(case_line(make_report()))
    for before, now in ((1, 2), (0, 1)):
        with pytest.raises(HTTPException, match="no such version"):
            versions_differ(known, before, now)


@pytest.mark.parametrize("language", list(Language))
def test_every_field_has_a_name(language: Language) -> None:
    t = texts_in(language)
    parts = {"reactions": LineReaction, "products": LineProduct}
    for name in CaseLine.model_fields:
        inner = parts.get(name)
        names = [name] if inner is None else [f"{name}_{one}" for one in inner.model_fields]
        for field in names:
            assert t(f"signal.field_{field}")
