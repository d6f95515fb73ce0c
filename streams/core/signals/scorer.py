"""Scores of one run: the estimators that its rules and alerts need, and their shared priors."""

from collections.abc import Collection

import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from detectors.scoring import apply_methods, methods_for
from schemas.alert import Statistics
from schemas.errors import InputError

__all__ = [
    "NEEDS_ADJUSTED_PRIOR",
    "NEEDS_BLOCKED_TEST",
    "NEEDS_PRIOR",
    "NEEDS_SAFE_TEST",
    "NOT_OF_A_TABLE",
    "OF_TEST",
    "Scorer",
]

NEEDS_PRIOR = frozenset({"ebgm", "eb05", "eb95"})
"""Statistics that need a fitted prior."""

NEEDS_ADJUSTED_PRIOR = frozenset(f"{name}_adjusted" for name in NEEDS_PRIOR)
"""The same within strata, which need a prior fitted to the adjusted expected counts."""

NEEDS_SAFE_TEST = frozenset({"e_value", "log_e_value", "e_bh_level"})
"""Statistics of the anytime-valid test, which needs days, not one table."""

OF_TEST = {name: f"{name}_blocked" for name in ("e_value", "log_e_value", "e_bh_level")}
"""Statistics of the test, and the same of the one within age bands."""

NEEDS_BLOCKED_TEST = frozenset({*OF_TEST.values(), "e_value_budgeted"})
"""Statistics of the test within age bands; one of them is scaled by its entry threshold."""

_ADJUSTED = NEEDS_ADJUSTED_PRIOR | {
    *("expected_adjusted", "ic_adjusted", "ic_lower_adjusted", "ic_upper_adjusted")
}

NOT_OF_A_TABLE = NEEDS_SAFE_TEST | NEEDS_BLOCKED_TEST | _ADJUSTED
"""Statistics that cannot be computed from one 2x2 table: of days, or of strata."""

# Bounds in the published state of a signal, computed whatever the rules need.
_OF_STATE = frozenset({"ror_lower", "ic_lower"})


class Scorer:
    """Computes the statistics that a set of rules needs.

    Parameters
    ----------
    rules
        Rules that make a pair a signal of disproportionate reporting.
    prior
        Prior of the EBGM; `None` until one is fitted: until then its statistics are null.
    adjusted_prior
        Likewise of the EBGM within strata, fitted to `expected_adjusted`.

    Attributes
    ----------
    columns
        Those of `drug` and `event` that the rules look up on lists.
    floor
        Fewest cases of a pair that any rule can flag [cases]; at least 1.
    """

    def __init__(
        self,
        rules: RuleSet,
        prior: GammaMixture | None = None,
        adjusted_prior: GammaMixture | None = None,
    ) -> None:
        if len(rules.rules) > 32:
            msg = f"rules: at most 32 may run together; got {len(rules.rules)}"
            raise InputError(msg)
        self.rules = rules
        self.prior = prior
        self.adjusted_prior = adjusted_prior
        self.columns = rules.columns
        self.floor = max(rules.floor, 1)
        self.needs_prior = bool(rules.statistics & NEEDS_PRIOR)
        self.needs_adjusted_prior = bool(rules.statistics & NEEDS_ADJUSTED_PRIOR)
        self.needs_safe_test = bool(rules.statistics & NEEDS_SAFE_TEST)
        self.needs_blocked_test = bool(rules.statistics & NEEDS_BLOCKED_TEST)
        self.needs_adjusted = bool(rules.statistics & _ADJUSTED)
        self._masks = rules.masks()
        self._for_rules = methods_for(rules.statistics | _OF_STATE)
        self._for_alerts = tuple(
            name
            for name in methods_for(frozenset(Statistics.model_fields))
            if name not in self._for_rules
        )

    @property
    def prior_id(self) -> str | None:
        """Return the id of the prior; `None` if no EBGM is computed."""
        return None if self.prior is None else self.prior.prior_id

    @property
    def adjusted_prior_id(self) -> str | None:
        """Return the id of the adjusted prior; `None` if no EBGM within strata is computed."""
        return None if self.adjusted_prior is None else self.adjusted_prior.prior_id

    def score(self, table: pl.DataFrame) -> pl.DataFrame:
        """Add the statistics that the rules need, the rules that fire, and those that stay on.

        Parameters
        ----------
        table
            The four counts; `drug` and `event` where a rule looks them up; `expected_adjusted` and
            the statistics of the anytime-valid tests, if needed.

        Returns
        -------
        polars.DataFrame
            `table`, same order, with the statistics and the bits `entered` and `held` of
            `detectors.rules.RuleSet.masks`.
        """
        return self._apply(table, self._for_rules, *self._masks)

    def complete(self, scored: pl.DataFrame) -> pl.DataFrame:
        """Add the statistics that only alerts need; with `expected_adjusted` in any case."""
        completed = self._apply(scored, self._for_alerts)
        tested = NEEDS_SAFE_TEST | NEEDS_BLOCKED_TEST
        missing = [name for name in tested if name not in completed.columns]
        return completed.with_columns(
            pl.lit(None, dtype=pl.Float64).alias(name) for name in missing
        )

    def _apply(
        self, table: pl.DataFrame, methods: Collection[str], *expressions: pl.Expr
    ) -> pl.DataFrame:
        for method, prior, needing in (
            ("ebgm", self.prior, NEEDS_PRIOR),
            ("ebgm_adjusted", self.adjusted_prior, NEEDS_ADJUSTED_PRIOR),
        ):
            if prior is None and method in methods:
                unknown = [pl.lit(None, dtype=pl.Float64).alias(name) for name in sorted(needing)]
                table = table.with_columns(unknown)
                methods = [name for name in methods if name != method]
        return apply_methods(
            table, methods, *expressions, prior=self.prior, adjusted_prior=self.adjusted_prior
        )
