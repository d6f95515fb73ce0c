"""Single serious infections are listed with what to ask, until a cluster alert has them."""

from datetime import date

import pytest

from detectors.rules import load_rules
from schemas.product import Product, Quality
from schemas.report import Reaction, Report
from schemas.vocabulary import Seriousness
from streams.core.cases.domain_case import encode_watched, watched_case
from streams.core.safety.follow_up_questions import watch_items
from streams.core.safety.monitor import SafetyMonitor
from streams.runtime.embedded.replay import Replay
from tests.unit.core.safety.test_monitor import AS_OF, CLASS, case

DAY = date(2019, 10, 7)


def report(number, day=DAY, organism=None, culture=None):
    return Report(
        case_id=number,
        first_received=day,
        latest_received=day,
        products=(Product(product_class=CLASS, quality=Quality(culture_result=culture)),),
        reactions=(Reaction(term="Sepsis", organism=organism),),
        seriousness=(Seriousness.HOSPITALISATION,),
    )


def asked(**fields):
    return [item.ask for item in watch_items([case("N", DAY, **fields)], (), DAY)]


def test_a_serious_infection_is_worth_three_questions():
    assert asked() == [("organism", "culture of the product", "lot")]
    assert asked(lot="EX-117") == [("organism", "culture of the product")]


@pytest.mark.parametrize("fields", [{"serious": False}, {"term": "Rash"}])
def test_what_is_not_serious_or_no_infection_is_not_listed(fields):
    assert asked(**fields) == []


@pytest.mark.parametrize(
    ("organism", "culture", "expected"),
    [
        (None, None, ("organism", "culture of the product", "lot")),
        ("Escherichia coli", None, ("culture of the product", "lot")),
        (None, "Escherichia coli", ("organism", "lot")),
    ],
)
def test_what_the_report_says_is_not_asked_for(organism, culture, expected):
    watched = watched_case(report("N", organism=organism, culture=culture), "adult")
    assert [item.ask for item in watch_items([watched], (), DAY)] == [expected]


def test_a_case_of_a_cluster_is_listed_there():
    watch = SafetyMonitor()
    first, second = (encode_watched(case(name, DAY, lot="EX-117")) for name in ("N1", "N2"))
    watch.count([(first, 1)])
    assert watch.evaluate(DAY, AS_OF) == []
    assert [item.case_id for item in watch.items(DAY)] == ["N1"]
    watch.count([(second, 1)])
    assert [alert.category for alert in watch.evaluate(DAY, AS_OF)] == ["LOT_CLUSTER"]
    assert list(watch.items(DAY)) == []
    watch.count([(second, -1)])
    assert [alert.kind for alert in watch.evaluate(DAY, AS_OF)] == ["retraction"]
    assert [item.case_id for item in watch.items(DAY)] == ["N1"]


def test_a_replay_tells_each_case_once():
    told = []
    run = Replay(
        [],
        load_rules(["mhra"]),
        every=1,
        until=None,
        horizon=date(2024, 12, 31),
        on_alert=lambda alert: None,
        on_rejected=lambda rejected: None,
        on_watch_item=told.append,
    )
    reports = [report("N1"), report("N2", date(2019, 12, 30))]
    for _ in run.feed("test", enumerate(reports, start=1)):
        pass
    run.finish()
    assert [(item.case_id, str(item.known_on)) for item in told] == [
        ("N1", "2019-10-07"),
        ("N2", "2019-12-30"),
    ]
