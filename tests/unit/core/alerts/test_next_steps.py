"""Steps asked of an assessor: one of the kind, further ones of what is known, and their day."""

from datetime import date

import pytest

from schemas.alert import AlertKind, Previous, SignalLevel
from schemas.context import Context
from streams.core.alerts.domain_context import context_of
from streams.core.alerts.next_steps import next_step, running_due, steps
from streams.core.safety.monitor import SafetyMonitor
from tests.support.versions import CELLS, make_domain_case

TODAY = date(2024, 2, 29)
FURTHER = steps().further


def _context(**fields: object) -> Context:
    on_day = SafetyMonitor().known_on(TODAY)
    context = context_of(
        CELLS, "Sepsis", [make_domain_case("A", **fields)], on_day, designated=frozenset()
    )
    assert context is not None
    return context


@pytest.mark.parametrize(
    ("level", "context", "further"),
    [
        ("product", None, []),
        ("lot", None, ["lot"]),
        ("class", _context(), []),
        ("facility", _context(lots=[]), ["facility", "lot_missing"]),
        ("class", _context(exposure_ongoing=True), ["exposure_ongoing"]),
        ("class", _context(exposure_ongoing=False), []),
    ],
)
def test_a_signal_that_is_on_asks_for_what_is_missing(
    level: str, context: Context | None, further: list[str]
) -> None:
    own = steps().kinds[AlertKind.STRENGTHENED].step
    expected = " ".join([own, *(FURTHER[name] for name in further)])
    on = {"is_on": True, "urgent": False, "evaluated_on": TODAY}
    found = next_step(AlertKind.STRENGTHENED, SignalLevel(level), context, **on)
    assert found == (expected, date(2024, 3, 30))
    off = next_step(AlertKind.STRENGTHENED, SignalLevel(level), context, **on | {"is_on": False})
    assert off == (own, date(2024, 3, 30))


def test_what_is_urgent_is_due_in_three_days_whatever_its_kind() -> None:
    for kind in AlertKind:
        _, due = next_step(
            kind, SignalLevel.PRODUCT, None, is_on=True, urgent=True, evaluated_on=TODAY
        )
        assert due == date(2024, 3, 3)


@pytest.mark.parametrize(
    ("before", "was_on", "is_on", "expected"),
    [
        (date(2024, 3, 10), True, True, date(2024, 3, 10)),  # runs on
        (date(2024, 4, 10), True, True, date(2024, 3, 30)),  # is brought nearer
        (date(2024, 3, 10), True, False, date(2024, 3, 30)),  # the signal ended
        (date(2024, 3, 10), False, True, date(2024, 3, 30)),  # it is reopened
        (date(2024, 3, 10), False, False, date(2024, 3, 10)),  # it is off, and corrected
        (None, True, True, date(2024, 3, 30)),  # published by an older version
    ],
)
def test_the_due_day_runs_from_the_first_revision_of_a_signal_that_is_on_or_off(
    before: date | None, was_on: bool, is_on: bool, expected: date
) -> None:
    previous = Previous(
        revision=1,
        kind=AlertKind.NEW,
        evaluated_on=date(2024, 2, 9),
        n_observed=3,
        ror_lower=1.0,
        ic_lower=0.0,
        rules_fired=("mhra",) if was_on else (),
        due=before,
    )
    assert running_due(date(2024, 3, 30), previous, is_on=is_on) == expected
    assert running_due(date(2024, 3, 30), None, is_on=is_on) == date(2024, 3, 30)
