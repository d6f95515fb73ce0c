"""Contexts made for alerts, remembered by signal, and compared with what was published."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from schemas.alert import Alert
from schemas.context import Context
from schemas.notice import Notice, NoticeKind, Patients, Verdict, VerificationEvent
from schemas.vocabulary import ReporterKind
from streams.core.alerts.context import AlertContext
from streams.core.cases.domain_case import DomainCase, encode_domain_case
from streams.core.safety.monitor import SafetyMonitor
from streams.core.signals.new_evidence import (
    DESIGNATED,
    EXPOSURE,
    GONE,
    NEW_COUNTRY,
    NEW_FACILITY,
    NEW_LOT,
    VERIFICATION,
)
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import load_policy
from streams.core.signals.scorer import Scorer
from streams.core.signals.window_scores import score_window
from tests.support.alerts import signal
from tests.support.counted_window import DAY, CountedWindow, rules_of
from tests.support.versions import CELLS, make_domain_case

TODAY = date(2024, 2, 29)
POLICY = load_policy().model_copy(update={"designated_events": ["Endocarditis"]})
PAIR = {"drug": [CELLS], "event": ["sepsis"]}


class World:
    """Watched cases, notices, and the contexts that are made of them."""

    def __init__(self, *cases: DomainCase) -> None:
        self.monitor = SafetyMonitor()
        self.context = AlertContext(self.monitor, POLICY)
        self.watch(*cases)

    def watch(self, *cases: DomainCase, n: int = 1) -> None:
        self.monitor.count((encode_domain_case(each), n) for each in cases)

    def of(self, *case_ids: str, **pair: str) -> Context | None:
        """Return the context of a pair of the cumulative window that has some cases."""
        names = {"drug": CELLS, "event": "sepsis"} | pair
        pairs = pl.DataFrame(
            {**{name: [value] for name, value in names.items()}, "case_ids": [list(case_ids)]},
            schema={"drug": pl.String, "event": pl.String, "case_ids": pl.List(pl.String)},
        )
        (context,) = self.context.of_pairs(pairs, "cumulative", self.monitor.known_on(TODAY))
        return context

    def publish(self, context: Context | None) -> None:
        """Record an alert with a context, on sepsis after cells."""
        alert = signal(3, drug=CELLS, event="sepsis").model_copy(
            update={"drug": "shown", "context": context}
        )
        assert alert.window.label == "cumulative"
        self.context.record([alert])

    def news(self, *case_ids: str, published: bool = True) -> int:
        """Return the bits of the pair, beside another one that is not of the domain."""
        counted = CountedWindow()
        counted.count(["X", "Y"], ["zinc"], ["sepsis"])
        counted.count(case_ids, [CELLS], ["sepsis"])
        keys = [counted.key("zinc", "sepsis"), counted.key(CELLS, "sepsis")]
        signals = Signals(Signals.row(key=keys if published else keys[:1], on=1, revision=1))
        view = counted.view()
        scores = score_window(Scorer(rules_of(1)), view, counted.instance(), signals)
        assert scores is not None
        bits = self.context.news(scores, view, self.monitor.known_on(TODAY))
        assert bits[0] == 0
        return int(bits[1]) if published else len(bits)


def notice(number: str, day: int, **fields: object) -> Notice:
    raw = {
        "notice_id": number,
        "subject_id": "R-1",
        "kind": NoticeKind.MEDIA,
        "received": date(2024, 2, day),
        "source": "press",
        "product_class": CELLS,
        "terms": ("sepsis",),
    }
    return Notice.model_validate(raw | fields)


RUMOUR = notice("1", 1, patients=Patients(at_least=2))
VERDICT = notice(
    "2",
    20,
    kind=NoticeKind.VERIFICATION,
    reporter=ReporterKind.AUTHORITY,
    verification=VerificationEvent(by="ministry", verdict=Verdict.CONFIRMED, evidence="visit"),
)


def test_a_context_is_of_the_pairs_own_watched_cases() -> None:
    world = World(
        make_domain_case("A"),
        make_domain_case("B", lots=["B2"], by_professional=False),
        make_domain_case("C"),
    )
    context = world.of("A", "B", "unwatched")
    assert context is not None
    assert (context.product_class, context.n_cases, context.n_by_professional) == (CELLS, 2, 1)
    assert [(each.name, each.n) for each in context.lots] == [("A1", 1), ("B2", 1)]
    assert [(each.name, each.n) for each in context.facilities] == [("C-A", 2)]
    lot = world.of("A", "B", drug="lot:B2")
    assert lot is not None
    assert (lot.n_cases, lot.product_class) == (1, CELLS)
    assert [each.name for each in lot.lots] == ["B2"]


def test_a_pair_that_is_not_of_the_domain_has_no_context() -> None:
    assert World(make_domain_case("A")).of("A", drug="zinc") is None
    assert World().of("A", drug="zinc") is None


def test_a_class_has_a_context_without_a_watched_case() -> None:
    context = World().of("A")
    assert context is not None
    assert (context.n_cases, context.verification) == (0, "no case is left")


def test_what_was_published_last_says_the_class_and_countries_of_a_lot_without_cases() -> None:
    world = World(make_domain_case("A"))
    published = world.of("A", drug="lot:A1")
    alert = signal(3, drug="lot:A1", event="sepsis").model_copy(update={"context": published})
    world.context.record([alert])
    world.watch(make_domain_case("A"), n=-1)
    context = world.of(drug="lot:A1")
    assert context is not None
    assert (context.product_class, context.n_cases, context.countries) == (CELLS, 0, ())
    assert context.duty[0].startswith("Duty to report, United States: ")
    assert world.of(drug="lot:A1", event="Rash") is None  # of another signal


def test_nothing_is_news_that_was_published() -> None:
    world = World(make_domain_case("A"), make_domain_case("B"))
    world.publish(world.of("A"))
    assert world.news("A") == 0
    assert world.news("A", "B") == 0  # another case of the same lot, country and facility


@pytest.mark.parametrize(
    ("other", "bits"),
    [
        (make_domain_case("B", lots=["A1", "B2"]), NEW_LOT),
        (make_domain_case("B", lots=[]), 0),
        (make_domain_case("B", facilities=["C-B"]), NEW_FACILITY),
        (make_domain_case("B", country="CA"), NEW_COUNTRY),
        (make_domain_case("B", country=None), 0),
        (make_domain_case("B", terms=["sepsis", "Endocarditis"]), DESIGNATED),
        (make_domain_case("B", exposure_ongoing=True), EXPOSURE),
        (make_domain_case("B", exposure_ongoing=False), 0),
        (
            make_domain_case("B", country="CA", lots=["B2"], facilities=["C-B"]),
            NEW_COUNTRY | NEW_LOT | NEW_FACILITY,
        ),
    ],
)
def test_each_fact_that_a_further_case_brings_is_a_bit(other: DomainCase, bits: int) -> None:
    world = World(make_domain_case("A"), other)
    world.publish(world.of("A"))
    assert world.news("A", "B") == bits
    world.publish(world.of("A", "B"))
    assert world.news("A", "B") == 0
    # Without it, what was published of it is gone; exposure and designated terms are not named.
    named = bits & (NEW_COUNTRY | NEW_LOT | NEW_FACILITY)
    assert world.news("A") == (GONE if named else 0)


def test_a_verdict_on_a_rumour_is_news_and_its_hearsay_is_not() -> None:
    world = World(make_domain_case("A"))
    world.publish(world.of("A"))
    world.monitor.apply_notice(RUMOUR)
    assert world.news("A") == 0
    world.monitor.apply_notice(VERDICT)
    assert world.news("A") == VERIFICATION
    world.publish(world.of("A"))
    assert world.news("A") == 0


def test_a_signal_without_a_published_context_has_no_news() -> None:
    world = World(make_domain_case("A"), make_domain_case("B", lots=["B2"]))
    assert world.news("A", "B") == 0
    world.publish(None)
    assert world.news("A", "B") == 0
    world.publish(world.of("A"))
    assert world.news("A", "B", published=False) == 1  # the other pair alone is known


def test_notices_make_windows_with_contexts_stale_once() -> None:
    world = World(make_domain_case("A"))
    assert world.context.stale(world.monitor.known_on(TODAY)) == ()
    world.monitor.apply_notice(RUMOUR)
    assert world.context.stale(world.monitor.known_on(TODAY)) == ()  # nothing was published
    world.publish(world.of("A"))
    assert world.context.stale(world.monitor.known_on(TODAY)) == ()  # known already
    world.monitor.apply_notice(VERDICT)
    assert world.context.stale(world.monitor.known_on(date(2024, 2, 19))) == ()  # not yet received
    assert world.context.stale(world.monitor.known_on(date(2024, 2, 20))) == ("cumulative",)
    assert world.context.stale(world.monitor.known_on(date(2024, 2, 21))) == ()


def test_the_latest_recorded_context_holds_by_window_and_pair() -> None:
    world = World(make_domain_case("A"), make_domain_case("B", lots=["B2"]))
    first, second = world.of("A"), world.of("A", "B")
    alert: Alert = signal(3, drug=CELLS, event="sepsis")
    other = f"{CELLS}|rash|cumulative"
    month = alert.window.model_copy(update={"label": "2024-02"})
    world.context.record(
        [
            alert.model_copy(update={"context": second}),
            alert.model_copy(update={"context": first}),
            alert.model_copy(update={"context": second, "window": month}),
            alert.model_copy(update={"context": second, "signal_key": other}),
        ]
    )
    assert world.news("A", "B") == NEW_LOT
    world.publish(second)
    assert world.news("A", "B") == 0


def test_days_of_a_window_bound_the_cases_that_are_news() -> None:
    world = World(make_domain_case("A"), make_domain_case("B", lots=["B2"]))
    world.publish(world.of("A"))
    counted = CountedWindow()
    counted.count(["A"], [CELLS], ["sepsis"])
    counted.count(["B"], [CELLS], ["sepsis"], day=DAY - 1)
    signals = Signals(Signals.row(key=[counted.key(CELLS, "sepsis")], on=1, revision=1))
    view = counted.view()
    scores = score_window(Scorer(rules_of(1)), view, counted.instance(), signals)
    assert scores is not None
    on_day = world.monitor.known_on(TODAY)
    assert world.context.news(scores, view, on_day).tolist() == [NEW_LOT]
    of_today = replace(scores, days=(DAY, DAY))
    assert world.context.news(of_today, view, on_day).tolist() == [0]
    assert np.array_equal(scores.known, [counted.key(CELLS, "sepsis")])
