import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.notice import (
    Assertion,
    Exposure,
    Notice,
    NoticeKind,
    Patients,
    Verdict,
    VerificationEvent,
)
from schemas.vocabulary import ActionTaken, ReporterKind, VerificationState
from streams.core.safety.subjects import LinkedCase, describe

START = date(2023, 10, 11)


def notice(number, kind=NoticeKind.MEDIA, *, days=0, subject="RUM-1", **fields):
    return Notice(
        notice_id=number,
        subject_id=subject,
        kind=kind,
        received=START + timedelta(days=days),
        source=fields.pop("source", "press"),
        **fields,
    )


def says(number, *, days, assertion=None, verdict=None, by="institution", **fields):
    return notice(
        number,
        NoticeKind.VERIFICATION,
        days=days,
        verification=VerificationEvent(
            by=by,
            assertion=assertion,
            verdict=verdict,
            evidence="letter" if verdict else None,
        ),
        **fields,
    )


RUMOUR = notice(
    "RUM-1", NoticeKind.SAFETY_NOTICE, reporter=ReporterKind.SOCIETY, terms=("Death",), country="JP"
)
REPEAT = notice("RUM-1b", days=34, derived_from=("RUM-1",), terms=("Death",), country="JP")
DENIAL = says("RUM-1c", days=34, assertion=Assertion.DENIES)
UNKNOWN = says("RUM-1d", days=34, assertion=Assertion.SOURCE_UNKNOWN, by="ministry")
SERIES = notice(
    "LC-0",
    NoticeKind.AGGREGATE,
    subject="LC-0",
    patients=Patients(at_least=4),
    terms=("Malignant neoplasm progression",),
)


def state(*notices, day=START + timedelta(days=400)):
    return describe(notices, (), day).state


def test_a_rumour_repeated_is_one_rumour():
    subject = describe([RUMOUR, REPEAT, REPEAT], (), START)
    assert (subject.sources, subject.repeats) == (("RUM-1",), ("RUM-1b",))
    assert subject.state is VerificationState.RUMOUR
    assert subject.fatal
    assert subject.patients is None


def test_a_denial_contests_and_does_not_refute():
    assert state(RUMOUR, DENIAL) is VerificationState.CONTESTED
    assert state(RUMOUR, UNKNOWN) is VerificationState.CONTESTED
    affirmed = says("x", days=1, assertion=Assertion.AFFIRMS)
    assert state(RUMOUR, affirmed) is VerificationState.RUMOUR
    subject = describe([RUMOUR, DENIAL, UNKNOWN], (), START)
    assert [said for _, _, said in subject.evidence] == ["denies", "source_unknown"]
    assert not subject.closed


@pytest.mark.parametrize(
    ("verdict", "reporter", "expected"),
    [
        (Verdict.CONFIRMED, ReporterKind.AUTHORITY, VerificationState.AUTHORITY_CONFIRMED),
        (Verdict.CONFIRMED, ReporterKind.PHYSICIAN, VerificationState.HCP_CONFIRMED),
        (Verdict.CONFIRMED, ReporterKind.UNKNOWN, VerificationState.VALID_ICSR),
        (Verdict.REFUTED, ReporterKind.AUTHORITY, VerificationState.REFUTED),
        (Verdict.UNRESOLVABLE, ReporterKind.AUTHORITY, VerificationState.UNRESOLVABLE),
    ],
)
def test_only_a_verdict_settles(verdict, reporter, expected):
    settled = says("v", days=200, verdict=verdict, reporter=reporter)
    denied_after = says("z", days=201, assertion=Assertion.DENIES)
    assert state(RUMOUR, DENIAL, settled) is expected
    assert state(RUMOUR, DENIAL, settled, denied_after) is expected
    reopened = says("w", days=300, verdict=Verdict.UNRESOLVABLE)
    assert state(RUMOUR, settled, reopened) is VerificationState.UNRESOLVABLE


def test_who_can_be_counted_is_reported_not_rumoured():
    assert state(SERIES) is VerificationState.REPORTED


def test_cases_are_among_the_patients_told_of():
    cases = [LinkedCase(f"LC-{i}", True, i < 4, False) for i in range(1, 5)]
    for n in range(5):
        subject = describe([SERIES], cases[:n], START)
        assert subject.patients == Patients(at_least=4)  # never 4 + n
        assert subject.verified == n
    five = describe([SERIES], [*cases, LinkedCase("LC-5", True, True, False)], START)
    assert five.patients == Patients(at_least=5)
    void = describe([SERIES], [LinkedCase("LC-1", False, True, False)], START)
    assert void.verified == 0


def test_treatment_that_goes_on_against_advice():
    amendment = notice(
        "LC-0/2",
        NoticeKind.AMENDMENT,
        days=2,
        subject="LC-0",
        exposure=Exposure(
            action_taken=ActionTaken.DOSE_NOT_CHANGED,
            discontinuation_advised_by="outside oncologist",
        ),
    )
    subject = describe([SERIES, amendment], (), START)
    assert subject.exposure_ongoing is True
    assert subject.advised_by == "outside oncologist"
    stopped = notice(
        "LC-0/3", NoticeKind.AMENDMENT, days=9, subject="LC-0", exposure=Exposure(ongoing=False)
    )
    assert describe([stopped, amendment, SERIES], (), START).exposure_ongoing is False


def test_what_is_due_is_overdue_the_day_after_on_event_time():
    due = START + timedelta(days=30)
    asked = notice("q", NoticeKind.FOLLOW_UP, followup_due=due)
    assert describe([RUMOUR, asked], (), due).overdue_since is None
    assert describe([RUMOUR, asked], (), due + timedelta(days=1)).overdue_since == due
    answered = notice("a", NoticeKind.FOLLOW_UP, days=40, followup_closed=True)
    assert describe([RUMOUR, asked, answered], (), due + timedelta(days=90)).overdue_since is None
    settled = says("v", days=40, verdict=Verdict.REFUTED)
    assert describe([RUMOUR, asked, settled], (), due + timedelta(days=90)).overdue_since is None


def test_order_and_repeats_change_nothing():
    known = [
        RUMOUR,
        REPEAT,
        DENIAL,
        UNKNOWN,
        says("v", days=200, verdict=Verdict.CONFIRMED, reporter=ReporterKind.AUTHORITY),
    ]
    expected = describe(known, (), START)
    for order in itertools.permutations(known):
        assert describe([*order, order[0]], (), START) == expected


@given(
    st.lists(st.sampled_from([RUMOUR, REPEAT, DENIAL, UNKNOWN, SERIES]), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_any_history_is_a_set(history, random):
    shuffled = [*history, *history]
    random.shuffle(shuffled)
    assert describe(shuffled, (), START) == describe(history, (), START)
