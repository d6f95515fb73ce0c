"""What rules cost and find on real reports: nulls, planted pairs, disturbances, controls.

    python -m benchmarks.error_control *VAERSData.zip --controls controls.csv --processes 2

Every run is a replay of the current cases, with products permuted within blocks. One table in
Markdown, a rule a row:

- null: mean share of reported pairs that ever alerted [%], for each kind of block; the same for
  batches alike and repeated reports, which disturb the null within the day;
- worst year: of all permutations the year whose new null pairs are most for the exact 99% Poisson
  limit of a mean year, as count/limit; with an exclamation mark if above it;
- power: share of pairs planted in the null within the day that ever alerted [%], by rate ratio;
- positives, negatives: rows of the controls file that ever alerted in the reports themselves. Rows
  with the word DOUBT are left out.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # the processes share the machine

import polars as pl
from scipy.stats import poisson

from benchmarks.disturbances import batches_alike, planted, repeated
from detectors.rules import RuleSet, load_rules
from schemas.normal_form import normal_drug, normal_term
from streams.core.cases.permutation import parse_blocks, permute_products
from streams.core.counting.windows import WindowSpec
from streams.intake.files import read_source
from streams.runtime.embedded.backtest import History, replay_cases, replay_history

NULLS = ("day", "quarter,age", "month,state")
RATIOS = (2.0, 3.0, 5.0)
PLANTED, EXPECTED = 180, (5.0, 40.0)  # pairs by rate ratio, over all seeds; expected cases of each
BATCH = 4
REPEATED, TIMES = 0.05, 3
WINDOWS = [WindowSpec.parse("cumulative")]
HORIZON = date(2100, 1, 1)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Job:
    """One run on a null."""

    kind: str  # a member of NULLS, `batches`, `repeats`, or `planted`
    seed: int
    ratio: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """First alerts of a run by rule and pair, and what they are judged by."""

    first_on: Mapping[str, Mapping[Pair, date]]
    n_pairs: int
    planted: Sequence[Pair] = ()

    def share(self, rule: str) -> float:
        """Return the share of reported pairs that ever alerted [%]."""
        return 100 * len(self.first_on.get(rule, {})) / self.n_pairs

    def years(self, rule: str) -> Counter[int]:
        """Return the number of new pairs by calendar year."""
        return Counter(day.year for day in self.first_on.get(rule, {}).values())


@dataclass(frozen=True)
class Setting:
    """What all runs have in common."""

    rules: str
    every: int
    seeds: int

    def loaded(self) -> RuleSet:
        """Load the rules."""
        return load_rules(self.rules.split(","))


def real(sources: Sequence[Path], setting: Setting) -> History:
    """Replay the reports themselves, follow-ups and duplicates and all."""
    *_, history = replay_history(
        ((path.name, read_source(path)) for path in sources),
        WINDOWS,
        setting.loaded(),
        every=setting.every,
        horizon=HORIZON,
        refit_every=None,
        keep_cases=True,
    )
    assert isinstance(history, History)
    return history


def run(job: Job, setting: Setting, cases_file: Path) -> Outcome:
    """Replay the cases of one null; runs in a process of its own."""
    blocks = parse_blocks(job.kind if job.kind in NULLS else "day")
    cases = permute_products(pl.read_parquet(cases_file), blocks, seed=job.seed)
    pairs: list[Pair] = []
    if job.kind == "planted":
        number = PLANTED // setting.seeds
        cases, pairs = planted(
            cases, ratio=job.ratio, number=number, within=EXPECTED, seed=job.seed
        )
    elif job.kind == "batches":
        cases = batches_alike(cases, BATCH)
    elif job.kind == "repeats":
        cases = repeated(cases, share=REPEATED, times=TIMES, seed=job.seed)
    *_, history = replay_cases(cases, WINDOWS, setting.loaded(), every=setting.every)
    assert isinstance(history, History)
    return Outcome(history.first_on, history.n_pairs, pairs)


def jobs(seeds: int) -> list[Job]:
    """Return every run on a null."""
    every = range(1, seeds + 1)
    nulls = [Job(kind, seed) for kind in (*NULLS, "batches", "repeats") for seed in every]
    return nulls + [Job("planted", seed, ratio) for ratio in RATIOS for seed in every]


def worst_year(outcomes: Iterable[Outcome], rule: str) -> str:
    """Return the year's count that is largest for its limit, over years and permutations."""
    worst = (0.0, "0")
    for outcome in outcomes:
        years = outcome.years(rule)
        every = {day.year for days in outcome.first_on.values() for day in days.values()}
        mean = sum(years.values()) / max(len(every), 1)
        limit = int(poisson.ppf(0.99, mean))
        for year, count in years.items():
            text = f"{count}/{limit} in {year}" + ("!" if count > limit else "")
            worst = max(worst, (count / max(limit, 1), text))
    return worst[1]


def controls(path: Path | None) -> dict[str, list[Pair]]:
    """Read positives and negatives, without rows in doubt."""
    if path is None:
        return {}
    table = pl.read_csv(path, infer_schema=False).fill_null("")
    doubted = pl.any_horizontal(pl.all().str.contains("DOUBT"))
    found: dict[str, list[Pair]] = {}
    for drug, event, label in table.filter(~doubted).select("vax_type", "event", "label").rows():
        found.setdefault(label, []).append((normal_drug(drug), normal_term(event)))
    return found


def heading(known: Mapping[str, Sequence[Pair]], pair: Pair | None) -> list[str]:
    """Return the names of the columns."""
    return [
        "rule",
        "pairs; new a week",
        *(f"null {kind}" for kind in NULLS),
        *(f"worst year, {kind}" for kind in NULLS),
        *(f"power {ratio:g}" for ratio in RATIOS),
        f"batches of {BATCH}",
        f"{REPEATED:.0%} repeated",
        *(f"{label}, of {len(pairs)}" for label, pairs in known.items()),
        *([] if pair is None else [" x ".join(pair)]),
    ]


def row(
    rule: str,
    history: History,
    outcomes: Mapping[Job, Outcome],
    known: Mapping[str, Sequence[Pair]],
    pair: Pair | None,
) -> list[str]:
    """Return the cells of a rule."""

    def of(kind: str, ratio: float = 1.0) -> list[Outcome]:
        return [outcomes[job] for job in outcomes if (job.kind, job.ratio) == (kind, ratio)]

    def share(kind: str) -> str:
        return f"{fmean(outcome.share(rule) for outcome in of(kind)):.2f}"

    def power(ratio: float) -> str:
        found = [
            pair in outcome.first_on.get(rule, {})
            for outcome in of("planted", ratio)
            for pair in outcome.planted
        ]
        return f"{100 * fmean(found):.0f}"

    alerted, days = history.first_on.get(rule, {}), history.cases["day"]
    weeks = ((days[-1] - days[0]).days + 1) / 7
    return [
        rule,
        f"{len(alerted)}; {len(alerted) / weeks:.2f}",
        *map(share, NULLS),
        *(worst_year(of(kind), rule) for kind in NULLS),
        *map(power, RATIOS),
        share("batches"),
        share("repeats"),
        *(str(sum(one in alerted for one in pairs)) for pairs in known.values()),
        *([] if pair is None else [str(alerted.get(pair, "never"))]),
    ]


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("--rules", default="mhra,ema,ic,safe")
    parser.add_argument("--every", type=int, default=1, metavar="DAYS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--controls", type=Path, help="CSV: vax_type, event, label, ...")
    parser.add_argument("--pair", metavar="DRUG,EVENT", help="Shows the day of its first alert.")
    parser.add_argument("--processes", type=int, default=1, choices=(1, 2))
    options = parser.parse_args()
    setting = Setting(options.rules, options.every, options.seeds)
    pair = None
    if options.pair:
        drug, _, event = options.pair.partition(",")
        pair = normal_drug(drug), normal_term(event)
    began = time.perf_counter()
    history = real(options.sources, setting)
    todo = jobs(options.seeds)
    with tempfile.TemporaryDirectory() as folder:
        cases_file = Path(folder) / "cases.parquet"
        history.cases.write_parquet(cases_file)
        # Spawned, because a fork of a process in which polars has threads may hang.
        with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
            futures = {job: pool.submit(run, job, setting, cases_file) for job in todo}
            outcomes = {job: future.result() for job, future in futures.items()}
    print(
        f"{history.messages:,} reports, {history.cases.height:,} cases, {history.n_pairs:,} pairs; "
        f"evaluated every {options.every} days; {options.seeds} seeds; "
        f"{time.perf_counter() - began:,.0f} s\n"
    )
    known = controls(options.controls)
    columns = heading(known, pair)
    rows = [row(rule.name, history, outcomes, known, pair) for rule in setting.loaded().rules]
    for cells in (columns, ["---"] * len(columns), *rows):
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
