"""Bystanders against conditions computed by hand, other code, and data with a known culprit."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import gamma

from detectors import bystanders
from detectors.bystanders import EXPLANATIONS, ProductGroups, explanations
from detectors.case_frames import CaseFrames
from detectors.poisson_lasso import poisson_lasso
from schemas.errors import CountsError, InputError

SEEDS = (1, 2, 3)


def _groups(*rows: tuple[str, int, int], stratum: int = 0) -> ProductGroups:
    """Return one group a row: the letters of its products, its cases, those with the event."""
    products = tuple(sorted(set("".join(letters for letters, *_ in rows))))
    return ProductGroups(
        products,
        np.array([[name in letters for name in products] for letters, *_ in rows]),
        np.full(len(rows), stratum),
        np.array([n_total for _, n_total, _ in rows]),
        np.array([n_event for *_, n_event in rows]),
    )


def _drawn(seed: int, size: int = 4_000) -> CaseFrames:
    """Draw cases in two age groups: A is a culprit, B mostly given with it, C and D with nothing.

    The event is ten times as frequent among children, and D is a product of children.
    """
    random = np.random.default_rng(seed)
    child = random.random(size) < 0.3
    a = random.random(size) < 0.1
    named = {
        "A": a,
        "B": random.random(size) < np.where(a, 0.8, 0.01),
        "C": random.random(size) < 0.3,
        "D": random.random(size) < np.where(child, 0.5, 0.02),
    }
    event = random.random(size) < np.where(child, 0.05, 0.005) * np.where(a, 8, 1)
    cases = pl.DataFrame({"case": range(size), "age": np.where(child, "child", "adult")})
    drugs = [cases.select("case", drug=pl.lit(name)).filter(flags) for name, flags in named.items()]
    events = cases.select("case", event=pl.lit("rash")).filter(event)
    return CaseFrames(cases, pl.concat(drugs), events)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_lasso_meets_the_conditions_of_its_minimum(seed: int) -> None:
    random = np.random.default_rng(seed)
    named = random.random((120, 12)) < np.linspace(0.02, 0.5, 12)
    expected = random.uniform(0.1, 4, 120)
    truth = np.where(np.arange(12) % 4 == 0, 1.2, 0)
    n_event = random.poisson(expected * np.exp(named @ truth))
    penalties = 1.96 * np.sqrt(expected @ named)
    rates = poisson_lasso(named, n_event, expected, penalties)
    # The intercept at its maximum; then each slope is the penalty, or within it at 0.
    intercept = math.log(n_event.sum() / sum(expected * np.exp(named @ rates)))
    fitted = expected * np.exp(intercept + named @ rates)
    for column, rate, penalty in zip(named.T, rates.tolist(), penalties.tolist(), strict=True):
        slope = float(n_event[column].sum() - fitted[column].sum())
        if rate:
            assert slope == pytest.approx(math.copysign(penalty, rate), abs=2e-3 * penalty)
        else:
            assert abs(slope) <= penalty * (1 + 1e-3)
    assert 0 < np.count_nonzero(rates) < len(rates)


def test_one_product_has_the_solution_in_closed_form() -> None:
    """With odds Y / (30 + 90), the penalty of 5 cases leaves 25 of the product's 30."""
    named = np.array([[False], [True]])
    rates = poisson_lasso(named, np.array([90, 30]), np.array([90.0, 10.0]), np.array([5.0]))
    assert rates.item() == pytest.approx(math.log((25 / 95) / (10 / 90)), rel=1e-5)
    # 20 expected under no effect, and 20 observed
    even = poisson_lasso(named, np.array([180, 20]), np.array([90.0, 10.0]), np.array([0.1]))
    assert even.tolist() == [0.0]


def test_a_fit_that_does_not_converge_explains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = _groups(("", 9_000, 90), ("A", 400, 40), ("AB", 360, 36), ("B", 400, 4))
    assert explanations(groups, "B").height == 1
    monkeypatch.setattr(bystanders, "poisson_lasso", lambda *_: np.full(2, np.nan))
    assert explanations(groups, "B").height == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_culprit_explains_its_bystander_and_nobody_explains_the_culprit(seed: int) -> None:
    frames = _drawn(seed)
    found = {
        drug: explanations(ProductGroups.of_frames(frames, drug, "rash", stratum="age"), drug)
        for drug in "ABCD"
    }
    assert found["A"]["product"].to_list() == []
    assert found["B"]["product"].to_list() == ["A"]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_counts_without_a_product_are_those_of_a_recount(seed: int) -> None:
    frames = _drawn(seed)
    groups = ProductGroups.of_frames(frames, "B", "rash", stratum="age")
    (row,) = explanations(groups, "B").iter_rows(named=True)
    naming_a = frames.drugs.filter(pl.col("drug") == "A").select("case")
    rest = frames.among(frames.cases.join(naming_a, on="case", how="anti").select("case"))
    pair = pl.DataFrame({"drug": ["B"], "event": ["rash"]})
    both = frames.among(naming_a).counts(pair)["n_observed"].item()
    assert row["n_shared"] == both
    assert row["share"] == both / frames.counts(pair)["n_observed"].item()
    counts = rest.counts(pair).row(0, named=True)
    assert {name: row[name] for name in counts if name.startswith("n_")} == {
        name: counts[name] for name in counts if name.startswith("n_")
    }
    expected = 0.0
    for age in ("adult", "child"):
        among = rest.among(rest.cases.filter(pl.col("age") == age).select("case"))
        cells = among.counts(pair).row(0, named=True)
        expected += cells["n_drug"] * cells["n_event"] / cells["n_total"]
    assert row["expected_adjusted"] == pytest.approx(expected, rel=1e-12)
    quantile = gamma.ppf(0.025, row["n_observed"] + 0.5, scale=1 / (expected + 0.5))
    assert row["ic_lower_adjusted"] == pytest.approx(math.log2(quantile), rel=1e-9)


def test_products_that_are_never_apart_explain_neither() -> None:
    groups = _groups(("", 9_000, 90), ("AB", 360, 36))
    assert explanations(groups, "A").height == 0
    assert explanations(groups, "B").height == 0


def test_a_product_that_is_named_by_few_of_the_cases_explains_nothing() -> None:
    """29 of 100 cases of B name A, then 30; an effect of A alone, and none of B."""
    for shared, explained in ((29, 0), (30, 1)):
        groups = _groups(
            ("", 90_000, 900),
            ("A", 1_000, 200),
            ("AB", 100, shared),
            ("B", 6_500, 100 - shared),
        )
        assert explanations(groups, "B").height == explained
        assert explanations(groups, "B", least_share=0.2).height == 1


def test_a_product_that_is_reported_more_often_alone_as_well_is_not_explained() -> None:
    """Half of the cases of B name A, but B alone has the event at ten times the expected rate."""
    groups = _groups(("", 90_000, 900), ("A", 400, 40), ("AB", 200, 30), ("B", 300, 30))
    assert explanations(groups, "B").height == 0


def test_an_effect_of_its_own_keeps_a_coefficient_though_few_cases_are_left() -> None:
    """Without A only two cases are left, too few for the bound; with A, B doubles the rate."""
    rows = (("", 90_000, 900), ("A", 2_000, 200))
    bystander = _groups(*rows, ("AB", 150, 15), ("B", 100, 2))
    cause = _groups(*rows, ("AB", 150, 60), ("B", 10, 2))
    assert explanations(bystander, "B")["product"].to_list() == ["A"]
    assert explanations(cause, "B").height == 0


def test_a_pair_that_stands_out_without_the_other_product_is_not_explained() -> None:
    """Together A and B have fewer cases than A's rate, so the regression leaves B nothing."""
    rows = (("", 90_000, 900), ("A", 2_000, 400), ("AB", 1_000, 100))
    assert explanations(_groups(*rows, ("B", 300, 3)), "B").height == 1
    assert explanations(_groups(*rows, ("B", 300, 10)), "B").height == 0


def test_a_product_that_shows_less_alone_does_not_explain() -> None:
    """A alone has one case; B alone has four of four expected: either may be the culprit."""
    rows = (("", 9_000, 90), ("AB", 360, 36), ("B", 400, 4))
    assert explanations(_groups(*rows, ("A", 400, 40)), "B").height == 1
    assert explanations(_groups(*rows, ("A", 10, 1)), "B").height == 0


def test_a_reaction_of_the_combination_alone_is_not_laid_to_a_product() -> None:
    """A alone has 9 of 10 cases expected, and B none of 20."""
    groups = _groups(("", 90_000, 900), ("A", 1_000, 9), ("AB", 360, 36), ("B", 2_000, 0))
    assert explanations(groups, "B").height == 0


def test_a_product_without_a_coefficient_explains_nothing() -> None:
    """Ten of seven cases expected are fewer than the penalty."""
    groups = _groups(("", 90_000, 900), ("A", 400, 6), ("AB", 300, 4), ("B", 300, 2))
    assert explanations(groups, "B").height == 0


def test_the_order_of_cases_decides_nothing() -> None:
    frames = _drawn(4)
    shuffled = CaseFrames(
        *(part.sample(fraction=1, shuffle=True, seed=9) for part in _parts(frames))
    )
    first, second = (
        explanations(ProductGroups.of_frames(one, "B", "rash", stratum="age"), "B")
        for one in (frames, shuffled)
    )
    assert first.height == 1
    assert first.rows() == second.rows()


def test_parts_that_are_taken_off_leave_the_rest() -> None:
    named = np.array([[True], [True], [False]])
    n_total, n_event = np.array([5, -5, 4]), np.array([2, -2, 1])
    stratum = np.zeros(3, dtype=np.int64)
    groups = ProductGroups.of_cases(("A",), named, stratum, n_total, n_event)
    assert (groups.named.tolist(), groups.n_total.tolist()) == ([[False]], [4])


def test_without_a_case_of_the_pair_nothing_explains_it() -> None:
    groups = _groups(("", 90, 9), ("A", 10, 0), ("AB", 10, 0), ("B", 10, 3))
    found = explanations(groups, "A")
    assert found.height == 0
    assert found.schema == EXPLANATIONS


def test_refusals_name_what_was_given() -> None:
    groups = _groups(("", 90, 9), ("A", 10, 3))
    with pytest.raises(InputError, match="explanations: drug must be one of the products"):
        explanations(groups, "Z")
    with pytest.raises(InputError, match=r"least_share must be in \(0, 1\]; got 0"):
        explanations(groups, "A", least_share=0)
    with pytest.raises(InputError, match="level"):
        explanations(groups, "A", level=1)
    nothing = np.zeros(1, dtype=np.int64)
    with pytest.raises(CountsError, match="first group 0 with 2 of 1 cases"):
        ProductGroups(("A",), np.ones((1, 1), dtype=np.bool_), nothing, nothing + 1, nothing + 2)
    with pytest.raises(CountsError, match="sorted, each once"):
        ProductGroups(("B", "A"), np.ones((1, 2), dtype=np.bool_), nothing, nothing, nothing)
    with pytest.raises(CountsError, match="a row a group and a column a product"):
        ProductGroups(("A",), np.ones((1, 2), dtype=np.bool_), nothing, nothing, nothing)


def _parts(frames: CaseFrames) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return frames.cases, frames.drugs, frames.events
