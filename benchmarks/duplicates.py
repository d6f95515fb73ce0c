"""Probable duplicates against two references: the flags of DiAna, and duplicates planted by us.

python -m benchmarks.duplicates --diana ../shared/data/diana
python -m benchmarks.duplicates --planted 5000

DiAna [1]_ flags, in all of FAERS, every report but the last of a group that agrees to the letter on
event date, sex, reporter country, age, weight, events, primary and secondary suspect drugs and the
others, **where nothing equals nothing**. Its sample has 1,000 reports, so the other report of most
flagged ones is not in it: no comparison of reports can find those, and recall against the flags is
bounded by the share of groups with two members in the sample. Both are printed.

.. [1] Fusaroli, Giunchi (2023). DiAna: repository for FAERS cleaning and analysis.
   doi 10.17605/OSF.IO/ZQU89.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from datetime import date
from itertools import combinations
from pathlib import Path

import polars as pl

from benchmarks.planting import planted
from streams.core.duplicates.probable import DEFAULT_POLICY, RECORDS, LinkagePolicy, Pair, clusters
from streams.runtime.operations.splink_scores import score_pairs

THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
_RULE = (
    "event_dt",
    "sex",
    "reporter_country",
    "age_in_days",
    "wt_in_kgs",
    "events",
    "ps",
    "ss",
    "ic",
)


def diana(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the sample as records, and per report its flag and the fields of DiAna's rule."""

    def read(name: str) -> pl.DataFrame:
        return pl.read_csv(folder / f"sample_{name}.csv", infer_schema=False)

    def named(table: pl.DataFrame, column: str, alias: str) -> pl.DataFrame:
        names = pl.col(column).drop_nulls().unique().sort()
        return table.group_by("primaryid").agg(names.alias(alias))

    demo, drug, reac = read("Demo"), read("Drug"), read("Reac")
    roles = pl.col("role_cod")
    whole = demo
    for table, column, alias in (
        (reac, "pt", "events"),
        (drug.filter(roles.is_in(["PS", "SS", "I"])), "substance", "drugs"),
        (drug.filter(roles == "PS"), "substance", "ps"),
        (drug.filter(roles == "SS"), "substance", "ss"),
        (drug.filter(roles.is_in(["I", "C"])), "substance", "ic"),
    ):
        whole = whole.join(named(table, column, alias), on="primaryid", how="left")

    def days(column: str) -> pl.Expr:
        return pl.col(column).str.to_date("%Y%m%d", strict=False).to_physical()

    nothing = pl.lit(None, dtype=pl.List(pl.String))
    records = whole.select(
        unique_id="primaryid",
        age=pl.col("age_in_days").cast(pl.Float64) / 365.25,
        sex=pl.when(pl.col("sex").is_in(["M", "F"])).then("sex"),
        country=pl.coalesce("reporter_country", "occr_country"),
        weight=pl.col("wt_in_kgs").cast(pl.Float64),
        onset=days("event_dt"),
        received=pl.coalesce(days("init_fda_dt"), days("fda_dt")),
        drugs=pl.when(pl.col("drugs").list.len() > 0).then("drugs").otherwise(nothing),
        events=pl.when(pl.col("events").list.len() > 0).then("events").otherwise(nothing),
    ).cast(dict(RECORDS))
    rule = whole.select(
        "primaryid",
        *(
            pl.col(name).list.join("; ") if name in ("events", "ps", "ss", "ic") else name
            for name in _RULE
        ),
        flagged=pl.col("RB_duplicates") == "TRUE",
    )
    return records, rule


def _of_rule(rule: pl.DataFrame) -> set[frozenset[str]]:
    """Return the pairs of the sample that agree on every field of the rule, null on null."""
    groups = rule.group_by(_RULE).agg("primaryid").filter(pl.col("primaryid").list.len() > 1)
    return {frozenset(two) for ids in groups["primaryid"] for two in combinations(ids, 2)}


def _together(pairs: Iterable[Pair], threshold: float) -> set[frozenset[str]]:
    return {
        frozenset(two) for group in clusters(pairs, threshold) for two in combinations(group, 2)
    }


def _line(threshold: float, found: set[object], true: set[object]) -> str:
    right = len(found & true)
    precision = f"{right / len(found):9.3f}" if found else "        -"
    recall = f"{right / len(true):6.3f}" if true else "     -"
    return f"{threshold:9} {len(found):6} {right:6} {precision} {recall}"


_HEAD = "threshold  found  right precision recall"


def _policy() -> LinkagePolicy:
    return LinkagePolicy.read(DEFAULT_POLICY)


def report_diana(folder: Path) -> None:
    """Print precision and recall against the flags, and against the rule inside the sample."""
    records, rule = diana(folder)
    pairs = score_pairs(records, _policy())
    flags = set(rule.filter("flagged")["primaryid"])
    known = rule.filter("flagged").select(
        pl.all_horizontal(pl.col("event_dt", "age_in_days").is_null()).sum()
    )
    of_rule = _of_rule(rule)
    inside = {one for two in of_rule for one in two} & flags
    print(
        f"{records.height} reports, {len(flags)} flagged; of these {known.item()} state neither "
        f"age nor event date, {len(inside)} have a report of their group in the sample"
    )
    print("\nreports in a cluster against flagged reports\n" + _HEAD)
    for threshold in THRESHOLDS:
        cases = {one for group in clusters(pairs, threshold) for one in group}
        print(_line(threshold, set(cases), set(flags)))
    print(f"\npairs against the {len(of_rule)} pairs of the rule in the sample\n" + _HEAD)
    for threshold in THRESHOLDS:
        print(_line(threshold, set(_together(pairs, threshold)), set(of_rule)))
    by_pair = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    found = _together(pairs, 0.95)
    for title, some in (
        ("found, not by the rule", found - of_rule),
        ("by the rule, not found", of_rule - found),
    ):
        print(f"\n{title}: {len(some)}")
        scored = [by_pair[two] for two in some if two in by_pair]
        for what in ("agreed", "disagreed"):
            counts = Counter(name for pair in scored for name in getattr(pair, what))
            print(f"  {what}: " + ", ".join(f"{name} {n}" for name, n in counts.most_common()))
        known_of = dict(zip(records["unique_id"], records["age"].is_not_null(), strict=True))
        print(
            f"  of {len(some)} both state an age: "
            f"{sum(all(known_of[one] for one in two) for two in some)}"
        )


def report_planted(number: int, seed: int) -> None:
    """Print precision and recall against planted duplicates."""
    records, true = planted(number, seed=seed, first_day=date(2024, 1, 1))
    began = time.perf_counter()
    pairs = score_pairs(records, _policy())
    seconds = time.perf_counter() - began
    print(
        f"{records.height} cases, {len(true)} pairs planted, {len(pairs)} pairs scored, "
        f"{seconds:.1f} s\n" + _HEAD
    )
    for threshold in THRESHOLDS:
        print(_line(threshold, set(_together(pairs, threshold)), set(true)))


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--diana", type=Path)
    parser.add_argument("--planted", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.diana:
        report_diana(options.diana)
    if options.planted:
        report_planted(options.planted, options.seed)


if __name__ == "__main__":
    main()
