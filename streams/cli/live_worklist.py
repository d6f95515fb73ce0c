"""The worklist on a terminal, redrawn as alerts arrive."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date

from rich.console import RenderableType
from rich.live import Live

from schemas.alert import Alert
from schemas.errors import InputError
from schemas.rules_change import RulesChange
from streams.cli.stopping import StopSignal
from streams.cli.terminal import Console
from streams.delivery.alert_sources import AnyAlert, Tail, parse_published

__all__ = ["Arrived", "follow_alerts"]

_IDLE_SECONDS = 0.5
_REDRAW_SECONDS = 1.0  # s between two drawings: ranking ten thousand signals takes a tenth of that


class Arrived:
    """The alerts of a source so far, and the latest revision of each signal."""

    def __init__(self) -> None:
        self.alerts: list[AnyAlert] = []
        self._latest: dict[str, Alert] = {}

    def add(self, alert: AnyAlert) -> None:
        """Add an alert; a revision older than the known one replaces nothing."""
        self.alerts.append(alert)
        if isinstance(alert, Alert):
            before = self._latest.get(alert.signal_key)
            if before is None or alert.revision > before.revision:
                self._latest[alert.signal_key] = alert

    @property
    def latest(self) -> Sequence[Alert]:
        """Return the latest revision of each signal."""
        return list(self._latest.values())

    @property
    def last_day(self) -> date:
        """Return the latest day of evaluation; the first of all days without an alert."""
        return max((alert.evaluated_on for alert in self.alerts), default=date.min)


def follow_alerts(tail: Tail, drawn: Callable[[Arrived], RenderableType]) -> None:
    """Draw the alerts of a tail on the terminal, and again as they arrive, until Ctrl-C.

    Parameters
    ----------
    drawn
        Returns what to draw.

    Raises
    ------
    InputError
        If standard output is no terminal.
    """
    if not sys.stdout.isatty():
        msg = "top: --live must write to a terminal; got a file or pipe. Use --json there"
        raise InputError(msg)
    arrived = Arrived()
    with closing(StopSignal()) as stop, Live(console=Console(), auto_refresh=False) as live:
        drawn_at, waiting = -_REDRAW_SECONDS, True
        while not stop.asked():
            number = _read(tail, arrived)
            waiting = waiting or number > 0
            if waiting and time.monotonic() - drawn_at >= _REDRAW_SECONDS:
                live.update(drawn(arrived), refresh=True)
                drawn_at, waiting = time.monotonic(), False
            if not number:
                stop.wait(_IDLE_SECONDS)


def _read(tail: Tail, arrived: Arrived) -> int:
    number = 0
    for source, position, raw in tail.read():
        number += 1
        published = parse_published(raw, tail.where(source, position))
        if not isinstance(published, RulesChange):
            arrived.add(published)
    return number
