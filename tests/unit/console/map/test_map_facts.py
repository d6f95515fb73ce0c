"""Marks, cells, days and combinations of rules, from a few signals made by hand."""

from dataclasses import replace
from datetime import date

from streams.console.map.live_map import MapSignal, latest_on
from streams.console.map.map_facts import agreement, calendar, changed_marks, heat, marks

DAY = date(2024, 5, 20)
SIGNAL = MapSignal(
    key="a|x|cumulative",
    drug="A",
    event="X",
    level="product",
    grade="alarm",
    kind="new",
    day=DAY,
    is_on=True,
    priority="high",
    n_observed=10,
    n_serious=5,
    n_fatal=1,
    expected=2.0,
    expected_adjusted=2.5,
    ic=2.0,
    ic_lower=1.2,
    ic_upper=2.6,
    log2_ratio=1.8,
    log_e_value=5.0,
    rules=("mhra",),
    asked=("mhra", "ic"),
)


def signal(drug: str, event: str, **changes: object) -> MapSignal:
    key = f"{drug.lower()}|{event.lower()}|cumulative"
    return replace(SIGNAL, drug=drug, event=event, key=key, **changes)


def test_a_mark_is_new_after_the_day_of_the_sign_off() -> None:
    of_day = [signal("A", "X", day=DAY), signal("B", "X", day=date(2024, 5, 19))]
    facts = marks(of_day, date(2024, 5, 19), ratios=(0.0, 1.0), powers=None)
    assert [mark.is_new for mark in facts.marks] == [True, False]
    assert facts.ratios == (0.0, 1.0)
    assert facts.powers is None
    assert facts.marks[0].log2_ratio == 1.8


def test_changed_signals_are_in_the_order_of_their_evidence() -> None:
    found = [
        signal("A", "X", log_e_value=None),
        signal("B", "X", log_e_value=9.0),
        signal("C", "X", log_e_value=9.0, ic_lower=2.0),
        signal("D", "X", day=date(2024, 1, 1), log_e_value=99.0),
    ]
    assert [one.drug for one in changed_marks(found, date(2024, 5, 19))] == ["C", "B", "A"]
    many = [signal(f"D{i:02}", "X") for i in range(20)]
    assert len(changed_marks(many, date(2024, 5, 19))) == 12


def test_cells_are_of_mostly_serious_signals_the_strongest_events_first() -> None:
    found = [
        signal("A", "mild", n_serious=4),
        signal("A", "weak", ic_lower=-0.5),
        signal("A", "strong", ic_lower=3.0),
        signal("B", "strong", ic_lower=None),
        signal("B", "weak", ic_lower=0.2),
    ]
    table = heat(found)
    assert list(table.events) == ["strong", "weak"]
    assert list(table.drugs) == ["A", "B"]
    assert ("mild", "A") not in {(event, drug) for event, drug in table.cells}
    assert table.cells["strong", "B"].ic_lower is None


def test_days_are_those_of_the_year_up_to_the_day() -> None:
    days = [date(2023, 12, 31), date(2024, 1, 1), date(2024, 5, 20), date(2024, 5, 20)]
    revisions = [signal("A", f"E{i}", day=day) for i, day in enumerate(days)]
    facts = calendar([*revisions, signal("A", "late", day=date(2024, 5, 21))], DAY, DAY)
    assert [(one.day, one.n) for one in facts.counts] == [(date(2024, 1, 1), 1), (DAY, 2)]
    assert (facts.first_day, facts.last_day) == (date(2024, 1, 1), DAY)


def test_combinations_of_rules_add_up() -> None:
    combinations = [(), ("mhra",), ("ic",), ("mhra", "ic")]
    found = [
        signal(f"D{i}", "X", rules=rules) for i, rules in enumerate([*combinations, ("ic", "mhra")])
    ]
    table = agreement(found)
    assert table.rules == ("mhra", "ic")
    assert table.rows[0] == (frozenset({"mhra", "ic"}), 2)
    assert sum(n for _, n in table.rows) == len(found)
    asked = tuple(f"r{i}" for i in range(10))
    many = [signal(f"D{i}", "X", rules=(f"r{i}",), asked=asked) for i in range(10)]
    rest = agreement(many)
    assert (len(rest.rows), rest.n_further, rest.n_in_further) == (8, 2, 2)


def test_the_latest_revision_of_a_day_is_known() -> None:
    earlier = signal("A", "X", day=date(2024, 1, 1), n_observed=3)
    later = signal("A", "X", day=DAY)
    assert latest_on([earlier, later], date(2024, 5, 19)) == [earlier]
    assert latest_on([earlier, later], DAY) == [later]
    assert latest_on([earlier, later], date(2023, 12, 31)) == []
