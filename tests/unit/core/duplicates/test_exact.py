"""Links of cases that share a number: applied, or suspected where the patients differ."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from schemas.link import CaseLink
from schemas.report import OtherId, Patient, Report
from schemas.vocabulary import AgeGroup, Sex
from streams.core.cases.from_report import case_version
from streams.core.cases.versions import as_counted
from streams.core.duplicates.exact import LinkStep, relink
from streams.core.duplicates.identifiers import identifiers_of
from streams.core.duplicates.known_cases import KnownCase, MemoryIndex
from tests.support.reports import make_report

OF_SENDER = {"sender": "ACME", "sender_case_id": "7"}
WOMAN = Patient(age_years=30, sex=Sex.FEMALE)
MAN = Patient(age_years=70, sex=Sex.MALE)


def known(report: Report) -> KnownCase:
    identifiers = identifiers_of(report)
    assert identifiers is not None
    return KnownCase(case_version(report), identifiers)


def linked(reports: Iterable[Report], index: MemoryIndex | None = None) -> LinkStep:
    index = MemoryIndex() if index is None else index
    step = relink(map(known, reports), index)
    index.update(step.updates)
    return step


def states(links: Iterable[CaseLink]) -> dict[str, tuple[str, str, str]]:
    return {
        link.case_id: (link.master_case_id, link.state.value, link.basis.value) for link in links
    }


def report(case_id: str, **fields: Any) -> Report:
    return make_report(case_id, **{**OF_SENDER, **fields})


def test_one_number_of_one_sender_is_one_patient() -> None:
    assert states(linked([report("A", patient=WOMAN), report("B", patient=WOMAN)]).links) == {
        "B": ("A", "applied", "source_id")
    }


def test_other_age_sex_and_product_make_it_a_suspicion_and_both_count() -> None:
    step = linked([report("A", patient=WOMAN), report("B", patient=MAN, drugs=("iron",))])
    assert states(step.links) == {"B": ("A", "suspected", "source_id")}
    assert step.links[0].reason.endswith("but the patients differ in age, sex and product")
    counted = [as_counted(case.version) for case in step.updates.values()]
    assert [bool(case and case.excluded) for case in counted] == [False, False]


@pytest.mark.parametrize(
    "fields",
    [
        {"patient": MAN},  # one product
        {"patient": Patient(age_years=30, sex=Sex.MALE), "drugs": ("iron",)},  # one age
        {"patient": Patient(age_years=31, sex=Sex.MALE), "drugs": ("iron",)},  # a birthday later
        {"patient": Patient(age_years=70, sex=Sex.FEMALE), "drugs": ("iron",)},  # one sex
        {"patient": Patient(age_years=70), "drugs": ("iron",)},  # the sex is not stated
        {"patient": Patient(sex=Sex.MALE), "drugs": ("iron",)},  # the age is not stated
        {"patient": MAN, "drugs": ("iron", "zinc")},  # one product of two
        {"patient": MAN, "drugs": ()},  # no product is stated
    ],
)
def test_less_than_all_three_applies_the_link(fields: dict[str, Any]) -> None:
    step = linked([report("A", patient=WOMAN), report("B", **fields)])
    assert {state for _, state, _ in states(step.links).values()} == {"applied"}


def test_age_groups_differ_where_no_age_is_stated() -> None:
    child = Patient(age_group=AgeGroup.CHILD, sex=Sex.MALE)
    step = linked([report("A", patient=WOMAN), report("B", patient=child, drugs=("iron",))])
    assert states(step.links)["B"][1] == "suspected"


def test_a_worldwide_number_applies_whatever_else_differs() -> None:
    one = report("A", patient=WOMAN, worldwide_id="JP-X-1")
    other = report("B", patient=MAN, drugs=("iron",), worldwide_id="JP-X-1")
    assert states(linked([one, other]).links) == {"B": ("A", "applied", "worldwide_id")}


def test_two_reports_of_the_other_patient_are_linked_to_each_other() -> None:
    others = [report(name, patient=MAN, drugs=("iron",)) for name in "BC"]
    for order in itertools.permutations([report("A", patient=WOMAN), *others]):
        index = MemoryIndex()
        found = {}
        for each in order:
            found |= states(linked([each], index).links)
        assert {name: link for name, link in found.items() if link[1] != "reversed"} == {
            "B": ("A", "suspected", "source_id"),
            "C": ("B", "applied", "source_id"),
        }


def test_a_version_that_agrees_turns_the_suspicion_into_a_link_and_back() -> None:
    index = MemoryIndex()
    linked([report("A", patient=WOMAN), report("B", patient=MAN, drugs=("iron",))], index)
    step = linked([report("B", patient=WOMAN, version=2)], index)
    assert states(step.links) == {"B": ("A", "applied", "source_id")}
    step = linked([report("B", patient=MAN, drugs=("iron",), version=3)], index)
    assert states(step.links) == {"B": ("A", "suspected", "source_id")}
    assert step.links[0].decision == 3


def test_one_report_number_under_two_case_numbers_counts_once() -> None:
    numbered = {"source": "faers", "message_id": "8500001"}
    one, other = make_report("FAERS-1", **numbered), make_report("FAERS-2", **numbered)
    assert states(linked([one, other]).links) == {
        "FAERS-2": ("FAERS-1", "applied", "report_number")
    }


def test_message_numbers_of_other_senders_identify_no_report() -> None:
    assert identifiers_of(make_report("A", message_id="8500001")) is None
    assert identifiers_of(make_report("A", source="faers", message_id="")) is None


def test_a_listed_number_stays_cross_listed() -> None:
    listing = make_report("B", other_ids=(OtherId(source="ACME", case_id="7"),))
    assert states(linked([report("A"), listing]).links) == {"B": ("A", "applied", "cross_listed")}
