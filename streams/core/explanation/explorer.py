"""All pairs of one product or one event, also those that are no signal, with their IC."""

import polars as pl

from detectors.information_component import information_component
from schemas.normal_form import normal_drug, normal_term
from streams.core.counting.sorted_counts import Keys, split_key
from streams.core.explanation.explanation import ExplainedRun
from streams.core.signals.signal_key import signal_key

__all__ = ["pairs_of_event", "pairs_of_product"]


def pairs_of_product(run: ExplainedRun, drug: str, *, least: int = 1) -> pl.DataFrame:
    """Return the events that cases name with a product; empty if none names it.

    Parameters
    ----------
    run
        The run.
    drug
        A name in any spelling.
    least
        Fewest cases of a pair.

    Returns
    -------
    polars.DataFrame
        `signal_key`, `drug`, `event`, their labels, the four counts, `expected`,
        `expected_adjusted` and the IC, the highest lower bound first.
    """
    code = run.view.drugs.find(normal_drug(drug))
    keys = run.tally.pairs.keys
    if code is None:
        return _scored(run, keys[:0])
    return _scored(run, keys[split_key(keys)[0] == code], least)


def pairs_of_event(run: ExplainedRun, event: str, *, least: int = 1) -> pl.DataFrame:
    """Return the products that cases name with an event, as `pairs_of_product` does."""
    code = run.view.events.find(normal_term(event))
    keys = run.tally.pairs.keys
    if code is None:
        return _scored(run, keys[:0])
    return _scored(run, keys[split_key(keys)[1] == code], least)


def _scored(run: ExplainedRun, keys: Keys, least: int = 1) -> pl.DataFrame:
    keys = run.view.levels.scored(keys)
    keys = keys[run.tally.pairs.get(keys) >= least]
    table = run.view.labelled(run.view.named(run.tally.table(keys)))
    table = table.with_columns(
        run.tally.expected_adjusted(keys),
        expected=pl.col("n_drug").cast(pl.Float64) * pl.col("n_event") / pl.col("n_total"),
        signal_key=pl.struct("drug", "event").map_elements(
            lambda pair: signal_key(pair["drug"], pair["event"], "cumulative"),
            return_dtype=pl.String,
        ),
    )
    scored = information_component(table.drop("expected")).with_columns(table["expected"])
    return scored.sort("ic_lower", "drug", "event", descending=[True, False, False])
