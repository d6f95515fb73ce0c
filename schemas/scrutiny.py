"""What speaks against a signal: one source that made it in a day, or what was treated."""

from datetime import date

from pydantic import Field

from schemas.base import Message
from schemas.tables import Counts, RestrictedStatistics

__all__ = ["Burst", "Restricted"]


class Burst(Message):
    """Cases of one pair that came from one source on one day, so many that they may be the signal.

    A campaign, a study that was closed, or reports that somebody made up look like this.
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
    n_cases: int = Field(ge=1, description="Cases of the pair that came so.")
    n_by_professional: int = Field(
        ge=0, description="Of them reported by a health professional, as the reports say."
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
    """The pair among the cases that were treated for what the event may be: fewer, and alike.

    Whoever is treated for a cancer is at risk of its progression whatever the drug. The restricted
    table takes that away; it may as well hide a reaction that all treatments share. So both tables
    are shown, and neither replaces the other.
    """

    indication: str = Field(
        description="What the pair's cases were treated for and the event is about: a group of the "
        "domain's vocabulary, such as `cancer`, or the event's own name; several joined by `, `."
    )
    n_stating: int = Field(ge=1, description="Cases of the pair that state an indication.")
    counts: Counts = Field(description="The 2x2 table among the cases with that indication.")
    statistics: RestrictedStatistics = Field(description="What was computed from it.")
    rules_fired: tuple[str, ...] = Field(
        description="Rules that are on and fire in the restricted table, sorted."
    )
    rules_not_asked: tuple[str, ...] = Field(description="As in `Burst`.")
    supported: bool = Field(description="Whether any rule that is on fires there as well.")
