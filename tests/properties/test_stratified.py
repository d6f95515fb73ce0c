"""Laws of the stratified, restricted, unmasked and interaction statistics, on random cases."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.case_frames import CaseFrames, StratifiedCounts
from detectors.interaction import interaction_counts, omega
from detectors.mantel_haenszel import mantel_haenszel
from detectors.masking import co_reports, unmasked
from detectors.reporting_odds_ratio import reporting_odds_ratio
from detectors.restricted_comparator import restricted_comparator, within_indication
from detectors.subgroups import subgroups

CASE = st.tuples(
    st.sampled_from(["f", "m", None, "x"]),
    st.sets(st.sampled_from("ABCD"), max_size=3),
    st.sets(st.sampled_from(["rash", "ache", "fever"]), max_size=2),
)
CASES = st.lists(CASE, min_size=1, max_size=40)

Cases = list[tuple[str | None, set[str], set[str]]]


def _frames(cases: Cases) -> CaseFrames:
    drugs = [(place, drug) for place, case in enumerate(cases) for drug in sorted(case[1])]
    events = [(place, event) for place, case in enumerate(cases) for event in sorted(case[2])]
    return CaseFrames(
        pl.DataFrame({"case": range(len(cases)), "sex": [case[0] for case in cases]}).cast(
            {"sex": pl.String}
        ),
        pl.DataFrame(drugs, schema={"case": pl.Int64, "drug": pl.String}, orient="row"),
        pl.DataFrame(events, schema={"case": pl.Int64, "event": pl.String}, orient="row"),
    )


def _no_nan(frame: pl.DataFrame) -> None:
    floats = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
    assert frame.filter(pl.any_horizontal(pl.col(floats).is_nan())).is_empty()


@settings(max_examples=60, deadline=None)
@given(CASES, st.integers(0, 2**31))
def test_the_order_of_the_rows_changes_no_bit(cases: Cases, seed: int) -> None:
    frames = _frames(cases)
    strata = frames.counts_by("sex")
    pairs = frames.counts().select("drug", "event")
    order = np.random.default_rng(seed)

    def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
        return frame[order.permutation(frame.height).tolist()] if frame.height else frame

    other = StratifiedCounts(
        shuffled(strata.observed),
        shuffled(strata.drug_margins),
        shuffled(strata.event_margins),
        shuffled(strata.totals),
    )
    result = mantel_haenszel(pairs, strata)
    again = mantel_haenszel(shuffled(pairs), other).sort("drug", "event")
    assert again.equals(result.sort("drug", "event"))
    _no_nan(result)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_with_one_stratum_it_is_the_reporting_odds_ratio(cases: Cases) -> None:
    frames = _frames([("f", drugs, events) for _, drugs, events in cases])
    counts = frames.counts()
    pooled = mantel_haenszel(counts.select("drug", "event"), frames.counts_by("sex"))
    plain = reporting_odds_ratio(counts)
    for mh, ror in zip(pooled["ror_mh"], plain["ror"], strict=True):
        assert mh == ror or abs(mh - ror) <= 1e-12 * ror
    # With one table the Robins-Breslow-Greenland variance is Woolf's.
    for mh, ror in zip(pooled["ror_mh_upper"], plain["ror_upper"], strict=True):
        assert mh == ror or abs(mh - ror) <= 1e-9 * ror


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_a_pair_stands_alone_and_its_bounds_enclose_it(cases: Cases) -> None:
    frames = _frames(cases)
    strata = frames.counts_by("sex")
    pairs = frames.counts().select("drug", "event")
    together = mantel_haenszel(pairs, strata)
    for at in range(pairs.height):
        assert mantel_haenszel(pairs[at : at + 1], strata).equals(together[at : at + 1])
    outside = (pl.col("ror_mh_lower") > pl.col("ror_mh")) | (
        pl.col("ror_mh_upper") < pl.col("ror_mh")
    )
    assert together.filter(outside).is_empty()
    assert together.filter(pl.col("chi2_cmh_corrected") > pl.col("chi2_cmh")).is_empty()


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_subgroups_add_up_to_the_pooled_counts(cases: Cases) -> None:
    frames = _frames(cases)
    pairs = frames.counts().select("drug", "event")
    result = subgroups(pairs, frames.counts_by("sex"))
    counted = ("n_observed", "n_drug", "n_event", "n_total")
    summed = result.group_by("drug", "event").agg(
        *(pl.col(name).sum() for name in counted),
        *(pl.col(f"{name}_pooled").first() for name in counted),
    )
    for name in counted:
        assert summed[name].to_list() == summed[f"{name}_pooled"].to_list()
    _no_nan(result)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_restricting_is_a_subgroup_and_unmasking_is_a_restriction(cases: Cases) -> None:
    """Three ways to the same cases: by indication, by stratum, and by taking a product away."""
    frames = _frames(cases)
    counts = frames.counts()
    if counts.is_empty():
        return
    told = frames.cases.drop_nulls().rename({"sex": "indication"})
    area = within_indication(frames, told, ["f"])
    beside = restricted_comparator(counts, area.counts(counts), terms=["f"])
    by_sex = subgroups(counts, frames.counts_by("sex")).filter(pl.col("stratum") == "f")
    if by_sex.height:
        assert beside["ror_restricted"].to_list() == by_sex["ror"].to_list()
    _no_nan(beside)

    drug, event = counts.row(0)[:2]
    for row in unmasked(co_reports(frames, drug, event)).iter_rows(named=True):
        names = frames.drugs.filter(pl.col("drug") == row["masker"])
        left = frames.among(frames.cases.join(names, on="case", how="anti"))
        pair = pl.DataFrame({"drug": [drug], "event": [event]})
        margins = ("n_observed", "n_drug", "n_event", "n_total")
        assert left.counts(pair).row(0)[2:] == tuple(row[f"{name}_unmasked"] for name in margins)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_interactions_have_bounds_and_never_nan(cases: Cases) -> None:
    result = omega(interaction_counts(_frames(cases), at_least=1))
    _no_nan(result)
    outside = (pl.col("omega_lower") > pl.col("omega")) | (pl.col("omega_upper") < pl.col("omega"))
    assert result.filter(outside).is_empty()
    assert result.filter(pl.col("expected_additive") > pl.col("n_both")).is_empty()
