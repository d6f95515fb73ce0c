"""Contexts of signals of the domain's products: built for new alerts, compared with published ones.

The facts are those of the domain cases and the notices. The last published context of each signal
is kept, and restored from the alerts, so that a restart decides the same.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date

import numpy as np
import polars as pl

from schemas.alert import Alert
from schemas.context import Context, NamedCount
from schemas.vocabulary import VerificationState
from streams.core.alerts.domain_context import context_of, is_of_product
from streams.core.safety.monitor import SafetyMonitor
from streams.core.safety.subjects import KnownOnDay
from streams.core.signals.counts_view import CountsView
from streams.core.signals.new_evidence import (
    DESIGNATED,
    EXPOSURE,
    GONE,
    NEW_COUNTRY,
    NEW_FACILITY,
    NEW_LOT,
    VERIFICATION,
    Masks,
)
from streams.core.signals.realert_policy import AlertPolicy
from streams.core.signals.signal_key import names_of_key
from streams.core.signals.window_scores import WindowScores

__all__ = ["AlertContext"]

_SETTLED = {
    VerificationState.VALID_ICSR,
    VerificationState.HCP_CONFIRMED,
    VerificationState.AUTHORITY_CONFIRMED,
    VerificationState.REFUTED,
}


class AlertContext:
    """Builds the contexts of alerts, and keeps the published ones.

    Parameters
    ----------
    monitor
        Keeps the domain cases.
    policy
        Designates events.
    """

    def __init__(self, monitor: SafetyMonitor, policy: AlertPolicy) -> None:
        self._monitor = monitor
        self._designated = policy.designated
        # Last published context of each signal with one, by window, then drug and event.
        self._published: dict[str, dict[tuple[str, str], Context]] = {}
        self._notices: set[tuple[str, date]] = set()

    def record(self, alerts: Iterable[Alert]) -> None:
        """Record the contexts of published alerts, the latest of each signal last."""
        for alert in alerts:
            if alert.context is not None:
                of_window = self._published.setdefault(alert.window.label, {})
                of_window[names_of_key(alert.signal_key)] = alert.context

    def stale(self, on_day: KnownOnDay) -> Collection[str]:
        """Return the windows with contexts, if the known notices changed since the last call."""
        notices = {
            (notice.notice_id, notice.received)
            for of_subject in on_day.notices.values()
            for notice in of_subject
        }
        changed, self._notices = notices != self._notices, notices
        return tuple(self._published) if changed else ()

    def of_pairs(self, pairs: pl.DataFrame, label: str, on_day: KnownOnDay) -> list[Context | None]:
        """Return the context of each pair; None if its product is not of the domain.

        Parameters
        ----------
        pairs
            `drug`, `event`, and `case_ids`, sorted.
        label
            Name of the window instance.
        on_day
            The notices and laws of the day of evaluation.
        """
        domain_cases = {
            case.case_id: case
            for case in self._monitor.cases_among(pairs["case_ids"].explode().drop_nulls())
        }
        # Most pairs have a thousand cases and no domain case: no list of ids is built then.
        of_pairs = pairs["case_ids"].to_list() if domain_cases else [()] * pairs.height
        published = self._published.get(label, {})
        contexts = []
        for drug, event, case_ids in zip(pairs["drug"], pairs["event"], of_pairs, strict=True):
            cases = [domain_cases[case_id] for case_id in case_ids if case_id in domain_cases]
            context = context_of(
                drug,
                event,
                [case for case in cases if is_of_product(case, drug)],
                on_day,
                designated=self._designated,
                last=published.get((drug, event)),
            )
            contexts.append(context)
        return contexts

    def news(self, scores: WindowScores, view: CountsView, on_day: KnownOnDay) -> Masks:
        """Return, for the known signals of a window, bits of their unpublished facts.

        `GONE`: a published country, lot or facility is not one of theirs any more.
        """
        keys, label = scores.known, scores.instance.window.label
        bits: Masks = np.zeros(len(keys), dtype=np.int64)
        published = {
            view.drugs.code(drug) << 32 | view.events.code(event): (drug, event, context)
            for (drug, event), context in self._published.get(label, {}).items()
        }
        with_context = np.intersect1d(keys, np.array(list(published), dtype=np.int64))
        if len(with_context) == 0:
            return bits
        found = view.log.cases_of(with_context, *scores.days).group_by("key").agg("case_id")
        for key, case_ids in found.iter_rows():
            drug, event, last = published[key]
            domain_cases = self._monitor.cases_among(case_ids)
            cases = [case for case in domain_cases if is_of_product(case, drug)]
            now = context_of(drug, event, cases, on_day, designated=self._designated, last=last)
            if now is not None:
                bits[np.searchsorted(keys, key)] = _news(now, last)
        return bits


def _news(now: Context, last: Context) -> int:
    bits = 0
    for bit, new, old in (
        (NEW_COUNTRY, now.countries, last.countries),
        (NEW_LOT, now.lots, last.lots),
        (NEW_FACILITY, now.facilities, last.facilities),
    ):
        names, before = _names(new), _names(old)
        bits |= (bit if names - before else 0) | (GONE if before - names else 0)
    if now.designated and not last.designated:
        bits |= DESIGNATED
    if now.exposure_ongoing and not last.exposure_ongoing:
        bits |= EXPOSURE
    states = _states(last)
    if any(states.get(name) != state for name, state in _states(now).items() if state in _SETTLED):
        bits |= VERIFICATION
    return bits


def _names(counts: Iterable[NamedCount]) -> set[str]:
    return {count.name for count in counts}


def _states(context: Context) -> Mapping[str, VerificationState]:
    return {subject.subject_id: subject.state for subject in context.subjects}
