"""Open questions of a subject: what was asked of whom by which day, and what reports leave out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.notice import Notice
from streams.console.safety.page_words import PageWords
from streams.core.cases.domain_case import DomainCase
from streams.core.safety.follow_up_questions import watch_items
from streams.core.safety.subjects import open_requests

__all__ = ["Question", "open_questions"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes
    ----------
    about
        The notice or case that it is about.
    asked
        What is asked, in words.
    of_whom
        Who can answer, in words.
    due
        Day by which the answer was asked for; None if no day was set.
    overdue
        Whether that day is over.
    """

    about: str
    asked: str
    of_whom: str
    due: date | None = None
    overdue: bool = False


def open_questions(
    notices: Sequence[Notice], cases: Iterable[DomainCase], day: date, words: PageWords
) -> list[Question]:
    """Return the open questions of a subject on a day, those that are overdue first."""
    found = [*_of_notices(notices, day, words), *_of_cases(cases, day, words)]
    return sorted(found, key=lambda one: (not one.overdue, one.due or date.max, one.about))


def _of_notices(notices: Sequence[Notice], day: date, words: PageWords) -> Iterator[Question]:
    for notice in open_requests(notices):
        due = notice.followup_due
        yield Question(
            about=notice.notice_id,
            asked=words.text("asked_answer"),
            of_whom=words.who(notice),
            due=due,
            overdue=due is not None and due < day,
        )


def _of_cases(cases: Iterable[DomainCase], day: date, words: PageWords) -> Iterator[Question]:
    for case in cases:
        asked = {name for item in watch_items([case], (), day) for name in item.ask}
        if not case.lots:
            asked.add("lot")
        if not asked:
            continue
        of_whom = words.text("by_professional" if case.by_professional else "by_other")
        clinics = [words.text("clinic", name=name) for name in case.facilities]
        yield Question(
            about=case.case_id,
            asked=words.listed(
                words.text(f"asked_{name.replace(' ', '_')}") for name in sorted(asked)
            ),
            of_whom=" ".join([of_whom, *clinics]),
        )
