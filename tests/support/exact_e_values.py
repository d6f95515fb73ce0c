"""E-values of whole histories by plain arithmetic: dictionaries of cases and exact fractions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import polars as pl

from detectors.anytime_valid import RATE_RATIOS, e_values, recompute
from detectors.anytime_valid_state import daily_counts

DRUGS = ("aspirin", "iron", "zinc")
EVENTS = ("rash", "stroke", "nausea")

Pair = tuple[str, str]


@dataclass(frozen=True)
class Case:
    day: int
    drugs: tuple[str, ...]
    events: tuple[str, ...]
    serious: bool = False
    age: float = -1.0
    sender: str = "A"
    sex: str = "male"


def exact_blocked(cases: Iterable[Case], *, by_sex: bool) -> dict[Pair, tuple[Fraction, Fraction]]:
    """The same within day, age band and perhaps sex; alike reports of a sender on a day are one.

    It is of the youngest, of women before men. Where an age is not stated it is of the last band.
    """
    band = {-1.0: 9, 0.2: 0, 30.0: 5}
    alike: dict[tuple[object, ...], tuple[int, Case]] = {}
    for case in cases:
        key = case.day, case.sender, case.drugs, case.events
        found = 2 * band[case.age] + (by_sex and case.sex == "male"), case
        alike[key] = min(found, alike.get(key, found), key=lambda each: each[0])
    moved = [replace(case, day=20 * case.day + band) for band, case in alike.values()]
    return exact_e_values(moved)


def exact_e_values(cases: Iterable[Case]) -> dict[Pair, tuple[Fraction, Fraction]]:
    """Every reported pair's e-value and e-BH level, by the product formula, in fractions."""
    by_day: dict[int, list[Case]] = {}
    for case in cases:
        by_day.setdefault(case.day, []).append(case)
    drugs = {drug for of_day in by_day.values() for case in of_day for drug in case.drugs}
    events = {name for of_day in by_day.values() for case in of_day for name in case.events}
    found = {}
    for drug in drugs:
        for name in events:
            products = [Fraction(1)] * len(RATE_RATIOS)
            reported = 0
            for of_day in by_day.values():
                nd = sum(drug in case.drugs for case in of_day)
                ne = sum(name in case.events for case in of_day)
                n = sum(drug in case.drugs and name in case.events for case in of_day)
                reported += n
                for at, ratio in enumerate(map(Fraction, RATE_RATIOS)):
                    share = Fraction(max(nd, ne), len(of_day))
                    products[at] *= ratio**n / (1 + (ratio - 1) * share) ** min(nd, ne)
            if reported:
                found[drug, name] = sum(products, Fraction(0)) / len(products)
    hypotheses = len(drugs) * len(events)
    ranked = sorted(found.values(), reverse=True)
    levels = [Fraction(hypotheses) / (rank * e) for rank, e in enumerate(ranked, start=1)]
    return {pair: (e, min(levels[ranked.index(e) :])) for pair, e in found.items()}


def recomputed_e_values(cases: Sequence[Case]) -> dict[Pair, tuple[float, float]]:
    """The same from the project's own batch definition, over the test's own daily rows."""
    rows = [
        (case.day, [DRUGS.index(d) for d in case.drugs], [EVENTS.index(e) for e in case.events], 1)
        for case in cases
    ]
    codes = pl.List(pl.UInt32)
    schema = {"day": pl.Int32, "drugs": codes, "events": codes, "n": pl.Int8}
    table = e_values(recompute(daily_counts(pl.DataFrame(rows, schema=schema, orient="row"))))
    return {
        (DRUGS[drug], EVENTS[name]): (e, level)
        for drug, name, e, level in table.select("drug", "event", "e_value", "e_bh_level").rows()
    }
