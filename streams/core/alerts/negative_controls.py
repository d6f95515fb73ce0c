"""Calibrates alerts by negative controls: pairs that the installation knows to be unrelated."""

from collections.abc import Iterable
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.empirical_calibration import calibrated_lower, fit_empirical_null
from schemas.calibration import Calibration
from schemas.errors import InputError
from schemas.normal_form import normal_drug, normal_term
from streams.core.counting.sorted_counts import Counts, Keys
from streams.core.counting.windows import Tally
from streams.core.signals.counts_view import CountsView
from streams.core.signals.decisions import Decisions
from streams.core.signals.published_signals import Signals
from streams.core.signals.window_scores import WindowScores

__all__ = ["NegativeControls"]

_FEWEST = 10  # controls with a case; of fewer, the standard deviation is off by a quarter and more
_LOG_2 = log(2)

Floats = npt.NDArray[np.float64]


class NegativeControls:
    """Negative controls of one run.

    Parameters
    ----------
    pairs
        Drugs and events in any spelling; repeats count once.

    Raises
    ------
    InputError
        If there is no pair.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = sorted({(normal_drug(drug), normal_term(event)) for drug, event in pairs})
        if not self._pairs:
            msg = "negative controls: there must be a pair of drug and event; got none"
            raise InputError(msg)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs, in normal form."""
        return tuple(self._pairs)

    def of_alerts(
        self,
        scores: WindowScores,
        decided: Decisions,
        signals: Signals,
        view: CountsView,
        alarm: int,
    ) -> list[Calibration]:
        """Return the calibration of each decided pair.

        Parameters
        ----------
        scores, decided
            Of one window instance.
        signals
            Its published state, as it was before.
        view
            The names.
        alarm
            Bits of the alarm's rules.
        """
        tally, keys = scores.instance.tally, scores.pairs.keys[decided.rows]
        controls = self._keys(view)
        n_controls_on = len(np.intersect1d(controls, _alarms(keys, decided, signals, alarm)))
        n_observed, expected = _counted(tally, controls)
        with_case = n_observed > 0
        shared: dict[str, Any] = {
            "n_controls": len(self._pairs),
            "n_controls_with_case": int(with_case.sum()),
            "n_controls_on": n_controls_on,
            "false_alert_rate": n_controls_on / len(self._pairs),
        }
        if with_case.sum() < _FEWEST:
            nothing = Calibration(**shared, mean=None, sd=None, lower=None)
            return [nothing] * len(keys)
        null = fit_empirical_null(*_log_ratios(n_observed[with_case], expected[with_case]))
        shared |= {"mean": null.mean / _LOG_2, "sd": null.sd / _LOG_2}
        n_observed, expected = _counted(tally, keys)
        some = n_observed > 0
        lower = np.full(len(keys), np.nan)
        lower[some] = calibrated_lower(*_log_ratios(n_observed[some], expected[some]), null)
        return [
            Calibration(**shared, lower=bound / _LOG_2 if has_case else None)
            for bound, has_case in zip(lower.tolist(), some.tolist(), strict=True)
        ]

    def _keys(self, view: CountsView) -> Keys:
        """Return the keys of the controls of which both names are known, sorted."""
        keys = [
            drug << 32 | event
            for name, term in self._pairs
            if (drug := view.drugs.find(name)) is not None
            and (event := view.events.find(term)) is not None
        ]
        return np.array(sorted(keys), dtype=np.int64)


def _counted(tally: Tally, keys: Keys) -> tuple[Counts, Floats]:
    """Return the observed cases of pairs, sorted by key, and those expected within strata."""
    return tally.pairs.get(keys), tally.adjusted.expected(keys)


def _log_ratios(n_observed: Counts, expected: Floats) -> tuple[Floats, Floats]:
    """Return the logs of observed to expected cases, and their Poisson standard errors."""
    return np.log(n_observed / expected), 1 / np.sqrt(n_observed)


def _alarms(keys: Keys, decided: Decisions, signals: Signals, alarm: int) -> Keys:
    """Return the keys of the signals that are alarms after the decisions."""
    unchanged = signals.alarms[~np.isin(signals.alarms, keys)]
    return np.concatenate([unchanged, keys[(decided.on & alarm) != 0]])
