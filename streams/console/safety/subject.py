"""One subject on a day, as a tier knows it: its alerts, and for authorities what they rest on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import unquote

from schemas.domain import domain_vocabulary
from schemas.notice import Notice, NoticeKind
from schemas.safety_alert import AlertCategory, SafetyAlert
from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.console.frame.tier_alerts import safety_alert_of
from streams.console.safety.known_copies import KnownSignal, known_signals, page_day, subject_of
from streams.console.safety.ledger import KnownFacts
from streams.console.safety.rumours import is_rumour
from streams.core.cases.domain_case import DomainCase
from streams.core.safety.safety_record import CaseChange, SafetyRecord

__all__ = ["AskedSubject", "asked_subject"]

_CLUSTERS = {
    AlertCategory.LOT_CLUSTER,
    AlertCategory.FACILITY_CLUSTER,
    AlertCategory.MANUFACTURER_CLUSTER,
    AlertCategory.DISTRIBUTOR_CLUSTER,
}


@dataclass(frozen=True, slots=True)
class AskedSubject:
    """What is known of a subject on a day.

    Attributes
    ----------
    day
        Day of the page.
    is_past
        Whether the day was asked for.
    known
        Its notices, cases and alerts. Below the authority it has alerts alone.
    cases
        The domain cases that were counted on the day.
    record
        Where these are from; None below the authority.
    """

    name: str
    tier: Tier
    day: date
    is_past: bool
    known: KnownFacts
    cases: Sequence[DomainCase]
    record: SafetyRecord | None

    @property
    def main(self) -> KnownSignal | None:
        """Return its first alert in the order of categories; None if it has none."""
        order = list(AlertCategory)
        return min(self.known.signals, key=lambda one: order.index(one.category), default=None)

    @property
    def cluster(self) -> SafetyAlert | None:
        """Return the last revision of its cluster, with its cases; None if it is none."""
        main = self.main
        if self.tier is not Tier.AUTHORITY or main is None or main.category not in _CLUSTERS:
            return None
        return safety_alert_of(main.latest)

    @property
    def product_class(self) -> str | None:
        """Return the class of its products."""
        if self.main is not None:
            found: str | None = self.main.latest["product_class"]
            return found
        return next((one.product_class for one in self.known.notices if one.product_class), None)

    @property
    def related(self) -> tuple[str, ...]:
        """Return the names of the subjects that it is part of, and of its fatal cases."""
        return tuple(
            dict.fromkeys(
                name
                for signal in self.known.signals
                for names in ("part_of", "fatal_case_ids")
                for name in signal.latest.get(names, ())
            )
        )

    def duplicates_of(self, case_ids: Iterable[str]) -> list[str]:
        """Return the reports that state that they are duplicates of some cases."""
        names = set(case_ids)
        return [one.case_id for one in self.known.duplicates if one.duplicate_of in names]

    @property
    def own_cases(self) -> list[DomainCase]:
        """Return its counted cases."""
        counted = {change.case.case_id: change.counted for change in self.known.changes}
        return [case for case in self.cases if counted.get(case.case_id)]


def asked_subject(desk: Desk, tier: Tier, name: str, as_of: date | None) -> AskedSubject | None:
    """Return a subject by its name as a tier knows it; None if nothing was known of it.

    Parameters
    ----------
    as_of
        Last day that is known; None is now.
    """
    day = page_day(desk, tier, as_of)
    with desk.service.model() as model:
        signals = known_signals(model, tier, as_of, lambda key: subject_of(key) == name)
    record = desk.safety if tier is Tier.AUTHORITY else None
    by_subject = {} if record is None else record.notices_on(day)
    notices = by_subject.get(name, ())
    if not is_rumour(notices):
        notices = ()
    if not signals and not notices:
        return None
    nothing = KnownFacts((), (), (), (), signals)
    asked = AskedSubject(name, tier, day, as_of is not None, nothing, (), record)
    if record is None:
        return asked
    asked = replace(asked, known=replace(nothing, notices=notices))
    changes = _changes(asked, record.changes_until(day))
    names = {change.case.case_id for change in changes}
    every = [notice for of_subject in by_subject.values() for notice in of_subject]
    known = KnownFacts(
        notices=notices,
        acts=[*_acts(asked, changes, every), *_uses(asked, by_subject)],
        changes=changes,
        duplicates=[one for one in record.duplicates_until(day) if one.duplicate_of in names],
        signals=signals,
    )
    return replace(asked, known=known, cases=tuple(record.cases_on(day).values()))


def _changes(asked: AskedSubject, every: Iterable[CaseChange]) -> list[CaseChange]:
    """Return the changes of the cases of a subject's alerts, and of those that are part of it."""
    found = list(every)
    of_alerts = {
        case_id
        for signal in asked.known.signals
        for copy in signal.copies
        for case_id in (*copy["case_ids"], *copy["fatal_case_ids"])
    }
    parts = {change.case.case_id for change in found if asked.name in change.case.part_of}
    by_notices = bool(asked.known.notices)
    changes = []
    for change in found:
        if change.case.case_id not in of_alerts | parts:
            continue
        if by_notices and change.counted and asked.name not in change.case.part_of:
            change = replace(change, counted=False, reason="withdrawn")
        changes.append(change)
    return changes


def _acts(
    asked: AskedSubject, changes: Sequence[CaseChange], notices: Iterable[Notice]
) -> list[Notice]:
    """Return the acts of authorities on the class of a subject, since its first case."""
    classes_of, product_class = domain_vocabulary().classes_of, asked.product_class
    if product_class is None or not changes:
        return []
    return [
        notice
        for notice in notices
        if notice.kind is NoticeKind.REGULATORY_ACTION
        and notice.received >= changes[0].day
        and notice.product_class
        and classes_of(notice.product_class)[-1] == classes_of(product_class)[-1]
    ]


def _uses(asked: AskedSubject, by_subject: Mapping[str, Sequence[Notice]]) -> list[Notice]:
    """Return the notices that state a use of the product by the person of a rule of sport."""
    subjects = {
        unquote(signal.key.split("|")[1])
        for signal in asked.known.signals
        if signal.category is AlertCategory.USAGE_RULE
    }
    return [notice for subject in sorted(subjects) for notice in by_subject.get(subject, ())]
