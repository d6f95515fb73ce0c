"""Builders of deltas from changes of cases, without a case stage that makes them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from schemas.delta import CASE_CHANGES, Delta

EPOCH = date(1970, 1, 1)


def case_change(case_id: str, **fields: Any) -> dict[str, Any]:
    """Return a change of a case: one of an adult man in Asia enters, with zinc and Rash.

    Drugs and events are spelt as they are counted.
    """
    usual = {
        "case_id": case_id,
        "day": date(2024, 2, 29),
        "age_group": "adult",
        "sex": "male",
        "region": "asia",
        "serious": False,
        "fatal": False,
        "drugs": ["zinc"],
        "events": ["Rash"],
        "origin": "\x1f\x1ftest",
        "indications": "",
        "completeness": 0,
        "suspected_duplicate": False,
        "life_threatening": False,
        "courses": None,
        "onsets": None,
        "watched": "",
        "age_years": -1.0,
        "subdivision": "",
        "n": 1,
    }
    change = usual | fields
    return {"drug_spellings": change["drugs"], "event_spellings": change["events"]} | change


def make_delta(
    first_offset: int,
    changes: Sequence[Mapping[str, Any]],
    *,
    next_offset: int | None = None,
    partition: int = 0,
    watermark: int | None = None,
) -> Delta:
    """Return a delta of changes, by default one from each offset.

    The watermark is the last day among them, as the case stage has it; -1 if there are none.
    """
    frame = pl.DataFrame(list(changes), schema=dict(CASE_CHANGES), orient="row")
    if watermark is None:
        days = [(change["day"] - EPOCH).days for change in changes]
        watermark = max(days, default=-1)
    if next_offset is None:
        next_offset = first_offset + len(changes)
    return Delta(partition, first_offset, next_offset, watermark, frame)
