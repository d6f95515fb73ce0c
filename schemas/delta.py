"""Changes of cases sent from the case stage to the detector stage: entered or left the counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl

__all__ = [
    "CASE_CHANGES",
    "DELTA_VERSION",
    "NONE_REMOVED",
    "REMOVED_CHANGES",
    "STRATUM",
    "Delta",
]

DELTA_VERSION = 5
"""Version of `CASE_CHANGES`; a reader stops on one it does not know."""

STRATUM = ("age_group", "sex", "region")
"""Columns that define a stratum. `unknown` is a value like any other."""

CASE_CHANGES: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "case_id": pl.String(),
        "day": pl.Date(),  # day of first receipt: the bucket the case is counted in
        "age_group": pl.String(),
        "sex": pl.String(),
        "region": pl.String(),
        "serious": pl.Boolean(),
        "fatal": pl.Boolean(),
        "drugs": pl.List(pl.String()),  # normal forms of distinct suspect drugs, sorted
        "events": pl.List(pl.String()),  # of distinct reactions, likewise
        "origin": pl.String(),  # country, professional or not, and source, in one
        "indications": pl.String(),  # distinct indications of suspect products, sorted, in one
        "completeness": pl.UInt8(),  # of the report [%]
        "suspected_duplicate": pl.Boolean(),  # a link marks it as suspected; it counts
        "life_threatening": pl.Boolean(),
        "courses": pl.List(pl.UInt32()),  # of each drug (core/cases/chronology.py); null: none
        "onsets": pl.List(pl.UInt32()),  # of each event: proleptic ordinal, 0: not stated; likewise
        # Of each drug and event as sent (core/cases/spellings.py); "": the usual; null: all usual.
        "drug_spellings": pl.List(pl.String()),
        "event_spellings": pl.List(pl.String()),
        "watched": pl.String(),  # facts of a case with a product of the domain; mostly empty
        "age_years": pl.Float64(),  # at onset; -1: not stated
        "subdivision": pl.String(),  # ISO 3166-2 of the occurrence; empty: not stated
        "n": pl.Int8(),  # +1 the case enters the counts in this form, -1 it leaves them
    }
)
"""One row per change of a case. Each pair in `drugs` x `events` and each margin changes by `n`.

Rows of one case alternate: a case enters, leaves in the same form, and may enter in another.
"""

REMOVED_CHANGES: Mapping[str, pl.DataType] = MappingProxyType(
    {**CASE_CHANGES, "reason": pl.String()}
)
"""One row per change of a case that is not counted, with its `reason`: `nullified`, `duplicate`
or `withdrawn`.

The row has the form in which it would; `n` is +1 if that is so from now on, -1 if it no longer is.
It is in no count.
"""


NONE_REMOVED = pl.DataFrame(schema=dict(REMOVED_CHANGES))
"""An empty frame of removed changes; built once, since building takes 1 ms."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes caused by one contiguous range of one input partition.

    Attributes
    ----------
    partition
        Partition of `pv.reports` the range belongs to.
    first_offset, next_offset
        The range, half open: every message from `first_offset` up to, not with, `next_offset` is
        accounted for, whether it changed a count or not.
    watermark
        Latest `latest_received` in the range [days since 1970-01-01]; -1 if nothing was readable.
    changes
        Columns of `CASE_CHANGES`; may be empty.
    removed
        Columns of `REMOVED_CHANGES`; mostly empty.
    """

    partition: int
    first_offset: int
    next_offset: int
    watermark: int
    changes: pl.DataFrame
    removed: pl.DataFrame = field(default_factory=lambda: NONE_REMOVED)
