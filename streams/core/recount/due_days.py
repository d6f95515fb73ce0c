"""Recomputes the day that the next step on a signal is due, from its revisions in order.

Shares with the stream the table of days (`steps.toml`), and no code that compares revisions.
"""

from datetime import date, timedelta

from schemas.alert import Alert
from streams.core.alerts.next_steps import steps

__all__ = ["DUE", "DueDays"]

DUE = ("due", "own_due")
"""Recounted fields."""


class DueDays:
    """Due days of signals, one revision after the other.

    Of a revision whose predecessor was not among those asked for, `previous` states its day.
    """

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, bool, date]] = {}  # revision, is on, due; by signal

    def values(self, alert: Alert) -> dict[str, object]:
        """Return the expected values of an alert by field, of the fields that it has."""
        if alert.own_due is None:  # made before alerts had the field
            return {}
        table = steps()
        days = table.urgent_days if alert.urgent else table.kinds[alert.kind].days
        own = alert.evaluated_on + timedelta(days=days)
        is_on = bool(alert.rules_fired)
        candidates = [own]
        values: dict[str, object] = {"own_due": own}
        number, was_on, before = self._latest.get(alert.signal_key, (0, False, own))
        if number and number == alert.revision - 1:
            candidates += [before] if was_on is is_on else []
            values["previous.due"] = before
        elif alert.previous is not None and alert.previous.due is not None:
            candidates += [alert.previous.due] if bool(alert.previous.rules_fired) is is_on else []
        values["due"] = earliest = min(candidates)
        self._latest[alert.signal_key] = alert.revision, is_on, earliest
        return values
