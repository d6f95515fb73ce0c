"""The recounted due day: from the revision before, or from what the alert says of it."""

from datetime import date

import pytest

from schemas.alert import Alert
from streams.core.recount.due_days import DueDays
from tests.support.four_steps import revisions as four_revisions


@pytest.fixture(scope="module")
def revisions() -> list[Alert]:
    return four_revisions()


def test_revisions_in_order_give_the_published_days(revisions: list[Alert]) -> None:
    recounted = DueDays()
    found = [recounted.values(alert) for alert in revisions]
    assert [values["due"] for values in found] == [alert.due for alert in revisions]
    assert [values["own_due"] for values in found] == [alert.own_due for alert in revisions]
    assert [values.get("previous.due") for values in found] == [
        alert.previous and alert.previous.due for alert in revisions
    ]


def test_a_revision_alone_is_recounted_from_its_previous_one(revisions: list[Alert]) -> None:
    for alert in revisions:
        values = DueDays().values(alert)
        assert values["due"] == alert.due
        assert "previous.due" not in values


def test_a_day_that_was_moved_away_differs(revisions: list[Alert]) -> None:
    recounted = DueDays()
    _, ended, corrected, _ = revisions
    recounted.values(ended)
    assert corrected.previous is not None
    later = corrected.previous.model_copy(update={"due": date(2030, 1, 1)})
    values = recounted.values(corrected.model_copy(update={"due": None, "previous": later}))
    assert (values["due"], values["previous.due"]) == (ended.due, ended.due)


def test_an_alert_of_an_older_version_has_nothing_to_compare(revisions: list[Alert]) -> None:
    assert DueDays().values(revisions[0].model_copy(update={"headline": ""})) == {}
