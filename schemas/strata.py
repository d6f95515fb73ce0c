"""Strata of the adjusted expected count and of the blocked test of an alert."""

from pydantic import Field

from schemas.base import Message

__all__ = ["TEST_BY_AGE", "TEST_BY_SEX", "Strata"]

TEST_BY_AGE, TEST_BY_SEX = "day and age band", "day, age band and sex"
"""Blocks of the anytime-valid test, in words."""


class Strata(Message):
    """Factors within which cases are compared. An unknown value is a stratum like any other."""

    expected: str = Field(
        default="calendar quarter, age band and sex",
        description="Strata of `expected_adjusted` and what is computed with it, in words.",
    )
    test: str = Field(
        default=TEST_BY_AGE,
        description="Blocks of `e_value_blocked`, in words: `day and age band`, or `day, age band "
        "and sex`.",
    )
    age_bands: tuple[float, ...] = Field(
        description="Upper end of each age band but the last [years]; an age equal to it is of the "
        "band above. A case that states an age group that spans several bands, and no age, is of a "
        "band of its own."
    )
