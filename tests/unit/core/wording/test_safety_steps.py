"""The next step on a safety alert, by category and change."""

from datetime import date

import pytest

from schemas.safety_alert import AlertCategory, PreviousFacts, SafetyAlertKind, SafetyChange
from schemas.vocabulary import VerificationState
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.safety_steps import safety_step
from tests.support.alerts import safety

WORDS = catalogue(Language.ENGLISH)
DAY = date(2024, 3, 1)
WAS = PreviousFacts(revision=4, kind=SafetyAlertKind.NEW, evaluated_on=DAY, n_cases=2, n_verified=2)


@pytest.mark.parametrize(
    ("category", "begins"),
    [
        (AlertCategory.LOT_CLUSTER, "Request retained samples of the lot, a culture"),
        (AlertCategory.FACILITY_CLUSTER, "Ask the competent authority for all patients"),
        (AlertCategory.MANUFACTURER_CLUSTER, "Request retained samples of the lots"),
        (AlertCategory.DISTRIBUTOR_CLUSTER, "Request retained samples of the lots"),
        (AlertCategory.CASE_SERIES, "Ask for a report on each patient"),
        (AlertCategory.UNVERIFIED_FATAL, "Ask the source for an identifiable patient"),
        (AlertCategory.FATAL_CASE, "Review the case report and ask for cause of death"),
        (AlertCategory.ONGOING_EXPOSURE, "Ask whether patients are still being treated"),
        (AlertCategory.USAGE_RULE, "Ask for the records, the setting and the approval"),
        (AlertCategory.FOLLOW_UP_OVERDUE, "Repeat the request or record that it cannot"),
    ],
)
def test_each_category_has_its_step(category: AlertCategory, begins: str) -> None:
    assert safety_step(safety(category, due=DAY), WORDS).startswith(begins)


def test_the_step_ends_with_the_day_it_is_due() -> None:
    alert = safety(due=DAY)
    assert safety_step(alert, WORDS).endswith(" recipients. Due 2024-03-01 (urgent).")
    calm = alert.model_copy(update={"urgent": False})
    assert safety_step(calm, WORDS).endswith(" recipients. Due 2024-03-01.")
    assert "Due" not in safety_step(safety(), WORDS)


def test_more_and_fewer_cases_are_reviewed_first() -> None:
    alert = safety(was=WAS, changes=(SafetyChange.CASES,), flags=("lot_missing",))
    more = alert.model_copy(update={"kind": SafetyAlertKind.STRENGTHENED})
    text = safety_step(more, WORDS)
    assert text.startswith("Review the cases received since revision 4. Request retained")
    assert text.endswith("Request the missing lot numbers from the reporters.")
    fewer = alert.model_copy(update={"kind": SafetyAlertKind.WEAKENED})
    assert safety_step(fewer, WORDS).startswith("Check whether any decision relied on what was")
    other = alert.model_copy(update={"changes": (SafetyChange.LOTS,)})
    assert safety_step(other, WORDS).startswith("Request retained")
    again = more.model_copy(
        update={"was": WAS.model_copy(update={"kind": SafetyAlertKind.RETRACTION})}
    )
    assert safety_step(again, WORDS).startswith("Request retained")


def test_a_contested_rumour_and_an_end_have_steps_of_their_own() -> None:
    contested = safety(AlertCategory.UNVERIFIED_FATAL, verification=VerificationState.CONTESTED)
    assert safety_step(contested, WORDS).startswith("Ask for evidence from who denied")
    for kind, begins in (
        (SafetyAlertKind.RETRACTION, "Inform everyone who acted on this signal; end"),
        (SafetyAlertKind.CLOSED, "End the assessment, or keep"),
    ):
        ended = contested.model_copy(update={"kind": kind, "flags": ("lot_missing",)})
        text = safety_step(ended, WORDS)
        assert text.startswith(begins)
        assert "lot numbers" not in text
