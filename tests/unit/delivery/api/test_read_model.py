"""The read model: revisions and versions in any order, and the names that each tier knows."""

import sqlite3
from datetime import date
from pathlib import Path

import pytest

from schemas.alert import Alert, SignalGrade
from schemas.errors import InputError
from schemas.priority import Priority, PriorityLevel
from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.core.alerts.priority import priority_on
from streams.delivery.api.read_model import ReadModel, SignalSort
from tests.support.alerts import KEY, safety, signal
from tests.support.api_server import reported
from tests.support.safety_desk import story

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
        assert [copy["revision"] for copy in model.revisions(Tier.AUTHORITY, key)] == [1, 2]
        model.put(
            signal(5, revision=3), source="alerts", position=0
        )  # a position that is already stored
        assert model.place("alerts") == 4
        assert [copy["revision"] for copy in model.revisions(Tier.AUTHORITY, key)] == [1, 2]


def test_a_page_has_the_latest_revision_of_each_signal(model: ReadModel) -> None:
    with model:
        page = model.signals(
            Tier.AUTHORITY, today=TODAY, after="", most=9, wanted=lambda alert: True
        )
        found = {copy["signal_key"]: copy["revision"] for copy in page.copies}
        assert found == {signal().signal_key: 2, LOT.signal_key: 1, CLINIC.signal_key: 1}
        assert page.after is None


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_below_authority_true_lot_names_find_nothing_and_facilities_are_hidden(
    model: ReadModel, tier: Tier
) -> None:
    with model:
        assert model.alert(Tier.AUTHORITY, LOT.alert_id) == LOT.model_dump(mode="json")
        assert model.alerts_of(LOT.signal_key) == [LOT]
        assert model.alert(tier, LOT.alert_id) is None
        assert model.revisions(tier, LOT.signal_key) == []
        for known in (Tier.AUTHORITY, tier):
            found = model.alert(known, CLINIC.alert_id)
            assert (found is not None) is (known is Tier.AUTHORITY)
        assert model.revisions(tier, signal().signal_key) != []


def test_the_public_sees_a_signal_from_its_first_alarm_on_and_revisions_by_band(
    tmp_path: Path,
) -> None:
    alarm, wider = SignalGrade
    history = [
        signal(n, revision=revision, grade=grade)
        for revision, (n, grade) in enumerate(
            [(3, wider), (3, alarm), (4, alarm), (12, wider), (13, wider)], 1
        )
    ]
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        for position, alert in enumerate(history):
            model.put(alert, source="alerts", position=position)
        key = history[0].signal_key
        bands = [
            (copy["revision"], copy["n_observed"]) for copy in model.revisions(Tier.PUBLIC, key)
        ]
        assert bands == [(1, "1-10"), (2, "11-50")]
        consumer = [copy["revision"] for copy in model.revisions(Tier.CONSUMER, key)]
        assert consumer == [1, 2, 3, 4, 5]
        for alert in history:
            assert model.alert(Tier.PUBLIC, alert.alert_id) is None
        page = model.signals(Tier.PUBLIC, today=TODAY, after="", most=9, wanted=lambda copy: True)
        assert [copy["revision"] for copy in page.copies] == [2]


def test_the_public_knows_days_by_their_months(tmp_path: Path) -> None:
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        dated = signal().model_copy(update={"evaluated_on": date(2024, 3, 20)})
        model.put(dated, source="alerts", position=0)
        last = model.last_position()
        for tier, first in ((Tier.PUBLIC, date(2024, 3, 1)), (Tier.CONSUMER, date(2024, 3, 20))):
            assert model.first_day(tier) == first
            (copy,) = model.between(tier, 0, last, since=date.min)
            assert model.place_of(tier, copy["alert_id"]) == (position_of(model, tier), first)
            assert list(model.between(tier, 0, last, since=first)) == []


def position_of(model: ReadModel, tier: Tier) -> int:
    """Return the position of the only copy of a tier."""
    last = model.last_position()
    return next(
        at for at in range(last, 0, -1) if [*model.between(tier, at - 1, at, since=date.min)]
    )


def test_the_public_sees_no_signal_that_was_never_an_alarm(tmp_path: Path) -> None:
    wider = [signal(revision=n, grade=SignalGrade.SCREENING) for n in (1, 2)]
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        for position, alert in enumerate(wider):
            model.put(alert, source="alerts", position=position)
        for tier, seen in ((Tier.PUBLIC, []), (Tier.CONSUMER, [1, 2])):
            assert [a["revision"] for a in model.revisions(tier, wider[0].signal_key)] == seen
            page = model.signals(tier, today=TODAY, after="", most=9, wanted=lambda copy: True)
            assert [copy["revision"] for copy in page.copies] == seen[1:]


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


def test_versions_are_known_from_the_place_of_their_message_on(model: ReadModel) -> None:
    with model:
        for position, version in enumerate([2, 1, 3]):
            model.put_report(reported("NE-1", version), source="r[0]", position=position)
        model.put_report(reported("NE-1", 3), source="r[0]", position=9)  # comes again
        model.put_report(reported("NE-2"), source="r[1]", position=5)

        def known(before: dict[str, int] | None) -> list[tuple[str, int, int]]:
            found = model.versions(["NE-1", "NE-2"], before=before)
            return [(one.line.case_id, one.line.version, one.position) for one in found]

        assert known(None) == [("NE-1", 1, 1), ("NE-1", 2, 0), ("NE-1", 3, 2), ("NE-2", 1, 5)]
        assert known({"r[0]": 2}) == [("NE-1", 1, 1), ("NE-1", 2, 0)]
        assert known({"r[0]": 1, "r[1]": 6}) == [("NE-1", 2, 0), ("NE-2", 1, 5)]
        assert known({}) == []
        assert model.numbers()["cases"] == 2


def prioritised(drug: str, level: str | None, total: float, due: int | None) -> Alert:
    """Return a signal of a priority level and total, due on a day of March."""
    priority = level and Priority(
        total=total, level=PriorityLevel(level), parts={}, weights={}, burst_only=False
    )
    day = due and date(2024, 3, due)
    return signal(drug=drug).model_copy(update={"priority": priority or None, "due": day or None})


TODAY = date(2024, 3, 9)
SORTED = (
    prioritised("a", "low", 0.9, 5),  # of one source on one day: low whatever the total
    prioritised("b", "high", 0.7, 9),
    prioritised("c", None, 0.0, None),
    prioritised("d", "high", 0.8, 2),
    prioritised("e", "medium", 0.6, 5),
)
ORDERS = {
    SignalSort.KEY: "abcde",
    SignalSort.PRIORITY: "dbeac",
    SignalSort.DUE: "daebc",
    SignalSort.CHANGED: "edcba",
}


@pytest.mark.parametrize("sort", SignalSort)
@pytest.mark.parametrize("tier", [Tier.CONSUMER, Tier.AUTHORITY])
@pytest.mark.parametrize("most", [1, 2, 9])
def test_pages_in_an_order_have_each_signal_once(
    tmp_path: Path, sort: SignalSort, tier: Tier, most: int
) -> None:
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        for position, alert in enumerate(SORTED):
            model.put(alert, source="alerts", position=position)
        found, after = "", ""
        for _ in range(len(SORTED) + 1):
            page = model.signals(
                tier, today=TODAY, after=after, most=most, wanted=lambda _: True, sort=sort
            )
            found += "".join(copy["drug"] for copy in page.copies)
            if page.after is None:
                break
            after = page.after
        assert found == ORDERS[sort]


def _aged(drug: str, known_on: date, n_serious: int) -> Alert:
    """Return an alarm that is known since a day, with the priority of that day."""
    alert = signal(drug=drug).model_copy(
        update={"first_alert_on": known_on, "first_alarm_on": known_on, "n_serious": n_serious}
    )
    return alert.model_copy(update={"priority": priority_on(alert, known_on)})


def test_the_order_of_priority_is_of_the_day_that_asks(tmp_path: Path) -> None:
    """Of two signals the more serious is older: it comes first until it has lost its freshness."""
    old = _aged("old", date(2024, 1, 1), 3)
    new = _aged("new", date(2024, 6, 1), 1)
    alerts = {alert.drug: alert for alert in (old, new, prioritised("none", None, 0.0, None))}
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        for position, alert in enumerate(alerts.values()):
            model.put(alert, source="alerts", position=position)
        for today, order in (
            (date(2024, 1, 1), ["old", "new", "none"]),
            (date(2024, 6, 1), ["new", "old", "none"]),
            (date(2026, 6, 1), ["old", "new", "none"]),
        ):
            found: list[str] = []
            after = ""
            for _ in alerts:
                page = model.signals(
                    Tier.AUTHORITY,
                    today=today,
                    after=after,
                    most=1,
                    wanted=lambda _: True,
                    sort=SignalSort.PRIORITY,
                )
                found += [copy["drug"] for copy in page.copies]
                after = page.after or ""
            assert found == order
            totals = [priority_on(alerts[drug], today).total for drug in order[:2]]
            assert totals == sorted(totals, reverse=True)


def test_a_page_continues_after_a_signal_that_was_revised_since(tmp_path: Path) -> None:
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        for position, alert in enumerate(SORTED):
            model.put(alert, source="alerts", position=position)
        # "b" of the first page has no priority since, and is listed among those without one.
        for sort, rest in ((SignalSort.PRIORITY, "eac"), (SignalSort.CHANGED, "dca")):
            page = model.signals(
                Tier.AUTHORITY, today=TODAY, after="", most=2, wanted=lambda _: True, sort=sort
            )
            assert page.after is not None
            with model.batch():
                (last,) = model.alerts_of(page.copies[-1]["signal_key"])
                newer = last.model_copy(
                    update={"revision": 2, "alert_id": f"{sort}", "priority": None, "due": None}
                )
                model.put(newer, source=sort.value, position=0)
            more = model.signals(
                Tier.AUTHORITY,
                today=TODAY,
                after=page.after,
                most=9,
                wanted=lambda _: True,
                sort=sort,
            )
            found = [copy["drug"] for copy in more.copies if copy["alert_id"] != f"{sort}"]
            assert "".join(found) == rest
        with pytest.raises(InputError, match="after: must be `next` of a page"):
            model.signals(
                Tier.AUTHORITY,
                today=TODAY,
                after="x",
                most=9,
                wanted=lambda _: True,
                sort=SignalSort.DUE,
            )


def test_alerts_between_two_positions_are_of_days_after_one(tmp_path: Path) -> None:
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        assert (model.first_day(Tier.PUBLIC), model.latest_day(), model.last_position()) == (
            None,
            None,
            0,
        )
        for position, (month, day) in enumerate([(1, 1), (3, 1), (2, 20), (3, 30)]):
            alert = signal(revision=position + 1)
            dated = alert.model_copy(update={"evaluated_on": date(2024, month, day)})
            model.put(dated, source="alerts", position=position)
        assert model.first_day(Tier.AUTHORITY) == date(2024, 1, 1)
        assert model.latest_day() == date(2024, 3, 30)

        def between(after: int, last: int, since: date) -> list[int]:
            found = model.between(Tier.AUTHORITY, after, last, since=since)
            return [copy["revision"] for copy in found]

        everything = list(range(model.last_position() + 1))
        assert between(0, everything[-1], date.min) == [1, 2, 3, 4]
        second = next(at for at in everything if between(0, at, date.min) == [1, 2])
        first = next(at for at in everything if between(0, at, date.min) == [1])
        assert between(first, second, date.min) == [2]
        assert between(0, everything[-1], date(2024, 2, 20)) == [2, 4]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_model_of_an_earlier_format_is_read_again(tmp_path: Path, version: int) -> None:
    path = tmp_path / "signals.db"
    with ReadModel(path, key=KEY) as model:
        model.put(LOT, source="alerts", position=7)
    with sqlite3.connect(path) as old:
        if version < 4:
            old.execute("ALTER TABLE copy RENAME TO alert")
        old.execute("CREATE TABLE line (case_id TEXT)")
        old.execute("DROP TABLE version")
        old.execute(f"PRAGMA user_version = {version}")
    old.close()
    with ReadModel(path, key=KEY) as model:
        assert model.place("alerts") == 0
        assert model.numbers() == {"alerts": 0, "signals": 0, "cases": 0}
        model.put_report(reported("NE-1"), source="r", position=0)
        assert [line.case_id for line in model.lines(["NE-1"])] == ["NE-1"]


def test_keys_may_be_asked_for_by_their_beginning(tmp_path: Path) -> None:
    with ReadModel(tmp_path / "model.db", key=KEY) as model:
        for position, alert in enumerate(story().published):
            model.put(alert, source="alerts", position=position)
        every = model.keys(Tier.AUTHORITY)
        series = model.keys(Tier.AUTHORITY, begins="CASE_SERIES|")
        assert series == ["CASE_SERIES|LC-0"]
        assert series == [key for key in every if key.startswith("CASE_SERIES|")]
        assert model.keys(Tier.AUTHORITY, begins="NOTHING|") == []
