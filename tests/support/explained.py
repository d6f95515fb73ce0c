"""A small population with an explanation: a culprit, its bystander, and a disease of infants."""

from datetime import date, timedelta
from typing import Any

from schemas.product import Product
from schemas.report import Patient, Reaction, Report
from schemas.vocabulary import Sex
from streams.core.explanation.explanation import ExplainedRun, explain
from streams.core.explanation.population import Population, population_of
from streams.core.explanation.section import Section
from tests.support.replays import Replayed, replayed
from tests.support.reports import make_report

FIRST = date(2024, 1, 1)
PAIR = ("Zinc", "RASH")
"""The pair in a spelling that no report has."""


def _report(place: int, day: int, drugs: tuple[str, ...], events: tuple[str, ...]) -> Report:
    """Return a report of a woman or man, infant or adult, of a day; one product has a date."""
    received = FIRST + timedelta(days=day)
    given = received - timedelta(days=10 + place % 7)
    products = tuple(
        Product(substances=(drug,), first_given=given if drug == "zinc" else None) for drug in drugs
    )
    onset = given + timedelta(days=place % 5)
    reactions = tuple(
        Reaction(term=term, onset=onset if "zinc" in drugs else None) for term in events
    )
    stated: dict[str, Any] = {
        "patient": Patient(
            age_years=0.3 if place % 2 else 40.0, sex=Sex.FEMALE if place % 3 else Sex.MALE
        )
    }
    return make_report(
        f"C{place:03}", day=received, products=products, reactions=reactions, **stated
    )


def reports() -> list[Report]:
    """Return 124 reports: 10 of zinc and rash, 6 of which name iron as well."""
    kinds = [
        *[(("zinc", "iron"), ("rash",))] * 6,
        *[(("zinc",), ("rash", "fever"))] * 4,
        *[(("zinc",), ("cough",))] * 8,
        *[(("iron",), ("cough",))] * 20,
        *[(("iron",), ("rash",))] * 1,
        *[(("lead",), ("rash",))] * 5,
        *[(("lead",), ("fever",))] * 40,
        *[(("gold",), ("cough", "fever"))] * 40,
    ]
    return [_report(place, (place * 37) % 120, *kind) for place, kind in enumerate(kinds, start=1)]


def in_order() -> list[Report]:
    """Return them in the order of receipt."""
    return sorted(reports(), key=lambda report: (report.first_received, report.case_id))


def run(rules: str = "mhra") -> Replayed:
    """Replay them, an evaluation every day."""
    return replayed(in_order(), rules=rules)


def explained_run(done: Replayed, **stated: Any) -> ExplainedRun:
    """Return what `explain` takes of a replay."""
    detector, last = done.run.detector, done.run.last_day
    assert last is not None
    (window,) = detector.windows
    (tally,) = window.tallies.values()
    return ExplainedRun(
        view=detector.view(),
        tally=tally,
        scorer=detector.scorer,
        last_day=(last - date(1970, 1, 1)).days,
        alerts=done.alerts,
        **stated,
    )


def sections(done: Replayed, pair: tuple[str, str] = PAIR, **stated: Any) -> dict[str, Section]:
    """Return the sections on a pair by name."""
    return {one.name: one for one in explain(explained_run(done, **stated), *pair)}


def population(done: Replayed, drug: str = "zinc", event: str = "rash") -> Population:
    """Return the population around a pair."""
    given = explained_run(done)
    return population_of(given.view, drug, event, given.last_day)
