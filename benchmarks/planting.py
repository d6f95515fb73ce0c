"""Cases with known duplicates: seeded, skewed as reports are, with fields lost and mistyped."""

from datetime import date

import numpy as np
import polars as pl

from streams.core.duplicates.probable import RECORDS

__all__ = ["planted"]

_COUNTRIES = ("US", "JP", "DE", "FR", "GB", "CA", "IN", "BR")


def planted(
    number: int, *, seed: int, first_day: date, share: float = 0.05
) -> tuple[pl.DataFrame, set[frozenset[str]]]:
    """Return records, and the pairs of them that are one patient.

    Drugs and events follow Zipf laws, and an event is more likely with some drugs than with others;
    ages cluster; a third of the dates and ages is not stated, as in FAERS. A duplicate comes 0 to
    120 days later, loses each field one time in seven and has it mistyped one time in twelve.
    """
    rng = np.random.default_rng(seed)
    drug_share = 1 / np.arange(1, 301) ** 1.05
    event_share = 1 / np.arange(1, 401)
    drug_share, event_share = drug_share / drug_share.sum(), event_share / event_share.sum()
    rows = []
    for case in range(number):
        drugs = rng.choice(300, size=rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]), p=drug_share)
        events = rng.choice(
            400, size=rng.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]), p=event_share
        )
        if rng.random() < 0.3:  # what this drug is known for
            events[0] = (drugs[0] * 7) % 40
        received = int(rng.integers(0, 730))
        rows.append(
            {
                "unique_id": f"C{case:07}",
                "age": _or_not(rng, 0.35, round(float(np.clip(rng.normal(55, 20), 0, 100)), 1)),
                "sex": _or_not(rng, 0.1, ("female", "female", "male")[rng.integers(3)]),
                "country": _or_not(rng, 0.05, str(rng.choice(_COUNTRIES, p=_SKEW))),
                "weight": _or_not(rng, 0.7, float(rng.integers(45, 110))),
                "onset": _or_not(rng, 0.4, received - int(rng.exponential(60))),
                "received": received,
                "drugs": sorted({f"drug {each}" for each in drugs}),
                "events": sorted({f"event {each}" for each in events}),
            }
        )
    true = set()
    for place in rng.choice(number, size=int(number * share), replace=False):
        row, name = rows[place], f"D{place:07}"
        rows.append(_again(rng, row) | {"unique_id": name})
        true.add(frozenset((row["unique_id"], name)))
    frame = pl.DataFrame(rows, schema=RECORDS).sort("unique_id")
    shift = (first_day - date(1970, 1, 1)).days
    return frame.with_columns(pl.col("onset", "received") + shift), true


_SKEW = np.array([0.6, 0.08, 0.06, 0.06, 0.06, 0.06, 0.04, 0.04])


def _or_not(rng: np.random.Generator, missing: float, value: object) -> object:
    return None if rng.random() < missing else value


def _again(rng: np.random.Generator, row: dict[str, object]) -> dict[str, object]:
    copy = {name: _or_not(rng, 1 / 7, value) for name, value in row.items()}
    copy |= {"received": row["received"] + int(rng.integers(0, 120))}  # type: ignore[operator]
    for name in ("drugs", "events"):
        names = list(row[name])  # type: ignore[call-overload]
        if rng.random() < 1 / 7 and len(names) > 1:
            names.pop()
        if rng.random() < 1 / 12:
            names.append(f"{name[:-1]} {rng.integers(300)}")
        copy[name] = sorted(set(names))
    for name, step in (("age", 1.0), ("weight", 3.0), ("onset", 5)):
        if copy[name] is not None and rng.random() < 1 / 12:
            copy[name] = copy[name] + step  # type: ignore[operator]
    if copy["sex"] is not None and rng.random() < 1 / 50:
        copy["sex"] = "male" if copy["sex"] == "female" else "female"
    return copy
