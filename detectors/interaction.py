"""Interaction of two drugs: Omega, the shrunk observed-to-expected ratio of Norén and others."""

import polars as pl

from detectors.arguments import require_whole
from detectors.case_frames import CaseFrames, refuse
from detectors.cells import with_statistics
from detectors.information_component import log2_gamma_quantiles
from detectors.intervals import tail_mass
from schemas.errors import CountsError, InputError

__all__ = ["TRIPLE_COUNTS", "interaction_counts", "omega"]

TRIPLE_COUNTS = (
    "n_observed",  # cases with both drugs and the event
    "n_both",  # with both drugs
    "n_first_event",  # with the first drug and the event
    "n_first",  # with the first drug
    "n_second_event",  # with the second drug and the event
    "n_second",  # with the second drug
    "n_event",  # with the event
    "n_total",  # all cases of the population
)
"""The eight counts of two drugs and an event, in cases, each part of the later ones it names."""


def interaction_counts(frames: CaseFrames, *, at_least: int = 3) -> pl.DataFrame:
    """Count every two drugs reported together with an event in enough cases.

    Parameters
    ----------
    frames
        The population.
    at_least
        Cases with both drugs and the event that a triple must have to be counted; 1 or more.

    Returns
    -------
    polars.DataFrame
        One row a triple, sorted: `first_drug`, `second_drug` in alphabetical order, `event`, and
        the columns of `TRIPLE_COUNTS` [cases].

    Raises
    ------
    InputError
        If `at_least` is not a whole number, or below 1.

    Notes
    -----
    Pairs of drugs below the floor are dropped before the events are joined, as are drugs and
    events, so that a case with thirty drugs costs what its frequent drugs cost.

    Examples
    --------
    >>> import polars as pl
    >>> cases = pl.DataFrame({"case": range(5)})
    >>> drugs = pl.DataFrame({"case": [0, 0, 1, 1, 2, 3], "drug": ["A", "B", "B", "A", "A", "B"]})
    >>> events = pl.DataFrame({"case": [0, 1, 2, 4], "event": "rash"})
    >>> interaction_counts(CaseFrames(cases, drugs, events), at_least=2).row(0)
    ('A', 'B', 'rash', 2, 2, 3, 3, 2, 3, 4, 5)
    """
    require_whole(at_least, "at_least", where="interaction_counts", least=1)
    places = frames.cases.select("case").with_row_index("place")
    drugs, drug_names = _frequent(frames.drugs.join(places, on="case"), "drug", at_least)
    events, event_names = _frequent(frames.events.join(places, on="case"), "event", at_least)
    together = (
        drugs.lazy()
        .rename({"drug": "first"})
        .join(drugs.lazy().rename({"drug": "second"}), on="place")
        .filter(pl.col("first") < pl.col("second"))
        .collect()
    )
    both = _number_of(together.lazy(), "n_both", "first", "second").filter(
        pl.col("n_both") >= at_least
    )
    triples = (
        _number_of(
            together.lazy()
            .join(both, on=["first", "second"], how="semi")
            .join(events.lazy(), on="place"),
            "n_observed",
            "first",
            "second",
            "event",
        )
        .filter(pl.col("n_observed") >= at_least)
        .join(both, on=["first", "second"])
        .join(_number_of(events.lazy(), "n_event", "event"), on="event")
    )
    with_event = drugs.lazy().join(events.lazy(), on="place")
    for side in ("first", "second"):
        named = drugs.lazy().rename({"drug": side})
        paired = with_event.rename({"drug": side})
        triples = triples.join(_number_of(named, f"n_{side}", side), on=side).join(
            _number_of(paired, f"n_{side}_event", side, "event"), on=[side, "event"]
        )
    counted = triples.sort("first", "second", "event").collect()
    return counted.select(
        drug_names.gather(counted["first"]).alias("first_drug"),
        drug_names.gather(counted["second"]).alias("second_drug"),
        event_names.gather(counted["event"]).alias("event"),
        *TRIPLE_COUNTS[:-1],
        pl.lit(places.height, dtype=pl.Int64).alias("n_total"),
    )


def omega(triples: pl.DataFrame, *, shrinkage: float = 0.5, level: float = 0.95) -> pl.DataFrame:
    """Omega: log2 of observed over expected cases with two drugs, under additive risks.

    The WHO UMC's measure of suspected interaction: above 0, the event is reported with both drugs
    more often than the drugs' own shares explain. Compared with a product of risks, as logistic
    regression has it, it finds known interactions that the product hides. Its known failure is
    confounding by the patients who take both drugs, and co-reporting of drugs given for the event.

    Parameters
    ----------
    triples
        The columns of `TRIPLE_COUNTS`, as `interaction_counts` gives them; one row two drugs and
        an event; unit: cases.
    shrinkage
        Cases added to the observed and to the expected count; more than 0.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        `triples`, same order, and `expected_additive` [cases], `omega`, `omega_lower`,
        `omega_upper` [log2 units].

    Raises
    ------
    CountsError
        If a column is missing or not of integers, or the counts cannot belong to one population.
    InputError
        If `level` is not in (0, 1), or `shrinkage` is not a positive number.

    Notes
    -----
    f is the share with the event among the cases with neither drug (f00), only the first (f10),
    only the second (f01), and o = f / (1 - f) its odds::

        g11 = 1 - 1 / (max(o00, o10) + max(o00, o01) - o00 + 1)
        E = g11 n_both
        omega = log2((n_observed + s) / (E + s))
        bound at p = log2(q), q the p-quantile of Gamma(shape = n_observed + s, rate = E + s)

    The maxima keep a drug reported less often with the event than the background from lowering
    what is expected of the other. The formula is that of the paper with its erratum; at level
    0.95 the lower bound is the UMC's Omega025.

    Zero counts. n_both = 0: E = 0. No case with one drug alone: that drug's odds count as the
    background's, as nothing is known of its own. Every case of a group with the event: its odds
    are infinite, g11 is 1 and E is n_both. No case with neither drug: the background is unknown
    and all four are null.

    References
    ----------
    .. [1] Norén GN, Sundberg R, Bate A, Edwards IR (2008). A statistical methodology for drug-drug
       interaction surveillance. Statistics in Medicine 27(16), 3057-3070. doi:10.1002/sim.3247.
       Erratum: 27(30), 6271-6272.

    Examples
    --------
    25 cases with both drugs and the event, where 10.9 are expected:

    >>> import polars as pl
    >>> counts = [25, 278, 78, 1775, 67, 1613, 305, 9822]
    >>> row = pl.DataFrame([counts], schema=list(TRIPLE_COUNTS), orient="row")
    >>> omega(row).row(0)[8:]
    (10.908651, 1.160369, 0.539394, 1.670159)
    """
    where = "omega"
    _require_triples(triples, where=where)
    tail = tail_mass(level, where=where)
    if not 0 < shrinkage < float("inf"):
        msg = f"{where}: shrinkage must be a positive number of cases; got {shrinkage!r}"
        raise InputError(msg)
    expected = _expected()
    log2_rate = (expected + shrinkage).log(2)
    observed = pl.col("n_observed").cast(pl.Float64)
    lower, upper = log2_gamma_quantiles(triples["n_observed"], shrinkage=shrinkage, tail=tail)
    return with_statistics(
        triples,
        [
            expected.alias("expected_additive"),
            ((observed + shrinkage).log(2) - log2_rate).alias("omega"),
            (lower - log2_rate).alias("omega_lower"),
            (upper - log2_rate).alias("omega_upper"),
        ],
    )


def _expected() -> pl.Expr:
    n, both, first_event, first, second_event, second, event, total = (
        pl.col(name).cast(pl.Float64) for name in TRIPLE_COUNTS
    )
    n_100, n_010 = first - both, second - both  # cases with one of the drugs
    n_101, n_011 = first_event - n, second_event - n  # these with the event
    n_000, n_001 = total - first - n_010, event - first_event - n_011  # with neither

    def odds(with_event: pl.Expr, cases: pl.Expr) -> pl.Expr:
        return pl.when(cases > 0).then(with_event / (cases - with_event))

    background = odds(n_001, n_000)
    alone = [
        pl.max_horizontal(background, odds(*cells)) for cells in ((n_101, n_100), (n_011, n_010))
    ]
    certain = pl.any_horizontal(summand.is_infinite() for summand in alone)
    added = alone[0] + (alone[1] - background)
    share = pl.when(certain).then(1.0).otherwise(added / (added + 1))  # g11, without cancellation
    return pl.when(n_000 > 0).then(share * both)


def _require_triples(triples: pl.DataFrame, *, where: str) -> None:
    for name in TRIPLE_COUNTS:
        if name not in triples.columns or not triples.schema[name].is_integer():
            msg = f"{where}: integer counts {list(TRIPLE_COUNTS)} are needed; got {triples.schema}"
            raise CountsError(msg)
    n, both, first_event, first, second_event, second, event, total = (
        pl.col(name).cast(pl.Int64, strict=False) for name in TRIPLE_COUNTS
    )
    cells = [
        n,
        both - n,
        first_event - n,
        first - both - first_event + n,
        second_event - n,
        second - both - second_event + n,
        event - first_event - second_event + n,
        total - first - second + both - event + first_event + second_event - n,
    ]
    sound = pl.all_horizontal(cell >= 0 for cell in cells).fill_null(False)
    refuse(triples, ~sound, f"{where}: no group of cases may be negative, or null")


def _frequent(placed: pl.DataFrame, key: str, at_least: int) -> tuple[pl.DataFrame, pl.Series]:
    """Return `place` and the code of the names with enough cases; codes are alphabetical places."""
    names = (
        placed.group_by(key).agg(pl.len().alias("n")).filter(pl.col("n") >= at_least)[key].sort()
    )
    codes = pl.DataFrame({key: names}).with_row_index("code")
    coded = placed.join(codes, on=key).select("place", pl.col("code").alias(key))
    return coded, names


def _number_of(rows: pl.LazyFrame, name: str, *keys: str) -> pl.LazyFrame:
    return rows.group_by(keys).agg(pl.len().cast(pl.Int64).alias(name))
