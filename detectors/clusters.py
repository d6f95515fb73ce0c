"""Clusters: cases that share a lot, a facility, a manufacturer or a distributor within days.

A rule that alerts at two cases, because a contaminated lot cannot wait for a third, and a scan with
a p-value for each cluster. Neither compares products: see the estimators for that.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from detectors.temporal_scan import temporal_scan
from schemas.errors import InputError

__all__ = ["CLUSTER_REPORTS", "ClusterRule", "Unit", "find_clusters", "scan_clusters"]

Unit = Literal["lot", "facility", "manufacturer", "distributor"]
"""Unit shared by the cases of a cluster; a column of the reports."""

CLUSTER_REPORTS: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "case_id": pl.String(),
        "day": pl.Date(),  # of onset or of receipt, as the caller means it; one a case
        "product_class": pl.String(),
        "event_family": pl.String(),  # null: none of the families
        "serious": pl.Boolean(),  # null: not known to be
    }
)
"""Columns of the reports, and beside them those of `Unit` in use [String; null: not known].

A case has a row for every product, event family and unit it names.
"""


class ClusterRule(BaseModel):
    """Cluster rule: a number of cases of one event family in one unit within a number of days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Unit = Field(description="What the cases share.")
    event_family: str = Field(description="The event family, as the reports name it.")
    n_cases: int = Field(default=2, ge=2, description="Distinct cases that make a cluster.")
    within_days: int = Field(ge=0, description="Most days between the first and the last of them.")
    serious_only: bool = Field(default=True, description="Whether only serious cases count.")


def find_clusters(reports: pl.DataFrame, rule: ClusterRule) -> pl.DataFrame:
    """Find clusters of cases that satisfy the rule.

    No statistical test: two cases are a reason to investigate, not a sample. Its known
    failure is a large unit; a distributor of everything has two cases of everything. Units are
    compared within a product class, where their names are unambiguous.

    Parameters
    ----------
    reports
        Columns of `CLUSTER_REPORTS` and the unit's; one row a case, product, event family, unit.
    rule
        What makes a cluster.

    Returns
    -------
    polars.DataFrame
        One row a cluster: `product_class`, `event_family`, `by`, `unit`, `first_day`, `last_day`,
        `n_cases` [distinct cases], `case_ids` [list, by day and name]. In order of product class,
        unit and first day.

    Raises
    ------
    InputError
        If a column is missing or of another type, a case has no identity, day or product class, or
        has two days.

    Notes
    -----
    Any `n_cases` consecutive cases of a unit whose last day minus first day is at most
    `within_days` are a hit; hits that share a case are one cluster, so it may last longer than
    `within_days`. An unknown or blank unit never matches another.

    References
    ----------
    None: a rule of this project, see docs/methods/clusters.md.

    Examples
    --------
    >>> reports = pl.DataFrame({
    ...     "case_id": ["NE-1", "NE-2", "XX-1"], "product_class": ["exosome"] * 3,
    ...     "event_family": ["infection"] * 3, "serious": [True] * 3,
    ...     "lot": ["EX-117", "EX-117", None],
    ...     "day": pl.Series([18176, 18178, 18178], dtype=pl.Int32).cast(pl.Date),
    ... })
    >>> rule = ClusterRule(by="lot", event_family="infection", within_days=30)
    >>> find_clusters(reports, rule).select("unit", "n_cases", "case_ids").row(0)
    ('EX-117', 2, ['NE-1', 'NE-2'])
    """
    _require_reports(reports, rule.by, where="find_clusters")
    wanted = (pl.col("event_family") == rule.event_family) & _named(rule.by)
    if rule.serious_only:
        wanted &= pl.col("serious")
    keys = ["product_class", rule.by]
    later = range(1, rule.n_cases)
    # Whether a hit begins at this case; whether this case and the one before are in one hit.
    last_day = pl.col("day").shift(-(rule.n_cases - 1)).over(keys)
    hit = (last_day - pl.col("day")).dt.total_days() <= rule.within_days
    begun = [pl.col("hit").shift(by, fill_value=False).over(keys) for by in later]
    return (
        reports.filter(wanted)
        .unique([*keys, "case_id"])
        .sort(*keys, "day", "case_id")
        .with_columns(hit.fill_null(False).alias("hit"))
        .with_columns(joined=pl.any_horizontal(begun))
        .filter(pl.col("hit") | pl.col("joined"))
        .with_columns(cluster=(~pl.col("joined")).cum_sum())
        .group_by(*keys, "cluster", maintain_order=True)
        .agg(
            pl.col("day").first().alias("first_day"),
            pl.col("day").last().alias("last_day"),
            pl.len().cast(pl.Int64).alias("n_cases"),
            pl.col("case_id").alias("case_ids"),
        )
        .select(
            "product_class",
            pl.lit(rule.event_family).alias("event_family"),
            pl.lit(rule.by).alias("by"),
            pl.col(rule.by).alias("unit"),
            "first_day",
            "last_day",
            "n_cases",
            "case_ids",
        )
    )


def scan_clusters(
    reports: pl.DataFrame,
    *,
    by: Unit,
    event_family: str,
    within_days: int = 30,
    replicates: int = 999,
    seed: int = 0,
) -> pl.DataFrame:
    """Scan each product class for units with an excess of an event family in a few days.

    The comparison is the class itself: under the null its cases of the family are scattered over
    its reports, whatever the unit and day. Its known failure is a class that reports little else
    than the family: then there is no contrast and nothing is found, while `find_clusters` is.

    Parameters
    ----------
    reports
        Columns of `CLUSTER_REPORTS` and the unit's; one row a case, product, event family, unit.
        All reports of the class, those of other events included: they are the comparison.
    by
        What the cases share.
    event_family
        The event family whose excess is sought.
    within_days
        Longest stretch scanned: last day minus first day [days].
    replicates
        Random placements for the p-value; 999 allow 0.001 at the least.
    seed
        Seed of the placements; each product class has its own.

    Returns
    -------
    polars.DataFrame
        One row a unit with an excess of two cases or more: `product_class`, `event_family`, `by`,
        `unit`, `first_day`, `last_day`, `n_cases`, `n_reports`, `expected` [distinct cases], `llr`
        [nats], `p_value` [over all units, days and lengths of the class], `case_ids` [list, by day
        and name]. In order of product class and unit.

    Raises
    ------
    InputError
        As `find_clusters`, or if `within_days` or `replicates` is out of range.

    Notes
    -----
    `detectors.temporal_scan` gives formula and p-value. A report without the unit is part of the
    comparison but of no window. The p-value is for one class, family and kind of unit, at one time.

    References
    ----------
    .. [1] Kulldorff M (1997). A spatial scan statistic. Communications in Statistics: Theory and
       Methods 26(6), 1481-1496. doi:10.1080/03610929708831995. (Not read.)

    Examples
    --------
    >>> reports = pl.DataFrame({
    ...     "case_id": list("abcdefgh"), "product_class": ["exosome"] * 8, "serious": [True] * 8,
    ...     "event_family": ["infection"] * 2 + [None] * 6, "lot": ["EX-117"] * 2 + ["EX-9"] * 6,
    ...     "day": pl.Series([3, 4, 7, 14, 21, 28, 35, 42], dtype=pl.Int32).cast(pl.Date),
    ... })
    >>> found = scan_clusters(reports, by="lot", event_family="infection", within_days=1)
    >>> found.select("unit", "n_cases", "expected", "llr", "case_ids").row(0)
    ('EX-117', 2, 0.5, 4.4987, ['a', 'b'])
    """
    where = "scan_clusters"
    _require_reports(reports, by, where=where)
    classes = reports["product_class"].unique().sort().to_list()
    found = [
        _scan_class(
            reports.filter(pl.col("product_class") == name),
            by,
            event_family,
            within_days=within_days,
            replicates=replicates,
            rng=np.random.default_rng([seed, *name.encode()]),
        ).select(pl.lit(name).alias("product_class"), pl.all())
        for name in classes
    ]
    return pl.concat([pl.DataFrame(schema=_SCANNED), *found])


_SCANNED: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "product_class": pl.String(),
        "event_family": pl.String(),
        "by": pl.String(),
        "unit": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
        "n_cases": pl.Int64(),
        "n_reports": pl.Int64(),
        "expected": pl.Float64(),
        "llr": pl.Float64(),
        "p_value": pl.Float64(),
        "case_ids": pl.List(pl.String()),
    }
)


def _scan_class(
    reports: pl.DataFrame,
    by: Unit,
    event_family: str,
    *,
    within_days: int,
    replicates: int,
    rng: np.random.Generator,
) -> pl.DataFrame:
    cases = (
        reports.group_by("case_id")
        .agg(pl.col("day").first(), is_case=(pl.col("event_family") == event_family).any())
        .sort("case_id")
        .with_row_index("report")
    )
    members = reports.filter(_named(by)).select("case_id", unit=by).unique().join(cases, "case_id")
    units = members["unit"].unique().sort()
    codes = members["unit"].replace_strict(
        units, range(len(units)), default=None, return_dtype=pl.Int64
    )
    scan = temporal_scan(
        codes.to_numpy(),
        members["day"].cast(pl.Int32).cast(pl.Int64).to_numpy(),
        members["report"].cast(pl.Int64).to_numpy(),
        cases["is_case"].to_numpy(),
        within_days=within_days,
        replicates=replicates,
        rng=rng,
    )
    rate = np.count_nonzero(cases["is_case"].to_numpy()) / cases.height
    found = pl.DataFrame(
        {
            "unit": units.gather(scan.unit),
            "first_day": pl.Series(scan.first_day).cast(pl.Date),
            "last_day": pl.Series(scan.last_day).cast(pl.Date),
            "n_cases": scan.n_cases,
            "n_reports": scan.n_reports,
            "expected": scan.n_reports * rate,
            "llr": scan.llr,
            "p_value": scan.p_value,
        }
    )
    named = (
        members.filter("is_case")
        .join(found, "unit")
        .filter(pl.col("day").is_between("first_day", "last_day"))
        .sort("day", "case_id")
        .group_by("unit")
        .agg(case_ids="case_id")
    )
    return found.join(named, "unit", how="left", maintain_order="left").select(
        pl.lit(event_family).alias("event_family"), pl.lit(by).alias("by"), pl.all()
    )


def _named(by: Unit) -> pl.Expr:
    """Return whether the unit is known; null or blank is not a name that two cases could share."""
    return pl.col(by).str.strip_chars() != ""


def _require_reports(reports: pl.DataFrame, by: Unit, *, where: str) -> None:
    if by not in get_args(Unit):
        msg = f"{where}: by must be among {list(get_args(Unit))}; got {by!r}"
        raise InputError(msg)
    for name, dtype in {**CLUSTER_REPORTS, by: pl.String()}.items():
        if reports.schema.get(name) != dtype:
            msg = (
                f"{where}: reports need the column {name} [{dtype}]; got {reports.schema.get(name)}"
            )
            raise InputError(msg)
    nameless = reports.filter(pl.any_horizontal(pl.col(_REQUIRED).is_null()))
    if nameless.height:
        first = nameless.select(_REQUIRED).row(0, named=True)
        msg = (
            f"{where}: a case needs its identity, day and product class; {nameless.height} of "
            f"{reports.height} rows lack one, first {first}"
        )
        raise InputError(msg)
    days = reports.group_by("case_id").agg(pl.col("day").unique().sort())
    torn = days.filter(pl.col("day").list.len() > 1).sort("case_id")
    if torn.height:
        msg = f"{where}: a case must have one day; {torn.height} have more, first {torn.row(0)}"
        raise InputError(msg)


_REQUIRED = ["case_id", "day", "product_class"]
