"""Entries of a ledger: a denial contests, a repetition is no second source, nothing is edited."""

from datetime import date

from schemas.notice import Assertion, Notice, NoticeKind, Verdict, VerificationEvent
from schemas.vocabulary import ReporterKind, VerificationState
from streams.console.safety.ledger import KnownFacts, ledger, state_changes
from streams.console.safety.page_words import PageWords
from streams.core.wording.catalogue import Language

WORDS = PageWords.of(Language.ENGLISH)


def notice(number: str, day: int, **fields: object) -> Notice:
    stated = {"kind": NoticeKind.MEDIA, "source": "press", "reporter": ReporterKind.MEDIA}
    return Notice.model_validate(
        {
            "notice_id": number,
            "subject_id": "S",
            "received": date(2024, 1, day),
            **stated,
            **fields,
        }
    )


def says(number: str, day: int, **said: object) -> Notice:
    event = VerificationEvent.model_validate({"by": "institution", **said})
    return notice(number, day, kind=NoticeKind.VERIFICATION, verification=event)


RUMOUR = notice("S-1", 1, terms=("Death",))
REPEAT = notice("S-2", 2, terms=("Death",), derived_from=("S-1",))
DENIAL = says("S-3", 3, assertion=Assertion.DENIES)
REFUTED = says("S-4", 4, verdict=Verdict.REFUTED, evidence="autopsy")


def test_a_denial_contests_and_only_a_verdict_refutes() -> None:
    assert state_changes([RUMOUR, REPEAT, DENIAL, REFUTED]) == [
        (date(2024, 1, 1), VerificationState.RUMOUR),
        (date(2024, 1, 3), VerificationState.CONTESTED),
        (date(2024, 1, 4), VerificationState.REFUTED),
    ]


def test_each_entry_says_who_what_ground_and_effect() -> None:
    entries = ledger(KnownFacts([RUMOUR, REPEAT, DENIAL, REFUTED], (), (), (), ()), WORDS)
    rumour, repeat, denial, refuted = entries
    assert (rumour.by, rumour.effect) == ("The press", "Alleged.")
    assert (repeat.effect, "No second source." in repeat.note) == ("", True)
    assert repeat.ground == "Source: press. Repeats S-1."
    assert (denial.what, denial.effect) == ("Denies it.", "Contested.")
    assert denial.note == "Neither confirmed nor refuted. Counted: 0."
    assert "A denial is evidence, not a refutation." in denial.ground
    assert (refuted.effect, "Evidence: autopsy." in refuted.ground) == (
        "Refuted on evidence.",
        True,
    )


def test_the_last_entry_of_a_day_says_what_was_counted() -> None:
    same_day = DENIAL.model_copy(update={"received": RUMOUR.received})
    first, last = ledger(KnownFacts([RUMOUR, same_day], (), (), (), ()), WORDS)
    assert "Counted" not in first.note
    assert "Counted: 0." in last.note


def test_an_act_of_an_authority_has_no_state() -> None:
    act = notice("A-1", 5, kind=NoticeKind.REGULATORY_ACTION, authority="FDA/CBER")
    entry = ledger(KnownFacts([RUMOUR], [act], (), (), ()), WORDS)[-1]
    assert (entry.by, entry.mark, entry.effect) == ("FDA/CBER", None, "")
    assert "Later reports may be stimulated." in entry.note
