"""Open questions: what was asked of whom, what is overdue, and what reports leave out."""

from datetime import date

from streams.console.safety.page_words import PageWords
from streams.console.safety.questions import open_questions
from streams.core.wording.catalogue import Language
from tests.support.safety_desk import recorded

WORDS = PageWords.of(Language.ENGLISH)
AFTER = date(2024, 6, 1)


def test_an_answer_is_overdue_the_day_after_it_is_due() -> None:
    notices = recorded().notices_on(date(2024, 1, 1))["RUM-1"]
    for day, overdue in ((date(2024, 5, 31), False), (AFTER, True)):
        (question,) = open_questions(notices, (), day, WORDS)
        assert (question.about, question.of_whom) == ("RUM-1", "The society")
        assert (question.due, question.overdue) == (date(2024, 5, 31), overdue)


def test_a_verdict_ends_what_was_asked() -> None:
    assert open_questions(recorded().notices_on(AFTER)["RUM-1"], (), AFTER, WORDS) == []


def test_reports_are_asked_for_what_they_leave_out() -> None:
    cases = recorded().cases_on(date(2024, 3, 1))
    by_case = {
        question.about: (question.asked, question.of_whom)
        for question in open_questions((), [cases["NE-1"], cases["LC-4"]], AFTER, WORDS)
    }
    assert by_case == {
        "NE-1": ("culture of the product, organism", "A health professional Clinic C-A."),
        "LC-4": ("lot", "Somebody else Clinic C-T."),
    }
