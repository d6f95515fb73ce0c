"""Fragility equals brute force: every removal tried, each statistic recomputed from the cases."""

import random
from collections.abc import Iterator

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from schemas.rule_outcome import Fragility
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from tests.support.deltas import case_change, make_delta
from tests.support.removals import BANDS, Case, Removed

# No bound is a value that a statistic takes exactly, as an e-value does 1: rounding would decide.
RULES = """
number = { title = "t", source = "s", all = [
    { statistic = "n_observed", op = ">=", value = 2 },
] }
ratio = { title = "t", source = "s", all = [
    { statistic = "prr", op = ">=", value = 1.4, exit = 1.1 },
    { statistic = "n_observed", op = ">=", value = 2 },
] }
either = { title = "t", source = "s", any = [
    { statistic = "ror_lower", op = ">", value = 0.4 },
    { all = [
        { statistic = "n_observed", op = ">=", value = 4 },
        { statistic = "chi2", op = ">=", value = 0.5 },
    ] },
] }
exact_test = { title = "t", source = "s", all = [
    { statistic = "fisher_p", op = "<=", value = 0.3, exit = 0.5 },
] }
strata = { title = "t", source = "s", all = [
    { statistic = "ic_lower_adjusted", op = ">", value = -1.5, exit = -1.8 },
] }
days = { title = "t", source = "s", all = [
    { statistic = "e_value_blocked", op = ">=", value = 1.03, exit = 0.83 },
] }
whole_days = { title = "t", source = "s", all = [
    { statistic = "log_e_value", op = ">=", value = 0.1, exit = -0.1 },
] }
alarm = { title = "t", source = "s", all = [
    { statistic = "ic_lower_adjusted", op = ">", value = -1.5, exit = -2 },
    { statistic = "e_value_blocked", op = ">=", value = 1.03, exit = 0.73 },
    { statistic = "e_value_budgeted", op = ">=", value = 0, exit = -1 },
    { statistic = "n_observed", op = ">=", value = 2 },
] }
mixed = { title = "t", source = "s", any = [
    { statistic = "ic_adjusted", op = ">", value = 0.2 },
    { statistic = "e_value_blocked", op = ">=", value = 1.03 },
    { statistic = "log_e_value", op = ">", value = 0.2 },
] }
enough_expected = { title = "t", source = "s", all = [
    { statistic = "expected_adjusted", op = ">=", value = 0.613 },
] }
fewer = { title = "t", source = "s", all = [
    { statistic = "ic_lower_adjusted", op = "<=", value = 0.3 },
] }
discovery = { title = "t", source = "s", all = [
    { statistic = "e_bh_level_blocked", op = "<=", value = 50 },
    { statistic = "n_observed", op = ">=", value = 2 },
] }
"""
OF_ALL_PAIRS = {"discovery"}
N_SETS, PAIRS_OF_A_SET = 20, 50
FIRST_DAY = 19_806  # 2024-03-24: the days drawn are of two quarters
MOST_CASES = 7  # of a pair: all 127 removals are tried


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    path = tmp_path_factory.mktemp("rules") / "kinds.toml"
    path.write_text(RULES, encoding="utf-8")
    return load_rules(path)


def _drawn(random_: random.Random) -> list[Case]:
    """Draw cases of few days, so that blocks and alike reports are shared."""
    n_days = random_.choice([3, 16])
    found = []
    for number in range(random_.randint(25, 45)):
        drugs = random_.sample(["iron", "zinc", "gold"], random_.choice([1, 1, 2]))
        often = "Rash" if "zinc" in drugs and random_.random() < 0.5 else None
        events = {often or random_.choice(["Rash", "Pain", "Fever"])}
        events |= {random_.choice(["Rash", "Pain", "Fever"])} if random_.random() < 0.2 else set()
        found.append(
            Case(
                f"C{number:02}",
                FIRST_DAY + random_.randrange(n_days),
                tuple(sorted(drugs)),
                tuple(sorted(events)),
                random_.choice(list(BANDS)),
                random_.choice(["female", "male"]),
                random_.choice("AAB" if random_.random() < 0.9 else "CDE"),
                random_.random() < 0.2,
                tuple(random_.sample(["EX1", "EX2", "EX3"], random_.choice([0, 0, 1, 2]))),
            )
        )
    return found


def _alerts(cases: list[Case], rules: RuleSet) -> list[Alert]:
    detector = Detector([WindowSpec.parse("cumulative")], rules)
    changes = [
        case_change(
            case.case_id,
            day=case.received,
            drugs=[*case.drugs, *(f"lot:{lot}" for lot in case.lots)],
            events=list(case.events),
            age_years=case.age,
            age_group="unknown",
            sex=case.sex,
            origin=f"US\x1f\x1f{case.source}",
            suspected_duplicate=case.suspected,
        )
        for case in cases
    ]
    detector.apply(make_delta(0, changes))
    return detector.evaluate(max(case.day for case in cases))


def _pairs(seed: int, rules: RuleSet) -> Iterator[tuple[Alert, list[Case], list[Case]]]:
    """Yield alerts on pairs of few cases, with all cases and those of the pair."""
    random_ = random.Random(seed)
    while True:
        cases = _drawn(random_)
        for alert in _alerts(cases, rules):
            own = [c for c in cases if alert.drug in c.drugs and alert.event in c.events]
            if 2 <= len(own) <= MOST_CASES and alert.statistics.e_value_blocked:
                yield alert, cases, own


def _units(name: str, own: list[Case]) -> list[set[str]]:
    """Return the ids of the cases of each case, source, lot or suspected duplicate of a pair."""
    if name in ("cases", "links"):
        return [{case.case_id} for case in own if name == "cases" or case.suspected]
    if name == "sources":
        sources = sorted({case.source for case in own})
        return [{c.case_id for c in own if c.source == source} for source in sources]
    lots = sorted({lot for case in own for lot in case.lots})
    return [{c.case_id for c in own if lot in c.lots} for lot in lots]


@pytest.mark.parametrize("seed", range(N_SETS))
def test_fragility_is_that_of_all_removals(seed: int, rules: RuleSet) -> None:
    numbers = [name for name in Fragility.model_fields if name != "at_most"]
    pairs = _pairs(seed, rules)
    seen: set[tuple[str, str, object]] = set()
    for _ in range(PAIRS_OF_A_SET):
        alert, cases, own = next(pairs)
        pair = alert.drug, alert.event
        removed = Removed(cases, pair, rules, alert.statistics.model_dump())
        for name in numbers:
            brute = removed.fewest(_units(name, own))
            for bit, outcome in enumerate(alert.rules):
                where = f"seed {seed}, {pair}, {outcome.name}, {name}, {len(own)} cases"
                if not outcome.fired:
                    assert outcome.fragility is None, where
                    continue
                assert outcome.fragility is not None, where
                n, least = getattr(outcome.fragility, name), brute.get(bit)
                seen.add((outcome.name, name, n))
                if outcome.name in OF_ALL_PAIRS and name in outcome.fragility.at_most:
                    assert least is not None, where
                    assert n >= least, where
                else:
                    assert name not in outcome.fragility.at_most, where
                    assert n == least, where
    by_rule = [
        {n for who, name, n in seen if (who, name) == (rule.name, "cases")} for rule in rules.rules
    ]
    assert sum(len(found) > 1 for found in by_rule) >= 8
    assert {name for _, name, n in seen if n is not None} == set(numbers)
