"""The read model: revisions and versions in any order, and the names that each tier knows."""

import itertools
from pathlib import Path

import pytest

from schemas.alert import SignalGrade
from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.delivery.api.read_model import ReadModel
from tests.support.alerts import KEY, safety, signal
from tests.support.api_server import reported

LOT, CLINIC = safety(), safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")


@pytest.fixture
def model(tmp_path: Path) -> ReadModel:
    made = ReadModel(tmp_path / "signals.db", key=KEY)
    for position, alert in enumerate([signal(9, revision=2), signal(), LOT, CLINIC]):
        made.put(alert, source="alerts", position=position)
    return made


def test_the_latest_revision_is_shown_and_a_position_is_stored_once(model: ReadModel) -> None:
    with model:
        key = signal().signal_key
        assert [alert.revision for alert in model.revisions(Tier.AUTHORITY, key)] == [1, 2]
        model.put(
            signal(5, revision=3), source="alerts", position=0
        )  # a position that is already stored
        assert model.place("alerts") == 4
        assert [alert.revision for alert in model.revisions(Tier.AUTHORITY, key)] == [1, 2]


def test_a_page_has_the_latest_revision_of_each_signal(model: ReadModel) -> None:
    with model:
        page = model.signals(Tier.AUTHORITY, after="", most=9, wanted=lambda alert: True)
        found = {alert.signal_key: alert.revision for alert in page.alerts}
        assert found == {signal().signal_key: 2, LOT.signal_key: 1, CLINIC.signal_key: 1}
        assert page.after is None


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_below_authority_true_lot_names_find_nothing_and_facilities_are_hidden(
    model: ReadModel, tier: Tier
) -> None:
    with model:
        assert model.alert(Tier.AUTHORITY, LOT.alert_id) == LOT
        assert model.alert(tier, LOT.alert_id) is None
        assert model.revisions(tier, LOT.signal_key) == []
        for known in (Tier.AUTHORITY, tier):
            found = model.alert(known, CLINIC.alert_id)
            assert (found == CLINIC) is (known is Tier.AUTHORITY)
        assert model.revisions(tier, signal().signal_key) != []


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_public_sees_a_signal_from_its_first_alarm_on_in_any_order(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    alarm, wider = SignalGrade
    history = [signal(revision=n, grade=g) for n, g in enumerate((wider, alarm, wider, wider), 1)]
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        for position, at in enumerate(order):
            model.put(history[at], source="alerts", position=position)
        key = history[0].signal_key
        for tier, seen in ((Tier.PUBLIC, [2, 3, 4]), (Tier.CONSUMER, [1, 2, 3, 4])):
            assert [alert.revision for alert in model.revisions(tier, key)] == seen
            found = [model.alert(tier, alert.alert_id) is not None for alert in history]
            assert found == [alert.revision in seen for alert in history]
            page = model.signals(tier, after="", most=9, wanted=lambda alert: True)
            assert [alert.revision for alert in page.alerts] == [4]


def test_the_public_sees_no_signal_that_was_never_an_alarm(tmp_path: Path) -> None:
    wider = [signal(revision=n, grade=SignalGrade.SCREENING) for n in (1, 2)]
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        for position, alert in enumerate(wider):
            model.put(alert, source="alerts", position=position)
        for tier, seen in ((Tier.PUBLIC, []), (Tier.CONSUMER, [1, 2])):
            assert [a.revision for a in model.revisions(tier, wider[0].signal_key)] == seen
            page = model.signals(tier, after="", most=9, wanted=lambda alert: True)
            assert [alert.revision for alert in page.alerts] == seen[1:]


def test_the_latest_version_of_a_case_is_listed_in_any_order(
    model: ReadModel,
) -> None:
    with model:
        for position, (version, term) in enumerate([(2, "Shock"), (1, "Sepsis")]):
            model.put_report(reported("NE-1", version, term), source="r", position=position)
        model.skip(source="r", position=2)
        (line,) = model.lines(["NE-1", "NE-9"])
        assert (line.version, line.reactions[0].term) == (2, "Shock")
        assert model.place("r") == 3
