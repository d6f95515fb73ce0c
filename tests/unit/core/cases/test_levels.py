"""Signals of classes, lots, facilities and families: their names, their counts, and when told."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.product import Facility, Product
from schemas.report import Report
from schemas.vocabulary import ProductRole
from streams.core.cases.from_report import case_version
from streams.core.cases.levels import level_of
from streams.core.recount.alerts import Recount, version_frame
from tests.support.replays import Replayed, replayed
from tests.support.reports import make_report
from tests.support.versions import make_version

FIRST = date(2024, 1, 1)
SUPERNATANT = "msc-supernatant-exosome"
CLASSES_ABOVE = ("extracellular-vesicles", SUPERNATANT)


def report(
    number: int,
    *terms: str,
    day: int = 0,
    product: str | None = "engineered-ev",
    lot: str | None = None,
    clinic: str | None = None,
    substance: str | None = None,
) -> Report:
    facility = Facility(facility_id=clinic) if clinic else None
    substances = (substance,) if substance else ()
    return make_report(
        f"C{number:05}",
        day=FIRST + timedelta(days=day),
        products=(
            Product(product_class=product, substances=substances, lot=lot, facility=facility),
        ),
        events=terms,
    )


TERMS = ("Sepsis", "Endocarditis", *(f"Reaction {i}" for i in range(18)))


def background(number: int = 2000, days: int = 1) -> list[Report]:
    """Other products, a tenth of them with an infection; nothing stands out."""
    return [
        report(
            10_000 + i,
            TERMS[i % 20],
            day=i * days // number,
            product=None,
            substance=f"drug {i % 49}",
        )
        for i in range(number)
    ]


def said(alerts: Iterable[Alert]) -> list[tuple[str, str, str, int]]:
    return [
        (alert.drug, alert.event, alert.kind.value, alert.counts.n_observed) for alert in alerts
    ]


def counted(ran: Replayed, drug: str, event: str) -> list[tuple[int, ...]]:
    found = ran.run.detector.all_counts().filter(drug=drug, event=event)
    return found.select("n_observed", "n_drug", "n_event", "n_total").rows()


@pytest.mark.parametrize(
    ("products", "names"),
    [
        (
            [Product(product_class="engineered-ev", lot="ex 117")],
            ["engineered-ev", "extracellular-vesicles", "lot:EX117", "msc-supernatant-exosome"],
        ),
        (
            [Product(verbatim="culture supernatant", facility=Facility(facility_id="C-A"))],
            ["culture supernatant", "culture-supernatant", "facility:C-A", SUPERNATANT],
        ),
        # Two products of one lot are one case of it; that of another role is none.
        (
            [
                Product(product_class="cell-product", lot="A1"),
                Product(product_class="cell-product", lot="A-1"),
                Product(product_class="cell-product", lot="B2", role=ProductRole.CONCOMITANT),
            ],
            ["cell-product", "lot:A1"],
        ),
        # A lot of no product of the domain is not counted.
        ([Product(substances=("aspirin",), lot="A1")], ["aspirin"]),
        # What a sender writes is no level.
        (
            [Product(substances=("lot:A1", "facility:C", "family:x", "lot: A1", "Lot:A1"))],
            ["facility: c", "family: x", "lot: a1"],
        ),
    ],
)
def test_a_case_counts_once_under_each_of_its_levels(
    products: list[Product], names: list[str]
) -> None:
    version = make_version(products=tuple(products), events=("Sepsis", "Abscess", "family:x"))
    assert version.drugs.split("\x1f") == names
    assert version.events.split("\x1f") == ["abscess", "family: x", "family:infection", "sepsis"]


@pytest.mark.parametrize(
    ("drug", "event", "level"),
    [
        ("aspirin", "Sepsis", "product"),
        ("lot: EX117", "Sepsis", "product"),
        ("engineered-ev", "Sepsis", "class"),
        ("engineered-ev", "family: x", "class"),
        ("lot:EX117", "Sepsis", "lot"),
        ("facility:C-A", "Sepsis", "facility"),
        ("engineered-ev", "family:infection", "family"),
    ],
)
def test_the_names_of_a_pair_say_its_level(drug: str, event: str, level: str) -> None:
    assert level_of(drug, event).value == level


def test_every_case_is_in_the_margin_of_a_family_which_is_a_question_of_classes_only() -> None:
    infections = [report(i, "Sepsis", "Abscess", lot="A") for i in range(3)]
    ran = replayed([*background(), *infections])
    n_family = 200 + 3  # two of twenty terms, of 2,000; a case with both terms is one
    assert counted(ran, "engineered-ev", "family:infection") == [(3, 3, n_family, 2003)]
    assert counted(ran, "lot:A", "Sepsis") == [(3, 3, 100 + 3, 2003)]
    assert (
        counted(ran, "lot:A", "family:infection")
        == counted(ran, "drug 0", "family:infection")
        == []
    )
    pairs = ran.run.detector.all_counts().height
    assert ran.run.detector.n_pairs == pairs


def test_a_lot_with_the_cases_of_its_class_is_told_once_they_differ() -> None:
    of_lot = [report(i, "Sepsis", day=i, lot="A", clinic="C-A") for i in range(3)]
    other = report(3, "Sepsis", day=5, lot="B", clinic="C-B")
    chain = ["engineered-ev", "extracellular-vesicles", "msc-supernatant-exosome"]
    alone = replayed([*background(), *of_lot])
    assert said(alone.alerts) == [(drug, "Sepsis", "new", 3) for drug in chain]
    both = replayed([*background(), *of_lot, other])
    assert said(both.alerts)[:3] == said(alone.alerts)
    later = {(alert.drug, alert.level.value): alert.kind.value for alert in both.alerts[3:]}
    assert {unit for unit, kind in later.items() if kind == "new"} == {
        ("lot:A", "lot"),
        ("facility:C-A", "facility"),
    }
    news = Counter(alert.signal_key for alert in both.alerts if alert.kind == "new")
    assert set(news.values()) == {1}


def test_what_was_not_told_is_written_down_once_with_where_it_was_told() -> None:
    of_lot = [report(i, "Sepsis", day=i, lot="A") for i in range(3)]
    quiet = report(9, "Rash", day=9, product=None, substance="drug 1")
    ran = replayed([*background(), *of_lot, quiet])
    silent = [one for one in ran.suppressed if one.reason == "same_cases"]
    assert {one.signal_key for one in silent} == {
        "lot%3AA|sepsis|cumulative",
        *(
            f"{code}|family%3Ainfection|cumulative"
            for code in ("engineered-ev", "extracellular-vesicles", "msc-supernatant-exosome")
        ),
    }
    assert {one.told_as for one in silent} == {"engineered-ev|sepsis|cumulative"}
    assert {(one.revision, one.n_observed, one.n_published) for one in silent} == {(1, 3, 3)}
    assert len(silent) == 4 == ran.run.detector.suppressed["same_cases"]
    # Three signals told and four not, each with one rule that came to fire.
    assert ran.run.detector.crossings == 7


def test_a_lot_is_told_when_the_signal_that_told_its_cases_goes() -> None:
    """Of the class others come without the reaction, until the class's rule is past its exit."""
    of_lot = [report(i, "Sepsis", day=i, lot="A") for i in range(3)]
    others = [report(100 + i, "Rash", day=9, lot=f"B{i}") for i in range(60)]
    ran = replayed([*background(), *of_lot, *others])
    said = [(alert.drug, alert.kind.value) for alert in ran.alerts if alert.event == "Sepsis"]
    assert said[3:] == [
        ("engineered-ev", "closed"),
        ("extracellular-vesicles", "closed"),
        ("lot:A", "new"),
        ("msc-supernatant-exosome", "closed"),
    ]


def test_as_many_cases_are_not_the_same_cases() -> None:
    """A product with three other cases of the reaction covers no lot."""
    of_lot = [report(i, "Sepsis", lot="A", product="engineered-ev") for i in range(3)]
    more = [report(10 + i, "Sepsis", product="engineered-ev") for i in range(2)]
    product = [
        report(20 + i, "Sepsis", product="cell-product", substance="Cellia") for i in range(3)
    ]
    ran = replayed([*background(), *of_lot, *more, *product])
    assert ("lot:A", "Sepsis", "new", 3) in said(ran.alerts)


def test_the_sentence_of_the_authority_names_lot_and_facility() -> None:
    of_lot = [report(i, "Sepsis", lot="QX9", clinic="C-A") for i in range(3)]
    more = [report(10 + i, "Endocarditis", "Sepsis") for i in range(2)]
    ran = replayed([*background(), *of_lot, *more])
    headlines = {alert.level.value: alert.headline for alert in ran.alerts}
    assert set(headlines) == {"class", "lot", "facility"}
    assert headlines["lot"].startswith("Sepsis with products of lot QX9: new signal")
    assert headlines["facility"].startswith("Sepsis with products given at facility C-A: new")


def test_the_anytime_valid_test_asks_what_it_asked_before() -> None:
    """Lots, facilities and families are neither hypotheses of it nor do they make it say more."""
    cases = [report(i, "Sepsis", day=i % 5, lot="A", clinic="C-A") for i in range(6)]
    plain = [
        one.model_copy(update={"products": (Product(product_class="engineered-ev"),)})
        for one in cases
    ]
    told = []
    for some in (cases, plain):
        by_day = sorted([*background(days=5), *some], key=lambda one: one.latest_received)
        told.append(
            {
                (alert.drug, alert.event): alert.statistics.e_bh_level
                for alert in replayed(by_day, rules="safe").alerts
            }
        )
    assert set(told[0]) == {(drug, "Sepsis") for drug in ("engineered-ev", *CLASSES_ABOVE)}
    assert told[0] == told[1]


def test_the_reference_replay_counts_levels_as_the_stream_does() -> None:
    of_lot = [report(i, "Sepsis", day=i, lot="A", clinic="C-A") for i in range(5)]
    others = [report(100 + i, *TERMS[i : i + 2], day=7, lot=f"B{i}") for i in range(3)]
    sent = [*background(days=5), *of_lot, *others]
    sent.sort(key=lambda one: one.latest_received)
    rules = load_rules(["mhra", "safe"])
    alerts = [alert for name in ("mhra", "safe") for alert in replayed(sent, rules=name).alerts]
    assert {alert.level.value for alert in alerts} == {"class", "lot", "facility", "family"}
    versions = version_frame(0, list(enumerate(map(case_version, sent))))
    recount = Recount([versions], rules, priors={}, test_lag=0, until_evaluated=True)
    done = list(recount.recount(alerts))
    assert len(done) == len(alerts)
    assert [one.differences for one in done] == [()] * len(alerts)
