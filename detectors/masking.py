"""Masking: how one product's many reports of an event hide signals of others, and its removal."""

import polars as pl

from detectors.case_frames import CaseFrames, cell_counts, refuse
from detectors.cells import EVENT_OTHER_DRUGS, N_EVENT, N_TOTAL, OTHER_DRUGS, with_statistics
from detectors.proportional_reporting_ratio import proportional_reporting_ratio
from detectors.subgroups import Estimator, estimated
from schemas.counts import MARGINS, require_counts
from schemas.errors import CountsError, InputError

__all__ = ["CO_REPORTS", "co_reports", "masking_screen", "unmasked"]

CO_REPORTS = ("n_masker", "n_masker_event", "n_drug_masker", "n_observed_masker")
"""Cases with the masking product; of these with the event; with the drug; with both."""


def masking_screen(counts: pl.DataFrame) -> pl.DataFrame:
    """Masking ratio of each product: how far its cases raise the background rate of an event.

    Sort an event's pairs by it and the strongest maskers come first. It applies
    to a masked product with few cases; for one masked pair, use `unmasked`. Its known failure
    is a product that truly causes the event: it masks others as well, and is a signal itself.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair of a possible masker and an event;
        unit: cases.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `masking_ratio` [ratio].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.

    Notes
    -----
    The share of cases with the event, over that share without the product's cases::

        masking_ratio = (n_event / n_total) / ((n_event - n_observed) / (n_total - n_drug))

    By this factor a PRR rises when the product's cases are removed, if the other drug has few
    cases and none with the product. Below 1, the product dilutes the event instead.

    Zero counts. Every case of the event with the product, other cases without it: inf. No case
    with the event, or none without the product: null.

    References
    ----------
    .. [1] Maignen F, Hauben M, Hung E, Van Holle L, Dogné JM (2014). A conceptual approach to the
       masking effect of measures of disproportionality. Pharmacoepidemiology and Drug Safety
       23(2), 208-217. doi:10.1002/pds.3530. Not read: the ratio is derived above.

    Examples
    --------
    1% of all cases have the event, and 300 of the 99,000 without the product:

    >>> import polars as pl
    >>> row = {"n_observed": [700], "n_drug": [1000], "n_event": [1000], "n_total": [100_000]}
    >>> masking_screen(pl.DataFrame({"drug": ["M"], "event": ["rash"], **row}))["masking_ratio"][0]
    3.3
    """
    require_counts(counts, where="masking_screen")
    ratio = (N_EVENT / N_TOTAL) * (OTHER_DRUGS / EVENT_OTHER_DRUGS)
    defined = (N_EVENT > 0) & (OTHER_DRUGS > 0)
    return with_statistics(counts, [pl.when(defined).then(ratio).alias("masking_ratio")])


def co_reports(frames: CaseFrames, drug: str, event: str) -> pl.DataFrame:
    """Count, for one pair, the cases shared with each other product, its possible maskers.

    Parameters
    ----------
    frames
        The population.
    drug, event
        The pair that may be masked.

    Returns
    -------
    polars.DataFrame
        One row for every other product, by its name: `drug`, `event`, `masker`, the pair's four
        counts, and those of `CO_REPORTS` [cases].

    Raises
    ------
    CountsError
        If the drug or the event has no case.

    Examples
    --------
    >>> import polars as pl
    >>> frames = CaseFrames(
    ...     pl.DataFrame({"case": [1, 2, 3]}),
    ...     pl.DataFrame({"case": [1, 1, 2], "drug": ["A", "M", "M"]}),
    ...     pl.DataFrame({"case": [1, 3], "event": ["rash", "rash"]}),
    ... )
    >>> co_reports(frames, "A", "rash").row(0)
    ('A', 'rash', 'M', 1, 1, 2, 3, 2, 1, 1, 1)
    """
    pair = frames.counts(pl.DataFrame({"drug": [drug], "event": [event]}))
    for key, n in (("drug", "n_drug"), ("event", "n_event")):
        if pair[n].item() == 0:
            msg = f"co_reports: the {key} must have a case; got {pair[key].item()!r}"
            raise CountsError(msg)
    with_drug = frames.drugs.filter(pl.col("drug") == drug).select("case", has_drug=True)
    with_event = frames.events.filter(pl.col("event") == event).select("case", has_event=True)
    has_drug, has_event = (pl.col(name).fill_null(False) for name in ("has_drug", "has_event"))
    maskers = (
        frames.drugs.filter(pl.col("drug") != drug)
        .rename({"drug": "masker"})
        .join(with_drug, on="case", how="left")
        .join(with_event, on="case", how="left")
        .group_by("masker")
        .agg(
            pl.len().cast(pl.Int64).alias("n_masker"),
            has_event.sum().cast(pl.Int64).alias("n_masker_event"),
            has_drug.sum().cast(pl.Int64).alias("n_drug_masker"),
            (has_drug & has_event).sum().cast(pl.Int64).alias("n_observed_masker"),
        )
        .sort("masker")
    )
    return pair.join(maskers, how="cross").select("drug", "event", "masker", *MARGINS, *CO_REPORTS)


def unmasked(
    masked: pl.DataFrame,
    *,
    estimator: Estimator = proportional_reporting_ratio,
    statistic: str = "prr",
) -> pl.DataFrame:
    """Statistics of pairs with and without the cases of a masking product, and their ratio.

    All cases of the product leave the population, also those that name the pair's drug: left in
    `n_observed`, they would overstate what was hidden. Its known failure is choice: of many
    products some raises the statistic, so use the strongest masker, not the best result.

    Parameters
    ----------
    masked
        Columns of `schemas.counts.COUNTS` and `CO_REPORTS`, as `co_reports` gives them; one row a
        pair and masking product; unit: cases.
    estimator
        What to compute: adds its columns to a counts frame, each row independent of the others.
    statistic
        The column of the estimator, a ratio, that the masking ratio is of. An IC, being a
        logarithm, has no ratio: subtract it.

    Returns
    -------
    polars.DataFrame
        `masked`, same order, the estimator's columns, the four counts and the estimator's columns
        without the product's cases with the suffix `_unmasked`, and `masking_ratio`,
        `masking_ratio_approximate` [ratio].

    Raises
    ------
    CountsError
        If a column is missing, or the counts cannot belong to one population.
    InputError
        If the estimator adds no such statistic, or does not keep the rows of its input.

    Notes
    -----
    Without the product n_observed - n_observed_masker cases have drug and event, and so on for
    each margin. `masking_ratio` is the statistic of that table over the statistic of the whole.
    Of the PRR, and without co-reports, it has a closed form, here for every row::

        ((n_event - n_observed) / (n_total - n_drug))
        / ((n_event - n_observed - n_masker_event) / (n_total - n_drug - n_masker))

    Zero counts. The statistic's own are those of the estimator. The ratio of 0 or inf to the same,
    or of anything to inf: null; of more than 0 to 0: inf. The closed form is inf where no case
    with the event is left, and null where co-reports make it meaningless, by a negative count, or
    no case without the event is left.

    References
    ----------
    .. [1] Maignen F, Hauben M, Hung E, Van Holle L, Dogné JM (2014). A conceptual approach to the
       masking effect of measures of disproportionality. Pharmacoepidemiology and Drug Safety
       23(2), 208-217. doi:10.1002/pds.3530. Not read: the ratio is derived above.

    Examples
    --------
    10 of 500 cases against 990 of 99,500; without the product's 1000 cases, against 290 of 98,500:

    >>> import polars as pl
    >>> row = {"n_observed": 10, "n_drug": 500, "n_event": 1000, "n_total": 100_000}
    >>> row |= {"n_masker": 1000, "n_masker_event": 700, "n_drug_masker": 0, "n_observed_masker": 0}
    >>> result = unmasked(pl.DataFrame([{"drug": "A", "event": "rash", **row}]))
    >>> result.select("prr", "prr_unmasked", "masking_ratio").row(0)
    (2.0101, 6.7931, 3.3795)
    """
    where = "unmasked"
    require_counts(masked, where=where)
    _require_co_reports(masked, where=where)
    left = {
        "n_observed": "n_observed_masker",
        "n_drug": "n_drug_masker",
        "n_event": "n_masker_event",
        "n_total": "n_masker",
    }
    before = estimated(estimator, masked, where=where)
    added = [name for name in before.columns if name not in masked.columns]
    if statistic not in added:
        msg = f"{where}: statistic must be a column that the estimator adds; got {statistic!r}"
        raise InputError(msg)
    remaining = masked.select(
        (pl.col(n).cast(pl.Int64) - pl.col(removed).cast(pl.Int64)).alias(n)
        for n, removed in left.items()
    )
    after = estimated(estimator, remaining, where=where).rename(lambda name: f"{name}_unmasked")
    whole, rest = pl.col(statistic), pl.col(f"{statistic}_unmasked")
    comparable = whole.is_finite() & ((whole > 0) | (rest > 0))
    return with_statistics(
        pl.concat([before, after], how="horizontal"),
        [
            pl.when(comparable).then(rest / whole).alias("masking_ratio"),
            _approximate_ratio().alias("masking_ratio_approximate"),
        ],
    )


def _approximate_ratio() -> pl.Expr:
    masker, masker_event = (pl.col(name).cast(pl.Float64) for name in CO_REPORTS[:2])
    events_left, cases_left = EVENT_OTHER_DRUGS - masker_event, OTHER_DRUGS - masker
    defined = (events_left >= 0) & (cases_left > 0) & (EVENT_OTHER_DRUGS > 0)
    return pl.when(defined).then((EVENT_OTHER_DRUGS / OTHER_DRUGS) * (cases_left / events_left))


def _require_co_reports(masked: pl.DataFrame, *, where: str) -> None:
    for name in CO_REPORTS:
        if name not in masked.columns or not masked.schema[name].is_integer():
            msg = f"{where}: integer counts {list(CO_REPORTS)} are needed; got {masked.schema}"
            raise CountsError(msg)
    whole = cell_counts(*MARGINS)
    part = cell_counts("n_observed_masker", "n_drug_masker", "n_masker_event", "n_masker")
    sound = pl.all_horizontal(
        (least >= 0) & (least <= most) for least, most in zip(part, whole, strict=True)
    )
    rule = f"{where}: the masker's cases must be a part of the population's, cell by cell"
    refuse(masked, ~sound.fill_null(False), rule)
