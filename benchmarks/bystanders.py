"""What `explained_by` finds: planted culprits and the innocent products given with them; its cost.

    python -m benchmarks.bystanders 199[0-3]VAERSData.zip

Products are permuted within the day, so that nothing but chance associates them with an event. Then
pairs are planted at a rate ratio of 5, the culprits, each event once. A product is innocent of an
event if it is no culprit of it and at least 30% of its cases name one. Every run is a replay; a
pair alerts if the rule was on at any time. Two tables in Markdown, the first with a seed a row:

- innocents alerting: of all of them; unexplained: without `explained_by` in their latest alert
  that was on, and the same in any of these alerts;
- culprits kept: alerting culprits that were explained by nothing, in any alert.

The second has the time for all alerting pairs of 500 events of the reports themselves, those with
the most cases, on their last day.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.disturbances import planted
from benchmarks.error_control import HORIZON, WINDOWS, Setting, real
from detectors.bystanders import FEWEST_SHARED, LEAST_SHARE, explanations
from detectors.rules import load_rules
from schemas.alert import Alert
from streams.core.cases.permutation import parse_blocks, permute_products
from streams.core.counting.co_reports import co_reported, product_groups
from streams.core.signals.signal_key import names_of_key
from streams.runtime.embedded.replay import Replay

RATIO = 5.0
PLANTED, EXPECTED = 80, (5.0, 40.0)  # pairs of a seed, at most; expected cases of each
SHARED = 0.3  # least share of an innocent product's cases that name the culprit
EVENTS = 500
SEED_OF_CHOICE = 1  # the least share and the level were chosen on it

Pair = tuple[str, str]


@dataclass
class Alerts:
    """Alerts of a replay that were on, by pair."""

    of_pair: dict[Pair, list[Alert]] = field(default_factory=dict)

    def record(self, alert: Alert) -> None:
        """Record the next alert."""
        if alert.rules_fired:
            self.of_pair.setdefault(names_of_key(alert.signal_key), []).append(alert)


def replay(cases: pl.DataFrame, rules: str, every: int) -> tuple[Alerts, Replay]:
    """Replay counted cases; return the alerts, and the run."""
    alerts = Alerts()
    run = Replay(
        WINDOWS,
        load_rules(rules.split(",")),
        every=every,
        until=None,
        horizon=HORIZON,
        on_alert=alerts.record,
        on_rejected=lambda rejected: None,
    )
    for _ in run.feed_cases(cases):
        pass
    run.finish()
    return alerts, run


def innocent(cases: pl.DataFrame, culprits: Sequence[Pair]) -> set[Pair]:
    """Return the pairs of the culprits' events and the innocent products."""
    drugs = cases.select("case_id", "drugs").explode("drugs")
    named = drugs.join(drugs, on="case_id").group_by("drugs", "drugs_right").len()
    own = named.filter(pl.col("drugs") == pl.col("drugs_right")).select("drugs", n="len")
    often = named.join(own, on="drugs").filter(pl.col("len") >= SHARED * pl.col("n"))
    beside: dict[str, set[str]] = {}
    for drug, other in often.select("drugs", "drugs_right").iter_rows():
        beside.setdefault(other, set()).add(drug)
    found = {(drug, event) for culprit, event in culprits for drug in beside[culprit]}
    return found - set(culprits)


def row(cases: pl.DataFrame, seed: int, rules: str, every: int) -> list[float]:
    """Plant culprits and return the counts of a seed."""
    null = permute_products(cases, parse_blocks("day"), seed=seed)
    null, culprits = planted(null, ratio=RATIO, number=PLANTED, within=EXPECTED, seed=seed)
    alerts = replay(null, rules, every)[0].of_pair
    innocents = innocent(null, culprits)
    alerting = [alerts[pair] for pair in innocents if pair in alerts]
    found = [alerts[pair] for pair in culprits if pair in alerts]
    return [
        len(innocents),
        len(alerting),
        sum(not of_pair[-1].explained_by for of_pair in alerting),
        sum(not all(alert.explained_by for alert in of_pair) for of_pair in alerting),
        len(culprits),
        len(found),
        sum(not any(alert.explained_by for alert in of_pair) for of_pair in found),
    ]


def judge(cases: pl.DataFrame, seeds: int, rules: str, every: int) -> None:
    """Print a row for every seed, and the shares of all but the first."""
    heads = ["innocents", "alerting", "unexplained", "in any alert"]
    heads += ["culprits", "alerting", "kept"]
    print("| seed | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    total = np.zeros(len(heads))
    for seed in range(1, seeds + 1):
        counts = row(cases, seed, rules, every)
        total += 0 if seed == SEED_OF_CHOICE else np.array(counts)
        name = f"{seed}, chosen on" if seed == SEED_OF_CHOICE else str(seed)
        print(f"| {name} | " + " | ".join(map(str, counts)) + " |", flush=True)
    n_innocent, alerting, latest, ever, n_culprits, found, kept = total.tolist()
    shares = [f"{100 * one / n_innocent:.0f}%" for one in (alerting, latest, ever)]
    shares += [
        f"{n_culprits:.0f}",
        f"{100 * found / n_culprits:.0f}%",
        f"{100 * kept / found:.0f}%",
    ]
    print(f"| others | {n_innocent:.0f} | " + " | ".join(shares) + " |\n")


def cost(alerts: Alerts, run: Replay) -> list[str]:
    """Return the cells of the table of the cost."""
    detector, (window,) = run.detector, run.detector.windows
    drugs, events = detector.codes.drugs, detector.codes.events
    n_event = {names[1]: of_pair[-1].counts.n_event for names, of_pair in alerts.of_pair.items()}
    chosen = sorted(n_event, key=lambda event: (-n_event[event], event))[:EVENTS]
    pairs = [names for names in alerts.of_pair if names[1] in set(chosen)]
    keys = np.sort(np.array([drugs.code(d) << 32 | events.code(e) for d, e in pairs]))
    days = (None, (date.max - date(1970, 1, 1)).days)
    margins, fitted = window.tallies["cumulative"].adjusted, []
    began, cpu = time.perf_counter(), time.process_time()
    for key, (codes, n) in zip(keys.tolist(), co_reported(detector.log, keys, *days), strict=True):
        drug, event = key >> 32, key & 0xFFFF_FFFF
        codes = codes[n >= max(FEWEST_SHARED, LEAST_SHARE * int(n[codes == drug].sum()))]
        products = sorted((drugs.names[code], code) for code in codes.tolist())
        if len(products) > 1:
            groups = product_groups(detector.log, margins, products, event, days)
            fitted.append(explanations(groups, drugs.names[drug]).height)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    numbers = (len(chosen), len(keys), len(fitted), sum(map(bool, fitted)))
    return [f"{number:,}" for number in numbers] + [f"{seconds:.2f}", f"{cpu:.2f}"]


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("--rules", default="ic")
    parser.add_argument("--every", type=int, default=7, metavar="DAYS")
    parser.add_argument("--seeds", type=int, default=6, help="0: the cost alone")
    options = parser.parse_args()
    whole = Setting(options.rules, 10_000, 1)  # one evaluation: only the cases are used
    cases = real(options.sources, whole).cases
    if options.seeds:
        judge(cases, options.seeds, options.rules, options.every)
    print("| events | pairs | with a co-reported product | explained | seconds | of them CPU |")
    print("|---" * 6 + "|")
    print("| " + " | ".join(cost(*replay(cases, options.rules, options.every))) + " |")


if __name__ == "__main__":
    main()
