"""Ledger of a subject: who said what, on what ground, with what effect. Nothing is edited."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from schemas.notice import Assertion, Notice, NoticeKind
from schemas.vocabulary import VerificationState
from streams.console.safety.known_copies import KnownSignal, day_of
from streams.console.safety.page_words import PageWords
from streams.core.safety.safety_record import CaseChange, DuplicateReport
from streams.core.safety.subjects import verification_state

__all__ = ["Entry", "KnownFacts", "ledger", "state_changes"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a ledger, in words.

    Attributes
    ----------
    day
        Day it was received.
    mark
        State that its tile shows; None where there is none, as of an authority's act.
    by, what, ground
        Who said it, what, and on what ground.
    effect
        The state that it led to; empty if it led to none.
    note
        Further effects.
    """

    day: date
    mark: VerificationState | None
    by: str
    what: str
    ground: str
    effect: str
    note: str


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """What is known of a subject on a day, in order of receipt.

    Attributes
    ----------
    notices
        Notices about it.
    acts
        Acts of authorities on its products, and notices of their use: they have no state.
    changes, duplicates
        Changes of its cases, and reports that repeat one of them.
    signals
        Its alerts.
    """

    notices: Sequence[Notice]
    acts: Sequence[Notice]
    changes: Sequence[CaseChange]
    duplicates: Sequence[DuplicateReport]
    signals: Sequence[KnownSignal]


def state_changes(notices: Sequence[Notice]) -> list[tuple[date, VerificationState]]:
    """Return the states that a subject went through, each with its first day."""
    found: list[tuple[date, VerificationState]] = []
    for number, notice in enumerate(notices, start=1):
        state = verification_state(notices[:number])
        if not found or state is not found[-1][1]:
            found.append((notice.received, state))
    return found


def ledger(known: KnownFacts, words: PageWords) -> list[Entry]:
    """Return the entries of a subject, in order; the last of a day says what was counted then."""
    found = [
        *_of_notices(known.notices, words),
        *(_of_act(notice, words) for notice in known.acts),
        *(_of_case(change, words) for change in known.changes),
        *(_of_duplicate(report, words) for report in known.duplicates),
    ]
    entries = sorted(found, key=lambda entry: entry.day)
    counted = _counted_by_day(known.changes)
    for number, entry in enumerate(entries):
        if number + 1 == len(entries) or entries[number + 1].day != entry.day:
            n = max((item for item in counted.items() if item[0] <= entry.day), default=(None, 0))
            parts = [
                entry.note,
                words.text("counted", n=n[1]),
                *_published(known.signals, entry.day, words),
            ]
            entries[number] = replace(entry, note=" ".join(filter(None, parts)))
    return entries


def _counted_by_day(changes: Sequence[CaseChange]) -> Mapping[date, int]:
    """Return the number of counted cases at the end of each day with a change."""
    counted: set[str] = set()
    found: dict[date, int] = {}
    for change in changes:
        counted.discard(change.case.case_id)
        if change.counted:
            counted.add(change.case.case_id)
        found[change.day] = len(counted)
    return found


def _published(signals: Sequence[KnownSignal], day: date, words: PageWords) -> Iterator[str]:
    for signal in signals:
        for copy in signal.copies:
            if day_of(copy) == day:
                category = words.text(f"category_{signal.category.value}")
                yield words.text("published", category=category, revision=copy["revision"])


def _of_notices(notices: Sequence[Notice], words: PageWords) -> Iterator[Entry]:
    before: VerificationState | None = None
    for number, notice in enumerate(notices, start=1):
        state = verification_state(notices[:number])
        notes = []
        if state is before:
            notes.append(words.text("stays", state=words.state(state)))
        elif state is VerificationState.CONTESTED:
            notes.append(words.text("neither"))
        if notice.derived_from:
            notes.append(words.text("no_second_source"))
        effect = "" if state is before else words.sentences([words.state(state)])
        yield Entry(
            day=notice.received,
            mark=state,
            by=words.who(notice),
            what=_what(notice, words),
            ground=_ground(notice, words),
            effect=effect,
            note=" ".join(notes),
        )
        before = state


def _what(notice: Notice, words: PageWords) -> str:
    said = notice.verification
    if said is not None:
        return words.text(f"said_{said.assertion or said.verdict}")
    parts = [words.text(f"notice_{notice.kind.value}")]
    if notice.terms:
        parts.append(words.text("tells_of", terms=words.listed(notice.terms)))
    if notice.patients is not None:
        parts.append(words.text("of_patients", patients=words.patients(notice.patients)))
    if notice.exposure is not None:
        parts.append(words.text(f"action_{notice.exposure.action_taken.value}"))
        if notice.exposure.discontinuation_advised_by:
            who = words.advisor(notice.exposure.discontinuation_advised_by)
            parts.append(words.text("advised_by", who=who))
    return " ".join(parts)


def _ground(notice: Notice, words: PageWords) -> str:
    parts = [words.text("source", source=notice.source)]
    if notice.derived_from:
        parts.append(words.text("repeats", ids=words.listed(notice.derived_from)))
    said = notice.verification
    if said is not None:
        if said.evidence:
            parts.append(words.text("evidence", evidence=said.evidence))
        if said.case_ids:
            parts.append(words.text("supported_by", ids=words.listed(said.case_ids)))
        if said.assertion is Assertion.DENIES:
            parts.append(words.text("denial"))
        if said.conflict_of_interest:
            parts.append(words.text("party"))
    if notice.facility_id:
        parts.append(words.text("clinic", name=notice.facility_id))
    if notice.followup_due:
        parts.append(words.text("answer_by", day=words.day(notice.followup_due)))
    return " ".join(parts)


def _of_act(notice: Notice, words: PageWords) -> Entry:
    acts = notice.kind is NoticeKind.REGULATORY_ACTION
    return Entry(
        day=notice.received,
        mark=None,
        by=notice.authority or words.who(notice),
        what=words.text(f"notice_{notice.kind.value}"),
        ground=words.text("source", source=notice.source),
        effect="",
        note=words.text("stimulated") if acts else "",
    )


def _of_case(change: CaseChange, words: PageWords) -> Entry:
    case = change.case
    mark = VerificationState.VALID_ICSR if case.by_professional else VerificationState.REPORTED
    if change.counted:
        effect = words.text("amended" if change.was_counted else "enters")
    else:
        mark = VerificationState.NULLIFIED
        effect = words.text(f"leaves_{change.reason or 'withdrawn'}")
    return Entry(
        day=change.day,
        mark=mark,
        by=words.text("by_professional" if case.by_professional else "by_other"),
        what=words.text("case", id=case.case_id, terms=words.listed(case.terms)),
        ground=" ".join(
            [
                words.text("case_report"),
                *(words.text("part_of", id=subject) for subject in case.part_of),
                *(words.text("clinic", name=name) for name in case.facilities),
                *(words.text("lot", name=name) for name in case.lots),
            ]
        ),
        effect=words.sentences([effect]),
        note="",
    )


def _of_duplicate(report: DuplicateReport, words: PageWords) -> Entry:
    return Entry(
        day=report.day,
        mark=VerificationState.NULLIFIED,
        by=words.text("by_duplicate"),
        what=words.text("duplicate", id=report.case_id, of=report.duplicate_of),
        ground=words.text("case_report"),
        effect=words.sentences([words.text("duplicate_once")]),
        note="",
    )
