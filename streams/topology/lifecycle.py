"""From scores to revisions: which signals are new, stronger, weaker or gone since last published.

Frames only. A signal is a pair that some rule flags or has flagged in one window instance; its
published state is one row of `SIGNALS`.
"""

import polars as pl

from schemas.alert import AlertKind

__all__ = ["SIGNALS", "decide", "publish"]

SIGNALS = {
    "key": pl.Int64,  # drug and event
    "revision": pl.Int64,  # of the last published alert
    "kind": pl.String,
    "evaluated_on": pl.Int32,  # days since 1970-01-01
    "fired": pl.UInt32,  # bit i: rule i of the rule set fired
    "n_observed": pl.Int64,
    "ror_lower": pl.Float64,
    "ic_lower": pl.Float64,
}
"""The published state of the signals of one window instance."""

# Substantial new evidence about a signal that is already known.
_MORE_CASES = 3
_MORE_CASES_FACTOR = 1.5
_MORE_IC = 0.5  # log2 units of IC025


def decide(scored: pl.DataFrame, signals: pl.DataFrame) -> pl.DataFrame:
    """Compare today's scores with what was last published and return what must be published now.

    Parameters
    ----------
    scored
        One row a pair: `key`, `n_observed`, `ror_lower`, `ic_lower`, `fired` [UInt32 bits] and
        `retracted`, whether a case left the pair since the last evaluation. Must hold every pair
        that a rule flags and every signal that is on.
    signals
        Columns of `SIGNALS`.

    Returns
    -------
    polars.DataFrame
        The rows of `scored` to publish, sorted by `key`, with `kind`, `reason`, the next
        `revision`, and the columns of the published state prefixed by `was_`.
    """
    was = signals.rename({name: f"was_{name}" for name in SIGNALS if name != "key"})
    joined = scored.join(was, on="key", how="left")
    fires = pl.col("fired") > 0
    known = pl.col("was_revision").is_not_null()
    on = known & (pl.col("was_fired") > 0)
    lost = (pl.col("was_fired") & ~pl.col("fired")) > 0
    gained = (pl.col("fired") & ~pl.col("was_fired")) > 0
    fewer = pl.col("retracted") & (pl.col("n_observed") < pl.col("was_n_observed"))
    more = (pl.col("n_observed") >= pl.col("was_n_observed") + _MORE_CASES) & (
        pl.col("n_observed") >= _MORE_CASES_FACTOR * pl.col("was_n_observed")
    )
    sharper = (pl.col("ic_lower") - pl.col("was_ic_lower")) >= _MORE_IC
    steps = (
        (~known & fires, AlertKind.NEW, "a rule fires for the first time"),
        (on & ~fires, AlertKind.CLEARED, "no rule fires any more"),
        (known & ~on & fires, AlertKind.STRENGTHENED, "a rule fires again after clearance"),
        (on & lost, AlertKind.WEAKENED, "a rule no longer fires"),
        (on & fewer, AlertKind.WEAKENED, "cases were retracted"),
        (on & gained, AlertKind.STRENGTHENED, "a further rule fires"),
        (on & more, AlertKind.STRENGTHENED, "many more cases than last published"),
        (on & sharper, AlertKind.STRENGTHENED, "IC025 rose by half a unit or more"),
    )
    which = pl.lit(None, dtype=pl.Int32)
    for number, (condition, _, _) in reversed(list(enumerate(steps))):
        which = pl.when(condition).then(number).otherwise(which)
    numbers = list(range(len(steps)))
    return (
        joined.with_columns(step=which)
        .filter(pl.col("step").is_not_null())
        .with_columns(
            kind=pl.col("step").replace_strict(numbers, [kind.value for _, kind, _ in steps]),
            reason=pl.col("step").replace_strict(numbers, [reason for _, _, reason in steps]),
            revision=pl.col("was_revision").fill_null(0) + 1,
        )
        .drop("step")
        .sort("key")
    )


def publish(signals: pl.DataFrame, decided: pl.DataFrame, evaluated_on: int) -> pl.DataFrame:
    """Return the published state once the decided revisions are out."""
    rows = decided.select(
        pl.lit(evaluated_on, dtype=pl.Int32).alias(name) if name == "evaluated_on" else pl.col(name)
        for name in SIGNALS
    )
    return pl.concat([signals.join(rows, on="key", how="anti"), rows])
