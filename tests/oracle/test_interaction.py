"""Omega against the published table, SciPy's gamma quantiles, and triples counted by sets."""

import itertools
import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from scipy.stats import gamma

from detectors.case_frames import CaseFrames
from detectors.interaction import TRIPLE_COUNTS, interaction_counts, omega

# METHODS table E: cases by (first drug, second drug, event). Norén et al. 2008, Stat Med 27:3057.
TABLE_E = dict(
    zip(
        itertools.product((1, 0), repeat=3),
        # 111, 110, 101, 100, 011, 010, 001, 000
        (25, 253, 53, 1444, 42, 1293, 185, 6527),
        strict=True,
    )
)
PUBLISHED_E = {"expected_additive": 10.908651, "omega": 1.160369, "omega_lower": 0.539394}


def _triple(cells: dict[tuple[int, ...], int]) -> pl.DataFrame:
    def number(*wanted: int | None) -> int:
        return sum(
            n
            for key, n in cells.items()
            if all(want is None or want == have for want, have in zip(wanted, key, strict=True))
        )

    counts = [
        number(1, 1, 1),
        number(1, 1, None),
        number(1, None, 1),
        number(1, None, None),
        number(None, 1, 1),
        number(None, 1, None),
        number(None, None, 1),
        number(None, None, None),
    ]
    return pl.DataFrame([counts], schema=list(TRIPLE_COUNTS), orient="row")


def _cells(
    n_111: int, n_110: int, n_101: int, n_100: int, *rest: int
) -> dict[tuple[int, ...], int]:
    keys = itertools.product((1, 0), repeat=3)
    return dict(zip(keys, (n_111, n_110, n_101, n_100, *rest), strict=True))


def test_the_published_table() -> None:
    row = omega(_triple(TABLE_E)).row(0, named=True)
    for name, value in PUBLISHED_E.items():
        assert row[name] == pytest.approx(value, abs=5e-7), name


@pytest.mark.parametrize(("level", "shrinkage"), [(0.95, 0.5), (0.9, 0.5), (0.99, 1.0)])
def test_the_interval_is_that_of_scipys_gamma(level: float, shrinkage: float) -> None:
    row = omega(_triple(TABLE_E), level=level, shrinkage=shrinkage).row(0, named=True)
    posterior = gamma(25 + shrinkage, scale=1 / (row["expected_additive"] + shrinkage))
    bounds = np.log2(posterior.ppf([(1 - level) / 2, (1 + level) / 2]))
    assert (row["omega_lower"], row["omega_upper"]) == pytest.approx(bounds, rel=1e-11)


def test_each_drugs_part_in_the_expectation_is_its_excess_over_the_background() -> None:
    """With f as shares: f11 = 1 - 1 / (o10 + o01 - o00 + 1), written out in fractions."""
    row = omega(_triple(_cells(9, 91, 30, 70, 20, 180, 10, 990))).row(0, named=True)
    odds = 30 / 70 + 20 / 180 - 10 / 990
    assert row["expected_additive"] == pytest.approx(100 * odds / (1 + odds), rel=1e-14)


def test_the_expectation_of_a_rare_event_keeps_its_digits() -> None:
    """Odds of 1 in 300 million and so: 1 - 1 / (1 + odds) would keep eight digits of them."""
    cells = (1, 60_000_000, 1, 299_999_999, 1, 399_999_999, 1, 1_999_999_999)
    row = omega(_triple(_cells(*cells))).row(0, named=True)
    odds = [Fraction(cells[at], cells[at + 1]) for at in (2, 4, 6)]
    added = odds[0] + odds[1] - odds[2]  # both are above the background
    exact = added / (1 + added) * (cells[0] + cells[1])
    assert row["expected_additive"] == pytest.approx(float(exact), rel=1e-14)


def test_a_drug_below_the_background_does_not_lower_what_the_other_explains() -> None:
    harmless = omega(_triple(_cells(9, 91, 30, 70, 1, 999, 100, 900))).row(0, named=True)
    odds = 30 / 70 + 100 / 900 - 100 / 900
    assert harmless["expected_additive"] == pytest.approx(100 * odds / (1 + odds), rel=1e-14)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param((0, 0, 3, 7, 2, 8, 10, 90), 0.0, id="never together"),
        pytest.param((3, 7, 0, 0, 2, 8, 10, 90), 10 * 0.2, id="first never alone"),
        pytest.param((3, 7, 2, 8, 0, 0, 10, 90), 10 * 0.2, id="second never alone"),
        pytest.param((3, 7, 0, 0, 0, 0, 10, 90), 10 * 0.1, id="neither ever alone"),
        pytest.param((3, 7, 5, 0, 2, 8, 10, 90), 10.0, id="first alone always has the event"),
        pytest.param((3, 7, 5, 5, 2, 8, 10, 0), 10.0, id="the background always has the event"),
        pytest.param((3, 7, 5, 5, 2, 8, 0, 0), None, id="no background"),
        pytest.param((3, 7, 0, 5, 0, 8, 0, 90), 0.0, id="the event with both drugs only"),
        pytest.param((0, 7, 2, 8, 3, 7, 10, 90), 7 * (1 - 1 / (1 / 4 + 3 / 7 - 1 / 9 + 1)), id="0"),
    ],
)
def test_zero_counts(cells: tuple[int, ...], expected: float | None) -> None:
    row = omega(_triple(_cells(*cells))).row(0, named=True)
    names = ("expected_additive", "omega", "omega_lower", "omega_upper")
    if expected is None:
        assert all(row[name] is None for name in names)
        return
    assert row["expected_additive"] == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert row["omega"] == pytest.approx(math.log2((cells[0] + 0.5) / (expected + 0.5)), abs=1e-12)
    assert row["omega_lower"] < row["omega"] < row["omega_upper"]


def _random_frames(seed: int, size: int = 300) -> CaseFrames:
    random = np.random.default_rng(seed)
    return CaseFrames(
        pl.DataFrame({"case": [f"c{place}" for place in range(size)]}),
        pl.DataFrame(
            {
                "case": [f"c{place}" for place in random.integers(0, size, 700)],
                "drug": random.choice(list("zyxwvu"), 700, p=[0.4, 0.3, 0.15, 0.1, 0.03, 0.02]),
            }
        ),
        pl.DataFrame(
            {
                "case": [f"c{place}" for place in random.integers(0, size, 500)],
                "event": random.choice(["rash", "ache", "fever"], 500, p=[0.6, 0.38, 0.02]),
            }
        ),
    )


@pytest.mark.parametrize("at_least", [1, 3, 20])
def test_every_triple_at_or_above_the_floor_is_counted(at_least: int) -> None:
    frames = _random_frames(at_least)
    with_drug = {name: set(rows["case"]) for (name,), rows in frames.drugs.group_by("drug")}
    with_event = {name: set(rows["case"]) for (name,), rows in frames.events.group_by("event")}
    wanted = []
    for first, second in itertools.combinations(sorted(with_drug), 2):
        for event in sorted(with_event):
            one, two, has = with_drug[first], with_drug[second], with_event[event]
            if len(one & two & has) >= at_least:
                counts = (one & two & has, one & two, one & has, one, two & has, two, has)
                wanted.append((first, second, event, *map(len, counts), 300))
    assert len(wanted) > 1
    assert interaction_counts(frames, at_least=at_least).rows() == wanted


def test_the_order_of_the_rows_has_no_effect() -> None:
    frames = _random_frames(1)
    shuffled = CaseFrames(
        *(
            frame.sample(fraction=1, shuffle=True, seed=3)
            for frame in (frames.cases, frames.drugs, frames.events)
        )
    )
    assert omega(interaction_counts(shuffled)).equals(omega(interaction_counts(frames)))


def test_two_drugs_never_together_are_no_triple() -> None:
    frames = CaseFrames(
        pl.DataFrame({"case": [1, 2]}),
        pl.DataFrame({"case": [1, 2], "drug": ["A", "B"]}),
        pl.DataFrame({"case": [1, 2], "event": ["rash", "rash"]}),
    )
    counted = interaction_counts(frames, at_least=1)
    assert counted.is_empty()
    assert omega(counted).columns[-4:] == [
        "expected_additive",
        "omega",
        "omega_lower",
        "omega_upper",
    ]


@pytest.mark.parametrize(("at_least", "found"), [(3, 1), (4, 0)])
def test_two_drugs_whose_every_common_case_has_the_event_meet_the_floor(
    at_least: int, found: int
) -> None:
    cases = pl.DataFrame({"case": range(3)})
    drugs = pl.concat([cases.with_columns(drug=pl.lit(name)) for name in "AB"])
    frames = CaseFrames(cases, drugs, cases.with_columns(event=pl.lit("rash")))
    assert interaction_counts(frames, at_least=at_least).height == found
