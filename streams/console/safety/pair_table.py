"""Statistics of the events of a subject with its product class, by revision of their signals."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from schemas.normal_form import normal_term
from schemas.subscription import Tier
from streams.console.frame import formats
from streams.console.safety.known_copies import day_of
from streams.core.signals.signal_key import signal_key
from streams.delivery.api.read_model import ReadModel
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.restricted import RestrictedFacts, RestrictedRow

__all__ = ["PairRevision", "pair_revisions", "restricted_facts", "supported_within"]


@dataclass(frozen=True, slots=True)
class PairRevision:
    """One revision of the signal of a pair, as the copy of a tier has it.

    Attributes
    ----------
    rules
        Names of the rules that are on.
    restricted
        What the cases of the same indication show; None if it was not computed.
    """

    key: str
    drug: str
    event: str
    day: date
    revision: int
    n_observed: int
    statistics: dict[str, Any]
    rules: tuple[str, ...]
    restricted: dict[str, Any] | None

    @property
    def expected(self) -> str:
        """Return the expected count."""
        value = self.statistics["expected"]
        return "" if value is None else formats.three_digits(value)

    def estimate(self, name: str) -> str:
        """Return a measure with its interval; empty if it is undefined."""
        low, high = self.statistics[f"{name}_lower"], self.statistics[f"{name}_upper"]
        value = self.statistics[name]
        write = formats.logarithm if name == "ic" else formats.three_digits
        if value is None or low is None or high is None:
            return ""
        return f"{write(value)} {formats.interval(write(low), write(high))}"


def pair_revisions(
    model: ReadModel, tier: Tier, product_class: str | None, terms: Iterable[str], day: date
) -> list[PairRevision]:
    """Return the revisions of the signals of a class with some events that were known on a day.

    A tier below consumer knows no statistics.
    """
    if product_class is None or tier is Tier.PUBLIC:
        return []
    found = []
    for term in terms:
        key = signal_key(product_class, normal_term(term), "cumulative")
        for copy in model.revisions(tier, key):
            if day_of(copy) <= day:
                found.append(
                    PairRevision(
                        key=key,
                        drug=copy["drug"],
                        event=copy["event"],
                        day=day_of(copy),
                        revision=copy["revision"],
                        n_observed=copy["counts"]["n_observed"],
                        statistics=copy["statistics"],
                        rules=tuple(copy["rules_fired"]),
                        restricted=copy["restricted"],
                    )
                )
    return found


def supported_within(revisions: Iterable[PairRevision]) -> bool | None:
    """Return whether a rule was on within the indication at any revision; None: not computed."""
    computed = [one.restricted["supported"] for one in revisions if one.restricted is not None]
    return any(computed) if computed else None


def restricted_facts(revisions: Iterable[PairRevision], labels: list[str]) -> RestrictedFacts:
    """Return the ratios among all cases and within the indication, by revision.

    Parameters
    ----------
    labels
        Names of the rows, one for each revision.
    """
    found = list(revisions)
    return RestrictedFacts(
        drug=found[0].drug,
        event=found[0].event,
        rows=[
            RestrictedRow(
                label=label,
                n_observed=one.n_observed,
                everything=_ratio(one.statistics),
                within=None if one.restricted is None else _ratio(one.restricted["statistics"]),
            )
            for one, label in zip(found, labels, strict=True)
        ],
    )


def _ratio(statistics: dict[str, Any]) -> IntervalEstimate:
    return IntervalEstimate(statistics["ror"], statistics["ror_lower"], statistics["ror_upper"])
