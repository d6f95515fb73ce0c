"""Labels from counted cases, as they enter and leave."""

import json
from datetime import date
from typing import Any

import pytest

from detectors.rules import load_rules
from schemas.delta import Delta
from schemas.product import Product
from schemas.report import Reaction, Report, Revision
from schemas.vocabulary import RevisionKind
from streams.core.cases.from_report import case_version
from streams.core.cases.transitions import advance
from streams.core.cases.versions import CaseVersion
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from tests.support.reports import make_report

Said = tuple[str, str]


def spelt(case_id: str, drug: str, event: str, version: int = 1, **fields: Any) -> Report:
    return make_report(
        case_id,
        version=version,
        day=date(2024, 1, 1),
        products=(Product(substances=(drug,)),),
        reactions=(Reaction(term=event),),
        **fields,
    )


class World:
    """A case stage and a detector of the cumulative window."""

    def __init__(self) -> None:
        self.detector = Detector([WindowSpec.parse("cumulative")], load_rules("mhra"))
        self.stored: dict[str, CaseVersion] = {}
        self.offset = 0

    def count(self, *reports: Report) -> None:
        step = advance(map(case_version, reports), self.stored)
        self.stored.update(step.updates)
        end = self.offset + len(reports)
        self.detector.apply(Delta(0, self.offset, end, 19_723, step.changes, step.removed))
        self.offset = end

    @property
    def shown(self) -> list[Said]:
        return self.detector.all_counts().select("drug", "event").rows()


@pytest.fixture
def world() -> World:
    return World()


def test_the_most_frequent_spelling_of_the_counted_cases_is_shown(world: World) -> None:
    world.count(spelt("A", "ZINC", "rash"), spelt("B", "Zinc", "rash"), spelt("C", "Zinc", "Rash"))
    assert world.shown == [("Zinc", "rash")]
    assert world.detector.all_counts()["n_observed"].to_list() == [3]


def test_of_equally_frequent_spellings_the_first_is_shown(world: World) -> None:
    world.count(spelt("A", "zinc", "rash"), spelt("B", "Zinc", "Rash"))
    assert world.shown == [("Zinc", "Rash")]


def test_a_correction_of_a_spelling_alone_moves_the_label(world: World) -> None:
    world.count(spelt("A", "zinc", "rash"))
    world.count(spelt("A", "ZINC", "RASH", version=2))
    assert world.shown == [("ZINC", "RASH")]
    world.count(spelt("A", "ZINC", "rash", version=3))
    assert world.shown == [("ZINC", "rash")]
    world.count(spelt("A", "Zinc", "rash", version=4))
    assert world.shown == [("Zinc", "rash")]


def test_a_case_that_left_spells_nothing(world: World) -> None:
    world.count(*(spelt(case_id, "Zinc", "rash") for case_id in "AB"), spelt("C", "ZINC", "Rash"))
    void = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
    world.count(*(spelt(case_id, "Zinc", "rash", version=2, revision=void) for case_id in "AB"))
    assert world.shown == [("ZINC", "Rash")]


def test_a_name_without_a_case_is_shown_as_it_is_counted(world: World) -> None:
    cases = [spelt(case_id, "Zinc", "RASH") for case_id in "ABC"]
    others = [spelt(f"O{n}", "IRON", "Fever") for n in range(60)]
    world.count(*cases, *others)
    (new, _) = world.detector.evaluate(19_723)
    assert (new.drug, new.event, new.signal_key) == ("IRON", "Fever", "iron|fever|cumulative")
    void = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
    world.count(*(spelt(case_id, "Zinc", "RASH", version=2, revision=void) for case_id in "ABC"))
    off = next(a for a in world.detector.evaluate(19_724) if a.signal_key.startswith("zinc"))
    assert (off.drug, off.event, off.rules_fired) == ("zinc", "rash", ())


def test_labels_survive_a_snapshot(world: World) -> None:
    world.count(spelt("A", "zinc", "rash"), spelt("B", "Zinc", "RASH"), spelt("C", "Zinc", "RASH"))
    rows, facts = world.detector.snapshot()
    other = World()
    other.detector.restore(rows, json.loads(json.dumps(facts)))
    other.stored, other.offset = dict(world.stored), world.offset
    for each in (world, other):
        assert each.shown == [("Zinc", "RASH")]
        each.count(spelt("B", "zinc", "rash", version=2))
        assert each.shown == [("zinc", "rash")]


def test_signals_restored_from_alerts_go_on_whatever_they_showed(world: World) -> None:
    others = [spelt(f"O{n}", "IRON", "Fever") for n in range(60)]
    world.count(*(spelt(case_id, "Zinc", "RASH") for case_id in "ABC"), *others)
    alerts = world.detector.evaluate(19_723)
    assert {alert.drug for alert in alerts} == {"IRON", "Zinc"}
    rows, facts = world.detector.snapshot()
    other = World()
    other.detector.restore(rows, facts)
    other.detector.restore_signals(alerts)
    assert other.detector.evaluate(19_724) == []
