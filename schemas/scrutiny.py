"""Sensitivity analyses of a signal: without a burst or a product's cases, in an indication."""

from datetime import date

from pydantic import Field

from schemas.base import Message
from schemas.tables import Counts, RestrictedStatistics

__all__ = ["Burst", "ExplainedBy", "Restricted"]


class Burst(Message):
    """A burst: cases of one pair from one source on one day, enough to cause the signal alone.

    Possible causes are a campaign, a study that was closed, or invented reports.
    """

    source: str = Field(
        description="Sender of the reports, else the system they came from. Authority tier only."
    )
    sender_stated: bool = Field(
        default=True,
        description="Whether the reports state their sender. If not, `source` is the system they "
        "came from, which may be all of a database: one day of it is not one sender's day.",
    )
    received: date = Field(description="Day they were first received.")
    n_cases: int = Field(ge=1, description="Cases of the pair in the burst.")
    n_by_professional: int = Field(
        ge=0, description="Of those, the cases reported by a health professional, as stated."
    )
    counts_without: Counts = Field(description="The 2x2 table without these cases.")
    rules_without: tuple[str, ...] = Field(
        description="Rules that are on and would fire without them, sorted."
    )
    rules_not_asked: tuple[str, ...] = Field(
        description="Rules that are on and rest on the anytime-valid test, which is not computed "
        "for a part of the cases."
    )


class Restricted(Message):
    """The pair among the cases with the indication that may explain the event.

    A patient treated for a cancer is at risk of its progression with any drug (confounding by
    indication). The restricted table removes this, but may also hide a reaction that all treatments
    share. So both tables are shown, and neither replaces the other.
    """

    indication: str = Field(
        description="What the pair's cases were treated for and the event is about: a group of the "
        "domain's vocabulary, such as `cancer`, or the event's own name; several joined by `, `."
    )
    n_stating: int = Field(ge=1, description="Cases of the pair that state an indication.")
    counts: Counts = Field(description="The 2x2 table among the cases with that indication.")
    statistics: RestrictedStatistics = Field(
        description="Statistics computed from the restricted table."
    )
    rules_fired: tuple[str, ...] = Field(
        description="Rules that are on and fire in the restricted table, sorted."
    )
    rules_not_asked: tuple[str, ...] = Field(description="As in `Burst`.")
    supported: bool = Field(description="Whether any rule that is on fires there as well.")


class ExplainedBy(Message):
    """A product that explains the pair: the event comes with it, and the pair's drug beside it.

    Products that are given together are reported together, and an innocent one is then reported
    with the reactions of the other.
    """

    product: str = Field(description="The other product, in its most frequent spelling.")
    n_shared: int = Field(ge=1, description="Cases of the pair that name it.")
    share: float = Field(ge=0, le=1, description="The same, as a share of the pair's cases.")
    counts_without: Counts = Field(description="The 2x2 table without the cases that name it.")
    expected_without: float = Field(
        description="Cases of the pair expected in that table within the `strata`."
    )
    ic_without: float = Field(
        description="Information component in that table, with `expected_without` [log2 units]."
    )
    ic_lower_without: float = Field(description="Its IC025, which is not above 0.")
