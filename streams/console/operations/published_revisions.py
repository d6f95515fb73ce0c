"""What the alerts themselves say of operations: revisions a month, versions, and controls."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from schemas.alert import SignalLevel
from schemas.alert_reason import SignalGrade
from schemas.normal_form import normal_drug, normal_term
from schemas.subscription import Tier
from streams.delivery.api.service import Service
from streams.delivery.tiers import Copy

__all__ = ["PublishedRevisions", "Revisions"]


_NAMES = {"rules": "rules_hash", "policy": "policy_hash", "code": "code_version"}


@dataclass(slots=True)
class Revisions:
    """Totals of the published revisions.

    Attributes
    ----------
    by_month
        Number of revisions by first day of the month and kind.
    versions
        First day of evaluation by what and version: `rules`, `policy`, `strata`, `dictionary`,
        `code`.
    calibration
        Of the latest alert that has one; None without controls.
    most_controls_on
        Most controls that were alarms at one evaluation.
    alarms
        Pairs that ever were an alarm, in normal form.
    """

    n: int = 0
    by_month: dict[date, Counter[str]] = field(default_factory=dict)
    versions: dict[str, dict[str, date]] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    most_controls_on: int = 0
    alarms: set[tuple[str, str]] = field(default_factory=set)

    def add(self, copy: Copy) -> None:
        """Add a revision: a copy for the authority tier."""
        day = date.fromisoformat(copy["evaluated_on"])
        self.n += 1
        self.by_month.setdefault(day.replace(day=1), Counter())[copy["kind"]] += 1
        for what, version in _versions(copy):
            known = self.versions.setdefault(what, {})
            known[version] = min(day, known.get(version, day))
        if copy.get("calibration"):
            self.calibration = copy["calibration"]
            self.most_controls_on = max(self.most_controls_on, self.calibration["n_controls_on"])
        if copy.get("grade") == SignalGrade.ALARM and copy.get("level") == SignalLevel.PRODUCT:
            self.alarms.add((normal_drug(copy["drug"]), normal_term(copy["event"])))


class PublishedRevisions:
    """Totals of a read model, brought up to date by reading what is new in it.

    Parameters
    ----------
    service
        Whose read model it is.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._position = 0
        self._found = Revisions()
        self._lock = threading.Lock()

    def now(self) -> Revisions:
        """Return the totals of all that is published so far."""
        with self._lock, self._service.model() as model:
            last = model.last_position()
            if last < self._position:  # the model was rebuilt
                self._position, self._found = 0, Revisions()
            for copy in model.between(Tier.AUTHORITY, self._position, last, since=date.min):
                self._found.add(copy)
            self._position = last
            return self._found


def _versions(copy: Copy) -> Iterator[tuple[str, str]]:
    for what, name in (
        ("rules", "rules_hash"),
        ("policy", "policy_hash"),
        ("code", "code_version"),
    ):
        if copy.get(name):
            yield what, copy[name]
    for dictionary in copy.get("dictionary_versions") or ():
        yield "dictionary", dictionary
    strata = copy.get("strata")
    if strata:
        bands = ", ".join(f"{band:g}" for band in strata["age_bands"])
        yield "strata", f"{strata['expected']}; test by {strata['test']}; age bands to {bands}"
