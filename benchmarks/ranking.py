"""What the order of the worklist finds: known positives near the top, by form of the priority.

    python -m benchmarks.ranking *VAERSData.zip --controls controls.csv

A replay of the reports, evaluated daily. The list of a week has the signals that are on and have a
case of the last 90 days; it is ranked by the latest alert of each signal. `alarm` has the alarms
alone, `screening` all signals. The list of `tocsin top` is a part of it: it knows the cases that
were published. One table in Markdown, a form a row:

- top 20: positives that stand in the first 20 of a week's list within 90 days of their first alert
  (in the pool `alarm`: of their first alarm), of those that enter the list; the serious among them.
  Equal values count as ranked before;
- first rank: mean rank in the first list; `--pair`: rank on the day `--on`, of the signals listed;
- AUC: of all positives against all negatives, with the counts of the last day, whether they are
  signals or not.

Then the same for the form of the product with parameters chosen on earlier years only: those that
bring the most positives to the top 20 of both pools, in all years before, of `GRID`. A positive is
judged by the parameters of the year of its first alert. Rows of the controls with the word DOUBT
are left out; a row is serious if its note has `class=serious`.
"""

import argparse
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.worklists import (
    DAYS,
    POOLS,
    Columns,
    Control,
    Pair,
    Values,
    Worklists,
    controls,
)
from schemas.normal_form import normal_drug, normal_term
from streams.core.alerts.priority import PriorityRules, priority_rules

TOP = 20
GRID = {
    ("seriousness", "least"): (1.0, 0.5, 0.25),
    ("newness", "gain"): (0.0, 3.0),
    ("freshness", "least"): (1.0, 0.25),
    ("freshness", "half_life_days"): (180.0, 90.0, 45.0),
    ("grade", "screening"): (1.0, 0.5),
    ("explained", "weight"): (0.0, 0.5),
}


@dataclass(frozen=True)
class Ranks:
    """Ranks of one positive in one pool."""

    first_alert: date
    first: int
    best: int  # within `DAYS` of the first alert


Form = Callable[[Columns], Values]


def of_column(name: str) -> Form:
    """Return the form that ranks by one value; one that is not known comes last."""
    return lambda columns: np.nan_to_num(columns[name], nan=-np.inf)


def of_priority(rules: PriorityRules) -> Form:
    """Return the form of the product."""

    def ranked(of: Columns) -> Values:
        fresh = 2 ** (-of["age"] / rules.freshness.half_life_days)
        least = rules.evidence.chance
        chance = least * 2 ** of["ic_lower_adjusted"]
        return np.asarray(
            np.where(of["ic_lower_adjusted"] > 0, np.maximum(of["ic_adjusted"], least), chance)
            * (rules.seriousness.least + of["seriousness"])
            * (1 + rules.newness.gain * of["newness"])
            * (rules.freshness.least + fresh)
            * np.where(of["alarm"] > 0, rules.grade.alarm, rules.grade.screening)
            * (1 - rules.explained.weight * of["explained"])
        )

    return ranked


def grid() -> list[PriorityRules]:
    """Return the tables of parameters to choose from, the plainest first."""
    shipped = priority_rules().model_dump()
    tables = []
    for values in itertools.product(*GRID.values()):
        raw = {part: dict(fields) for part, fields in shipped.items()}
        for (part, field), value in zip(GRID, values, strict=True):
            raw[part][field] = value
        tables.append(PriorityRules.model_validate(raw))
    return tables


def ranks(
    worklists: Worklists, form: Form, pool: str, wanted: Mapping[Pair, Control]
) -> dict[Pair, Ranks]:
    """Return the ranks of the positives that enter a pool, by pair."""
    found: dict[Pair, Ranks] = {}
    for listed in worklists.lists[pool]:
        values = form(listed.columns)
        for pair in wanted.keys() & listed.places.keys():
            rank = int((values >= values[listed.places[pair]]).sum())
            first_alert = worklists.first_on(pair, pool)
            before = found.get(pair, Ranks(first_alert, rank, 10**9))
            in_time = (listed.day - first_alert).days <= DAYS
            best = min(before.best, rank) if in_time else before.best
            found[pair] = Ranks(first_alert, before.first, best)
    return found


def rank_on(worklists: Worklists, form: Form, pool: str, pair: Pair, day: date) -> str:
    """Return the rank of a pair on the day of a list, and the signals listed."""
    (listed,) = (each for each in worklists.lists[pool] if each.day == day)
    values, place = form(listed.columns), listed.places.get(pair)
    if place is None:
        return f"not among {len(values)}"
    return f"{int((values >= values[place]).sum())} of {len(values)}"


def auc(values: Values, positive: npt.NDArray[np.bool_]) -> float:
    """Return the share of pairs of a positive and a negative in the right order; half if equal."""
    yes, no = values[positive][:, None], values[~positive]
    return float((yes > no).mean() + (yes == no).mean() / 2)


def walk_forward(
    tables: Sequence[PriorityRules], of_tables: Sequence[Mapping[str, Mapping[Pair, Ranks]]]
) -> tuple[dict[str, dict[Pair, Ranks]], dict[int, PriorityRules]]:
    """Return the ranks under the parameters of the years before, and the parameters by year.

    Parameters
    ----------
    of_tables
        Ranks by pool, with each table of parameters.
    """
    any_of = of_tables[0]
    years = sorted({r.first_alert.year for pool in POOLS for r in any_of[pool].values()})
    judged: dict[str, dict[Pair, Ranks]] = {pool: {} for pool in POOLS}
    chosen = {}
    for year in years:

        def gained(at: int, year: int = year) -> tuple[int, float]:
            known = [
                r
                for pool in POOLS
                for r in of_tables[at][pool].values()
                if r.first_alert.year < year
            ]
            return sum(r.best <= TOP for r in known), -fsum(r.first for r in known)

        best = max(range(len(tables)), key=gained)  # of equal ones the first, the plainest
        chosen[year] = tables[best]
        for pool in POOLS:
            judged[pool] |= {
                pair: r for pair, r in of_tables[best][pool].items() if r.first_alert.year == year
            }
    return judged, chosen


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--controls", type=Path, required=True)
    parser.add_argument("--pair", default="RV|Intussusception")
    parser.add_argument("--on", type=date.fromisoformat, default=date(1999, 3, 3))
    asked = parser.parse_args()
    drug, event = asked.pair.split("|")
    pair = (normal_drug(drug), normal_term(event))
    known = controls(asked.controls)
    report(Worklists(asked.sources, known, asked.on), known, pair, asked.on)


def report(worklists: Worklists, known: Sequence[Control], pair: Pair, on: date) -> None:
    """Print a row for every form, and the parameters of every year."""
    positives = {control.pair: control for control in known if control.positive}
    forms = {
        "IC025 crude": of_column("ic_lower"),
        "IC025 within strata": of_column("ic_lower_adjusted"),
        "EBGM within strata": of_column("ebgm_adjusted"),
        "chi-squared": of_column("chi2"),
        "priority before": of_column("before"),
        "**priority**": of_priority(priority_rules()),
    }
    sizes = {
        pool: int(np.median([len(listed.pairs) for listed in worklists.lists[pool]]))
        for pool in POOLS
    }
    print(f"{len(worklists.lists['alarm'])} weeks; median list: {sizes}\n")
    heads = [f"{pool}: {what}" for pool in POOLS for what in ("top 20; serious", "first rank")]
    heads += [f"{'|'.join(pair)} on {on}, {pool}" for pool in POOLS]
    print("| form | " + " | ".join([*heads, "AUC"]) + " |")
    print("|---" * (len(heads) + 2) + "|")
    last, positive = worklists.last_day_of(known), np.array([one.positive for one in known])
    for name, form in forms.items():
        of_pools = {pool: ranks(worklists, form, pool, positives) for pool in POOLS}
        places = [rank_on(worklists, form, pool, pair, on) for pool in POOLS]
        cells = [*_cells(of_pools, positives), *places, f"{auc(form(last), positive):.3f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")
    tables = grid()
    of_tables = [
        {pool: ranks(worklists, of_priority(table), pool, positives) for pool in POOLS}
        for table in tables
    ]
    judged, chosen = walk_forward(tables, of_tables)
    form = of_priority(chosen[on.year])
    places = [rank_on(worklists, form, pool, pair, on) for pool in POOLS]
    latest = of_priority(chosen[max(chosen)])
    cells = [*_cells(judged, positives), *places, f"{auc(latest(last), positive):.3f}"]
    print("| priority, walk-forward | " + " | ".join(cells) + " |\n")
    for year, table in chosen.items():
        raw = table.model_dump()
        print(year, ", ".join(f"{part}.{field} {raw[part][field]:g}" for part, field in GRID))


def _cells(
    of_pools: Mapping[str, Mapping[Pair, Ranks]], positives: Mapping[Pair, Control]
) -> list[str]:
    cells = []
    for pool in POOLS:
        found = of_pools[pool]
        top = [pair for pair, r in found.items() if r.best <= TOP]
        serious = sum(positives[pair].serious for pair in top)
        of_serious = sum(positives[pair].serious for pair in found)
        cells.append(f"{len(top)} of {len(found)}; {serious} of {of_serious}")
        cells.append(f"{np.mean([r.first for r in found.values()]):.0f}")
    return cells


if __name__ == "__main__":
    main()
