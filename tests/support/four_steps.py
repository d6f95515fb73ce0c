"""A signal in four steps: cases come, fall below the rule, are nullified, and come back."""

from collections.abc import Iterator
from datetime import date, timedelta

from schemas.alert import Alert
from schemas.report import Report
from streams.core.signals.signal_key import signal_key
from tests.support.replays import replayed
from tests.support.reports import NULLIFIED, make_report

__all__ = ["BEGIN", "EXPECTED", "KEY", "PAIR", "STEPS", "four_steps", "revisions"]

BEGIN = date(2024, 1, 11)
PAIR = ("ZETAMAB", "Uveitis")
KEY = signal_key("zetamab", "uveitis", "cumulative")
_NAMED = ("T-1", "T-2", "T-3", "T-4")
_STEP = timedelta(days=15)

STEPS = 4
EXPECTED = (
    ("new", ("first",), _NAMED),
    ("retraction", ("cases_retracted", "no_rule_on"), ("T-3", "T-4")),
    ("update", ("cases_retracted",), ()),
    ("strengthened", ("reopened",), _NAMED),
)
"""Kind, reasons and cases of the revision of each step."""


def _background() -> Iterator[Report]:
    for number in range(80):
        day = date(2024, 1, 1) + timedelta(days=number // 8)
        drug, event = f"OLD{number % 5}", f"Ev{number % 7}"
        yield make_report(f"C-{number}", day=day, drugs=[drug], events=[event])


def _versions(version: int, names: tuple[str, ...], *, gone: bool = False) -> Iterator[Report]:
    drug, event = PAIR
    for name in _NAMED:
        if name not in names:
            continue
        first = BEGIN
        yield make_report(
            name,
            day=first,
            drugs=[drug],
            events=[event],
            version=version,
            latest_received=max(first, BEGIN + (version - 1) * _STEP),
            revision=NULLIFIED if gone else None,
        )


def four_steps() -> list[list[Report]]:
    """Return the reports of each step, in their order of receipt; a later day ends each."""
    after = [
        make_report(f"D-{step}", day=BEGIN + step * _STEP + timedelta(days=5), drugs=["OLD1"])
        for step in range(STEPS)
    ]
    return [
        [*_background(), *_versions(1, _NAMED), after[0]],
        [*_versions(2, _NAMED[:2], gone=True), after[1]],
        [*_versions(3, _NAMED[2:], gone=True), after[2]],
        [*_versions(4, _NAMED), after[3]],
    ]


def revisions() -> list[Alert]:
    """Return the revisions of the pair in a replay of all four steps."""
    found = replayed(report for step in four_steps() for report in step)
    return [alert for alert in found.alerts if alert.signal_key == KEY]
