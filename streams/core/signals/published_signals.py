"""Published state of signals, as sorted arrays; restored from the latest alert of each."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.rules import RuleSet
from schemas.alert import Alert, SignalGrade
from streams.core.counting.sorted_counts import Keys, Places, places_of
from streams.core.counting.vocabulary import Vocabulary
from streams.core.signals.decisions import DROPPED, GRADES, KINDS
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT, Hashes, region_mask
from streams.core.signals.signal_key import names_of_key

__all__ = ["Signals", "restored_signals"]

_EPOCH = date(1970, 1, 1)
_SIGNAL = np.dtype(
    [
        ("key", np.int64),  # drug and event
        ("revision", np.int64),  # of the last published alert, like all fields up to `facets`
        ("kind", np.int8),  # place in `KINDS`
        ("grade", np.int8),  # place in `GRADES`
        ("evaluated_on", np.int32),  # days since 1970-01-01
        ("due", np.int32),  # days since 1970-01-01; 0: not known
        ("first_alert", np.int32),  # day of the first revision, likewise
        ("first_alarm", np.int32),  # of the first one that was an alarm, likewise
        ("total", np.float64),  # of the priority; NaN: not of the present form
        ("on", np.int64),  # bit i: rule i of the rule set is on
        ("n_observed", np.int64),
        ("ror_lower", np.float64),  # NaN: undefined
        ("ic_lower", np.float64),
        ("facets", np.int64),  # bits of `streams.core.signals.new_evidence`
        ("evaluated_n", np.int64),  # at the last evaluation; negative: not known, after a restart
        ("evaluated_entered", np.int64),  # the rules that fired then
    ]
)
_OPAQUE = np.dtype(
    (np.void, _SIGNAL.itemsize)
)  # moving it takes a fifth of the time of moving fields


class Signals:
    """Published state of the signals of one window instance, sorted by key."""

    def __init__(self, rows: npt.NDArray[Any] | None = None) -> None:
        self.rows = np.empty(0, dtype=_SIGNAL) if rows is None else _by_key(rows)
        self.named: dict[int, Hashes] = {}  # of the published case ids, by key
        self.dropped: dict[int, tuple[str, ...]] = {}  # by key: rules on that are not in the set

    @staticmethod
    def row(**values: Any) -> npt.NDArray[Any]:
        """Return one row for each `key`; fields that are not given are 0."""
        rows = np.zeros(np.size(values["key"]), dtype=_SIGNAL)
        for name, value in values.items():
            rows[name] = value
        return rows

    @property
    def on(self) -> Keys:
        """Return the keys of the signals that are on."""
        keys: Keys = self.rows["key"][self.rows["on"] != 0]
        return keys

    @property
    def alarms(self) -> Keys:
        """Return the keys of the signals that are on and alarms."""
        is_alarm = (self.rows["on"] != 0) & (self.rows["grade"] == GRADES.index(SignalGrade.ALARM))
        keys: Keys = self.rows["key"][is_alarm]
        return keys

    def totals_since(self, day: int) -> npt.NDArray[np.float64]:
        """Return the priorities of the signals that are on and were revised since a day.

        Parameters
        ----------
        day
            Days since 1970-01-01.
        """
        rows = self.rows
        wanted = (rows["on"] != 0) & (rows["evaluated_on"] >= day)
        totals: npt.NDArray[np.float64] = rows["total"][wanted & ~np.isnan(rows["total"])]
        return totals

    def within(self, keys: Keys) -> tuple[Places, Places]:
        """Return the places of the signals that are among sorted keys: in `rows`, and in `keys`."""
        published = self.rows["key"].copy()  # contiguous, for the search
        if len(keys) < len(published):  # search the fewer among the more
            pair_index, signal_index = places_of(published, keys)
        else:
            signal_index, pair_index = places_of(keys, published)
        return signal_index, pair_index

    def publish(self, rows: npt.NDArray[Any], named: Mapping[int, Hashes]) -> None:
        """Replace or add the published state: rows, and the hashes of their case ids."""
        rows = _by_key(rows)
        places = np.searchsorted(self.rows["key"], rows["key"])
        known = places < len(self.rows)
        known[known] = self.rows["key"][places[known]] == rows["key"][known]
        self.rows[places[known]] = rows[known]
        if not known.all():
            stored, new = self.rows.view(_OPAQUE), rows[~known].view(_OPAQUE)
            self.rows = np.insert(stored, places[~known], new).view(_SIGNAL)
        for key in rows["key"].tolist():
            self.dropped.pop(key, None)
        # Copies: a slice keeps the whole array in memory.
        self.named.update((key, hashes.copy()) for key, hashes in named.items())


def restored_signals(
    alerts: Iterable[Alert], rules: RuleSet, drugs: Vocabulary, events: Vocabulary
) -> dict[str, Signals]:
    """Return the published state of signals by window label, from the latest alert of each.

    A rule that was on then and is not among `rules` any more is kept by name (`DROPPED`).
    """
    bits = {rule.name: 1 << bit for bit, rule in enumerate(rules.rules)}
    by_label: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_label.setdefault(alert.window.label, []).append(alert)
    return {
        label: _restored(published, bits, drugs, events) for label, published in by_label.items()
    }


def _restored(
    published: Iterable[Alert], bits: Mapping[str, int], drugs: Vocabulary, events: Vocabulary
) -> Signals:
    """Return the signals of one window from the alert of each, and the bits of rules by name."""
    signals = Signals()
    rows, named, dropped = [], {}, {}
    for alert in published:
        drug, event = names_of_key(alert.signal_key)
        key = drugs.code(drug) << 32 | events.code(event)
        gone = tuple(name for name in alert.rules_fired if name not in bits)
        on = sum(bits.get(name, 0) for name in alert.rules_fired)
        facets = (FATAL if alert.n_fatal else 0) | (PAEDIATRIC_BIT if alert.n_paediatric else 0)
        row = Signals.row(
            key=key,
            revision=alert.revision,
            kind=KINDS.index(alert.kind),
            grade=GRADES.index(alert.grade),
            evaluated_on=(alert.evaluated_on - _EPOCH).days,
            due=_days(alert.due),
            first_alert=_days(alert.first_alert_on),
            first_alarm=_days(alert.first_alarm_on),
            total=_total(alert),
            on=on | (DROPPED if gone else 0),
            n_observed=alert.counts.n_observed,
            ror_lower=_or_nan(alert.statistics.ror_lower),
            ic_lower=_or_nan(alert.statistics.ic_lower),
            facets=facets | region_mask(alert.regions),
            evaluated_n=-1,
        )
        rows.append(row)
        named[key] = pl.Series(alert.case_ids, dtype=pl.String).hash().to_numpy()
        if gone:
            dropped[key] = gone
    signals.publish(np.concatenate(rows), named)
    signals.dropped = dropped
    return signals


def _days(day: date | None) -> int:
    return 0 if day is None else (day - _EPOCH).days


def _total(alert: Alert) -> float:
    """Return the total of the priority; NaN if it is of an older form, a weighted sum."""
    priority = alert.priority
    return float("nan") if priority is None or priority.score is None else priority.total


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _by_key(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    ordered: npt.NDArray[Any] = rows[np.argsort(rows["key"], kind="stable")]
    return ordered
