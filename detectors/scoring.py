"""All statistics of a counts frame, by name. A new estimator registers with one line here."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

from detectors.bcpnn import bcpnn
from detectors.cells import with_statistics
from detectors.chi_squared import CHI_SQUARED, CHI_SQUARED_YATES, chi_squared, chi_squared_yates
from detectors.ebgm import adjusted_ebgm, ebgm
from detectors.false_discovery import false_discovery
from detectors.fisher_exact import fisher_exact
from detectors.gamma_mixture import GammaMixture
from detectors.information_component import (
    adjusted_ic_expressions,
    adjusted_information_component,
    ic_expressions,
    information_component,
)
from detectors.intervals import tail_mass
from detectors.likelihood_ratio import likelihood_ratio
from detectors.masking import masking_screen
from detectors.proportional_reporting_ratio import proportional_reporting_ratio, prr_expressions
from detectors.relative_reporting_ratio import RELATIVE_REPORTING_RATIO, relative_reporting_ratio
from detectors.reporting_odds_ratio import reporting_odds_ratio, ror_expressions
from schemas.counts import require_counts, require_unique_pairs
from schemas.errors import CountsError, InputError

__all__ = ["ALL", "METHODS", "Method", "apply_methods", "methods_for", "score"]


@dataclass(frozen=True)
class Method:
    """One entry of the registry: the columns it adds, and the estimators that add them."""

    columns: tuple[str, ...]
    estimators: tuple[Callable[..., pl.DataFrame], ...]
    needs_prior: bool = False  # the estimators take a `GammaMixture` as well
    # The same, fitted to the expected counts within strata.
    needs_adjusted_prior: bool = False
    takes_family: bool = False  # the estimators take `n_hypotheses` as well
    # Slow, of a whole table (a row depends on the others), or of more than the four counts.
    on_request: bool = False
    needs: tuple[str, ...] = ()  # columns beside those of the four counts
    # The estimators' columns as expressions over a valid counts frame, where possible.
    expressions: Callable[[pl.DataFrame], list[pl.Expr]] | None = None


_TAIL = tail_mass(0.95, where="score")


def _adjusted_p_values(counts: pl.DataFrame, *, n_hypotheses: int | None) -> pl.DataFrame:
    return false_discovery(fisher_exact(counts), n_hypotheses=n_hypotheses)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "prr": Method(
            ("prr", "prr_lower", "prr_upper"),
            (proportional_reporting_ratio,),
            expressions=lambda counts: prr_expressions(counts, tail=_TAIL),
        ),
        "ror": Method(
            ("ror", "ror_lower", "ror_upper"),
            (reporting_odds_ratio,),
            expressions=lambda counts: ror_expressions(counts, tail=_TAIL),
        ),
        "chi2": Method(
            ("chi2", "chi2_yates"),
            (chi_squared, chi_squared_yates),
            expressions=lambda counts: [CHI_SQUARED, CHI_SQUARED_YATES],
        ),
        "rrr": Method(
            ("rrr",),
            (relative_reporting_ratio,),
            expressions=lambda counts: [RELATIVE_REPORTING_RATIO],
        ),
        "ic": Method(
            ("expected", "ic", "ic_lower", "ic_upper"),
            (information_component,),
            expressions=lambda counts: ic_expressions(
                counts["n_observed"], shrinkage=0.5, tail=_TAIL
            ),
        ),
        "ic_adjusted": Method(
            ("ic_adjusted", "ic_lower_adjusted", "ic_upper_adjusted"),
            (adjusted_information_component,),
            on_request=True,
            needs=("expected_adjusted",),
            expressions=lambda counts: adjusted_ic_expressions(
                counts["n_observed"], shrinkage=0.5, tail=_TAIL
            ),
        ),
        "bcpnn": Method(("bcpnn", "bcpnn_lower", "bcpnn_upper"), (bcpnn,)),
        "fisher": Method(("fisher_p", "fisher_mid_p"), (fisher_exact,)),
        "ebgm": Method(("expected", "ebgm", "eb05", "eb95"), (ebgm,), needs_prior=True),
        "ebgm_adjusted": Method(
            ("ebgm_adjusted", "eb05_adjusted", "eb95_adjusted"),
            (adjusted_ebgm,),
            needs_adjusted_prior=True,
            on_request=True,
            needs=("expected_adjusted",),
        ),
        "fdr": Method(
            ("fisher_p", "fisher_mid_p", "fisher_mid_p_bh", "fisher_mid_p_by"),
            (_adjusted_p_values,),
            takes_family=True,
            on_request=True,
        ),
        "lrt": Method(("llr", "llr_critical", "llr_p"), (likelihood_ratio,), on_request=True),
        "masking": Method(("masking_ratio",), (masking_screen,), on_request=True),
    }
)
"""Every method by the name that `tocsin score --methods` takes."""

ALL = tuple(
    name for name, method in METHODS.items() if not (method.needs_prior or method.on_request)
)
"""The methods that score each pair by itself, from its four counts alone."""


def score(
    counts: pl.DataFrame,
    methods: Collection[str] = ALL,
    *,
    prior: GammaMixture | None = None,
    adjusted_prior: GammaMixture | None = None,
    n_hypotheses: int | None = None,
) -> pl.DataFrame:
    """Compute the chosen statistics of every pair, with 95% intervals.

    The one call behind `tocsin score` and the detector stage. It sets no threshold, see
    `detectors.rules`, and corrects for multiplicity in `fdr` and `lrt` only.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    methods
        Names from `METHODS`, in any order; those of `ALL` by default.
    prior
        For `ebgm`: from `detectors.gamma_mixture_fit.fit_gamma_mixture`.
    adjusted_prior
        For `ebgm_adjusted`: likewise, fitted to `expected_adjusted`.
    n_hypotheses
        For `fdr`: all pairs that could have been reported; see `detectors.false_discovery`.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and the columns of each method, in the registry's order.

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, or a pair stands in two rows.
    InputError
        If a method is not known, or needs a prior that is not given, or `n_hypotheses` is given
        for methods that do not take it or is smaller than the table.

    Notes
    -----
    A row's results depend on its own four counts alone, to the last bit: rescoring only the
    pairs that a batch touched gives what rescoring everything would. Not so `fdr` and `lrt`, which
    are of the whole table.

    References
    ----------
    .. [1] Each estimator's own module names its source.

    Examples
    --------
    >>> import polars as pl
    >>> row = {"drug": ["A"], "event": ["rash"], "n_observed": [3], "n_drug": [20]}
    >>> counts = pl.DataFrame({**row, "n_event": [100], "n_total": [10000]})
    >>> score(counts, ["rrr"]).columns[-1], score(counts, ["rrr"])["rrr"].item()
    ('rrr', 15.0)
    """
    unknown = sorted(set(methods) - set(METHODS))
    if unknown:
        msg = f"score: methods must be among {list(METHODS)}; got {unknown}"
        raise InputError(msg)
    if n_hypotheses is not None and not any(METHODS[name].takes_family for name in methods):
        takers = [name for name, method in METHODS.items() if method.takes_family]
        msg = f"score: n_hypotheses is for the methods {takers}; got {n_hypotheses!r} without them"
        raise InputError(msg)
    require_counts(counts, where="score")
    require_unique_pairs(counts, where="score")
    return apply_methods(
        counts, methods, prior=prior, adjusted_prior=adjusted_prior, n_hypotheses=n_hypotheses
    )


def apply_methods(
    table: pl.DataFrame,
    methods: Collection[str],
    *extra: pl.Expr,
    prior: GammaMixture | None = None,
    adjusted_prior: GammaMixture | None = None,
    n_hypotheses: int | None = None,
) -> pl.DataFrame:
    """Add the columns of known methods to a counts frame whose pairs are known to be unique.

    Methods with expressions are computed in one pass over counts checked once, equal to the last
    bit to the estimators one after the other.

    Parameters
    ----------
    table
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    methods
        Names from `METHODS`.
    extra
        Columns to compute from the statistics, in the same pass where possible.
    prior, adjusted_prior, n_hypotheses
        For methods that take them.

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, or a method needs a column that is missing.
    InputError
        If a method needs a prior and none is given.
    """
    chosen = [(name, method) for name, method in METHODS.items() if name in methods]
    for name, method in chosen:
        if method.needs_prior and prior is None:
            msg = f"score: method {name!r} needs a prior, fitted or from a file; got none"
            raise InputError(msg)
        if method.needs_adjusted_prior and adjusted_prior is None:
            msg = (
                f"score: method {name!r} needs a prior fitted to expected_adjusted, from "
                "tocsin fit --expected expected_adjusted; got none"
            )
            raise InputError(msg)
        if missing := [column for column in method.needs if column not in table.columns]:
            msg = f"score: method {name!r} needs the columns {missing}; got {table.columns}"
            raise CountsError(msg)
    require_counts(table, where="score")
    said = [method.expressions(table) for _, method in chosen if method.expressions]
    statistics = [expression for expressions in said for expression in expressions]
    if len(said) == len(chosen):
        return with_statistics(table, statistics, *extra)
    scored = with_statistics(table, statistics) if statistics else table
    for _, method in chosen:
        if method.expressions is None:
            for estimator in method.estimators:
                given: dict[str, Any] = {"prior": prior} if method.needs_prior else {}
                given |= {"prior": adjusted_prior} if method.needs_adjusted_prior else {}
                given |= {"n_hypotheses": n_hypotheses} if method.takes_family else {}
                scored = estimator(scored, **given)
    return with_statistics(scored, extra) if extra else scored


def methods_for(statistics: Collection[str]) -> tuple[str, ...]:
    """Return the methods that give these columns, in the registry's order.

    A column that several methods add is taken from the first.

    Examples
    --------
    >>> methods_for({"n_observed", "chi2_yates", "prr"})
    ('prr', 'chi2')
    """
    needed = []
    missing = set(statistics)
    for name, method in METHODS.items():
        if missing & set(method.columns):
            needed.append(name)
            missing -= set(method.columns)
    return tuple(needed)
