"""Signals that somebody has taken a step on, with their state and the day the next one is due."""

import logging
from collections.abc import Collection
from datetime import date

import polars as pl

from schemas.decision import Assessment
from schemas.errors import StateError
from streams.core.alerts.assessment import assessed
from streams.core.alerts.undecided import RevisionDay
from streams.delivery.api.service import Service

__all__ = ["DECIDED", "DecidedSignals"]

DECIDED = pl.Schema(
    {
        "key": pl.String,
        "state": pl.String,
        "decided_on": pl.Date,
        "decided_by": pl.String,
        "assignee": pl.String,
        "decided_due": pl.Date,
    }
)
_LOG = logging.getLogger(__name__)
_ANY_DAY = date.max  # the flag `overdue` is not used: the page has a day of its own


class DecidedSignals:
    """Reads the log of decisions when it grew, and the revisions of the signals it names.

    Parameters
    ----------
    service
        What the log and the revisions are of.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._size = -1
        self._assessments: dict[str, Assessment] = {}
        self._rows: dict[str, tuple[object, ...]] = {}
        self._frame = DECIDED.to_frame()

    def frame(self, changed: Collection[str]) -> pl.DataFrame:
        """Return `DECIDED`; the same object if nothing changed.

        Parameters
        ----------
        changed
            Signals with a new revision.
        """
        size = self._log_size()
        asked = self._assessments.keys() & set(changed)
        if size != self._size:
            before, self._assessments = self._assessments, self._read()
            self._size = size
            asked |= {key for key, one in self._assessments.items() if before.get(key) != one}
        if asked:
            self._rows |= {key: row for key in asked if (row := self._row(key)) is not None}
            self._frame = pl.DataFrame(list(self._rows.values()), schema=DECIDED, orient="row")
        return self._frame

    def _log_size(self) -> int:
        path = self._service.audit.path
        return path.stat().st_size if path.exists() else 0

    def _read(self) -> dict[str, Assessment]:
        try:
            return self._service.audit.assessments()
        except (StateError, OSError) as error:
            _LOG.error("the worklist keeps the decisions it has read before: %s", error)
            return self._assessments

    def _row(self, key: str) -> tuple[object, ...] | None:
        with self._service.model() as model:
            alerts = model.alerts_of(key)
        if not alerts:
            return None
        days = [RevisionDay.of(alert) for alert in alerts]
        alert = assessed(alerts[-1], self._assessments, lambda _: days, today=_ANY_DAY)
        one = alert.assessment
        if one is None:
            return None
        since = one.since and one.since.date()
        return key, one.state, since, one.decided_by, one.assignee, one.due
