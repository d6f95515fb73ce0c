"""Copies of each tier in the order of publication, and the revisions that the public sees.

The public gets a revision only if its copy differs from the one before in a band, in whether the
signal is on, or in a verification state. These revisions have numbers of their own, so that neither
a number nor the arrival of a revision tells of a change within a band. Alerts on one case or one
rumour are added up for the public, by category and product class.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from schemas.alert import Alert, AlertKind, SignalGrade
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Tier
from streams.core.alerts.undecided import SignalStatus, signal_status
from streams.core.wording.public_text import PublicFacts
from streams.delivery.tiers import (
    Copy,
    band,
    code_of,
    copy_for,
    is_hidden,
    low_band,
    public_safety,
    public_signal,
)

__all__ = ["PUBLIC_TABLES", "TierCopies", "dated_copies", "known_day"]

PUBLIC_TABLES = """
CREATE TABLE IF NOT EXISTS public_series (
    series TEXT PRIMARY KEY, revision INTEGER NOT NULL, shown TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS public_part (
    signal TEXT PRIMARY KEY, revision INTEGER NOT NULL, series TEXT NOT NULL,
    number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS public_part_series ON public_part (series);
"""
"""What the public saw last of each of its signals, and the patients of alerts that are added up."""
_ADDED_UP = {
    AlertCategory.FATAL_CASE,
    AlertCategory.UNVERIFIED_FATAL,
    AlertCategory.ONGOING_EXPOSURE,
    AlertCategory.FOLLOW_UP_OVERDUE,
}
"""Categories whose alerts are each on one case or rumour."""
_END = "end"


@dataclass(frozen=True, slots=True)
class _Shown:
    """What decides whether the public gets a revision.

    Attributes
    ----------
    on
        Whether the signal is on.
    bands
        Bands of its counts.
    state
        Verification state of a series; empty for other signals.
    """

    on: bool
    bands: tuple[str, ...]
    state: str = ""

    def text(self) -> str:
        """Return it as stored."""
        return json.dumps([self.on, *self.bands, self.state])

    def change_since(self, before: str) -> str:
        """Return the kind of the revision that follows one, as stored; `end` if it is off.

        One that an outbox of an earlier format knows of is an empty text.
        """
        if not self.on:
            return _END
        if not before:
            return AlertKind.UPDATE
        was_on, *bands, _ = json.loads(before)
        if not was_on:
            return AlertKind.STRENGTHENED
        pairs = list(zip(map(_lower_end, bands), map(_lower_end, self.bands), strict=True))
        up, down = any(a < b for a, b in pairs), any(a > b for a, b in pairs)
        if up is down:
            return AlertKind.UPDATE
        return AlertKind.STRENGTHENED if up else AlertKind.WEAKENED


class TierCopies:
    """The copies of published alerts for each tier; the public's depend on those before.

    Parameters
    ----------
    db
        A database that has `PUBLIC_TABLES`. Copies are made in a transaction of the caller.
    key
        Secret of the installation: names become codes under it.
    """

    def __init__(self, db: sqlite3.Connection, *, key: bytes) -> None:
        self._db, self._key = db, key

    def of(self, tier: Tier, alert: Alert | SafetyAlert) -> list[Copy]:
        """Return the copies that a tier gets because of an alert, mostly one or none.

        For the public every alert must be given once, the revisions of a signal in order: one that
        is not later than the last one gives no copy.
        """
        if is_hidden(tier, alert):
            return []
        if tier is not Tier.PUBLIC:
            return [copy_for(tier, alert, key=self._key)]
        if isinstance(alert, SafetyAlert) and alert.category in _ADDED_UP:
            return self._added_up(alert)
        if not self._is_later(alert, series=alert.signal_key, number=0):
            return []
        found = self._signal(alert) if isinstance(alert, Alert) else self._safety(alert)
        return [] if found is None else [found]

    def _signal(self, alert: Alert) -> Copy | None:
        shown = _Shown(
            on=signal_status(alert) is SignalStatus.ON,
            bands=(band(alert.counts.n_observed), low_band(alert.n_fatal)),
        )
        # The grades have rules that differ in the number of cases they need, so the public sees a
        # signal from its first alarm on, and from then on alike in both grades.
        change = self._next(alert.signal_key, shown, may_begin=alert.grade is SignalGrade.ALARM)
        if change is None:
            return None
        revision, kind = change
        if kind == _END:
            kind = AlertKind.CLOSED if alert.counts.n_observed else AlertKind.RETRACTION
        return public_signal(
            alert,
            kind=AlertKind(kind),
            revision=revision,
            alert_id=self._id(alert.signal_key, alert),
        )

    def _safety(self, alert: SafetyAlert) -> Copy | None:
        """Return the copy of a cluster, without the families of its other reactions, or series."""
        on = signal_status(alert) is SignalStatus.ON
        n_patients = _patients(alert)
        series = f"{alert.category}|{code_of(alert.signal_key, self._key)}"
        shown = _Shown(
            on=on,
            # At its end a cluster has fewer cases than its rule asks for: 1 or 0.
            bands=(band(n_patients) if on else low_band(n_patients),),
            state=alert.verification or "",
        )
        change = self._next(series, shown, may_begin=True)
        if change is None:
            return None
        revision, kind = change
        facts = PublicFacts(
            category=alert.category,
            kind=alert.kind if kind == _END else SafetyAlertKind(kind),
            product_class=alert.product_class,
            families=alert.families if alert.rule is None else (alert.rule.family,),
            verification=alert.verification,
            band=shown.bands[0],
            month=alert.evaluated_on,
        )
        return public_safety(
            alert,
            facts,
            signal_key=series,
            revision=revision,
            alert_id=self._id(series, alert),
            urgent=alert.urgent,
        )

    def _added_up(self, alert: SafetyAlert) -> list[Copy]:
        """Return the changed copies of the sums that an alert is, and was, a part of."""
        row = self._db.execute(
            "SELECT series FROM public_part WHERE signal = ?", (alert.signal_key,)
        ).fetchone()
        series = f"{alert.category}|{alert.product_class or ''}"
        on = signal_status(alert) is SignalStatus.ON
        if not self._is_later(alert, series=series, number=_patients(alert) if on else 0):
            return []
        changed = [series] if row is None or row[0] == series else [row[0], series]
        return [copy for one in changed if (copy := self._sum(one, alert)) is not None]

    def _sum(self, series: str, alert: SafetyAlert) -> Copy | None:
        (number,) = self._db.execute(
            "SELECT SUM(number) FROM public_part WHERE series = ?", (series,)
        ).fetchone()
        shown = _Shown(on=bool(number), bands=(band(number or 0),))
        change = self._next(series, shown, may_begin=True)
        if change is None:
            return None
        revision, kind = change
        facts = PublicFacts(
            category=alert.category,
            kind=SafetyAlertKind.CLOSED if kind == _END else SafetyAlertKind(kind),
            product_class=series.partition("|")[2] or None,
            families=(),
            verification=None,
            band=shown.bands[0],
            month=alert.evaluated_on,
        )
        return public_safety(
            alert,
            facts,
            signal_key=series,
            revision=revision,
            alert_id=self._id(series, alert),
            urgent=shown.on and alert.category is AlertCategory.FATAL_CASE,
        )

    def _is_later(self, alert: Alert | SafetyAlert, *, series: str, number: int) -> bool:
        """Store the part that a signal is of a series; return whether the revision is a new one."""
        row = self._db.execute(
            "SELECT revision FROM public_part WHERE signal = ?", (alert.signal_key,)
        ).fetchone()
        if row is not None and alert.revision <= row[0]:
            return False
        self._db.execute(
            "INSERT OR REPLACE INTO public_part VALUES (?, ?, ?, ?)",
            (alert.signal_key, alert.revision, series, number),
        )
        return True

    def _next(self, series: str, shown: _Shown, *, may_begin: bool) -> tuple[int, str] | None:
        """Return number and kind of the next public revision; None if the public gets none."""
        row = self._db.execute(
            "SELECT revision, shown FROM public_series WHERE series = ?", (series,)
        ).fetchone()
        if row is None and not (may_begin and shown.on):
            return None
        text = shown.text()
        if row is not None and row[1] == text:
            return None
        revision = 1 if row is None else row[0] + 1
        self._db.execute(
            "INSERT OR REPLACE INTO public_series VALUES (?, ?, ?)", (series, revision, text)
        )
        return revision, AlertKind.NEW if row is None else shown.change_since(row[1])

    def _id(self, series: str, alert: Alert | SafetyAlert) -> str:
        """Return the id of a public revision: a code, since the alert's own reveals its number."""
        return code_of(f"{series}\n{alert.alert_id}", self._key)


def dated_copies(
    tier: Tier, alerts: Iterable[Alert | SafetyAlert], *, key: bytes
) -> Iterator[tuple[date, Copy]]:
    """Yield the copies of alerts for a tier, from the first alert on, with the day of each.

    The public has months: the day is the first of the month.
    """
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.executescript(PUBLIC_TABLES)
        copies = TierCopies(db, key=key)
        for alert in alerts:
            for copy in copies.of(tier, alert):
                yield known_day(tier, alert.evaluated_on), copy
    finally:
        db.close()


def known_day(tier: Tier, day: date) -> date:
    """Return a day as far as a tier knows it: the public knows the first of its month."""
    return day.replace(day=1) if tier is Tier.PUBLIC else day


def _patients(alert: SafetyAlert) -> int:
    """Return the number of patients of an alert; one of older versions names its cases alone."""
    if alert.patients is not None:
        return alert.patients.at_least
    return alert.n_cases or len(alert.case_ids) or 1


def _lower_end(text: str) -> int:
    return int(text.partition("-")[0].split()[0])
