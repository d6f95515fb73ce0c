"""What reports say of drugs and events: starts, onsets, lots, dechallenge and rechallenge."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas.clinical import TimeToOnset
from schemas.product import Facility, Product
from schemas.report import Reaction
from schemas.vocabulary import ProductRole, Seriousness
from streams.core.alerts.case_summaries import clinical_of
from streams.core.cases.chronology import START, Course, course_of, parse_course
from streams.core.cases.transitions import CaseVersion, advance
from tests.support.versions import make_version

DAY = date(2024, 2, 1)
ORDINAL = DAY.toordinal()


def _version(*products: Product, **fields: Any) -> CaseVersion:
    return make_version(day=date(2024, 3, 1), products=products, **fields)


def _courses(*products: Product) -> dict[str, Course]:
    version = _version(*products)
    codes = version.courses.split("\x1f") if version.courses else ["0"] * 9
    return {
        name: parse_course(int(code))
        for name, code in zip(version.drugs.split("\x1f"), codes, strict=False)
    }


@pytest.mark.parametrize(
    ("stated", "course"),
    [
        ({}, Course(0, False, None, None)),
        ({"lot": "EX-1"}, Course(0, True, None, None)),
        ({"lot": " Not known "}, Course(0, False, None, None)),
        ({"first_given": DAY}, Course(ORDINAL, False, None, None)),
        ({"first_given": date(1, 1, 1)}, Course(1, False, None, None)),
        ({"first_given": date.max, "lot": "1"}, Course(date.max.toordinal(), True, None, None)),
        ({"dechallenge": False}, Course(0, False, False, None)),
        ({"dechallenge": True, "rechallenge": False}, Course(0, False, True, False)),
        ({"rechallenge": True}, Course(0, False, None, True)),
    ],
)
def test_a_product_states_what_it_states(stated: dict[str, Any], course: Course) -> None:
    assert parse_course(course_of(Product(**stated))) == course
    assert course_of(Product(**stated)) < 1 << 32  # as it travels
    assert _courses(Product(substances=("zinc",), **stated)) == {"zinc": course}


def test_of_one_drug_the_earliest_start_holds_and_one_product_suffices() -> None:
    told = _courses(
        Product(substances=("zinc",), first_given=DAY, dechallenge=False),
        Product(substances=("zinc", "iron"), lot="B2", rechallenge=False),
        Product(substances=("zinc",), first_given=DAY - timedelta(days=3), dechallenge=True),
        Product(substances=("lead",)),
    )
    assert told == {
        "iron": Course(0, True, None, False),
        "lead": Course(0, False, None, None),
        "zinc": Course(ORDINAL - 3, True, True, False),
    }


def test_what_no_suspect_product_states_is_not_stated() -> None:
    with_it = Product(substances=("zinc",), role=ProductRole.CONCOMITANT, lot="1", first_given=DAY)
    assert _version(with_it, Product(substances=("zinc",))).courses == ""


def test_classes_lots_and_facilities_have_the_course_of_their_own_products() -> None:
    told = _courses(
        Product(
            product_class="engineered-ev",
            lot="ex 1",
            facility=Facility(facility_id="C-A"),
            first_given=DAY,
        ),
        Product(
            product_class="culture-supernatant",
            facility=Facility(facility_id="C-B"),
            first_given=DAY - timedelta(days=9),
            dechallenge=True,
        ),
    )
    first, second = Course(ORDINAL, True, None, None), Course(ORDINAL - 9, False, True, None)
    assert told == {
        "culture-supernatant": second,
        "engineered-ev": first,
        "extracellular-vesicles": first,
        "facility:C-A": first,
        "facility:C-B": second,
        "lot:EX1": first,
        "msc-supernatant-exosome": Course(ORDINAL - 9, True, True, None),
    }


def test_an_event_began_on_the_earliest_day_stated_of_it() -> None:
    days = [("Sepsis", 5), ("Rash", None), ("Sepsis", 2), ("Endocarditis", 1), ("Fever", 7)]
    version = _version(
        Product(substances=("zinc",)),
        reactions=tuple(
            Reaction(term=term, onset=None if day is None else DAY + timedelta(days=day))
            for term, day in days
        ),
    )
    onsets = [int(code) - ORDINAL if code != "0" else None for code in version.onsets.split("\x1f")]
    assert dict(zip(version.events.split("\x1f"), onsets, strict=True)) == {
        "endocarditis": 1,
        "fever": 7,
        "rash": None,
        "sepsis": 2,
        "family:infection": 1,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"seriousness": (Seriousness.LIFE_THREATENING,)},
        {"products": (Product(substances=("zinc",), lot="A1"),)},
        {"products": (Product(substances=("zinc",), rechallenge=True),)},
        {"reactions": (Reaction(term="Rash", onset=DAY),)},
    ],
)
def test_each_is_a_change_of_the_case(changes: dict[str, Any]) -> None:
    base = {"seriousness": (Seriousness.DISABILITY,)}
    one = make_version(**base)
    other = make_version(version=2, **{**base, **changes})
    rows = advance([other], {"A": one}).changes
    assert rows["n"].to_list() == [-1, 1]
    stated = rows.select("life_threatening", "courses", "onsets").rows()
    assert stated[0] == (False, None, None)
    assert stated[1] != stated[0]


STRATA = ["adult\x1ffemale\x1fasia", "unknown\x1fmale\x1fasia", "infant\x1funknown\x1fjapan"]


def _cases(*rows: tuple[int, int, int, int, bool]) -> pl.DataFrame:
    """Rows of (key, stratum, course, began, life-threatening)."""
    schema = {"key": pl.Int64, "stratum": pl.UInt32, "course": pl.UInt32, "began": pl.UInt32}
    cases = pl.DataFrame(
        list(rows), schema={**schema, "life_threatening": pl.Boolean}, orient="row"
    )
    received = (DAY - date(1970, 1, 1)).days
    return cases.with_columns(pl.lit(received, dtype=pl.Int32).alias("day"))


def _days(*days: int, key: int = 1) -> list[tuple[int, int, int, int, bool]]:
    return [(key, 0, ORDINAL << START, ORDINAL + day, False) for day in days]


def _time(*days: int) -> TimeToOnset | None:
    (found,) = clinical_of(_cases(*_days(*days)), np.array([1]), STRATA, "\x1f")
    time: TimeToOnset | None = found["time_to_onset"]
    return time


# Type 7, by hand: of 1, 2, 4, 8 the lower quartile is 1 + 0.75 x 1, the upper 4 + 0.25 x 4.
@pytest.mark.parametrize(
    ("days", "distribution"),
    [
        ((4,), (1, 0, 4.0, 4.0, 4.0)),
        ((0, 0), (2, 0, 0.0, 0.0, 0.0)),
        ((7, 2), (2, 0, 3.25, 4.5, 5.75)),
        ((8, 1, 4, 2), (4, 0, 1.75, 3.0, 5.0)),
        ((8, -3, 1, 4, -1, 2), (4, 2, 1.75, 3.0, 5.0)),
        ((1, 2, 3, 4, 5), (5, 0, 2.0, 3.0, 4.0)),
        ((-1,), (0, 1, None, None, None)),
        ((40_000,), (1, 0, 40_000.0, 40_000.0, 40_000.0)),
    ],
)
def test_quartiles_of_the_days_to_onset(
    days: tuple[int, ...], distribution: tuple[float | None, ...]
) -> None:
    found = _time(*days)
    assert found is not None
    assert tuple(found.model_dump().values()) == distribution


def test_a_case_that_states_one_of_the_two_days_has_no_time_to_onset() -> None:
    start, began = ORDINAL << START, ORDINAL
    cases = _cases((1, 0, start, 0, False), (1, 0, 31, began, False))
    (found,) = clinical_of(cases, np.array([1]), STRATA, "\x1f")
    assert found["time_to_onset"] is None


@pytest.mark.parametrize(
    ("received", "onset", "late"),
    [
        (date(2024, 4, 1), date(2024, 1, 2), 0),  # 90 days
        (date(2024, 4, 1), date(2024, 1, 1), 1),
        (date(1970, 1, 1), date(1969, 10, 3), 0),
        (date(1970, 1, 1), date(1969, 10, 2), 1),
        (date(1950, 1, 1), date(1949, 1, 1), 1),
        (date(2024, 4, 1), date(2024, 4, 1), 0),
        (date(2024, 4, 1), date(2030, 1, 1), 0),  # a typing error: it began after it was reported
        (date(2024, 4, 1), date(1, 1, 1), 1),
        (date(2024, 4, 1), None, None),
    ],
)
def test_a_case_is_late_that_came_more_than_90_days_after_the_event_began(
    received: date, onset: date | None, late: int | None
) -> None:
    began = onset.toordinal() if onset else 0
    day = pl.lit((received - date(1970, 1, 1)).days, dtype=pl.Int32).alias("day")
    cases = _cases((1, 0, 0, began, False)).with_columns(day)
    found, other = clinical_of(cases, np.array([1, 2]), STRATA, "\x1f")
    stating = 0 if late is None else 1
    assert (found["n_stating_onset"], found["n_late"]) == (stating, late or 0)
    assert (other["n_stating_onset"], other["n_late"]) == (0, 0)
    assert (found["first_onset"], found["last_onset"]) == (onset, onset)
    assert (other["first_onset"], other["last_onset"]) == (None, None)


def test_the_first_and_the_last_onset_are_those_of_the_pair() -> None:
    days = [date(2024, 3, 1), date(2024, 1, 1), None, date(2024, 2, 1)]
    rows = [(1, 0, 0, day.toordinal() if day else 0, False) for day in days]
    cases = _cases(*rows, (4, 0, 0, date(2030, 1, 1).toordinal(), False))
    found, other = clinical_of(cases, np.array([1, 4]), STRATA, "\x1f")
    assert (found["first_onset"], found["last_onset"]) == (days[1], days[0])
    assert other["first_onset"] == other["last_onset"] == date(2030, 1, 1)


def test_pairs_are_summed_up_each_by_itself() -> None:
    cases = _cases(
        *((3, 0, 0b00001, 0, True), (3, 1, 0b00110, 0, False), (3, 0, 0b00010, 0, True)),
        *_days(5, -2, key=3),
        (9, 2, 0b11000, 0, False),
        *_days(1, key=9),
    )
    one, none, other = clinical_of(cases, np.array([3, 4, 9]), STRATA, "\x1f")
    counts = [
        *("n_life_threatening", "n_missing_lot", "n_stating_dechallenge"),
        *("n_positive_dechallenge", "n_stating_rechallenge", "n_positive_rechallenge"),
    ]
    assert [one[name] for name in counts] == [2, 4, 2, 1, 0, 0]
    assert [none[name] for name in counts] == [0] * 6
    assert [other[name] for name in counts] == [0, 2, 0, 0, 1, 1]
    groups = [
        {name: n for name, n in each["patients"].model_dump().items() if n}
        for each in (one, none, other)
    ]
    assert groups == [
        {"adult": 4, "age_unknown": 1, "female": 4, "male": 1},
        {},
        {"infant": 1, "adult": 1, "female": 1, "sex_unknown": 1},
    ]
    assert [each["time_to_onset"] is None for each in (one, none, other)] == [False, True, False]
    assert (one["time_to_onset"].n, one["time_to_onset"].n_before) == (1, 1)
    assert other["time_to_onset"].median == 1.0
    assert clinical_of(_cases(), np.array([7]), [], "\x1f")[0]["n_missing_lot"] == 0
