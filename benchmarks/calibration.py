"""False-alarm rate of each rule under daily evaluation for a year, and its detections.

    python -m benchmarks.calibration

Every pair has its own drug and event in a database of 1,000 reports a day. Null pairs: drug and
event are independent. All rules see the same 365 cumulative tables, or the same daily counts.
Exit code 1 if the safe test's exact upper 99% limit is above 5% anywhere.
"""

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import beta

from detectors import anytime_valid
from detectors.anytime_valid import NEVER, RATE_RATIOS
from detectors.anytime_valid_state import DayCounts, DayMargins
from detectors.maxsprt import maxsprt_critical_value, maxsprt_llr
from detectors.rules import load_rules
from detectors.scoring import methods_for, score

SEED = 20260101
DAYS = 365
REPORTS = 1_000  # a day
NULL_PAIRS, PAIRS = 20_000, 5_000
NULL_EXPECTED = (3.0, 10.0, 36.0, 100.0)  # cases at the end of the year
POWER_EXPECTED = (2.0, 10.0)  # without the effect
EFFECTS = (2.0, 3.0, 5.0, 10.0)
LEVEL = 0.05
PRESETS = load_rules(["mhra", "ema", "ema2006", "ic"])
NAMES = {
    "mhra": "MHRA: PRR >= 2, chi2 >= 4, n >= 3",
    "ema": "EMA: ROR lower > 1, n >= 5",
    "ema2006": "EMA 2006: PRR lower >= 1, n >= 5",
    "ic": "UMC: IC025 > 0",
    "ror": "ROR lower > 1, n >= 3",
    "maxsprt": "MaxSPRT, expectation known",
    "baseline": "two-sample e-value, estimated baseline",
    "safe": "safe test: e >= 20",
}

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Days = NDArray[np.int64]  # day of the first alert, from 1; 0 if none


@dataclass(frozen=True)
class Scenario:
    """Rates of drug and event over the year, relative to their first day."""

    title: str
    drug: Floats
    event: Floats

    def rates(self, expected: float) -> tuple[Floats, Floats]:
        """Scale both alike, so that a null pair has `expected` cases at the end."""
        scale = np.sqrt(expected / REPORTS / (self.drug * self.event).sum())
        return scale * self.drug, scale * self.event


LAUNCHED = np.arange(DAYS) >= DAYS // 2
GROWTH: Floats = np.linspace(1, 4, DAYS, dtype=np.float64)
CONSTANT = Scenario("Constant margins", np.ones(DAYS), np.ones(DAYS))
SCENARIOS = (
    CONSTANT,
    Scenario("Drifting margins: drug and event both grow fourfold", GROWTH, GROWTH),
    Scenario(
        "Stimulated reporting: launched half-way, while the event is in the news (fourfold)",
        LAUNCHED.astype(np.float64),
        np.where(LAUNCHED, 4.0, 1.0),
    ),
)


@dataclass(frozen=True)
class Day:
    """One day's counts of all pairs, each in a database of its own."""

    n: Ints
    n_drug: Ints
    n_event: Ints


def draw(
    rng: np.random.Generator, scenario: Scenario, expected: float, effect: float, pairs: int
) -> Iterator[Day]:
    """Draw the year; reports with the event name the drug `effect` times as often as others."""
    for drug, event in zip(*scenario.rates(expected), strict=True):
        n_event = rng.binomial(REPORTS, event, pairs)
        n = rng.binomial(n_event, min(effect * drug, 1.0))
        yield Day(n, n + rng.binomial(REPORTS - n_event, drug), n_event)


def first_alerts(days: list[Day], expected: Floats) -> dict[str, Days]:
    """Return, for every rule, the day on which each pair first alerts."""
    pairs = len(days[0].n)
    alerts = {name: np.zeros(pairs, dtype=np.int64) for name in NAMES}
    alerts["safe"] = safe_alerts(days)
    alerts["baseline"] = baseline_alerts(days)
    n, n_drug, n_event = (np.zeros(pairs, dtype=np.int64) for _ in range(3))
    critical_value = maxsprt_critical_value(expected[-1], level=LEVEL)
    names = pl.int_range(pairs, eager=True).cast(pl.String)
    for at, day in enumerate(days, 1):
        n, n_drug, n_event = n + day.n, n_drug + day.n_drug, n_event + day.n_event
        counts = pl.DataFrame(
            {
                "drug": names,
                "event": names,
                "n_observed": n,
                "n_drug": n_drug,
                "n_event": n_event,
                "n_total": np.full(pairs, at * REPORTS),
            }
        )
        scored = score(counts, methods_for(PRESETS.statistics))
        flags = {
            **PRESETS.evaluate(scored).to_dict(),
            "ror": scored.select(
                ((pl.col("ror_lower") > 1) & (pl.col("n_observed") >= 3)).fill_null(False)
            ).to_series(),
            "maxsprt": pl.Series(maxsprt_llr(n, expected[at - 1]) >= critical_value),
        }
        for name, flag in flags.items():
            alerts[name][flag.to_numpy() & (alerts[name] == 0)] = at
    return alerts


def safe_alerts(days: list[Day]) -> Days:
    """Run the test itself, pair k being drug k with event k."""
    every = np.arange(len(days[0].n))

    def present(counts: Ints) -> tuple[Ints, Ints]:
        return every[counts > 0], counts[counts > 0]

    buckets = [
        DayCounts(
            DayMargins(at, REPORTS, *present(day.n_drug), *present(day.n_event)),
            (every << 32 | every)[day.n > 0],
            day.n[day.n > 0],
        )
        for at, day in enumerate(days, 1)
    ]
    test = anytime_valid.recompute(buckets, level=LEVEL)
    alerts = np.zeros(len(every), dtype=np.int64)
    alerts[test.pairs >> 32] = np.where(test.crossed == NEVER, 0, test.crossed)
    return alerts


def baseline_alerts(days: list[Day]) -> Days:
    """Run the two-sample e-value with the drug's rate estimated from earlier days (docs/adr/0011).

    The estimate is (cases + 1/2) / (reports + 1); the first day is only learned from.
    """
    pairs = len(days[0].n)
    alerts, seen = np.zeros(pairs, dtype=np.int64), days[0].n_drug.copy()
    log_e = np.zeros((len(RATE_RATIOS), pairs))
    for at, day in enumerate(days[1:], 2):
        b = np.minimum((seen + 0.5) / ((at - 1) * REPORTS + 1), 0.999)
        for row, ratio in zip(log_e, RATE_RATIOS, strict=True):
            a = np.minimum(ratio * b, 0.999)
            pooled = (day.n_event * a + (REPORTS - day.n_event) * b) / REPORTS
            row += day.n * np.log(a / pooled) + (day.n_drug - day.n) * np.log(b / pooled)
            row += (day.n_event - day.n) * np.log((1 - a) / (1 - pooled))
            others = REPORTS - day.n_event - (day.n_drug - day.n)
            row += others * np.log((1 - b) / (1 - pooled))
        alerts[(np.exp(log_e).mean(axis=0) >= 1 / LEVEL) & (alerts == 0)] = at
        seen += day.n_drug
    return alerts


def run(
    seed: int, scenario: Scenario, expected: float, effect: float, pairs: int
) -> dict[str, Days]:
    """Draw a year and return each rule's first alerts."""
    rng = np.random.default_rng([SEED, seed])
    drug, event = scenario.rates(expected)
    days = list(draw(rng, scenario, expected, effect, pairs))
    return first_alerts(days, np.cumsum(REPORTS * drug * event))


def limits(alerts: int, pairs: int) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) 99% confidence limits of a share."""
    lower = beta.ppf(0.005, alerts, pairs - alerts + 1) if alerts else 0.0
    upper = beta.ppf(0.995, alerts + 1, pairs - alerts) if alerts < pairs else 1.0
    return float(lower), float(upper)


def calibration() -> bool:
    """Print the share of null pairs that ever alert; tell whether the safe test keeps its word."""
    kept = True
    for row, scenario in enumerate(SCENARIOS):
        print(
            f"\n**{scenario.title}.** Share of {NULL_PAIRS:,} null pairs that ever alert, %, ",
            end="",
        )
        print("with its exact 99% interval, by cases expected at the end\n")
        cells: dict[str, list[str]] = {name: [] for name in NAMES}
        for column, expected in enumerate(NULL_EXPECTED):
            for name, days in run(10 * row + column, scenario, expected, 1.0, NULL_PAIRS).items():
                alerts = int(np.count_nonzero(days))
                lower, upper = limits(alerts, len(days))
                kept &= name != "safe" or upper <= LEVEL
                cells[name].append(
                    f"{100 * alerts / len(days):.1f} [{100 * lower:.1f}, {100 * upper:.1f}]"
                )
        table([f"{expected:g} expected" for expected in NULL_EXPECTED], cells)
    return kept


def power() -> None:
    """Print the share of true associations that alert within the year, and the median day."""
    for row, expected in enumerate(POWER_EXPECTED):
        print(
            f"\n**Power, {expected:g} cases expected without the effect.** Share of {PAIRS:,} ",
            end="",
        )
        print("pairs that alert, %, and the median day among those, by true rate ratio\n")
        cells: dict[str, list[str]] = {name: [] for name in NAMES}
        for column, effect in enumerate(EFFECTS):
            seed = 100 + 10 * row + column
            for name, days in run(seed, CONSTANT, expected, effect, PAIRS).items():
                alerted = days[days > 0]
                day = f", day {np.median(alerted):.0f}" if len(alerted) else ""
                cells[name].append(f"{100 * len(alerted) / len(days):.1f}{day}")
        table([f"rate ratio {effect:g}" for effect in EFFECTS], cells)


def table(columns: list[str], cells: dict[str, list[str]]) -> None:
    """Print a table in Markdown, one row a rule."""
    print("| rule | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for name, row in cells.items():
        print(f"| {NAMES[name]} | " + " | ".join(row) + " |", flush=True)


def main() -> None:
    """Print all tables."""
    print(f"Seed {SEED}; {DAYS} daily looks; {REPORTS:,} reports a day. ", end="")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ",
        end="",
    )
    print(f"numpy {np.__version__}, polars {pl.__version__}.")
    kept = calibration()
    power()
    verdict = "at most" if kept else "NOT at most"
    print(f"\nThe safe test's upper 99% limit is {verdict} {LEVEL:.0%} in every scenario.")
    sys.exit(not kept)


if __name__ == "__main__":
    main()
