"""Writes the alerts of one window: fetches their cases once, summarises them, builds the alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.alert import Alert
from schemas.counts import MARGINS
from schemas.strata import TEST_BY_AGE, TEST_BY_SEX, Strata
from streams.core.alerts.builder import AlertBuilder, EvaluatedWindow, PairSummary
from streams.core.alerts.case_sources import Origins, burst_rule, sources_of
from streams.core.alerts.case_summaries import after_notice, extra_fields_of, facts_of
from streams.core.alerts.context import AlertContext
from streams.core.alerts.fragility import RuleFragility
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.alerts.priority import level_thresholds, priority_rules
from streams.core.alerts.sensitivity import SensitivityAnalyses
from streams.core.counting.count_changes import period_strata
from streams.core.counting.recent_cases import cases_naming
from streams.core.counting.sorted_counts import Keys, split_key
from streams.core.safety.subjects import KnownOnDay
from streams.core.signals.counts_view import CountsView
from streams.core.signals.decisions import Decisions
from streams.core.signals.new_evidence import Hashes
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import AlertPolicy
from streams.core.signals.scorer import Scorer
from streams.core.signals.window_scores import WindowScores, alert_rows

__all__ = ["AlertWriter", "WrittenAlerts"]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class WrittenAlerts:
    """Alerts of one window, and the facts of their cases for the published state.

    Attributes
    ----------
    alerts
        Sorted by drug and event.
    stated
        Fields of the published state that the alerts state, such as `due`, and the facets of the
        cases, in the order of the decisions.
    named
        Hashes of the case ids that each alert names, by key of its pair.
    """

    alerts: list[Alert]
    stated: Mapping[str, npt.NDArray[Any]]
    named: Mapping[int, Hashes]


class AlertWriter:
    """Writes the alerts of one run.

    Parameters
    ----------
    scorer
        Scores the pairs, and their sensitivity analyses.
    policy
        The re-alert policy; alerts carry its hash.
    context
        Builds the contexts of products of the domain.
    controls
        Negative controls that alerts are calibrated by; without them alerts have no calibration.
    """

    def __init__(
        self,
        scorer: Scorer,
        policy: AlertPolicy,
        context: AlertContext,
        controls: NegativeControls | None = None,
    ) -> None:
        self._scorer = scorer
        self._controls = controls
        self._builder = AlertBuilder(scorer.rules, policy)
        self._context = context
        self._sensitivity = SensitivityAnalyses(scorer, burst_rule())
        self._fragility = RuleFragility(scorer)
        self._origins = lru_cache(maxsize=1)(Origins)

    def write(
        self,
        scores: WindowScores,
        decided: Decisions,
        signals: Signals,
        view: CountsView,
        on_day: KnownOnDay,
    ) -> WrittenAlerts:
        """Write an alert for every decided pair.

        Parameters
        ----------
        scores, decided
            Of one window instance.
        signals
            Its published state, as it was before.
        view, on_day
            The cases; the notices and laws of the day of evaluation.
        """
        keys, days = scores.pairs.keys[decided.rows], scores.days
        rows = alert_rows(self._scorer, scores, decided.rows, view)
        cases = view.log.cases_of(keys, *days)
        origins = self._origins(view.origins)
        facts = facts_of(cases, keys, scores.facets)
        summed = rows.hstack(
            [
                *facts.get_columns()[1:],  # without the keys
                *sources_of(cases, keys, origins.parts).get_columns()[1:],
                after_notice(cases, rows["key"], rows["drug"], on_day.acted),
                _recent_of_drugs(scores, keys, view),
                _comparators(scores, keys, cases),
            ]
        )
        pairs = rows[["key", "drug", "event", *MARGINS]]
        on, tally = decided.on.tolist(), scores.instance.tally
        found = self._sensitivity.of_pairs(pairs, on, cases, origins, view, tally, days)
        contexts = self._context.of_pairs(summed, scores.instance.window.label, on_day)
        extra = extra_fields_of(cases, keys, view, days, decided.was, signals.named)
        self._calibrate(extra, scores, decided, signals, view)
        fragility = self._fragility.of_pairs(
            rows,
            decided.on.tolist(),
            cases,
            origins,
            view,
            scores.instance.tally,
            covers_all=days[0] is None,
        )
        summaries = list(map(PairSummary, found, contexts, extra, fragility))
        alerts = self._builder.build(
            summed, decided, summaries, _evaluated(scores, view, signals), dropped=signals.dropped
        )
        self._context.record(alerts)
        return WrittenAlerts(
            alerts,
            {"facets": facts["facets"].to_numpy(), **_stated(alerts, summed)},
            _by_key(facts["key"].to_numpy(), facts["named"]),
        )

    def _calibrate(
        self,
        extra: Sequence[dict[str, Any]],
        scores: WindowScores,
        decided: Decisions,
        signals: Signals,
        view: CountsView,
    ) -> None:
        """Add `calibration` to the fields of each alert, if there are negative controls."""
        if self._controls is None:
            return
        alarm = self._scorer.rules.alarm_mask
        calibrations = self._controls.of_alerts(scores, decided, signals, view, alarm)
        for fields, calibration in zip(extra, calibrations, strict=True):
            fields["calibration"] = calibration


def _recent_of_drugs(scores: WindowScores, keys: Keys, view: CountsView) -> pl.Series:
    """Return `n_drug_recent` of each pair; null outside the cumulative window."""
    if scores.days[0] is not None:
        return pl.Series("n_drug_recent", [None] * len(keys), dtype=pl.Int64)
    today = scores.days[1]
    drugs, places = np.unique(split_key(keys)[0], return_inverse=True)
    first = today - priority_rules().newness.days + 1
    return pl.Series("n_drug_recent", cases_naming(view.log, drugs, first, today)[places])


def _comparators(scores: WindowScores, keys: Keys, cases: pl.DataFrame) -> pl.Series:
    """Return `n_comparators` of each pair, from its cases."""
    strata = period_strata(cases["day"].to_numpy(), cases["block"].to_numpy())
    adjusted = scores.instance.tally.adjusted
    return pl.Series("n_comparators", adjusted.comparators(keys, cases["key"].to_numpy(), strata))


def _stated(alerts: Sequence[Alert], rows: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """Return fields of each row from its alert; the alerts are sorted by drug and event."""
    order = rows[["drug", "event"]].with_row_index("at").sort("drug", "event")["at"].to_numpy()
    fields: dict[str, list[Any]] = {
        "due": [_days(alert.due) for alert in alerts],
        "first_alert": [_days(alert.first_alert_on) for alert in alerts],
        "first_alarm": [_days(alert.first_alarm_on) for alert in alerts],
        "total": [alert.priority.total if alert.priority else np.nan for alert in alerts],
    }
    found = {}
    for name, values in fields.items():
        found[name] = np.zeros(len(alerts))
        found[name][order] = values
    return found


def _days(day: date | None) -> int:
    return 0 if day is None else (day - _EPOCH).days


def _evaluated(scores: WindowScores, view: CountsView, signals: Signals) -> EvaluatedWindow:
    since = scores.instance.today - priority_rules().levels.of_days + 1
    return EvaluatedWindow(
        window=scores.instance.window,
        evaluated_on=scores.evaluated_on,
        as_of=view.as_of,
        prior_id=scores.prior_id,
        prior_id_adjusted=scores.adjusted_prior_id,
        strata=_strata(view.age_bands.upper_ends, by_sex=view.tests.by_sex),
        tested_through=view.tests.last_day,
        test_recomputed=view.tests.recomputed,
        thresholds=level_thresholds(signals.totals_since(since)),
    )


@lru_cache(maxsize=1)
def _strata(age_bands: tuple[float, ...], *, by_sex: bool) -> Strata:
    return Strata(age_bands=age_bands, test=TEST_BY_SEX if by_sex else TEST_BY_AGE)


def _by_key(keys: Keys, hashes: pl.Series) -> dict[int, Hashes]:
    """Return the lists of a column as arrays, by key."""
    ends = np.cumsum(hashes.list.len().to_numpy().astype(np.int64))
    parts = np.split(hashes.explode().drop_nulls().to_numpy(), ends[:-1])
    return dict(zip(keys.tolist(), parts, strict=True))
