"""What a reader knows already: the revisions signed off, or all of the days up to one."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from schemas.subscription import Tier
from streams.console.readers import SEEN, Readers
from streams.delivery.api.read_model import ReadModel
from streams.delivery.tiers import Copy

__all__ = ["FIRST_DAYS", "Baseline", "baseline_of"]

FIRST_DAYS = 7
"""Days of data that count as changed before the first sign-off."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a reader knows.

    Attributes
    ----------
    known_until
        Revisions evaluated up to this day are known, of signals that are not in `seen`.
    seen
        `SEEN`: revisions that were signed off.
    signed_until
        Last closed day of the last sign-off; None before the first, and if the address names a day.
    version
        Differs if anything of it does.
    """

    known_until: date
    seen: pl.DataFrame
    signed_until: date | None
    version: tuple[str, date, int]

    def is_changed(self) -> pl.Expr:
        """Return whether a row of `SIGNALS`, joined with `seen`, is new to the reader."""
        return (
            pl.when(pl.col("seen").is_not_null())
            .then(pl.col("revision") > pl.col("seen"))
            .otherwise(pl.col("day") > self.known_until)
        )

    def before(self, model: ReadModel, tier: Tier, key: str, seen: int | None) -> Copy | None:
        """Return the revision that the reader knows of a signal; None if none."""
        if seen is not None:
            return model.revision(tier, key, seen)
        return model.revision_on(tier, key, self.known_until)


def baseline_of(
    readers: Readers, name: str, tier: Tier, *, closed: date, since: date | None
) -> Baseline:
    """Return what a reader knows.

    Parameters
    ----------
    name
        The reader; empty for one who has not stated a name.
    closed
        Last day of data that is closed.
    since
        Day of the address, in place of the reader's sign-offs.
    """
    if since is not None:
        return Baseline(since, SEEN.to_frame(), None, ("", since, 0))
    reader = readers.find(name) if name else None
    if reader is None:
        day = closed - timedelta(days=FIRST_DAYS)
        return Baseline(day, SEEN.to_frame(), None, ("", day, 0))
    return Baseline(
        reader.known_until,
        readers.seen(name, tier.value),
        reader.signed_until,
        (name, reader.known_until, reader.signatures),
    )
