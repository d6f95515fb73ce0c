"""What alerts say besides their counts: context, urgency, next step; and what of it is news.

The facts are those of the watched cases and the notices. What was published of them last is kept by
signal, from the alerts themselves, so that a restart decides the same.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date

import numpy as np

from schemas.alert import Alert, AlertKind, AlertReason
from schemas.context import Context, NamedCount
from schemas.vocabulary import VerificationState
from streams.core.alerts.domain_context import KnownOnDay, context_of, is_of_product
from streams.core.alerts.next_steps import next_step
from streams.core.alerts.priority import priority_of
from streams.core.cases.domain_case import DomainCase
from streams.core.counting.sorted_counts import Keys
from streams.core.safety.monitor import SafetyMonitor
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

__all__ = ["AlertContext"]

_SETTLED = {
    VerificationState.VALID_ICSR,
    VerificationState.HCP_CONFIRMED,
    VerificationState.AUTHORITY_CONFIRMED,
    VerificationState.REFUTED,
}
_URGENT = {AlertReason.FIRST_FATAL, AlertReason.FIRST_DESIGNATED}


class AlertContext:
    """Adds to alerts what their counts do not say.

    Parameters
    ----------
    watch
        Holds the watched cases, the notices and the table of laws.
    policy
        Which events are designated.
    """

    def __init__(self, watch: SafetyMonitor, policy: AlertPolicy) -> None:
        self._watch = watch
        self._designated = policy.designated
        # Of signals with a context: drug, event and what was published, by window and signal key.
        self._published: dict[str, dict[str, tuple[str, str, Context]]] = {}
        self._heard: set[tuple[str, date]] = set()

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take over what was published, from the latest alert of each signal."""
        for alert in alerts:
            self._note(alert)

    def stale(self, day: date) -> Collection[str]:
        """Return the windows whose signals notices may say more of since this was last asked."""
        heard = {
            (notice.notice_id, notice.received)
            for notices in self._watch.known(day).values()
            for notice in notices
        }
        changed, self._heard = heard != self._heard, heard
        return tuple(self._published) if changed else ()

    def complete(self, alerts: Iterable[Alert], day: date) -> None:
        """Add context, urgency, next step and its day to alerts of a day that are published.

        They are changed, not copied: to be called by who made them, before anybody else has them.
        """
        around = self._around(day)
        for alert in alerts:
            last = self._last(alert)
            cases = self._cases(alert.drug, alert.case_ids)
            context = context_of(alert.drug, alert.event, cases, around, last=last)
            urgent = self._is_urgent(alert, context)
            step, due = next_step(alert, context, urgent=urgent)
            vars(alert).update(
                context=context,
                urgent=urgent,
                priority=priority_of(alert),
                next_step=step,
                due=due,
            )
            self._note(alert)

    def news(
        self,
        keys: Keys,
        counted: CountsView,
        label: str,
        days: tuple[int | None, int],
        today: date,
    ) -> Masks:
        """Return, for pairs sorted by key, bits of what was not published of them.

        `GONE` says that a country, lot or facility that was published is none of theirs any more.
        """
        bits: Masks = np.zeros(len(keys), dtype=np.int64)
        published = {
            counted.drugs.code(drug) << 32 | counted.events.code(event): (drug, event, context)
            for drug, event, context in self._published.get(label, {}).values()
        }
        asked = np.intersect1d(keys, np.array(list(published), dtype=np.int64))
        if len(asked) == 0:
            return bits
        found = counted.log.cases_of(asked, *days).group_by("key").agg("case_id")
        around = self._around(today)
        for key, case_ids in found.iter_rows():
            drug, event, last = published[key]
            now = context_of(drug, event, self._cases(drug, case_ids), around, last=last)
            if now is not None:
                bits[np.searchsorted(keys, key)] = _news(now, last)
        return bits

    def _around(self, day: date) -> KnownOnDay:
        return KnownOnDay(day, self._watch.known(day), self._watch.law, self._designated)

    def _cases(self, drug: str, case_ids: Iterable[str]) -> list[DomainCase]:
        held = self._watch.cases_among(case_ids)
        return [case for case in held if is_of_product(case, drug)]

    def _is_urgent(self, alert: Alert, context: Context | None) -> bool:
        if alert.kind is AlertKind.NEW:
            designated = alert.event in self._designated or (context and context.designated)
            return alert.n_fatal > 0 or bool(designated)
        return alert.kind is AlertKind.STRENGTHENED and not _URGENT.isdisjoint(alert.reasons)

    def _last(self, alert: Alert) -> Context | None:
        held = self._published.get(alert.window.label, {}).get(alert.signal_key)
        return held and held[2]

    def _note(self, alert: Alert) -> None:
        if alert.context is not None:
            of_window = self._published.setdefault(alert.window.label, {})
            of_window[alert.signal_key] = alert.drug, alert.event, alert.context


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
    return {each.name for each in counts}


def _states(context: Context) -> Mapping[str, VerificationState]:
    return {each.subject_id: each.state for each in context.subjects}
