"""Crude and stratified expectations against exact fractions, and the contract of their frames."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from statsmodels.stats.contingency_tables import StratifiedTable

from detectors.expected import expected_crude, expected_stratified
from schemas.errors import CountsError

Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]


def _world(seed: int = 7, strata: int = 6) -> Frames:
    """Random margins; one stratum is 'unknown', one is empty, and some margins are missing."""
    random = np.random.default_rng(seed)
    names = [*(f"stratum {at}" for at in range(strata - 2)), "unknown", "empty"]
    totals = {name: int(random.integers(500, 10**6)) for name in names} | {"empty": 0}

    def margins(key: str, size: int) -> pl.DataFrame:
        rows = [
            (stratum, f"{key} {at}", int(random.integers(0, total + 1)))
            for stratum, total in totals.items()
            for at in range(size)
            if at == 0 or random.uniform() < 0.7
        ]
        return pl.DataFrame(rows, schema=["stratum", key, "n"], orient="row")

    drugs, events = margins("drug", 9), margins("event", 7)
    pairs = drugs.select("drug").unique().join(events.select("event").unique(), how="cross")
    return pairs, drugs, events, pl.DataFrame({"stratum": list(totals), "n": list(totals.values())})


def _exact(drug: str, event: str, world: Frames) -> Fraction:
    _, drugs, events, totals = world
    n_drug = {s: n for s, d, n in drugs.iter_rows() if d == drug}
    n_event = {s: n for s, e, n in events.iter_rows() if e == event}
    return sum(
        (Fraction(n_drug.get(s, 0) * n_event.get(s, 0), n) for s, n in totals.iter_rows() if n),
        start=Fraction(0),
    )


def test_stratified_is_the_sum_over_strata_unknown_among_them() -> None:
    world = _world()
    for drug, event, expected in expected_stratified(*world).iter_rows():
        assert expected == pytest.approx(float(_exact(drug, event, world)), rel=1e-14)


def test_stratified_is_the_mean_of_the_mantel_haenszel_test() -> None:
    """The null mean of the Cochran-Mantel-Haenszel statistic is the same sum: METHODS, row F."""
    strata = [((10, 90), (200, 9700)), ((30, 70), (2000, 7900))]
    theirs = StratifiedTable([np.array(table, dtype=float) for table in strata])
    names = ["a", "b"]
    n_drug = [sum(drug) for drug, _ in strata]
    n_event = [drug[0] + other[0] for drug, other in strata]
    n = [sum(drug) + sum(other) for drug, other in strata]
    ours = expected_stratified(
        pl.DataFrame({"drug": ["A"], "event": ["rash"]}),
        pl.DataFrame({"stratum": names, "drug": ["A", "A"], "n": n_drug}),
        pl.DataFrame({"stratum": names, "event": ["rash", "rash"], "n": n_event}),
        pl.DataFrame({"stratum": names, "n": n}),
    )["expected"].item()
    variance = sum(
        d * e * (t - d) * (t - e) / (t * t * (t - 1))
        for d, e, t in zip(n_drug, n_event, n, strict=True)
    )
    assert (40 - ours) ** 2 / variance == pytest.approx(
        theirs.test_null_odds().statistic, rel=1e-12
    )
    assert (40 - ours) ** 2 / variance == pytest.approx(17.156984, abs=5e-7)


def test_row_order_does_not_change_a_bit() -> None:
    pairs, *margins = _world(strata=40)
    expected = expected_stratified(pairs, *margins)
    for seed in range(5):
        shuffled = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in margins]
        assert_frame_equal(expected_stratified(pairs, *shuffled), expected, check_exact=True)
        backwards = expected_stratified(pairs.reverse(), *shuffled)
        assert_frame_equal(backwards.reverse(), expected, check_exact=True)


def test_one_stratum_is_the_crude_expectation_to_the_last_bit() -> None:
    random = np.random.default_rng(3)
    total, size = 3_000_000_000, 200
    margin = random.integers(1, 10**6, size)
    names = [f"{at}" for at in range(size)]
    counts = pl.DataFrame(
        {"drug": names, "event": names, "n_observed": 0, "n_drug": margin, "n_event": margin[::-1]}
    ).with_columns(n_total=pl.lit(total))
    one = pl.lit("all").alias("stratum")
    stratified = expected_stratified(
        counts,
        counts.select(one, "drug", n="n_drug"),
        counts.select(one, "event", n="n_event"),
        pl.DataFrame({"stratum": ["all"], "n": [total]}),
    )
    assert_frame_equal(stratified, expected_crude(counts), check_exact=True)


def test_no_pairs_and_no_strata() -> None:
    pairs, drugs, events, totals = _world()
    none = expected_stratified(pairs.clear(), drugs, events, totals)
    assert none.schema == {"drug": pl.String, "event": pl.String, "expected": pl.Float64}
    nothing = expected_stratified(pairs.clear(), drugs.clear(), events.clear(), totals.clear())
    assert nothing.is_empty()


def test_input_frames_are_left_unchanged() -> None:
    world = _world()
    before = [frame.clone() for frame in world]
    expected_stratified(*world)
    for frame, copy in zip(world, before, strict=True):
        assert_frame_equal(frame, copy)


@pytest.mark.parametrize(
    ("at", "change", "message"),
    [
        (0, lambda f: f.drop("event"), r"pairs needs the columns \['drug', 'event'\]; got \['dr"),
        (1, lambda f: f.drop("stratum"), r"drug_margins needs the columns \['stratum', 'drug'\]"),
        (1, lambda f: f.drop("n"), r"drug_margins needs an integer column n; got"),
        (3, lambda f: f.cast({"n": pl.Float64}), r"totals needs an integer column n; got"),
        (
            3,
            lambda f: f.with_columns(stratum=pl.col("stratum").replace("unknown", None)),
            r"totals must name its stratum, an unknown one as 'unknown'; got 1 nulls, first",
        ),
        (2, lambda f: f.with_columns(n=-pl.col("n")), r"event_margins must hold counts of cases"),
        (2, lambda f: f.with_columns(n=pl.lit(None, pl.Int64)), r"event_margins must hold counts"),
        (
            1,
            lambda f: pl.concat([f, f[:1]]),
            r"drug_margins must have one row for each stratum and drug; got 2 that share theirs",
        ),
        (3, lambda f: pl.concat([f, f[:1]]), r"totals must have one row for each stratum; got 2"),
        (
            1,
            lambda f: f.with_columns(n=pl.col("n") + 10**6),
            r"drug_margins must not exceed the total of its stratum; got \d+ that do or have none",
        ),
        (3, lambda f: f[1:], r"drug_margins must not exceed the total of its stratum; got"),
        (
            1,
            lambda f: f.filter(pl.col("drug") != "drug 3"),
            r"every drug of pairs needs a margin; got 7 pairs without, first \{'drug': 'drug 3'",
        ),
        (
            2,
            lambda f: f.filter(pl.col("event") != "event 0"),
            r"every event of pairs needs a margin; got 9 pairs without",
        ),
    ],
)
def test_a_malformed_frame_is_refused(at: int, change: object, message: str) -> None:
    world = list(_world())
    world[at] = change(world[at])  # type: ignore[operator]
    with pytest.raises(CountsError, match=rf"^expected_stratified: {message}"):
        expected_stratified(*world)
