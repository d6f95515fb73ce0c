"""Single serious infections are listed with what to ask, until a cluster alert has them."""

from datetime import date
from typing import Any

import pytest

from schemas.product import Quality
from streams.core.cases.domain_case import encode_domain_case
from streams.core.safety.follow_up_questions import watch_items
from streams.core.safety.monitor import SafetyMonitor
from tests.support.alerts import AS_OF
from tests.support.replays import replayed
from tests.support.reports import domain_report
from tests.support.versions import domain_case

DAY = date(2019, 10, 7)


def asked(**fields: Any) -> list[tuple[str, ...]]:
    return [item.ask for item in watch_items([domain_case("N", DAY, **fields)], (), DAY)]


def test_a_serious_infection_is_worth_three_questions() -> None:
    assert asked() == [("organism", "culture of the product", "lot")]
    assert asked(product={"lot": "EX-117"}) == [("organism", "culture of the product")]


@pytest.mark.parametrize("fields", [{"seriousness": ()}, {"term": "Rash"}])
def test_what_is_not_serious_or_no_infection_is_not_listed(fields: dict[str, Any]) -> None:
    assert asked(**fields) == []


@pytest.mark.parametrize(
    ("organism", "culture", "expected"),
    [
        (None, None, ("organism", "culture of the product", "lot")),
        ("Escherichia coli", None, ("culture of the product", "lot")),
        (None, "Escherichia coli", ("organism", "lot")),
    ],
)
def test_what_the_report_says_is_not_asked_for(
    organism: str | None, culture: str | None, expected: tuple[str, ...]
) -> None:
    product = {"quality": Quality(culture_result=culture)}
    assert asked(product=product, reaction={"organism": organism}) == [expected]


def test_a_case_of_a_cluster_is_listed_there() -> None:
    watch = SafetyMonitor()
    first, second = (
        encode_domain_case(domain_case(name, DAY, product={"lot": "EX-117"}))
        for name in ("N1", "N2")
    )
    watch.count([(first, 1)])
    assert watch.evaluate(DAY, AS_OF) == []
    assert [item.case_id for item in watch.items(DAY)] == ["N1"]
    watch.count([(second, 1)])
    assert [alert.category for alert in watch.evaluate(DAY, AS_OF)] == ["LOT_CLUSTER"]
    assert list(watch.items(DAY)) == []
    watch.count([(second, -1)])
    assert [alert.kind for alert in watch.evaluate(DAY, AS_OF)] == ["retraction"]
    assert [item.case_id for item in watch.items(DAY)] == ["N1"]


def test_a_replay_tells_each_case_once() -> None:
    ran = replayed([domain_report("N1", DAY), domain_report("N2", date(2019, 12, 30))])
    assert [(item.case_id, str(item.known_on)) for item in ran.watch_items] == [
        ("N1", "2019-10-07"),
        ("N2", "2019-12-30"),
    ]
