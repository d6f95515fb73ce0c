"""Numbers that no count or expectation can be, given to every public function that takes one."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

import detectors
from detectors.alarm_budget import entry_threshold
from detectors.anytime_valid_state import DayMargins
from detectors.arguments import finite_numbers, whole_numbers
from detectors.bystanders import ProductGroups, explanations
from detectors.case_frames import CaseFrames
from detectors.clusters import scan_clusters
from detectors.e_values import (
    e_benjamini_hochberg,
    e_bh_levels,
    poisson_excess_e_value,
    poisson_gamma_e_value,
)
from detectors.empirical_calibration import (
    EmpiricalNull,
    calibrated_lower,
    calibrated_p_value,
    fit_empirical_null,
)
from detectors.false_alarms import ever_alert_rate, null_alert_rate
from detectors.false_discovery import false_discovery
from detectors.gamma_mixture import GammaMixture
from detectors.information_component import (
    adjusted_ic_expressions,
    ic_expressions,
    log2_gamma_quantiles,
)
from detectors.interaction import interaction_counts
from detectors.kolmogorov_smirnov import kolmogorov_smirnov
from detectors.likelihood_ratio import likelihood_ratio, log_likelihood_ratio
from detectors.maxsprt import (
    maxsprt_critical_value,
    maxsprt_crossing_probability,
    maxsprt_llr,
)
from detectors.posterior_quantile import exact_quantile, quantiles
from detectors.scoring import apply_methods, score
from detectors.squashing import points_of
from detectors.temporal_scan import bernoulli_llr, temporal_scan
from detectors.time_to_onset import time_to_onset
from detectors.unbounded_ratios import lower_odds_ratio, lower_rate_ratio
from schemas.errors import CountsError, InputError
from tests.support.frames import make_counts

NAN, INF = float("nan"), float("inf")
NO_WHOLE = [NAN, INF, -INF, -1, 0.5, None, "three"]
NOT_FINITE = [NAN, INF, -INF, -0.5, None, "three"]
NO_INTEGER = [NAN, INF, -1, 0.5, None, "three", True]

PRIOR = GammaMixture(
    alpha1=3.25, beta1=0.4, alpha2=2.02, beta2=1.9, weight=0.065, likelihood="untruncated"
)
NULL = EmpiricalNull(mean=0.1, sd=0.2, n_controls=9)
TABLE = make_counts([(3, 20, 100, 10_000)])
PAIR = pl.DataFrame({"drug": ["A"], "event": ["rash"]})
FRAMES = CaseFrames(
    pl.DataFrame({"case": [1]}),
    pl.DataFrame({"case": [1], "drug": ["A"]}),
    pl.DataFrame({"case": [1], "event": ["rash"]}),
)
GROUPS = ProductGroups(
    ("A",), np.ones((1, 1), dtype=np.bool_), np.zeros(1, int), np.ones(1, int), np.ones(1, int)
)
ONSETS = PAIR.with_columns(case=pl.lit(1), onset_days=pl.lit(2))
REPORTS = pl.DataFrame(
    {
        "case_id": ["1"],
        "product_class": ["c"],
        "event_family": ["f"],
        "serious": [True],
        "lot": ["l"],
        "day": pl.Series([1], dtype=pl.Int32).cast(pl.Date),
    }
)


def _one(value: Any) -> Any:
    return np.array([value])


def _scan(*, unit: Any = 0, day: Any = 1, report: Any = 0, **settings: Any) -> None:
    settings = {"within_days": 3, "replicates": 9, **settings}
    given = (_one(unit), _one(day), _one(report), np.array([True]))
    temporal_scan(*given, rng=np.random.default_rng(1), **settings)


Call = Callable[[Any], object]
CALLS: dict[tuple[str, str], tuple[list[Any], Call]] = {
    ("poisson_gamma_e_value", "n_observed"): (NO_WHOLE, lambda x: poisson_gamma_e_value(x, 1)),
    ("poisson_gamma_e_value", "expected"): (NOT_FINITE, lambda x: poisson_gamma_e_value(1, x)),
    ("poisson_excess_e_value", "n_observed"): (NO_WHOLE, lambda x: poisson_excess_e_value(x, 1)),
    ("poisson_excess_e_value", "expected"): (NOT_FINITE, lambda x: poisson_excess_e_value(1, x)),
    ("e_bh_levels", "e_values"): ([NAN, -INF, -0.5, None], lambda x: e_bh_levels([x])),
    ("e_bh_levels", "n_hypotheses"): (
        [x for x in NO_INTEGER if x is not None],
        lambda x: e_bh_levels([1.0], n_hypotheses=x),
    ),
    ("e_benjamini_hochberg", "e_values"): ([NAN, -1], lambda x: e_benjamini_hochberg([x])),
    ("e_benjamini_hochberg", "n_hypotheses"): (
        [NAN, INF, 0.5, "three"],
        lambda x: e_benjamini_hochberg([1.0], n_hypotheses=x),
    ),
    ("explanations", "least_share"): (
        [NAN, INF, -0.5, 0, 1.5],
        lambda x: explanations(GROUPS, "A", least_share=x),
    ),
    ("ever_alert_rate", "n_alerted"): (NO_INTEGER, lambda x: ever_alert_rate(x, 4)),
    ("ever_alert_rate", "n_controls"): (NO_INTEGER, lambda x: ever_alert_rate(0, x)),
    ("false_discovery", "n_hypotheses"): (
        [NAN, INF, -1, 0.5, "three", True],
        lambda x: false_discovery(TABLE.with_columns(p=0.5), p_values="p", n_hypotheses=x),
    ),
    ("score", "n_hypotheses"): ([NAN, 0.5], lambda x: score(TABLE, ["fdr"], n_hypotheses=x)),
    ("apply_methods", "n_hypotheses"): (
        [NAN, 0.5],
        lambda x: apply_methods(TABLE, ["fdr"], n_hypotheses=x),
    ),
    ("log2_gamma_quantiles", "n_observed"): (
        [NAN, 0.5, None, "three"],
        lambda x: log2_gamma_quantiles(pl.Series([x]), shrinkage=0.5, tail=0.025),
    ),
    ("ic_expressions", "n_observed"): (
        [NAN, 0.5, None, "three"],
        lambda x: ic_expressions(pl.Series([x]), shrinkage=0.5, tail=0.025),
    ),
    ("adjusted_ic_expressions", "n_observed"): (
        [NAN, 0.5, None, "three"],
        lambda x: adjusted_ic_expressions(pl.Series([x]), shrinkage=0.5, tail=0.025),
    ),
    ("null_alert_rate", "n_alerted"): (NO_INTEGER, lambda x: null_alert_rate([x], [9])),
    ("null_alert_rate", "n_pairs"): ([*NO_INTEGER, 0], lambda x: null_alert_rate([0], [x])),
    **{
        (one.__name__, parameter): (values, call)
        for one, more in (
            (fit_empirical_null, ()),
            (calibrated_p_value, (NULL,)),
            (calibrated_lower, (NULL,)),
        )
        for parameter, values, call in (
            (
                "log_estimates",
                [NAN, INF, None, "three"],
                lambda x, one=one, more=more: one([x], [0.1], *more),
            ),
            (
                "standard_errors",
                [NAN, INF, 0, -1, None, "three"],
                lambda x, one=one, more=more: one([0.5], [x], *more),
            ),
        )
    },
    ("interaction_counts", "at_least"): (
        NO_INTEGER,
        lambda x: interaction_counts(FRAMES, at_least=x),
    ),
    ("kolmogorov_smirnov", "one"): ([NAN, INF], lambda x: kolmogorov_smirnov([x], [1])),
    ("kolmogorov_smirnov", "other"): ([NAN, INF], lambda x: kolmogorov_smirnov([1], [x])),
    ("likelihood_ratio", "n_simulations"): (
        NO_INTEGER,
        lambda x: likelihood_ratio(TABLE, n_simulations=x),
    ),
    ("maxsprt_llr", "n_observed"): (NO_WHOLE, lambda x: maxsprt_llr(x, 1)),
    ("maxsprt_llr", "expected"): (NOT_FINITE, lambda x: maxsprt_llr(1, x)),
    ("maxsprt_critical_value", "horizon"): ([NAN, INF, -1, 0], maxsprt_critical_value),
    ("maxsprt_critical_value", "minimum_events"): (
        NO_INTEGER,
        lambda x: maxsprt_critical_value(1, x),
    ),
    ("maxsprt_crossing_probability", "critical_value"): (
        [NAN, INF, -1, 0],
        lambda x: maxsprt_crossing_probability(x, 1),
    ),
    ("maxsprt_crossing_probability", "horizon"): (
        [NAN, INF, -1, 0],
        lambda x: maxsprt_crossing_probability(3, x),
    ),
    ("maxsprt_crossing_probability", "minimum_events"): (
        NO_INTEGER,
        lambda x: maxsprt_crossing_probability(3, 1, x),
    ),
    ("exact_quantile", "n"): (NO_WHOLE, lambda x: exact_quantile(PRIOR, _one(x), _one(1.0), 0.5)),
    ("exact_quantile", "expected"): (
        NOT_FINITE,
        lambda x: exact_quantile(PRIOR, _one(1), _one(x), 0.5),
    ),
    ("exact_quantile", "probability"): (
        [NAN, INF, 0, 1],
        lambda x: exact_quantile(PRIOR, _one(1), _one(1.0), x),
    ),
    ("quantiles", "n"): (NO_WHOLE, lambda x: quantiles(PRIOR, _one(x), _one(1.0), [0.5])),
    ("quantiles", "expected"): (NOT_FINITE, lambda x: quantiles(PRIOR, _one(1), _one(x), [0.5])),
    ("quantiles", "probabilities"): (
        [NAN, INF, 0, 1],
        lambda x: quantiles(PRIOR, _one(1), _one(1.0), [0.5, x]),
    ),
    ("points_of", "count"): (NO_WHOLE, lambda x: points_of(_one(x), _one(1.0), None)),
    ("points_of", "expected"): ([*NOT_FINITE, 0], lambda x: points_of(_one(1), _one(x), None)),
    ("bernoulli_llr", "n_cases"): (
        [*NO_WHOLE, 3],
        lambda x: bernoulli_llr(_one(x), _one(2), all_cases=2, all_reports=8),
    ),
    ("bernoulli_llr", "n_reports"): (
        [*NO_WHOLE, 0],
        lambda x: bernoulli_llr(_one(0), _one(x), all_cases=2, all_reports=8),
    ),
    ("bernoulli_llr", "all_cases"): (
        [*NO_INTEGER, 9],
        lambda x: bernoulli_llr(_one(1), _one(2), all_cases=x, all_reports=8),
    ),
    ("bernoulli_llr", "all_reports"): (
        [*NO_INTEGER, 0],
        lambda x: bernoulli_llr(_one(1), _one(2), all_cases=2, all_reports=x),
    ),
    ("temporal_scan", "unit"): (NO_WHOLE, lambda x: _scan(unit=x)),
    ("temporal_scan", "day"): ([NAN, INF, 0.5, None, "three"], lambda x: _scan(day=x)),
    ("temporal_scan", "report"): ([*NO_WHOLE, 1], lambda x: _scan(report=x)),
    ("temporal_scan", "within_days"): (NO_INTEGER, lambda x: _scan(within_days=x)),
    ("temporal_scan", "replicates"): (NO_INTEGER, lambda x: _scan(replicates=x)),
    ("scan_clusters", "within_days"): (
        NO_INTEGER,
        lambda x: scan_clusters(REPORTS, by="lot", event_family="f", within_days=x),
    ),
    ("scan_clusters", "replicates"): (
        NO_INTEGER,
        lambda x: scan_clusters(REPORTS, by="lot", event_family="f", replicates=x),
    ),
    ("time_to_onset", "at_least"): (NO_INTEGER, lambda x: time_to_onset(PAIR, ONSETS, at_least=x)),
    ("entry_threshold", "n_new_pairs"): (NO_INTEGER, lambda x: entry_threshold(x, 1, 1)),
    ("entry_threshold", "n_cases"): (NO_INTEGER, lambda x: entry_threshold(1, x, 1)),
    ("entry_threshold", "days_of_data"): (NO_INTEGER, lambda x: entry_threshold(1, 1, x)),
    ("lower_rate_ratio", "n"): (
        [*NO_WHOLE, 0],
        lambda x: lower_rate_ratio(_one(x), _one(3), _one(9), 0.025),
    ),
    ("lower_rate_ratio", "n_drug"): (
        [*NO_WHOLE, 0],
        lambda x: lower_rate_ratio(_one(2), _one(x), _one(9), 0.025),
    ),
    ("lower_rate_ratio", "n_other_drugs"): (
        [*NO_WHOLE, 0],
        lambda x: lower_rate_ratio(_one(2), _one(3), _one(x), 0.025),
    ),
    ("lower_rate_ratio", "tail"): (
        [NAN, 0, 0.5],
        lambda x: lower_rate_ratio(_one(2), _one(3), _one(9), x),
    ),
    ("lower_odds_ratio", "a"): (
        [*NO_WHOLE, 0],
        lambda x: lower_odds_ratio(_one(x), _one(0), _one(0), _one(9), 0.025),
    ),
    ("lower_odds_ratio", "b"): (
        [*NO_WHOLE, 1],
        lambda x: lower_odds_ratio(_one(2), _one(x), _one(1), _one(9), 0.025),
    ),
    ("lower_odds_ratio", "c"): (
        NO_WHOLE,
        lambda x: lower_odds_ratio(_one(2), _one(0), _one(x), _one(9), 0.025),
    ),
    ("lower_odds_ratio", "d"): (
        [*NO_WHOLE, 0],
        lambda x: lower_odds_ratio(_one(2), _one(0), _one(0), _one(x), 0.025),
    ),
    ("lower_odds_ratio", "tail"): (
        [NAN, 0, 0.5],
        lambda x: lower_odds_ratio(_one(2), _one(0), _one(0), _one(9), x),
    ),
}
"""By function and parameter: values that are refused, and the call with one of them."""

EXEMPT = {
    "of_count": "computes a function of each count, which the caller has checked",
    "split_pairs": "takes keys, no counts",
    "sum_over_strata": "the loop of expected_stratified, which says that it checks nothing",
    "add_over_strata": "likewise",
    "poisson_lasso": "the solver of explanations, whose groups ProductGroups has checked",
    "evidence_path": "takes codes, no counts",
    "log_terms": "takes keys, no counts",
    "weakest_removals": "takes cases that the counts hold: a step of fewest_removals",
    "in_one_order": "likewise",
    "fewest_removals": "takes what traits_of and the counts give",
    "growth_of": "takes shares of margins, which DayMargins has checked",
    "finite_numbers": "the check itself",
    "require_whole": "the check itself",
    "whole_numbers": "the check itself",
}
# Of an interval or a prior, and checked with the function that takes them; a seed is no count.
OTHERS = {"level", "tail", "shape", "shrinkage", "probability", "starts", "seed", "function"}


def _numeric_parameters() -> set[tuple[str, str]]:
    found = set()
    for module_info in pkgutil.iter_modules(detectors.__path__):
        module = importlib.import_module(f"detectors.{module_info.name}")
        for name in module.__all__:
            if name in EXEMPT or not inspect.isfunction(getattr(module, name)):
                continue
            for parameter in inspect.signature(getattr(module, name)).parameters.values():
                kind = str(parameter.annotation)
                numeric = any(word in kind for word in ("int", "float", "_array", "Series"))
                if numeric and parameter.name not in OTHERS:
                    found.add((name, parameter.name))
    return found


def test_every_public_function_of_numbers_is_asked() -> None:
    needed = _numeric_parameters()
    assert len(needed) > 40
    assert needed <= set(CALLS)
    assert {name for name, _ in CALLS} & set(EXEMPT) == set()


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [(*at, value) for at, (values, _) in CALLS.items() for value in values],
)
def test_what_is_no_such_number_is_refused(name: str, parameter: str, value: object) -> None:
    with pytest.raises(InputError, match=r"^\w+: .* must .*; got "):
        CALLS[name, parameter][1](value)


@pytest.mark.parametrize("bad", [[NAN], [-1], [0.5]])
def test_a_posterior_weight_needs_counts(bad: list[float]) -> None:
    with pytest.raises(InputError, match=r"^GammaMixture: n must be whole numbers, 0 or more; got"):
        PRIOR.posterior_weight(np.array(bad), np.array([1.0]))
    with pytest.raises(InputError, match=r"^GammaMixture: expected must be finite numbers, 0 or"):
        PRIOR.log_odds(np.array([1]), np.array([INF]))


def test_a_statistic_of_a_table_needs_one_that_can_be() -> None:
    with pytest.raises(CountsError, match=r"^log_likelihood_ratio: 0 <= n_observed <= min"):
        log_likelihood_ratio(make_counts([(30, 20, 100, 10_000)]))


@pytest.mark.parametrize("total", [NAN, INF, 7.0, True])
def test_a_day_has_a_whole_number_of_cases(total: Any) -> None:
    none = np.empty(0, dtype=np.int64)
    with pytest.raises(CountsError, match=r"^day 3: n_total must be a whole number of cases; got"):
        DayMargins(day=3, n_total=total, drugs=none, n_drug=none, events=none, n_event=none)
    codes, floats = np.array([0]), np.array([1.0])
    with pytest.raises(CountsError, match=r"^day 3: drugs and their counts must be whole numbers"):
        DayMargins(day=3, n_total=4, drugs=codes, n_drug=floats, events=none, n_event=none)


def test_numbers_that_are_whole_and_finite_are_kept() -> None:
    assert whole_numbers([3.0, 0.0], "n", where="here").tolist() == [3, 0]
    assert whole_numbers(np.array([2**62]), "n", where="here").tolist() == [2**62]
    assert finite_numbers([0, 2.5], "mu", where="here").tolist() == [0.0, 2.5]
    counts = np.arange(5)
    assert whole_numbers(counts, "n", where="here") is counts


def test_the_message_names_the_first_bad_number_and_how_many_there_are() -> None:
    message = r"^here: n must be whole numbers, 0 or more; got 0\.5, the first of 2 such$"
    with pytest.raises(InputError, match=message):
        whole_numbers([1, 0.5, NAN], "n", where="here")
    with pytest.raises(InputError, match=r"^here: n must be whole numbers, 1 or more; got 0$"):
        whole_numbers(0, "n", where="here", least=1)
    with pytest.raises(InputError, match=r"^here: mu must be finite numbers, more than 0; got 0"):
        finite_numbers(0, "mu", where="here", positive=True)
    with pytest.raises(InputError, match=r"^here: n must be whole numbers.*; got 1e\+300$"):
        whole_numbers(1e300, "n", where="here")
