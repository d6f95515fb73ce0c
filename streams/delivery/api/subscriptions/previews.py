"""Preview of a subscription: the alerts that it would have sent in the last 90 days."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from schemas.subscription import Subscription
from streams.delivery.api.service import Service
from streams.delivery.api.subscriptions.preview_cursors import (
    cursor_after_last,
    cursor_before_first,
    day_before,
)
from streams.delivery.matching import PREVIEW_DAYS, category_of, matching
from streams.delivery.tiers import Copy

__all__ = ["PreviewedAlerts", "preview_of"]


@dataclass(frozen=True, slots=True)
class PreviewedAlerts:
    """Alerts that a subscription would have sent.

    Attributes
    ----------
    since, until
        They are evaluated after `since` and up to `until`; None without an alert.
    copies
        The copies for its tier, in the order of publication.
    before_first, after_last
        Cursors with which a subscription begins with these alerts, or after them.
    """

    since: date | None
    until: date | None
    copies: tuple[Copy, ...]
    before_first: str
    after_last: str

    @property
    def by_category_and_kind(self) -> Counter[tuple[str, str]]:
        """Return the number of alerts by category and kind."""
        return Counter((category_of(copy), copy["kind"]) for copy in self.copies)

    @property
    def by_day(self) -> Counter[date]:
        """Return the number of alerts by day of evaluation; empty where the tier withholds days."""
        return Counter(_days(self.copies))


def preview_of(service: Service, wanted: Subscription) -> PreviewedAlerts:
    """Return what a subscription would have sent; nothing is saved."""
    with service.model() as model:
        latest, last = model.latest_day(), model.last_position()
        since = latest and day_before(wanted.tier, latest - timedelta(days=PREVIEW_DAYS))
        published = model.between(wanted.tier, 0, last, since=since or date.min)
        return PreviewedAlerts(
            since=since,
            until=latest,
            copies=tuple(matching(wanted, published)),
            before_first=cursor_before_first(since, key=service.key),
            after_last=cursor_after_last(model, wanted.tier, last),
        )


def _days(copies: tuple[Copy, ...]) -> Iterator[date]:
    for copy in copies:
        if "evaluated_on" in copy:
            yield date.fromisoformat(copy["evaluated_on"])
