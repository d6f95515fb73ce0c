"""What the estimators of confounding, masking, interaction and onset refuse, in which words."""

import re
from collections.abc import Callable

import polars as pl
import pytest
from scipy.optimize import OptimizeResult

from detectors import time_to_onset as onset_module
from detectors.adjusted import adjusted_odds_ratio
from detectors.case_frames import CaseFrames
from detectors.interaction import TRIPLE_COUNTS, interaction_counts, omega
from detectors.mantel_haenszel import mantel_haenszel
from detectors.masking import co_reports, unmasked
from detectors.reporting_odds_ratio import reporting_odds_ratio
from detectors.restricted_comparator import restricted_comparator, within_indication
from detectors.subgroups import subgroups
from detectors.time_to_onset import time_to_onset
from schemas.errors import CountsError, FitError, InputError

FRAMES = CaseFrames(
    pl.DataFrame({"case": range(6), "age": [1.0, 2.0, 3.0, 4.0, 5.0, None], "sex": list("fmfmfm")}),
    pl.DataFrame({"case": [0, 1, 2, 3, 4, 5], "drug": ["A", "A", "A", "B", "B", "B"]}),
    pl.DataFrame({"case": [0, 1, 3], "event": ["rash"] * 3}),
)
PAIR = pl.DataFrame({"drug": ["A"], "event": ["rash"]})
COUNTS = PAIR.with_columns(n_observed=2, n_drug=3, n_event=3, n_total=6)
MASKED = COUNTS.with_columns(n_masker=3, n_masker_event=1, n_drug_masker=1, n_observed_masker=1)
TRIPLE = pl.DataFrame([[1, 2, 2, 4, 2, 4, 4, 9]], schema=list(TRIPLE_COUNTS), orient="row")
ONSETS = PAIR.with_columns(case=pl.lit(1), onset_days=pl.lit(3))


def _halved(counts: pl.DataFrame) -> pl.DataFrame:
    return reporting_odds_ratio(counts.head(0))


def _without_drugs(counts: pl.DataFrame) -> pl.DataFrame:
    return reporting_odds_ratio(counts).drop("n_drug")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        pytest.param(
            lambda: mantel_haenszel(PAIR, FRAMES.counts_by("sex"), level=1),
            InputError,
            "mantel_haenszel: level must lie in (0, 1); got 1",
            id="level",
        ),
        pytest.param(
            lambda: subgroups(PAIR, FRAMES.counts_by("sex"), estimator=_halved),
            InputError,
            "subgroups: the estimator must keep the rows it is given, in order, and add columns; "
            "got 0 rows",
            id="an estimator that drops rows",
        ),
        pytest.param(
            lambda: subgroups(PAIR, FRAMES.counts_by("sex"), estimator=_without_drugs),
            InputError,
            "subgroups: the estimator must keep the rows it is given, in order, and add columns; "
            "got 1 rows",
            id="an estimator that drops columns",
        ),
        pytest.param(
            lambda: within_indication(FRAMES, pl.DataFrame({"case": [1]}), ["acne"]),
            CountsError,
            "within_indication: indications need the columns ['case', 'indication']; got ['case']",
            id="no indication",
        ),
        pytest.param(
            lambda: restricted_comparator(COUNTS, COUNTS, terms=[]),
            InputError,
            "restricted_comparator: terms must name at least one indication; got none",
            id="no term",
        ),
        pytest.param(
            lambda: restricted_comparator(pl.concat([COUNTS, COUNTS]), COUNTS, terms=["acne"]),
            CountsError,
            "restricted_comparator: a pair must stand in one row; got 2 rows that break it, first",
            id="a pair twice",
        ),
        pytest.param(
            lambda: restricted_comparator(
                COUNTS, COUNTS.with_columns(n_event=2, n_total=5, n_drug=4), terms=["acne"]
            ),
            CountsError,
            "restricted_comparator: the restricted cases must be a part of the population; got 1 "
            "rows that break it, first {'drug': 'A', 'event': 'rash', 'n_observed': 2",
            id="not a part",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(FRAMES, "A", "rash", covariates=["year"]),
            InputError,
            "adjusted_odds_ratio: covariates must be columns of the cases; got 'year'",
            id="no covariate",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(FRAMES, "A", "rash", covariates=["case"]),
            InputError,
            "adjusted_odds_ratio: covariates must be columns of the cases; got 'case'",
            id="the case itself",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(FRAMES, "A", "rash", covariates=["age"]),
            InputError,
            "adjusted_odds_ratio: a numeric covariate must be known of every case, else be given "
            "in groups; got 'age' with 1 unknown",
            id="a number not known",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(FRAMES, "C", "rash"),
            InputError,
            "adjusted_odds_ratio: the drug must have a case; got 'C'",
            id="no drug",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(FRAMES, "A", "rash", comedication=["C"]),
            InputError,
            "adjusted_odds_ratio: the drug must have a case; got 'C'",
            id="no other drug",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(FRAMES, "A", "ache"),
            InputError,
            "adjusted_odds_ratio: the event must have a case; got 'ache'",
            id="no event",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(
                FRAMES.among(pl.DataFrame({"case": [0, 1, 3]})), "A", "rash"
            ),
            FitError,
            "adjusted_odds_ratio: some case must be without the event; got 'rash' in all",
            id="always the event",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(FRAMES, "A", "rash", comedication=["B"]),
            FitError,
            "adjusted_odds_ratio: the covariates must not tell who took the drug; got 'A' in 3 of "
            "6 cases, told by ['B']",
            id="the drug is determined by covariates",
        ),
        pytest.param(
            lambda: adjusted_odds_ratio(
                FRAMES.among(pl.DataFrame({"case": [0, 1, 2]})), "A", "rash"
            ),
            FitError,
            "adjusted_odds_ratio: the covariates must not tell who took the drug; got 'A' in 3 of "
            "3 cases, told by []",
            id="always the drug",
        ),
        pytest.param(
            lambda: co_reports(FRAMES, "C", "rash"),
            CountsError,
            "co_reports: the drug must have a case; got 'C'",
            id="co-reports of no drug",
        ),
        pytest.param(
            lambda: co_reports(FRAMES, "A", "ache"),
            CountsError,
            "co_reports: the event must have a case; got 'ache'",
            id="co-reports of no event",
        ),
        pytest.param(
            lambda: unmasked(COUNTS),
            CountsError,
            "unmasked: integer counts ['n_masker', 'n_masker_event', 'n_drug_masker', "
            "'n_observed_masker'] are needed; got ",
            id="no co-reports",
        ),
        pytest.param(
            lambda: unmasked(MASKED.with_columns(n_observed_masker=2)),
            CountsError,
            "unmasked: the masker's cases must be a part of the population's, cell by cell; got 1 "
            "rows that break it, first {'drug': 'A'",
            id="co-reports too many",
        ),
        pytest.param(
            lambda: unmasked(MASKED.with_columns(n_masker=pl.lit(None, pl.Int64))),
            CountsError,
            "unmasked: the masker's cases must be a part of the population's, cell by cell; got 1",
            id="co-reports null",
        ),
        pytest.param(
            lambda: unmasked(MASKED, statistic="ror"),
            InputError,
            "unmasked: statistic must be a column that the estimator adds; got 'ror'",
            id="a statistic of another estimator",
        ),
        pytest.param(
            lambda: interaction_counts(FRAMES, at_least=0),
            InputError,
            "interaction_counts: at_least must be a whole number, 1 or more; got 0",
            id="a floor of nothing",
        ),
        pytest.param(
            lambda: omega(TRIPLE.drop("n_both")),
            CountsError,
            "omega: integer counts ['n_observed', 'n_both', ",
            id="a count is missing",
        ),
        pytest.param(
            lambda: omega(TRIPLE.with_columns(n_second=1)),
            CountsError,
            "omega: no group of cases may be negative, or null; got 1 rows that break it, first "
            "{'n_observed': 1, ",
            id="a negative group",
        ),
        pytest.param(
            lambda: omega(TRIPLE.with_columns(n_event=pl.lit(None, pl.Int64))),
            CountsError,
            "omega: no group of cases may be negative, or null; got 1 rows",
            id="a null group",
        ),
        pytest.param(
            lambda: omega(TRIPLE, shrinkage=0),
            InputError,
            "omega: shrinkage must be a positive number of cases; got 0",
            id="shrinkage",
        ),
        pytest.param(
            lambda: time_to_onset(PAIR, ONSETS, at_least=2),
            InputError,
            "time_to_onset: at_least must be a whole number, 3 or more; got 2",
            id="a floor of two onsets",
        ),
        pytest.param(
            lambda: time_to_onset(PAIR, ONSETS.drop("case")),
            CountsError,
            "time_to_onset: onsets need the columns ['case', 'drug', 'event']; got ",
            id="onsets without cases",
        ),
        pytest.param(
            lambda: time_to_onset(PAIR, ONSETS.with_columns(onset_days=pl.lit(1.5))),
            CountsError,
            "time_to_onset: onsets need an integer column onset_days; got {",
            id="onsets in parts of days",
        ),
        pytest.param(
            lambda: time_to_onset(PAIR, ONSETS.with_columns(onset_days=pl.lit(-1))),
            CountsError,
            "time_to_onset: onsets must not lie before the first dose; got 1 rows that break it, "
            "first {'case': 1, 'drug': 'A', 'event': 'rash', 'onset_days': -1}",
            id="onsets before the dose",
        ),
    ],
)
def test_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()


def test_a_weibull_that_is_not_found_is_an_error_and_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def give_up(loss: Callable[..., tuple[float, object]], start: object, **_: object) -> object:
        return OptimizeResult(x=start, jac=loss(start)[1], fun=0.0)

    monkeypatch.setattr(onset_module, "minimize", give_up)
    onsets = pl.DataFrame(
        {"case": range(6), "drug": "A", "event": "rash", "onset_days": [0, 1, 5, 9, 30, 31]}
    )
    message = "^time_to_onset: a Weibull must fit the onsets; got none for 6 cases$"
    with pytest.raises(FitError, match=message):
        time_to_onset(PAIR, onsets)
