"""Strata of cases by calendar quarter, age band and sex, and the expected count within them."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

import polars as pl

from detectors.expected import expected_stratified
from schemas.alert import Alert, Window, WindowKind
from schemas.strata import TEST_BY_AGE, Strata
from streams.core.recount.evidence import naming

__all__ = [
    "age_band",
    "comparators_within",
    "expected_over",
    "expected_within",
    "period_stratum",
    "with_bands",
    "with_blocks",
    "with_expected",
    "within_window",
]

_EPOCH = date(1970, 1, 1)
# Of ICH E2B(R3) D.2.3, from and up to [years].
_GROUPS = {
    "neonate": (0.0, 28 / 365.25),
    "infant": (28 / 365.25, 2.0),
    "child": (2.0, 12.0),
    "adolescent": (12.0, 18.0),
    "adult": (18.0, 65.0),
    "elderly": (65.0, float("inf")),
}


def age_band(years: float, group: str, upper_ends: Sequence[float]) -> int:
    """Return the place of the age band of a case; behind those by age: unknown, then groups.

    Parameters
    ----------
    years
        Age; -1: not stated.
    group
        Age group, for a case that does not state its age.

    Examples
    --------
    >>> [age_band(years, "adult", [0.5, 18, 65]) for years in (0.2, 0.5, 70.0, -1.0)]
    [0, 1, 3, 2]
    """
    if years >= 0:
        return bisect_right(upper_ends, years)
    if group not in _GROUPS:
        return len(upper_ends) + 1
    low, high = _GROUPS[group]
    touched = {bisect_right(upper_ends, low)}
    touched |= {place + 1 for place, end in enumerate(upper_ends) if low < end < high}
    if len(touched) == 1:
        return touched.pop()
    return len(upper_ends) + 2 + list(_GROUPS).index(group)


def with_bands(cases: pl.DataFrame, upper_ends: Sequence[float]) -> pl.DataFrame:
    """Add `band`, see `age_band`, to cases with `age_years` and `age_group`."""
    ages = cases.select("age_years", "age_group").unique()
    bands = [age_band(years, group, upper_ends) for years, group in ages.rows()]
    found = ages.with_columns(pl.Series("band", bands, dtype=pl.Int64))
    return cases.join(found, on=["age_years", "age_group"], how="left", maintain_order="left")


def with_blocks(cases: pl.DataFrame, strata: Strata) -> pl.DataFrame:
    """Add `block`, that of the anytime-valid test, to cases with `band` and `sex`."""
    if strata.test == TEST_BY_AGE:
        return cases.with_columns(block=pl.col("band"))
    return cases.with_columns(block=3 * pl.col("band") + pl.col("sex").rank("dense") - 1)


def expected_within(cases: pl.DataFrame, drug: str, event: str) -> float:
    """Return the expected cases of a pair, within calendar quarter, age band and sex.

    Parameters
    ----------
    cases
        `day` [days since 1970-01-01], `band`, `sex`, and the joined names `drugs` and `events`.
    """
    return expected_over(cases, period_stratum(), drug, event)


def comparators_within(cases: pl.DataFrame, drug: str, event: str) -> int:
    """Return the number of cases without a drug in the strata that have a case of the pair.

    Parameters
    ----------
    cases
        See `expected_within`.
    """
    own = naming("drugs", drug)
    marked = cases.select(
        period_stratum().alias("stratum"), own.alias("own"), both=own & naming("events", event)
    )
    strata = marked.filter("both")["stratum"].unique()
    return marked.filter(~pl.col("own") & pl.col("stratum").is_in(strata.implode())).height


def period_stratum() -> pl.Expr:
    """Return the name of the stratum of each case by calendar quarter, age band and sex."""
    day = pl.col("day").cast(pl.Int32).cast(pl.Date)
    band = pl.col("band").cast(pl.String).str.zfill(3)
    return pl.format("{} {} {} {}", day.dt.year(), day.dt.quarter(), band, "sex")


def expected_over(cases: pl.DataFrame, stratum: pl.Expr, drug: str, event: str) -> float:
    """Return the expected cases of a pair within strata; 0 without a case.

    Parameters
    ----------
    cases
        The joined names `drugs` and `events`, and what `stratum` needs.
    stratum
        Name of the stratum of each case; strata are summed in the order of their names.
    """
    strata = cases.group_by(stratum.alias("stratum")).agg(
        pl.len().alias("n_total"),
        naming("drugs", drug).sum().alias("n_drug"),
        naming("events", event).sum().alias("n_event"),
    )
    if strata.is_empty():
        return 0.0
    expected: float = expected_stratified(
        pl.DataFrame({"drug": [drug], "event": [event]}),
        strata.select("stratum", pl.lit(drug).alias("drug"), n="n_drug"),
        strata.select("stratum", pl.lit(event).alias("event"), n="n_event"),
        strata.select("stratum", n="n_total"),
    )["expected"].item()
    return expected


def within_window(cases: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Return the cases of a window: `day` [days since 1970-01-01]; the cumulative one has all."""
    last = (window.last_day - _EPOCH).days
    inside = pl.col("day") <= last
    if window.first_day is not None:
        inside &= pl.col("day") >= (window.first_day - _EPOCH).days
    return cases if window.kind is WindowKind.CUMULATIVE else cases.filter(inside)


def with_expected(
    current: pl.DataFrame, alert: Alert, pairs: Sequence[tuple[str, str]]
) -> tuple[pl.DataFrame, pl.Series]:
    """Return the cases with their age bands, and the adjusted expectation of each pair.

    It is null for an alert without strata: it is of an earlier version.
    """
    if alert.strata is None:
        return current, pl.Series("expected_adjusted", [None] * len(pairs), pl.Float64)
    current = with_bands(current, alert.strata.age_bands)
    within = within_window(current, alert.window)
    expected = [expected_within(within, *pair) for pair in pairs]
    return current, pl.Series("expected_adjusted", expected, pl.Float64)
