"""Age groups and regions, at their edges."""

from datetime import date

import polars as pl
import pytest

from schemas.errors import InputError
from schemas.report import Reporter
from schemas.vocabulary import AgeGroup
from streams.core.cases.strata import AgeBands, age_group, default_age_bands
from tests.support.versions import make_version

DAY = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("years", "group"),
    [
        (0.0, "neonate"),
        (27 / 365.25, "neonate"),
        (28 / 365.25, "infant"),
        (1.99, "infant"),
        (2.0, "child"),
        (11.99, "child"),
        (12.0, "adolescent"),
        (17.99, "adolescent"),
        (18.0, "adult"),
        (64.99, "adult"),
        (65.0, "elderly"),
        (150.0, "elderly"),
    ],
)
def test_the_age_in_years_gives_the_group_whatever_was_reported(years: float, group: str) -> None:
    assert age_group(years, AgeGroup.UNKNOWN) == group


@pytest.mark.parametrize("group", [*AgeGroup, None])
def test_without_years_the_reported_group_holds(group: AgeGroup | None) -> None:
    assert age_group(None, group) == ("unknown" if group is None else group.value)


@pytest.mark.parametrize(
    ("occurred", "reporter", "expected"),
    [
        ("JP", "US", "japan"),
        (None, "US", "north_america"),
        (None, None, "unknown"),
        ("CA", None, "north_america"),
        ("DE", None, "europe"),
        ("GB", None, "europe"),
        ("KR", None, "asia"),
        ("MX", None, "rest_of_world"),
        ("ZZ", None, "rest_of_world"),
    ],
)
def test_the_region_is_where_it_happened_else_where_it_was_reported(
    occurred: str | None, reporter: str | None, expected: str
) -> None:
    stated = {"occurrence_country": occurred, "reporter": Reporter(country=reporter)}
    assert make_version(**stated).region == expected


def _bands(ends: str, *ages: tuple[float, str]) -> list[int]:
    frame = pl.DataFrame(ages, schema=["age_years", "age_group"], orient="row")
    blocks = AgeBands.parse(ends).blocks(frame.with_columns(sex=pl.lit("male")))
    assert {int(block) % 4 for block in blocks} == {1}
    return [int(block) // 4 for block in blocks]


def test_an_age_at_an_end_is_of_the_band_above_it() -> None:
    ages = [(0.0, ""), (0.49, ""), (0.5, ""), (17.9, ""), (18.0, ""), (99.0, "")]
    known = [(years, "unknown") for years, _ in ages]
    assert _bands("0.5,18", *known) == [0, 0, 1, 1, 2, 2]


def test_a_group_has_the_band_that_contains_it_else_one_of_its_own() -> None:
    groups = ["unknown", "neonate", "infant", "child", "adolescent", "adult", "elderly"]
    asked = [(-1.0, group) for group in groups]
    # Bands to 2, 12, 18 and 65 years are those of the groups, with the neonates in the first.
    assert _bands("2,12,18,65", *asked) == [5, 0, 0, 1, 2, 3, 4]
    # The unknown age is the fourth; infants, children and adults span several.
    assert _bands("0.5,7,40", *asked) == [4, 0, 6, 7, 2, 9, 3]
    assert _bands("18", (-1.0, "adult"), (-1.0, "child"), (-1.0, "elderly")) == [1, 0, 1]


def test_each_sex_is_a_stratum() -> None:
    frame = pl.DataFrame({"age_years": 1.0, "age_group": "infant", "sex": ["female", "unknown"]})
    assert AgeBands((0.5, 7.0)).blocks(frame).tolist() == [4, 6]


@pytest.mark.parametrize("text", ["", "a", "0,2", "2,2", "3,2", "-1", "nan", "1,inf"])
def test_bands_must_ascend_from_above_0(text: str) -> None:
    with pytest.raises(InputError, match=r"^age bands: "):
        AgeBands.parse(text)


def test_the_bands_shipped_are_those_of_vaccines() -> None:
    assert default_age_bands().text == "0.5,1,2,7,18,45,65"
