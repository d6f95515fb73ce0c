"""Weekly worklists of replayed reports, with the values that forms of priority rank by."""

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
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
from streams.core.alerts.priority import priority_on, priority_rules
from streams.core.counting.recent_cases import cases_naming
from streams.core.counting.windows import WindowSpec
from streams.core.signals.signal_key import names_of_key
from streams.intake.files import read_source
from streams.runtime.embedded.replay import Replay

POOLS = ("alarm", "screening")
DAYS = 90  # in which a signal has a case, and within which it is to be found
SERIOUS = "class=serious"  # in the note of a control
STATISTICS = ("ic_adjusted", "ic_lower_adjusted", "ic_lower", "chi2", "ebgm_adjusted")
PARTS = ("seriousness", "newness", "age", "alarm", "explained")  # age: days since the first alert
_EPOCH = date(1970, 1, 1)
Pair = tuple[str, str]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """A pair whose answer is known."""

    pair: Pair
    positive: bool
    serious: bool


def controls(path: Path) -> list[Control]:
    """Read positives and negatives, without rows in doubt."""
    table = pl.read_csv(path, infer_schema=False).fill_null("")
    doubted = pl.any_horizontal(pl.all().str.contains("DOUBT"))
    rows = table.filter(~doubted).select("vax_type", "event", "label", "note").rows()
    return [
        Control((normal_drug(drug), normal_term(event)), label == "positive", SERIOUS in note)
        for drug, event, label, note in rows
    ]


Columns = Mapping[str, Values]
"""Values of signals by name: `STATISTICS`, `PARTS`, and `before`, the former priority."""


@dataclass(frozen=True)
class Listed:
    """The list of one week: signals, and their values in the same order."""

    day: date
    pairs: Sequence[Pair]
    columns: Columns

    @cached_property
    def places(self) -> Mapping[Pair, int]:
        """Return the place of each signal."""
        return {pair: place for place, pair in enumerate(self.pairs)}

    def of_alarms(self) -> "Listed":
        """Return the list of the alarms alone."""
        alarms = self.columns["alarm"] > 0
        pairs = [self.pairs[at] for at in np.flatnonzero(alarms)]
        columns = {name: values[alarms] for name, values in self.columns.items()}
        return Listed(self.day, pairs, columns)


WEIGHTS = {  # of the priority before: a weighted sum; a part that is not known is 0
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
        weeks = list(self._weeks(on))
        self.lists = {
            "screening": weeks,
            "alarm": [listed.of_alarms() for listed in weeks],
        }

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
            "explained": _explained(latest),
            "before": total_before(latest) if latest else 0.0,
        }

    def _weeks(self, on: date) -> Iterable[Listed]:
        """Yield the list of every week."""
        ebgm = self._ebgm([alert for alerts in self.alerts.values() for alert in alerts])
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
            values = [_values(alert, day, ebgm[alert.alert_id]) for _, alert in listed]
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

    def _ebgm(self, alerts: Sequence[Alert]) -> dict[str, float | None]:
        """Return the EBGM within strata of each alert by its id, with the prior of the last day."""
        rows = [
            {
                "drug": alert.alert_id,  # a row a pair is required
                "event": alert.event,
                **alert.counts.model_dump(),
                "expected_adjusted": alert.statistics.expected_adjusted,
            }
            for alert in alerts
        ]
        scored = score(pl.DataFrame(rows), ["ebgm_adjusted"], adjusted_prior=self._prior)
        ids = [alert.alert_id for alert in alerts]
        return dict(zip(ids, scored["ebgm_adjusted"].to_list(), strict=True))


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
        "explained": _explained(alert),
        "before": total_before(alert),
    }


def _explained(alert: Alert | None) -> float:
    """Return the share of cases that name the product that explains most of a pair."""
    products = (alert and alert.explained_by) or ()
    return max((one.share for one in products), default=0.0)


def _columns(rows: Sequence[Mapping[str, float | None]]) -> Columns:
    names = (*STATISTICS, *PARTS, "before")
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
