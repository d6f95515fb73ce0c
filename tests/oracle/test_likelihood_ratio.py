"""The likelihood ratio test against MDDC's number, and against enumeration."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, multinomial

from detectors.likelihood_ratio import likelihood_ratio, log_likelihood_ratio
from schemas.errors import CountsError, InputError


def _table(
    n_drug: dict[str, int], n_event: dict[str, int], n_total: int, n: dict[tuple[str, str], int]
) -> pl.DataFrame:
    rows = [
        {
            "drug": drug,
            "event": event,
            "n_observed": count,
            "n_drug": n_drug[drug],
            "n_event": n_event[event],
            "n_total": n_total,
        }
        for (drug, event), count in n.items()
    ]
    return pl.DataFrame(rows)


EVENTS = {"rash": 20, "fever": 50, "cough": 30}
SMALL = _table(
    {"A": 8, "B": 92},
    EVENTS,
    100,
    {
        ("A", "rash"): 4,
        ("A", "fever"): 3,
        ("A", "cough"): 1,
        ("B", "rash"): 16,
        ("B", "fever"): 47,
        ("B", "cough"): 29,
    },
)


def test_myalgia_of_atorvastatin() -> None:
    """METHODS table G: n 5362, E 483.119, LLR 8087.487; the margins of MDDC 1.1.0's statin49."""
    row = {"n_observed": [5362], "n_drug": [197390], "n_event": [156585], "n_total": [63976610]}
    assert math.isclose(197390 * 156585 / 63976610, 483.119, abs_tol=1e-3)
    assert log_likelihood_ratio(pl.DataFrame(row))[0] == pytest.approx(8087.487, abs=1e-3)


def _statistic(n: int, n_drug: int, expected: float) -> float:
    if n <= expected:
        return 0.0
    rest = n_drug - n
    return n * math.log(n / expected) + (
        rest * math.log(rest / (n_drug - expected)) if rest else 0.0
    )


@pytest.mark.parametrize("null", ["binomial", "multinomial"])
def test_the_p_values_are_those_of_enumeration(null: str) -> None:
    shares = np.array([EVENTS[event] / 100 for event in EVENTS])
    observed = [_statistic(n, 8, 8 * share) for n, share in zip((4, 3, 1), shares, strict=True)]
    largest = sorted(range(3), key=lambda at: -observed[at])
    chance_of = {}
    for drawn in itertools.product(range(9), repeat=3):
        if null == "binomial":
            chance = float(np.prod(binom.pmf(drawn, 8, shares)))
        else:
            chance = float(multinomial.pmf(drawn, 8, shares)) if sum(drawn) == 8 else 0.0
        chance_of[drawn] = chance
    exact, before = {}, 0.0
    for rank, at in enumerate(largest):
        still = largest[rank:]
        beaten = sum(
            chance
            for drawn, chance in chance_of.items()
            if max(_statistic(drawn[k], 8, 8 * shares[k]) for k in still) >= observed[at] - 1e-12
        )
        before = exact[at] = max(before, beaten)
    scored = likelihood_ratio(SMALL, drugs=["A"], null=null, n_simulations=40_000)  # type: ignore[arg-type]
    for at in range(3):
        assert scored["llr"][at] == pytest.approx(observed[at], rel=1e-12)
        assert scored["llr_p"][at] == pytest.approx(exact[at], abs=0.01)


def test_it_keeps_its_level_without_a_signal() -> None:
    """400 drugs of 40 cases, five events each in a population of 10,000 without any signal."""
    random = np.random.default_rng(20240611)
    n_event = {f"event {at}": 300 * (at + 1) for at in range(5)}
    counts = {
        (f"drug {drug}", event): int(random.binomial(40, total / 10_000))
        for drug in range(400)
        for event, total in n_event.items()
    }
    table = _table({f"drug {drug}": 40 for drug in range(400)}, n_event, 10_000, counts)
    scored = likelihood_ratio(table, n_simulations=199)
    ever = scored.group_by("drug").agg((pl.col("llr") >= pl.col("llr_critical")).any())["llr"]
    assert 0.01 < ever.mean() < 0.08


def test_the_critical_value_and_the_largest_p_value_agree() -> None:
    scored = likelihood_ratio(SMALL, n_simulations=199, level=0.9)
    for drug in ("A", "B"):
        top = scored.filter(drug=drug).sort("llr", descending=True).row(0, named=True)
        assert (top["llr"] >= top["llr_critical"]) == (top["llr_p"] <= 0.1)


def test_events_never_reported_with_the_drug_count_too() -> None:
    others = {f"other {at}": 10 for at in range(40)}
    counts = {("A", "rash"): 4, ("B", "rash"): 16} | {("B", event): 10 for event in others}
    table = _table({"A": 8, "B": 92}, EVENTS | others, 100, counts)
    alone = likelihood_ratio(table.filter(event="rash"), drugs=["A"])
    among = likelihood_ratio(table, drugs=["A"])
    assert among["llr_critical"][0] > alone["llr_critical"][0]
    assert among["llr_p"][0] > alone["llr_p"][0]


def test_events_that_tie_have_one_p_value() -> None:
    """Without the running maximum, the second would get away with half the chance."""
    table = _table({"A": 8}, {"rash": 20, "itch": 20}, 100, {("A", "rash"): 4, ("A", "itch"): 4})
    first, second = likelihood_ratio(table)["llr_p"]
    assert first == second


def test_neither_order_nor_company_changes_a_drug() -> None:
    scored = likelihood_ratio(SMALL)
    turned = likelihood_ratio(SMALL.reverse()).reverse()
    assert scored.equals(turned)
    only = likelihood_ratio(SMALL, drugs=["A"])
    assert only.filter(drug="A").equals(scored.filter(drug="A"))
    assert (
        only.filter(drug="B").select("llr", "llr_critical", "llr_p").null_count().row(0) == (3,) * 3
    )
    assert not likelihood_ratio(SMALL, seed=1).equals(scored)


def test_zero_cells() -> None:
    table = _table({"A": 4, "B": 4}, {"all": 8, "own": 4, "none": 2}, 8, {
        ("A", "all"): 4, ("A", "own"): 4, ("A", "none"): 0, ("B", "all"): 4, ("B", "none"): 2,
    })  # fmt: skip
    scored = likelihood_ratio(table)
    assert scored["llr"].to_list() == pytest.approx(
        [0.0, 4 * math.log(2), 0.0, 0.0, 2 * math.log(2) + 2 * math.log(2 / 3)]
    )
    empty = likelihood_ratio(_table({"A": 0}, {"rash": 0}, 0, {("A", "rash"): 0}))
    assert empty.row(0)[6:] == (None, None, None)
    assert likelihood_ratio(SMALL.clear()).schema == likelihood_ratio(SMALL).schema


def test_what_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"null must be among \['binomial', 'multinomial'\]; got 'p"
    ):
        likelihood_ratio(SMALL, null="poisson")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^likelihood_ratio: level must lie in \(0, 1\); got 1"):
        likelihood_ratio(SMALL, level=1)
    with pytest.raises(
        InputError, match=r"n_simulations must be at least level / .1 - level., .*got 9 "
    ):
        likelihood_ratio(SMALL, n_simulations=9)
    with pytest.raises(InputError, match=r"drugs must be in the table; got \['C'\]"):
        likelihood_ratio(SMALL, drugs=["A", "C"])
    windows = pl.concat([SMALL.with_columns(window=pl.lit(name)) for name in ("May", "June")])
    with pytest.raises(InputError, match="the table must be of one window; got 2"):
        likelihood_ratio(windows)
    crowded = _table(
        {"A": 8}, {"rash": 60, "fever": 50}, 100, {("A", "rash"): 4, ("A", "fever"): 3}
    )
    with pytest.raises(CountsError, match=r"not add up to more than n_total, .*got 110 of 100"):
        likelihood_ratio(crowded, null="multinomial")


@pytest.mark.parametrize(
    ("margin", "owner"), [("n_drug", "drug"), ("n_event", "event"), ("n_total", "population")]
)
def test_a_margin_must_be_one_number(margin: str, owner: str) -> None:
    torn = SMALL.with_columns(pl.col(margin) + (pl.int_range(pl.len()) == 0))
    message = f"{margin} must be the same in all rows of one {owner}; got 2 totals, first"
    with pytest.raises(CountsError, match=message):
        likelihood_ratio(torn)
