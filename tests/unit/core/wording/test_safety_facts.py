"""Clauses of safety alerts that several categories share."""

import pytest

from schemas.safety_alert import ClusterRuleMet, SubjectKind
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.safety_facts import advisor, joined, role, rule_in_words

WORDS = catalogue(Language.ENGLISH)


@pytest.mark.parametrize(
    ("by", "who", "adviser"),
    [
        ("ministry", "the ministry", "the ministry"),
        ("clinic", "the institution", "the institution"),
        ("outside physician", "the outside physician", "an outside physician"),
        ("outside_physician", "the outside physician", "an outside physician"),
        ("coroner", "the coroner", "the coroner"),
        ("other", "the other", "the other"),
        ("PMDA", "PMDA", "PMDA"),
        ("a witness", "a witness", "a witness"),
    ],
)
def test_a_role_reads_as_a_person(by: str, who: str, adviser: str) -> None:
    assert (role(by, WORDS), advisor(by, WORDS)) == (who, adviser)


def test_names_are_joined_with_and() -> None:
    assert [joined(names, WORDS) for names in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    ("family", "serious_only", "within_days", "text"),
    [
        ("immune-reaction", True, 30, "3 serious immune reactions of one facility within 30 days"),
        ("toxicity", False, 1, "3 toxic reactions of one facility within 1 day"),
        ("burns", True, 2, "3 serious cases (burns) of one facility within 2 days"),
        ("any", False, 2, "3 cases (any) of one facility within 2 days"),
    ],
)
def test_rules_of_an_installation_have_their_words(
    family: str, serious_only: bool, within_days: int, text: str
) -> None:
    rule = ClusterRuleMet(
        n_cases=3,
        within_days=within_days,
        family=family,
        unit=SubjectKind.FACILITY,
        serious_only=serious_only,
    )
    assert rule_in_words(rule, WORDS) == text
