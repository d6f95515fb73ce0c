"""Age groups and regions, at their edges."""

from datetime import date

import pytest

from schemas.report import Reporter
from schemas.vocabulary import AgeGroup
from streams.core.cases.strata import age_group
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
