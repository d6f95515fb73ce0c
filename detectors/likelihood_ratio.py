"""The likelihood ratio test of one drug's events, LRT, with its Monte Carlo critical value."""

import hashlib
from collections.abc import Collection
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import xlogy

from detectors.arguments import require_whole
from schemas.counts import require_counts, require_unique_pairs
from schemas.errors import CountsError, InputError

__all__ = ["Null", "likelihood_ratio", "log_likelihood_ratio"]

Floats = NDArray[np.float64]

Null = Literal["binomial", "multinomial"]
"""Distribution of a drug's counts under the null hypothesis."""

_BLOCK = 2**22  # simulated counts in memory at a time


def likelihood_ratio(
    table: pl.DataFrame,
    *,
    drugs: Collection[str] | None = None,
    null: Null = "binomial",
    n_simulations: int = 999,
    level: float = 0.95,
    seed: int = 20110101,
) -> pl.DataFrame:
    """Likelihood ratio test of a drug's events, with step-down p-values over all of them.

    Of all methods here the only one that bounds, drug by drug, the chance of any false signal at
    one evaluation. Its known failures: it says nothing about size, and it conditions on the drug;
    conditioning on the event, which other codes do, gives another number for the same pair.

    Parameters
    ----------
    table
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases. All events of the
        population, each at some drug: they are the tests that the level is shared by.
    drugs
        Which to test; the others' rows get null. All if None, which takes long on a large table:
        simulations times events for each drug.
    null
        'binomial': a case may have several events, and each drug's count of an event is
        Binomial(n_drug, n_event / n_total). 'multinomial': Huang's, for a table whose totals are
        sums over pairs: Multinomial(n_drug, n_event / n_total), the rest being other events.
    n_simulations
        Tables simulated for each drug; the smallest p-value is 1 / (n_simulations + 1).
    level
        1 - the chance that a drug without any true signal gets one.
    seed
        Of the simulation. A drug's draws depend on it and on the drug's name, not on other drugs.

    Returns
    -------
    polars.DataFrame
        `table`, same order, and `llr` [nats]; `llr_critical` [nats], the critical value of the
        drug's largest `llr`; `llr_p`, the step-down p-value.

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, a pair stands in two rows, a drug, an event
        or the population has two different totals, or the events add up to more than the
        population in a multinomial table.
    InputError
        If `null`, `n_simulations` or `level` is out of range, or a drug is not in the table.

    Notes
    -----
    With a = n_observed and E = n_drug n_event / n_total::

        llr = a ln(a / E) + (n_drug - a) ln((n_drug - a) / (n_drug - E)) if a > E, else 0

    where 0 ln 0 = 0; null if n_total = 0. An event is a signal at `level` if its `llr` is at
    least `llr_critical`, or, with more power, if its `llr_p` is at most 1 - `level`: for the
    largest `llr` these are the same. The step-down p-value of the k-th largest is
    ``(1 + #{simulated maxima over the events from the k-th on >= it}) / (1 + n_simulations)``,
    and at least that of the one before it (Westfall and Young's step-down maximum). Events that
    the drug was never reported with stay among the maxima throughout.

    Unlike other estimators, a row does not stand alone: its p-value depends on the drug's others.

    References
    ----------
    .. [1] Huang L, Zalkikar J, Tiwari RC (2011). A likelihood ratio test based method for signal
       detection with application to FDA's drug safety data. Journal of the American Statistical
       Association 106(496), 1230-1241. doi:10.1198/jasa.2011.ap10243.
    .. [2] Westfall PH, Young SS (1993). Resampling-based multiple testing. Wiley.

    Examples
    --------
    8 of a drug's 20 cases have an event that 100 of all 1000 cases have: 8 ln(8/2) + 12 ln(12/18).

    >>> import polars as pl
    >>> table = pl.DataFrame({
    ...     "drug": ["A", "A"], "event": ["rash", "fever"], "n_observed": [8, 10],
    ...     "n_drug": [20, 20], "n_event": [100, 400], "n_total": [1000, 1000],
    ... })
    >>> likelihood_ratio(table).select("event", "llr", "llr_p").rows()
    [('rash', 6.2248, 0.001), ('fever', 0.4082, 0.276)]
    """
    where = "likelihood_ratio"
    require_counts(table, where=where)
    require_unique_pairs(table, where=where)
    _require_settings(null, n_simulations, level, where=where)
    wanted = set(table["drug"].unique() if drugs is None else drugs)
    unknown = sorted(wanted - set(table["drug"].unique()))
    if unknown:
        msg = f"{where}: drugs must be in the table; got {unknown}"
        raise InputError(msg)
    if "window" in table.columns and table["window"].n_unique() > 1:
        msg = f"{where}: the table must be of one window; got {table['window'].n_unique()}"
        raise InputError(msg)
    margins = _event_margins(table, null, where=where)
    llr = pl.Series("llr", log_likelihood_ratio(table))
    rows = (
        table.select("drug", "event", "n_drug", "n_total").with_columns(llr).with_row_index("row")
    )
    critical, p_value = np.full(table.height, np.nan), np.full(table.height, np.nan)
    for (drug,), own in rows.filter(pl.col("drug").is_in(list(wanted))).group_by("drug"):
        if own["n_total"][0] == 0:
            continue
        # The order of the draws is that of the events' names, not of the rows.
        placed = margins.join(own.select("event", "row", "llr"), on="event", how="left")
        placed = placed.sort("event")
        simulated = _simulated(
            np.random.default_rng([seed, *hashlib.sha256(str(drug).encode()).digest()]),
            int(own["n_drug"][0]),
            placed["n_event"].to_numpy() / own["n_total"][0],
            n_simulations,
            null,
        )
        listed = placed["row"].is_not_null().to_numpy()
        own_rows = placed["row"].drop_nulls().to_numpy()
        observed = placed["llr"].drop_nulls().to_numpy()
        maxima = np.sort(simulated.max(axis=1))
        critical[own_rows] = maxima[int(np.ceil(level * (n_simulations + 1))) - 1]
        p_value[own_rows] = _step_down(observed, simulated[:, listed], simulated[:, ~listed])
    chosen = table["drug"].is_in(list(wanted)) & (table["n_total"] > 0)
    return table.with_columns(
        pl.when(chosen).then(pl.Series(values)).alias(name)
        for name, values in (("llr", llr), ("llr_critical", critical), ("llr_p", p_value))
    )


def log_likelihood_ratio(table: pl.DataFrame) -> Floats:
    """Return the statistic of each row, given its drug; 0 where the population is empty.

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.
    """
    require_counts(table, where="log_likelihood_ratio")
    n, nd, ne, total = (
        table[name].cast(pl.Float64).to_numpy()
        for name in ("n_observed", "n_drug", "n_event", "n_total")
    )
    return _statistic(n, nd, nd * (ne / np.maximum(total, 1)))


def _statistic(n: Floats, n_drug: Floats | float, expected: Floats) -> Floats:
    more = n > expected
    rest, rest_expected = n_drug - n, n_drug - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        llr = xlogy(n, n / expected) + xlogy(rest, rest / rest_expected)
    return np.where(more, llr, 0.0)


def _simulated(
    random: np.random.Generator, n_drug: int, shares: Floats, n_simulations: int, null: Null
) -> Floats:
    """Return the statistic of every event in every simulated table: one row a simulation."""
    if null == "multinomial":
        others = max(1.0 - float(shares.sum()), 0.0)
        drawn = random.multinomial(n_drug, [*shares, others], size=n_simulations)[:, :-1]
    else:
        drawn = random.binomial(n_drug, shares, size=(n_simulations, shares.size))
    step = max(1, _BLOCK // shares.size)
    blocks = [drawn[start : start + step] for start in range(0, n_simulations, step)]
    return np.concatenate(
        [_statistic(block.astype(np.float64), float(n_drug), n_drug * shares) for block in blocks]
    )


def _step_down(observed: Floats, listed: Floats, unlisted: Floats) -> Floats:
    """Return the step-down p-values of the drug's own events."""
    order = np.argsort(-observed, kind="stable")
    floor = unlisted.max(axis=1, initial=0.0)
    # Maximum over each event and those after it, and the ones never reported with the drug.
    maxima = np.maximum.accumulate(listed[:, order[::-1]], axis=1)[:, ::-1]
    maxima = np.maximum(maxima, floor[:, None])
    beaten = np.sum(maxima >= observed[order], axis=0)
    p_value = np.empty(observed.size)
    p_value[order] = np.maximum.accumulate((1 + beaten) / (1 + listed.shape[0]))
    return p_value


def _require_settings(null: Null, n_simulations: int, level: float, *, where: str) -> None:
    if null not in get_args(Null):
        msg = f"{where}: null must be among {list(get_args(Null))}; got {null!r}"
        raise InputError(msg)
    if not 0 < level < 1:
        msg = f"{where}: level must lie in (0, 1); got {level!r}"
        raise InputError(msg)
    require_whole(n_simulations, "n_simulations", where=where, least=1)
    if level * (n_simulations + 1) > n_simulations:
        msg = (
            f"{where}: n_simulations must be at least level / (1 - level), so that there is a "
            f"critical value; got {n_simulations} for level {level}"
        )
        raise InputError(msg)


def _event_margins(table: pl.DataFrame, null: Null, *, where: str) -> pl.DataFrame:
    """Return each event's total, after making sure that drug, event and population have one."""
    for key, margin in (("drug", "n_drug"), ("event", "n_event"), (None, "n_total")):
        totals = table.select(pl.lit("population") if key is None else key, margin).unique()
        names = totals.columns[0]
        twofold = totals.filter(pl.col(names).is_duplicated()).sort(names, margin)
        if twofold.height:
            msg = (
                f"{where}: {margin} must be the same in all rows of one {key or 'population'}; "
                f"got {twofold.height} totals, first {twofold.row(0, named=True)}"
            )
            raise CountsError(msg)
    margins = table.select("event", pl.col("n_event").cast(pl.Float64)).unique()
    if null == "multinomial" and margins.height and margins["n_event"].sum() > table["n_total"][0]:
        msg = (
            f"{where}: the n_event of a multinomial table must not add up to more than n_total, "
            f"as they do where cases have several events; got {margins['n_event'].sum():.0f} "
            f"of {table['n_total'][0]}"
        )
        raise CountsError(msg)
    return margins
