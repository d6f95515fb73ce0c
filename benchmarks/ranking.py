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
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import fsum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.gamma_mixture_fit import fit_gamma_mixture
from detectors.rules import load_rules
from detectors.scoring import score
from schemas.alert import Alert, SignalGrade
from schemas.normal_form import normal_drug, normal_term
from streams.cli.options import DEFAULT_RULES, DEFAULT_SCREENING
from streams.core.alerts.priority import PriorityRules, priority_on, priority_rules
from streams.core.counting.recent_cases import cases_naming
from streams.core.counting.windows import WindowSpec
from streams.core.signals.signal_key import names_of_key
from streams.intake.files import read_source
from streams.runtime.embedded.replay import Replay

POOLS = ("alarm", "screening")
TOP, DAYS = 20, 90
SERIOUS = "class=serious"  # in the note of a control
GRID = {
    ("evidence", "chance"): (0.1, 0.05),
    ("seriousness", "least"): (1.0, 0.5, 0.25),
    ("newness", "gain"): (0.0, 3.0),
    ("freshness", "least"): (1.0, 0.25),
    ("freshness", "half_life_days"): (180.0, 90.0, 45.0),
    ("grade", "screening"): (1.0, 0.5),
}
_EPOCH = date(1970, 1, 1)
Pair = tuple[str, str]
STATISTICS = ("ic_adjusted", "ic_lower_adjusted", "ic_lower", "chi2", "ebgm_adjusted")
PARTS = ("seriousness", "newness", "age", "alarm")  # age: days since the first alert
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """A pair whose answer is known."""

    pair: Pair
    positive: bool
    serious: bool


Columns = Mapping[str, Values]
"""Values of signals by name: `STATISTICS`, `PARTS`, and `before`, the former priority."""


@dataclass(frozen=True)
class Listed:
    """The list of one week: signals, and their values in the same order."""

    day: date
    pairs: Sequence[Pair]
    columns: Columns

    def of_pool(self, pool: str) -> tuple[Sequence[Pair], Columns]:
        """Return the signals of a pool, and their values."""
        if pool == "screening":
            return self.pairs, self.columns
        alarms = self.columns["alarm"] > 0
        pairs = [self.pairs[at] for at in np.flatnonzero(alarms)]
        return pairs, {name: values[alarms] for name, values in self.columns.items()}


@dataclass(frozen=True)
class Ranks:
    """Ranks of one positive in one pool."""

    first_alert: date
    first: int
    best: int  # within `DAYS` of the first alert


# --- the priority before: a weighted sum, of which a part that is not known is 0 ---------------

WEIGHTS = {
    "disproportionality": 0.25,
    "seriousness": 0.25,
    "verification": 0.20,
    "recency": 0.10,
    "spread": 0.10,
    "completeness": 0.10,
}


def total_before(alert: Alert) -> float:
    """Return the total of the priority that the multiplied one replaced."""
    n, ic_lower = alert.counts.n_observed, alert.statistics.ic_lower
    serious = 1.0 if alert.n_fatal else 0.75 * alert.n_serious / max(n, 1)
    since = (alert.evaluated_on - (alert.last_received or alert.evaluated_on)).days
    parts = {
        "disproportionality": min(max((ic_lower or 0) / 2, 0), 1),
        "seriousness": serious if n else 0,
        "verification": (alert.n_by_professional or 0) / max(n, 1),
        "recency": 0.5 ** (max(since, 0) / 90),
        "spread": min(max(len(alert.countries or ()) - 1, 0) / 2, 1),
        "completeness": (alert.completeness or 0) / 100,
    }
    return fsum(WEIGHTS[name] * value for name, value in parts.items())


# --- forms --------------------------------------------------------------------------------------


Form = Callable[[Columns], Values]


def of_column(name: str) -> Form:
    """Return the form that ranks by one value; one that is not known comes last."""
    return lambda columns: np.nan_to_num(columns[name], nan=-np.inf)


def of_priority(rules: PriorityRules) -> Form:
    """Return the form of the product."""

    def ranked(of: Columns) -> Values:
        fresh = 2 ** (-of["age"] / rules.freshness.half_life_days)
        chance = rules.evidence.chance * 2 ** of["ic_lower_adjusted"]
        return np.asarray(
            np.where(of["ic_lower_adjusted"] > 0, of["ic_adjusted"], chance)
            * (rules.seriousness.least + of["seriousness"])
            * (1 + rules.newness.gain * of["newness"])
            * (rules.freshness.least + fresh)
            * np.where(of["alarm"] > 0, rules.grade.alarm, rules.grade.screening)
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


# --- the replay ---------------------------------------------------------------------------------


class Worklists:
    """Replayed reports: alerts, days of cases, and the lists of every week.

    Parameters
    ----------
    on
        A day of a weekly list; the others are weeks before and after.
    """

    def __init__(self, sources: Sequence[Path], controls: Sequence[Control], on: date) -> None:
        self.alerts: dict[Pair, list[Alert]] = {}
        run = Replay(
            [WindowSpec.parse("cumulative")],
            load_rules(DEFAULT_RULES.split(","), screening=DEFAULT_SCREENING.split(",")),
            every=1,
            until=None,
            horizon=date(2100, 1, 1),
            on_alert=lambda alert: self.alerts.setdefault(
                names_of_key(alert.signal_key), []
            ).append(alert),
            on_rejected=lambda rejected: None,
        )
        for path in sources:
            for _ in run.feed(path.name, read_source(path)):
                pass
        run.finish()
        assert run.last_day is not None
        self.last_day = run.last_day
        self._counts(run, controls)
        self.lists = list(self._weeks(on))

    def _counts(self, run: Replay, controls: Sequence[Control]) -> None:
        """Keep the days of the cases of every signal, and the last counts of the controls."""
        detector, (window,) = run.detector, run.detector.windows
        counts = detector.counts(window, "cumulative", adjusted=True)
        fitted = fit_gamma_mixture(
            counts.filter(pl.col("n_observed") > 0),
            likelihood="truncated_mixture",
            expected="expected_adjusted",
        )
        self._prior = fitted.prior
        drugs, events = detector.codes.drugs, detector.codes.events
        pairs = list(dict.fromkeys([*self.alerts, *(control.pair for control in controls)]))
        codes = {pair: drugs.code(pair[0]) << 32 | events.code(pair[1]) for pair in pairs}
        last = (self.last_day - _EPOCH).days
        cases = detector.log.cases_of(np.sort(np.array(list(codes.values()))), None, last)
        of_key = {
            key: (np.sort(np.array(days)), serious)
            for key, days, serious in cases.group_by("key")
            .agg("day", pl.col("serious").sum())
            .iter_rows()
        }
        nothing = (np.empty(0, dtype=np.int64), 0)
        self._cases = {pair: of_key.get(code, nothing) for pair, code in codes.items()}
        codes_asked = np.array([drugs.code(pair[0]) for pair in pairs])
        first = last - priority_rules().newness.days + 1
        recent = cases_naming(detector.log, codes_asked, first, last).tolist()
        self._recent = {pair[0]: n for pair, n in zip(pairs, recent, strict=True)}
        methods = ["ic", "chi2", "ic_adjusted", "ebgm_adjusted"]
        scored = score(counts, methods, adjusted_prior=self._prior)
        asked = {control.pair for control in controls}
        self._last = {
            (row["drug"], row["event"]): row
            for row in scored.iter_rows(named=True)
            if (row["drug"], row["event"]) in asked
        }

    def last_day_of(self, controls: Iterable[Control]) -> Columns:
        """Return the values of pairs on the last day, whether they are signals or not."""
        return _columns([self._last_values(control.pair) for control in controls])

    def _last_values(self, pair: Pair) -> dict[str, float | None]:
        alerts, row = self.alerts.get(pair, []), self._last.get(pair)
        if row is None:  # no case at all: below whatever has one
            least = dict.fromkeys((*STATISTICS, *PARTS, "before"), 0.0)
            return least | dict.fromkeys(STATISTICS, -99.0)
        latest = alerts[-1] if alerts else None
        first = latest and (latest.first_alarm_on or latest.first_alert_on)
        return {
            **{name: row[name] for name in STATISTICS},
            "seriousness": (self._cases[pair][1] + 0.5) / (row["n_observed"] + 1),
            "newness": self._recent[pair[0]] / row["n_drug"],
            "age": (self.last_day - first).days if first else np.inf,
            "alarm": float(latest is not None and latest.grade is SignalGrade.ALARM),
            "before": total_before(latest) if latest else 0.0,
        }

    def _weeks(self, on: date) -> Iterable[Listed]:
        """Yield the list of every week."""
        first = min(alerts[0].evaluated_on for alerts in self.alerts.values())
        days = (on + timedelta(days=7 * week) for week in range((first - on).days // 7, 99_999))
        for day in itertools.takewhile(lambda day: day <= self.last_day, days):
            listed = [
                (pair, alert)
                for pair, alerts in self.alerts.items()
                if (alert := _latest(alerts, day)) is not None
                and alert.rules_fired
                and self._has_case(pair, day)
            ]
            ebgm = self._ebgm([alert for _, alert in listed])
            values = [
                _values(alert, day, value) for (_, alert), value in zip(listed, ebgm, strict=True)
            ]
            yield Listed(day, [pair for pair, _ in listed], _columns(values))

    def first_on(self, pair: Pair, pool: str) -> date:
        """Return the day of the first alert of a signal, or of its first alarm."""
        return next(
            alert.evaluated_on
            for alert in self.alerts[pair]
            if pool == "screening" or alert.grade is SignalGrade.ALARM
        )

    def _has_case(self, pair: Pair, day: date) -> bool:
        days, today = self._cases[pair][0], (day - _EPOCH).days
        since, until = np.searchsorted(days, [today - DAYS, today], side="right")
        return bool(until > since)

    def _ebgm(self, alerts: Sequence[Alert]) -> list[float | None]:
        if not alerts:
            return []
        counts = pl.DataFrame(
            [
                {
                    "drug": alert.drug,
                    "event": alert.event,
                    **alert.counts.model_dump(),
                    "expected_adjusted": alert.statistics.expected_adjusted,
                }
                for alert in alerts
            ]
        )
        scored = score(counts, ["ebgm_adjusted"], adjusted_prior=self._prior)
        found: list[float | None] = scored["ebgm_adjusted"].to_list()
        return found


def _latest(alerts: Sequence[Alert], day: date) -> Alert | None:
    before = bisect_right(alerts, day, key=lambda alert: alert.evaluated_on)
    return alerts[before - 1] if before else None


def _values(alert: Alert, day: date, ebgm: float | None) -> dict[str, float | None]:
    """Return the values of a signal on a day; its parts are those of the product."""
    parts = priority_on(alert, day).parts
    first = alert.first_alarm_on or alert.first_alert_on
    assert first is not None
    return {
        **{name: getattr(alert.statistics, name) for name in STATISTICS},
        "ebgm_adjusted": ebgm,
        "seriousness": parts["seriousness"],
        "newness": parts["newness"],
        "age": (day - first).days,
        "alarm": float(alert.grade is SignalGrade.ALARM),
        "before": total_before(alert),
    }


def _columns(rows: Sequence[Mapping[str, float | None]]) -> Columns:
    names = (*STATISTICS, *PARTS, "before")
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}


# --- what a form finds --------------------------------------------------------------------------


def ranks(
    worklists: Worklists, form: Form, pool: str, wanted: Mapping[Pair, Control]
) -> dict[Pair, Ranks]:
    """Return the ranks of the positives that enter a pool, by pair."""
    found: dict[Pair, Ranks] = {}
    for listed in worklists.lists:
        pairs, columns = listed.of_pool(pool)
        values = form(columns)
        for at, pair in enumerate(pairs):
            if pair not in wanted:
                continue
            rank = int((values >= values[at]).sum())
            first_alert = worklists.first_on(pair, pool)
            before = found.get(pair, Ranks(first_alert, rank, 10**9))
            in_time = (listed.day - first_alert).days <= DAYS
            best = min(before.best, rank) if in_time else before.best
            found[pair] = Ranks(first_alert, before.first, best)
    return found


def rank_on(worklists: Worklists, form: Form, pool: str, pair: Pair, day: date) -> str:
    """Return the rank of a pair on the day of a list, and the signals listed."""
    (listed,) = (each for each in worklists.lists if each.day == day)
    pairs, columns = listed.of_pool(pool)
    values = form(columns)
    if pair not in pairs:
        return f"not among {len(pairs)}"
    return f"{int((values >= values[pairs.index(pair)]).sum())} of {len(pairs)}"


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


def controls(path: Path) -> list[Control]:
    """Read positives and negatives, without rows in doubt."""
    table = pl.read_csv(path, infer_schema=False).fill_null("")
    doubted = pl.any_horizontal(pl.all().str.contains("DOUBT"))
    rows = table.filter(~doubted).select("vax_type", "event", "label", "note").rows()
    return [
        Control((normal_drug(drug), normal_term(event)), label == "positive", SERIOUS in note)
        for drug, event, label, note in rows
    ]


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
        pool: int(np.median([len(listed.of_pool(pool)[0]) for listed in worklists.lists]))
        for pool in POOLS
    }
    print(f"{len(worklists.lists)} weeks; median list: {sizes}\n")
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
