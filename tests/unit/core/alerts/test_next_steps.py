"""Steps asked of an assessor: one of the kind, further ones of what is known, and their day."""

from datetime import date

import pytest

from schemas.alert import AlertKind, SignalLevel
from schemas.context import Context
from streams.core.alerts.domain_context import context_of
from streams.core.alerts.next_steps import next_step, steps
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
