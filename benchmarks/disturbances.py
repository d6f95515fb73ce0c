"""Known disturbances of counted cases: planted associations, batches alike, repeated reports."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

__all__ = ["batches_alike", "counted_pairs", "planted", "repeated"]

MOST_OF_DRUG = 4  # planted pairs
_OF_EVENTS = ("events", "onsets", "event_spellings")
_OF_PRODUCTS = ("drugs", "courses", "drug_spellings", "indications")


def counted_pairs(cases: pl.DataFrame) -> pl.DataFrame:
    """Return `drug`, `event`, margins `n_drug`, `n_event` and `expected` of every pair."""
    drugs, events = (
        cases[column].explode().value_counts(name=f"n_{name}").rename({column: name})
        for column, name in (("drugs", "drug"), ("events", "event"))
    )
    expected = pl.col("n_drug").cast(pl.Float64) * pl.col("n_event") / cases.height
    return drugs.join(events, how="cross").with_columns(expected=expected).sort("drug", "event")


def planted(
    cases: pl.DataFrame, *, ratio: float, number: int, within: tuple[float, float], seed: int
) -> tuple[pl.DataFrame, list[tuple[str, str]]]:
    """Plant associations in a null, and return its cases and the planted pairs.

    The event is added to each report with the drug and without the event with one probability, so
    that the expected count of the pair is multiplied by the rate ratio.

    Parameters
    ----------
    ratio
        Rate ratio, above 1.
    number
        Pairs to plant, drawn among those with an expected count `within` these bounds: each event
        once, and each drug `MOST_OF_DRUG` times at most, else those of the largest products are
        most of them.
    """
    rng = np.random.default_rng(seed)
    low, high = within
    share = pl.col("n_event") / cases.height
    eligible = counted_pairs(cases).filter(
        pl.col("expected").is_between(low, high) & (5 * share < 0.9)  # 5: the largest ratio in use
    )
    chosen = _spread(eligible, number, rng)
    added: dict[int, list[str]] = {}
    of_drug = cases.select("drugs").with_row_index().explode("drugs")
    events = cases["events"].to_list()
    for drug, event, n_event in chosen.select("drug", "event", "n_event").iter_rows():
        rate = n_event / cases.height
        for row in of_drug.filter(pl.col("drugs") == drug)["index"].to_list():
            if event not in events[row] and rng.random() < (ratio - 1) * rate / (1 - rate):
                added.setdefault(row, []).append(event)
    changed = pl.DataFrame(
        {
            "case_id": cases["case_id"][list(added)],
            "events": [sorted({*events[row], *more}) for row, more in added.items()],
        }
    ).with_columns(
        onsets=pl.lit(None, cases.schema["onsets"]),
        event_spellings=pl.lit(None, cases.schema["event_spellings"]),
    )
    return cases.update(changed, on="case_id", include_nulls=True), chosen.select(
        "drug", "event"
    ).rows()


def _spread(pairs: pl.DataFrame, number: int, rng: np.random.Generator) -> pl.DataFrame:
    drugs, events = pairs["drug"].to_list(), pairs["event"].to_list()
    of_drug: Counter[str] = Counter()
    taken: dict[str, int] = {}  # row by event
    for row in rng.permutation(pairs.height).tolist():
        if len(taken) < number and events[row] not in taken and of_drug[drugs[row]] < MOST_OF_DRUG:
            taken[events[row]] = row
            of_drug[drugs[row]] += 1
    return pairs[sorted(taken.values())]


def batches_alike(cases: pl.DataFrame, size: int) -> pl.DataFrame:
    """Return cases of which each batch of a day has the products and events of its first.

    A sender's batch of `size` reports that describe one thing; without rows left over at the end of
    a day, which stay as they are.
    """
    place = pl.int_range(pl.len()).over("day")
    day_size = pl.len().over("day")
    whole = place < day_size // size * size
    row = pl.int_range(pl.len())
    first = cases.select(pl.when(whole).then(row - place % size).otherwise(row)).to_series()
    return cases.with_columns(*cases.select(*_OF_PRODUCTS, *_OF_EVENTS)[first])


def repeated(cases: pl.DataFrame, *, share: float, times: int, seed: int) -> pl.DataFrame:
    """Return cases of which a share was sent so many times more that day, under new case ids."""
    rng = np.random.default_rng(seed)
    chosen = cases[np.sort(rng.choice(cases.height, round(share * cases.height), replace=False))]
    copies: Sequence[pl.DataFrame] = [
        chosen.with_columns(pl.col("case_id") + f" repeat {number}") for number in range(times)
    ]
    return pl.concat([cases, *copies]).sort("day", "case_id")
