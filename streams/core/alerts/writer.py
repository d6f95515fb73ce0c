"""Writes the alerts of one window: fetches their cases once, summarises them, builds the alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

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
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.alerts.sensitivity import SensitivityAnalyses
from streams.core.counting.sorted_counts import Keys
from streams.core.safety.subjects import KnownOnDay
from streams.core.signals.counts_view import CountsView
from streams.core.signals.decisions import Decisions
from streams.core.signals.new_evidence import Hashes, Masks
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
    facets
        Facets of the cases of each decided pair, in the order of the decisions.
    due
        Day that the next step of each is due [days since 1970-01-01], likewise.
    named
        Hashes of the case ids that each alert names, by key of its pair.
    """

    alerts: list[Alert]
    facets: Masks
    due: npt.NDArray[np.int32]
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
            ]
        )
        pairs = rows[["key", "drug", "event", *MARGINS]]
        found = self._sensitivity.of_pairs(pairs, decided.on.tolist(), cases, origins, view, days)
        contexts = self._context.of_pairs(summed, scores.instance.window.label, on_day)
        extra = extra_fields_of(cases, keys, view, days, decided.was, signals.named)
        if self._controls is not None:
            alarm = self._scorer.rules.alarm_mask
            calibrations = self._controls.of_alerts(scores, decided, signals, view, alarm)
            for fields, calibration in zip(extra, calibrations, strict=True):
                fields["calibration"] = calibration
        summaries = [PairSummary(*parts) for parts in zip(found, contexts, extra, strict=True)]
        alerts = self._builder.build(
            summed, decided, summaries, _evaluated(scores, view), dropped=signals.dropped
        )
        self._context.record(alerts)
        return WrittenAlerts(
            alerts,
            facts["facets"].to_numpy(),
            _due_days(alerts, summed),
            _by_key(facts["key"].to_numpy(), facts["named"]),
        )


def _due_days(alerts: Sequence[Alert], rows: pl.DataFrame) -> npt.NDArray[np.int32]:
    """Return the due day of each row from its alert; the alerts are sorted by drug and event."""
    order = rows[["drug", "event"]].with_row_index("at").sort("drug", "event")["at"].to_numpy()
    due = np.zeros(len(alerts), dtype=np.int32)
    due[order] = [(alert.due - _EPOCH).days if alert.due else 0 for alert in alerts]
    return due


def _evaluated(scores: WindowScores, view: CountsView) -> EvaluatedWindow:
    return EvaluatedWindow(
        window=scores.instance.window,
        evaluated_on=scores.evaluated_on,
        as_of=view.as_of,
        prior_id=scores.prior_id,
        prior_id_adjusted=scores.adjusted_prior_id,
        strata=_strata(view.age_bands.upper_ends, by_sex=view.tests.by_sex),
        tested_through=view.tests.last_day,
        test_recomputed=view.tests.recomputed,
    )


@lru_cache(maxsize=1)
def _strata(age_bands: tuple[float, ...], *, by_sex: bool) -> Strata:
    return Strata(age_bands=age_bands, test=TEST_BY_SEX if by_sex else TEST_BY_AGE)


def _by_key(keys: Keys, hashes: pl.Series) -> dict[int, Hashes]:
    """Return the lists of a column as arrays, by key."""
    ends = np.cumsum(hashes.list.len().to_numpy().astype(np.int64))
    parts = np.split(hashes.explode().drop_nulls().to_numpy(), ends[:-1])
    return dict(zip(keys.tolist(), parts, strict=True))
