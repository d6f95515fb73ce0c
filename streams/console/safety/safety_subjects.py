"""Safety alerts that are no rumour: clusters, fatal cases and uses in sport, as a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.console.frame.tier_alerts import safety_alert_of
from streams.console.safety.known_copies import KnownSignal, day_of, known_signals, subject_of
from streams.core.wording.catalogue import Language
from streams.core.wording.safety_text import safety_texts

__all__ = ["OtherSubject", "other_subjects"]

_CATEGORIES = (
    AlertCategory.LOT_CLUSTER,
    AlertCategory.FACILITY_CLUSTER,
    AlertCategory.MANUFACTURER_CLUSTER,
    AlertCategory.DISTRIBUTOR_CLUSTER,
    AlertCategory.FATAL_CASE,
    AlertCategory.USAGE_RULE,
)


@dataclass(frozen=True, slots=True)
class OtherSubject:
    """One subject.

    Attributes
    ----------
    headline
        That of its last revision.
    day
        Day of the last revision; the last of its month where a tier knows the month alone.
    """

    name: str
    category: AlertCategory
    headline: str
    revision: int
    day: date
    is_open: bool
    urgent: bool


def other_subjects(
    desk: Desk, tier: Tier, as_of: date | None, language: Language
) -> Sequence[OtherSubject]:
    """Return the subjects that a tier knows on a day: open ones first, the latest first."""
    wanted = tuple(f"{category}|" for category in _CATEGORIES)
    with desk.service.model() as model:
        found = known_signals(model, tier, as_of, lambda key: key.startswith(wanted))
    rows = [_row(signal, tier, language) for signal in found]
    return sorted(rows, key=lambda row: (not row.is_open, -row.day.toordinal(), row.name))


def _row(signal: KnownSignal, tier: Tier, language: Language) -> OtherSubject:
    copy = signal.latest
    headline = str(copy["headline"])
    if tier is not Tier.PUBLIC:
        headline = safety_texts(safety_alert_of(copy), language).headline
    return OtherSubject(
        name=subject_of(signal.key),
        category=signal.category,
        headline=headline,
        revision=copy["revision"],
        day=day_of(copy),
        is_open=signal.is_open,
        urgent=bool(copy["urgent"]),
    )
