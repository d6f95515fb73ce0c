"""All rumours and series on a day: their states, and the answers that are overdue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from schemas.notice import Notice, NoticeKind
from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.console.desk import Desk
from streams.console.safety.known_copies import KnownSignal, day_of, known_signals, subject_of
from streams.console.safety.page_words import PageWords
from streams.core.safety.safety_record import SafetyRecord
from streams.core.safety.subjects import describe, open_requests

__all__ = ["RumourRow", "RumourTab", "is_rumour", "rumour_rows", "tab_of"]

_TOLD = {
    NoticeKind.SAFETY_NOTICE, NoticeKind.MEDIA, NoticeKind.AGGREGATE, NoticeKind.VERIFICATION,
}  # fmt: skip
_OF_NOTICES = (
    AlertCategory.UNVERIFIED_FATAL,
    AlertCategory.CASE_SERIES,
    AlertCategory.ONGOING_EXPOSURE,
    AlertCategory.FOLLOW_UP_OVERDUE,
)


class RumourTab(StrEnum):
    """Which subjects are listed."""

    RUMOUR = "rumour"
    CONTESTED = "contested"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNRESOLVABLE = "unresolvable"


_TABS = {
    VerificationState.RUMOUR: RumourTab.RUMOUR,
    VerificationState.REPORTED: RumourTab.RUMOUR,
    VerificationState.CONTESTED: RumourTab.CONTESTED,
    VerificationState.VALID_ICSR: RumourTab.CONFIRMED,
    VerificationState.HCP_CONFIRMED: RumourTab.CONFIRMED,
    VerificationState.AUTHORITY_CONFIRMED: RumourTab.CONFIRMED,
    VerificationState.REFUTED: RumourTab.REFUTED,
    VerificationState.NULLIFIED: RumourTab.REFUTED,
    VerificationState.UNRESOLVABLE: RumourTab.UNRESOLVABLE,
}


@dataclass(frozen=True, slots=True)
class RumourRow:
    """One subject.

    Attributes
    ----------
    state
        Its state; None where the tier does not know it.
    tells_of
        Events and product, in words.
    voices
        Notices that repeat no other one; None where the tier does not know their number.
    since
        Day of the first notice, or of the first revision that the tier knows.
    of_whom
        Of whom an answer was asked, in words; empty if none is open.
    due
        Day by which it was asked for.
    overdue
        Whether that day is over.
    """

    subject: str
    state: VerificationState | None
    tells_of: str
    voices: int | None
    since: date
    of_whom: str = ""
    due: date | None = None
    overdue: bool = False


def tab_of(state: VerificationState | None) -> RumourTab:
    """Return the tab of a state; what has none is a rumour."""
    return RumourTab.RUMOUR if state is None else _TABS[state]


def is_rumour(notices: Sequence[Notice]) -> bool:
    """Return whether notices are about a rumour or series, not an act or a use alone."""
    return any(notice.kind in _TOLD for notice in notices)


def rumour_rows(
    desk: Desk, tier: Tier, as_of: date | None, day: date, words: PageWords
) -> list[RumourRow]:
    """Return the subjects that a tier knows on a day: overdue ones first, then by day due.

    Parameters
    ----------
    as_of
        The asked day; None is now.
    day
        The day of the page, which due days are compared with.
    """
    if tier is Tier.AUTHORITY and desk.safety is not None:
        found = list(_of_record(desk.safety, day, words))
    else:
        found = list(_of_copies(desk, tier, as_of, words))
    return sorted(
        found,
        key=lambda row: (not row.overdue, row.due or date.max, row.since, row.subject),
    )


def _of_record(record: SafetyRecord, day: date, words: PageWords) -> Iterator[RumourRow]:
    for subject_id, notices in record.notices_on(day).items():
        if not is_rumour(notices):
            continue
        subject = describe(notices, (), day)
        requests = open_requests(notices)
        first = min(requests, key=lambda one: one.followup_due or date.max, default=None)
        due = None if first is None else first.followup_due
        yield RumourRow(
            subject=subject_id,
            state=subject.state,
            tells_of=_tells_of(subject.terms, subject.product_class, words),
            voices=len(subject.sources),
            since=subject.first_received,
            of_whom="" if first is None else words.who(first),
            due=due,
            overdue=due is not None and due < day,
        )


def _of_copies(desk: Desk, tier: Tier, as_of: date | None, words: PageWords) -> Iterator[RumourRow]:
    wanted = tuple(f"{category}|" for category in _OF_NOTICES)
    with desk.service.model() as model:
        signals = known_signals(model, tier, as_of, lambda key: key.startswith(wanted))
    by_subject: dict[str, list[KnownSignal]] = {}
    for signal in signals:
        by_subject.setdefault(subject_of(signal.key), []).append(signal)
    for subject, found in by_subject.items():
        yield _of_signals(subject, {one.category: one for one in found}, words)


def _of_signals(
    subject: str, signals: Mapping[AlertCategory, KnownSignal], words: PageWords
) -> RumourRow:
    main = next(signals[category] for category in _OF_NOTICES if category in signals)
    copy, first = main.latest, main.copies[0]
    overdue = signals.get(AlertCategory.FOLLOW_UP_OVERDUE)
    due = overdue.latest.get("due_since") if overdue is not None and overdue.is_open else None
    first_day = first.get("first_day")
    return RumourRow(
        subject=subject,
        state=VerificationState(copy["verification"]) if copy["verification"] else None,
        tells_of=_tells_of(copy["terms"], copy["product_class"], words),
        voices=copy.get("n_sources"),
        since=day_of(first) if first_day is None else date.fromisoformat(first_day),
        due=None if due is None else date.fromisoformat(due),
        overdue=due is not None,
    )


def _tells_of(terms: Sequence[str], product_class: str | None, words: PageWords) -> str:
    product = words.product(product_class)
    if not terms:
        return words.text("tells_of_product", product=product)
    return words.text("tells_of_events", terms=words.listed(terms), product=product)
