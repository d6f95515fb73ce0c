"""Revisions of safety alerts: what changed, which kind, and the running day due."""

from datetime import date

import pytest

from schemas.notice import Patients
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind, SafetyChange
from streams.core.safety.revisions import changes_between, completed, kind_of_change
from tests.support.alerts import safety

FIRST = safety(AlertCategory.CASE_SERIES, patients=Patients(at_least=4), volume_ml=250.0)
CALM = FIRST.model_copy(update={"urgent": False})


def on(day: date, **fields: object) -> SafetyAlert:
    return CALM.model_copy(update={"evaluated_on": day, **fields})


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"patients": Patients(at_least=5)}, "strengthened"),
        ({"patients": Patients(at_least=3)}, "weakened"),
        ({"case_ids": ("NE-1",)}, "weakened"),
        ({"case_ids": ("NE-1", "NE-2", "NE-3")}, "strengthened"),
        ({"patients": Patients(at_least=5), "case_ids": ()}, "strengthened"),
        ({"lots": ()}, "update"),
    ],
)
def test_the_kind_goes_by_patients_then_cases(fields: dict[str, object], kind: str) -> None:
    assert kind_of_change(CALM, CALM.model_copy(update=fields)) == kind


def test_changes_are_named_in_one_order() -> None:
    changed = CALM.model_copy(
        update={"flags": ("late",), "case_ids": (), "countries": ("JP",), "duty": ("x",)}
    )
    assert changes_between(CALM, changed) == (
        SafetyChange.CASES,
        SafetyChange.COUNTRIES,
        SafetyChange.FLAGS,
    )
    assert changes_between(CALM, CALM.model_copy(update={"duty": ("x",)})) == ()


def test_facts_that_an_older_version_did_not_publish_are_no_change() -> None:
    more = CALM.model_copy(update={"volume_ml": 300.0})
    assert changes_between(CALM, more) == ()
    published = CALM.model_copy(update={"headline": "h"})
    assert changes_between(published, more) == (SafetyChange.VOLUME,)


def test_the_day_due_runs_from_the_first_open_revision() -> None:
    first = completed(on(date(2024, 1, 1)), SafetyAlertKind.NEW, None)
    assert (first.due, first.was, first.changes) == (date(2024, 1, 31), None, ())
    later = on(date(2024, 3, 1), case_ids=("NE-1",))
    second = completed(later, SafetyAlertKind.WEAKENED, first)
    assert (second.due, second.revision) == (date(2024, 1, 31), 2)
    assert (first.own_due, second.own_due) == (first.due, date(2024, 3, 31))
    assert second.was is not None
    assert (second.was.revision, second.was.n_cases, second.was.patients_at_least) == (1, 2, 4)
    end = completed(on(date(2024, 4, 1)), SafetyAlertKind.RETRACTION, second)
    assert end.due == date(2024, 5, 1)
    again = completed(on(date(2024, 4, 10)), SafetyAlertKind.STRENGTHENED, end)
    assert again.due == date(2024, 5, 10)
    urgent = on(date(2024, 4, 11), category=AlertCategory.LOT_CLUSTER, urgent=True)
    assert completed(urgent, SafetyAlertKind.UPDATE, again).due == date(2024, 4, 14)


def test_a_revision_after_one_of_an_older_version_has_its_own_day() -> None:
    revision = completed(on(date(2024, 3, 1)), SafetyAlertKind.UPDATE, CALM)
    assert CALM.due is None
    assert revision.due == date(2024, 3, 31)
