"""Fragility in alerts: which cases are of a source, a lot, a report and a window."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from schemas.rule_outcome import Fragility
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from tests.support.deltas import EPOCH, case_change, make_delta

DAY = 19_782  # 2024-02-29
THREE = """
three = { title = "t", source = "s", all = [
    { statistic = "n_observed", op = ">=", value = 3 },
] }
"""
TESTED = """
tested = { title = "t", source = "s", all = [
    { statistic = "e_value_blocked", op = ">=", value = 6 },
] }
"""


def rules_of(text: str, folder: Any) -> RuleSet:
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return load_rules(path)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return rules_of(THREE, tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return rules_of(TESTED, tmp_path_factory.mktemp("tested"))


def alerts_on(
    rules: RuleSet, *cases: Mapping[str, Any], window: str = "cumulative", background: int = 20
) -> list[Alert]:
    """Evaluate cases of zinc and Rash, and others of iron and Pain."""
    others = [{"drugs": ["iron"], "events": ["Pain"]}] * background
    changes = [
        case_change(
            f"C{number:02}",
            **{"origin": f"US\x1f\x1fS{number}", **fields},
            day=EPOCH + timedelta(days=DAY - 40 * fields.get("past", 0)),
        )
        for number, fields in enumerate([*cases, *others])
    ]
    for change in changes:
        change.pop("past", None)
    detector = Detector([WindowSpec.parse(window)], rules)
    detector.apply(make_delta(0, changes))
    return [alert for alert in detector.evaluate(DAY) if alert.drug == "zinc"]


def fragility_of(rules: RuleSet, *cases: Mapping[str, Any], **others: Any) -> Fragility | None:
    (alert,) = alerts_on(rules, *cases, **others)
    return alert.rules[0].fragility


def test_cases_beyond_the_threshold_are_counted(three: RuleSet) -> None:
    assert fragility_of(three, *[{}] * 5) == Fragility(cases=3, sources=3, lots=None, links=None)


def test_a_source_leaves_with_all_its_cases(three: RuleSet) -> None:
    a, b = {"origin": "US\x1f\x1fA"}, {"origin": "DE\x1fp\x1fB"}
    found = fragility_of(three, a, a, a, b, b)
    assert found == Fragility(cases=3, sources=1, lots=None, links=None)
    # A system of the name of a sender is another source.
    same_name = {"origin": "US\x1fu\x1fA"}
    assert fragility_of(three, a, a, same_name, same_name, b, b) == Fragility(
        cases=4, sources=2, lots=None, links=None
    )


def test_a_case_leaves_with_any_of_its_lots(three: RuleSet) -> None:
    both = {"drugs": ["zinc", "lot:EX1", "lot:EX2"]}
    other = {"drugs": ["zinc", "lot:EX3", "facility:C-A"]}
    assert fragility_of(three, both, both, other, {}) == Fragility(
        cases=2, sources=2, lots=1, links=None
    )
    assert fragility_of(three, both, other, *[{}] * 3) == Fragility(
        cases=3, sources=3, lots=None, links=None
    )


def test_links_are_of_suspected_duplicates_alone(three: RuleSet) -> None:
    suspected = {"suspected_duplicate": True}
    assert fragility_of(three, suspected, suspected, {}, {}) == Fragility(
        cases=2, sources=2, lots=None, links=2
    )
    assert fragility_of(three, suspected, {}, {}, {}) == Fragility(
        cases=2, sources=2, lots=None, links=None
    )


def test_cases_before_the_window_are_not_removed(three: RuleSet) -> None:
    assert fragility_of(three, *[{}] * 4, {"past": 1}, window="sliding:30") == Fragility(
        cases=2, sources=2, lots=None, links=None
    )


def test_alike_reports_leave_the_test_together(tested: RuleSet) -> None:
    alike = {"origin": "US\x1f\x1fA"}
    # Two reports, of which one has three copies: they differ in the lot alone, which is not tested.
    copies = [alike | {"drugs": ["zinc", f"lot:EX{number}"]} for number in range(3)]
    found = fragility_of(tested, *copies, {"origin": "US\x1f\x1fB"})
    assert found == Fragility(cases=1, sources=1, lots=3, links=None)
    (alert,) = alerts_on(tested, *copies, {"origin": "US\x1f\x1fB"})
    assert alert.statistics.e_value_blocked is not None


def test_a_rule_that_is_off_has_none(three: RuleSet) -> None:
    (alert,) = alerts_on(three, {}, {}, {})
    assert [outcome.fragility is None for outcome in alert.rules] == [False]
    detector = Detector([WindowSpec.parse("cumulative")], three)
    changes = [case_change(f"C{number}") for number in range(3)]
    detector.apply(make_delta(0, changes))
    detector.evaluate(DAY)
    detector.apply(make_delta(3, [case_change("C0", n=-1)]))
    (retraction,) = detector.evaluate(DAY)
    assert [(outcome.fired, outcome.fragility) for outcome in retraction.rules] == [(False, None)]
