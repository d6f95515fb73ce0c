"""What the map shows of every revision of a tier, read once and kept up with the read model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from threading import Lock

from schemas.subscription import Tier
from streams.delivery.api.service import Service
from streams.delivery.matching import is_on
from streams.delivery.tiers import Copy

__all__ = ["LiveMap", "LiveMaps", "MapSignal", "latest_on"]


@dataclass(frozen=True, slots=True)
class MapSignal:
    """One revision of one signal of disproportionate reporting, as the copy of a tier has it.

    Attributes
    ----------
    log2_ratio
        Information component within strata [log2 units]; None if undefined.
    log_e_value
        Natural logarithm of the e-value within day and age band; None if it was not asked.
    rules, asked
        Names of the rules that are on, and of all that were asked.
    """

    key: str
    drug: str
    event: str
    level: str
    grade: str
    kind: str
    day: date
    is_on: bool
    priority: str
    n_observed: int
    n_serious: int
    n_fatal: int
    expected: float | None
    expected_adjusted: float | None
    ic: float | None
    ic_lower: float | None
    ic_upper: float | None
    log2_ratio: float | None
    log_e_value: float | None
    rules: tuple[str, ...]
    asked: tuple[str, ...]


class LiveMap:
    """Revisions of one tier, in the order of publication.

    Parameters
    ----------
    service
        What the read model is of.
    tier
        A tier above the public.
    """

    def __init__(self, service: Service, tier: Tier) -> None:
        self._service, self._tier = service, tier
        self._lock = Lock()
        self._position = 0
        self._revisions: list[MapSignal] = []

    def revisions(self) -> Sequence[MapSignal]:
        """Return all revisions, those that were published since the last call included."""
        with self._lock:
            with self._service.model() as model:
                last = model.last_position()
                copies = model.between(self._tier, self._position, last, since=date.min)
                self._revisions += [_signal(copy) for copy in copies if "category" not in copy]
            self._position = last
            return tuple(self._revisions)


class LiveMaps:
    """One live map a tier, made when it is first asked for."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = Lock()
        self._maps: dict[Tier, LiveMap] = {}

    def of(self, tier: Tier) -> LiveMap:
        """Return the map of a tier."""
        with self._lock:
            return self._maps.setdefault(tier, LiveMap(self._service, tier))


def latest_on(revisions: Sequence[MapSignal], day: date) -> list[MapSignal]:
    """Return the latest revision of each signal that was known on a day, in order of key."""
    latest = {one.key: one for one in revisions if one.day <= day}
    return [latest[key] for key in sorted(latest)]


def _signal(copy: Copy) -> MapSignal:
    statistics, priority = copy["statistics"], copy["priority"]
    return MapSignal(
        key=copy["signal_key"],
        drug=copy["drug"],
        event=copy["event"],
        level=copy["level"],
        grade=copy["grade"],
        kind=copy["kind"],
        day=date.fromisoformat(copy["evaluated_on"]),
        is_on=is_on(copy),
        priority="" if priority is None else priority["level"],
        n_observed=copy["counts"]["n_observed"],
        n_serious=copy["n_serious"],
        n_fatal=copy["n_fatal"],
        expected=statistics["expected"],
        expected_adjusted=statistics["expected_adjusted"],
        ic=statistics["ic"],
        ic_lower=statistics["ic_lower"],
        ic_upper=statistics["ic_upper"],
        log2_ratio=statistics["ic_adjusted"],
        log_e_value=statistics["log_e_value_blocked"],
        rules=tuple(copy["rules_fired"]),
        asked=tuple(rule["name"] for rule in copy["rules"]),
    )
