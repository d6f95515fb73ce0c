"""Facts of all signals, from alerts."""

from datetime import date
from typing import Any

from schemas.alert import Alert, AlertKind
from streams.figures.facts.signals import (
    calendar_facts,
    heat_map_facts,
    months_facts,
    volcano_facts,
)
from streams.figures.months import KINDS
from tests.support.alerts import signal


def alert(drug: str, event: str, ic_lower: float | None = 1.0, **fields: Any) -> Alert:
    made = signal(4, drug=drug, event=event, revision=fields.pop("revision", 1))
    statistics = made.statistics.model_copy(update={"ic_lower": ic_lower})
    return made.model_copy(update={"statistics": statistics, **fields})


def test_the_volcano_has_the_signals_that_are_on() -> None:
    on, off = alert("zinc", "Rash"), alert("iron", "Rash", rules_fired=())
    (mark,) = volcano_facts([on, off], addresses={on.signal_key: "/a"}).marks
    assert (mark.key, mark.label, mark.address) == (on.signal_key, "zinc × Rash", "/a")
    assert mark.log2_ratio == on.statistics.ic_adjusted
    assert mark.log_e_value == on.statistics.log_e_value_blocked
    assert (mark.n_observed, mark.n_serious, mark.n_fatal) == (4, 4, 0)


def test_what_is_evaluated_after_the_sign_off_is_new() -> None:
    one = alert("zinc", "Rash")
    for day, is_new in ((date(2023, 12, 31), True), (one.evaluated_on, False), (None, False)):
        (mark,) = volcano_facts([one], signed_off=day).marks
        (cell,) = heat_map_facts([one], signed_off=day).cells
        assert mark.is_new == cell.is_new == is_new


def test_the_heat_map_has_serious_events_by_their_limits() -> None:
    alerts = [
        alert("zinc", "Rash", 1.0),
        alert("iron", "Rash", 1.5),
        alert("zinc", "Gout", 2.0),
        alert("iron", "Gout", -9.0),
        alert("zinc", "Pain", 9.0, n_serious=1),  # of 4 cases
        alert("zinc", "Cough", 9.0, rules_fired=()),
        alert("lead", "Fever", None),
    ]
    facts = heat_map_facts(alerts)
    assert list(facts.events) == ["Rash", "Gout", "Fever"]
    assert list(facts.drugs) == ["iron", "zinc", "lead"]
    assert [(cell.event, cell.drug, cell.ic_lower) for cell in facts.cells] == [
        ("Rash", "iron", 1.5),
        ("Rash", "zinc", 1.0),
        ("Gout", "iron", -9.0),
        ("Gout", "zinc", 2.0),
        ("Fever", "lead", None),
    ]
    small = heat_map_facts(alerts, most_events=1, most_drugs=1)
    assert [(cell.event, cell.drug) for cell in small.cells] == [("Rash", "iron")]


def test_the_calendar_counts_revisions_of_its_days() -> None:
    days = [date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 1), date(2024, 2, 2)]
    alerts = [alert("zinc", "Rash", evaluated_on=day) for day in days]
    facts = calendar_facts(alerts, last_day=date(2024, 1, 31))
    assert (facts.first_day, facts.last_day) == (date(2024, 1, 1), date(2024, 1, 31))
    assert [(each.day, each.n) for each in facts.counts] == [(date(2024, 1, 1), 2)]


def test_months_count_revisions_by_kind() -> None:
    made = [(date(2024, 1, 5), "new"), (date(2024, 1, 9), "new"), (date(2023, 11, 2), "closed")]
    alerts = [alert("zinc", "Rash", evaluated_on=day, kind=AlertKind(kind)) for day, kind in made]
    facts = months_facts(alerts)
    assert [(each.month, dict(each.counts)) for each in facts.months] == [
        (date(2023, 11, 1), {"closed": 1}),
        (date(2024, 1, 1), {"new": 2}),
    ]


def test_every_kind_of_a_revision_has_a_panel() -> None:
    assert set(KINDS) == {kind.value for kind in AlertKind}
