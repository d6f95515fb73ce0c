"""Histories of cases, policies and rules of two grades, as hypothesis draws them."""

from dataclasses import dataclass

from hypothesis import strategies as st

from detectors.rules import RuleSet
from schemas.alert import SignalGrade
from streams.core.signals.realert_policy import AlertPolicy, load_policy

RULES = """
[ratio]
title = "ratio"
source = "test"
all = [
    { statistic = "prr", op = ">=", value = 1.7321, exit = 1.2345 },
    { statistic = "n_observed", op = ">=", value = 2 },
]
[bound]
title = "bound"
source = "test"
any = [
    { statistic = "ic_lower", op = ">", value = -1.2345, exit = -1.8765 },
    { statistic = "n_observed", op = ">", value = 5 },
]
"""
CHILDREN = {"infant", "child", "adolescent", "neonate"}


@dataclass(frozen=True)
class Case:
    """A case in the form in which it is counted."""

    drugs: frozenset[str]
    events: frozenset[str]
    fatal: bool
    age: str
    region: str

    @property
    def facets(self) -> set[str]:
        """What would be news if it were the first of its kind."""
        found = {"fatal"} if self.fatal else set()
        found |= {"child"} if self.age in CHILDREN else set()
        return found | ({self.region} - {"unknown"})


CASES = st.builds(
    Case,
    st.frozensets(st.sampled_from("ab"), min_size=1),
    st.frozensets(st.sampled_from("xyz"), min_size=1),
    st.sampled_from([False, False, False, True]),
    st.sampled_from(["adult", "adult", "child", "unknown"]),
    st.sampled_from(["unknown", "japan", "japan", "asia", "europe"]),
)
SENT = st.tuples(st.sampled_from("ABCDEFGHIJKL"), st.one_of(CASES, CASES, CASES, st.none()))
STEPS = st.one_of(
    SENT,
    SENT,
    SENT,
    st.sampled_from(["look", "look", "touched", "restart", "regrade"]),
)
POLICIES = st.one_of(
    st.just(load_policy()),
    st.builds(
        AlertPolicy,
        more_cases=st.sampled_from([None, 1, 3]),
        more_cases_factor=st.sampled_from([1.0, 1.5]),
        ic_lower_rise=st.sampled_from([None, 0.5, 1.5]),
        further_rule=st.booleans(),
        first_fatal=st.booleans(),
        first_paediatric=st.booleans(),
        new_region=st.booleans(),
    ),
)


def with_alarm(rules: RuleSet, alarm: set[str]) -> RuleSet:
    """Return the rules with these as the alarm's, the others as the screening's."""
    grades = (
        SignalGrade.ALARM if rule.name in alarm else SignalGrade.SCREENING for rule in rules.rules
    )
    graded = zip(rules.rules, grades, strict=True)
    return RuleSet(rules=tuple(rule.model_copy(update={"grade": grade}) for rule, grade in graded))
