"""Recomputes the day that the next step on a signal is due, from its revisions in order.

Shares with the stream the table of days (`steps.toml`), and no code that compares revisions.
"""

from datetime import date, timedelta

from schemas.alert import Alert, AlertKind, AlertReason
from streams.core.alerts.next_steps import step_days

__all__ = ["DUE", "DueDays"]

DUE = ("due", "own_due")
"""Recounted fields."""


class DueDays:
    """Due days of signals, one revision after the other.

    Of a revision whose predecessor was not among those asked for, `previous` states its day.
    """

    def __init__(self) -> None:
        self._latest: dict[
            str, tuple[int, bool, date | None]
        ] = {}  # revision, is on, due; by signal

    def values(self, alert: Alert) -> dict[str, object]:
        """Return the expected values of an alert by field, of the fields that it has."""
        if not alert.headline:  # made before alerts had these fields
            return {}
        own = _own_due(alert)
        is_on = bool(alert.rules_fired)
        candidates = [own]
        values: dict[str, object] = {"own_due": own}
        number, was_on, before = self._latest.get(alert.signal_key, (0, False, own))
        if number and number == alert.revision - 1:
            candidates += [before] if was_on is is_on else []
            values["previous.due"] = before
        elif alert.previous is not None and alert.previous.due is not None:
            candidates += [alert.previous.due] if bool(alert.previous.rules_fired) is is_on else []
        earliest = min((day for day in candidates if day is not None), default=None)
        values["due"] = earliest
        self._latest[alert.signal_key] = alert.revision, is_on, earliest
        return values


def _own_due(alert: Alert) -> date | None:
    """Return the day of a revision alone: none where rules went off and nothing else happened."""
    less = {AlertReason.RULE_OFF, AlertReason.RULE_DROPPED, AlertReason.NO_LONGER_ALARM}
    if alert.kind is AlertKind.WEAKENED and less.issuperset(alert.reasons):
        return None
    table = step_days()
    days = table.urgent_days if alert.urgent else table.kinds[alert.kind]
    return alert.evaluated_on + timedelta(days=days)
